//! /proc/sysrq-trigger: commands for whoever can still write to a file (Linux, Documentation/admin-guide/sysrq.rst). `c`
//! crashes the kernel, so that one can see what a crash looks like; `b` restarts and `o` turns off, at once.

use alloc::sync::Arc;

use abi::Errno;
use memory::fallible;

use klog::power;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Positioning};

struct Trigger;

/// Opens the file.
///
/// # Errors
/// `ENOMEM`.
pub fn open((): &()) -> Result<Arc<dyn FileOps>, Errno> {
    Ok(fallible::arc(Trigger)?)
}

impl FileOps for Trigger {
    fn read(&self, _io: &mut Io, _to: &mut dyn Sink) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }

    /// The first byte is the command, as on Linux; `EINVAL` for one that is not known here.
    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut command = [0];
        if from.take(&mut command)? == 0 {
            return Ok(0);
        }
        match &command {
            b"b" => power::restart(),
            b"o" => power::power_off(),
            b"c" => panic!("sysrq triggered crash"),
            _ => Err(Errno::EINVAL),
        }
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
