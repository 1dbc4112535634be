//! A switch of /proc/sys: a file that reads 0 or 1, and that a privileged process may set (sysctl(8)).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::fallible;
use abi::Errno;

use super::seq_file;
use crate::fs::object::{Io, Object, Positioning};
use crate::user_memory::{Sink, Source};

/// A digit and a newline; what is longer is no switch.
const MOST_CHARACTERS: usize = 3;

struct Switch {
    is_on: &'static AtomicBool,
    text: Arc<dyn Object>,
}

/// Opens the file of a switch.
pub fn open(is_on: &'static AtomicBool) -> Result<Arc<dyn Object>, Errno> {
    let text = seq_file::open_whole(move |text| {
        text.add(format_args!("{}\n", u8::from(is_on.load(Ordering::Relaxed))));
        Ok(())
    })?;
    Ok(fallible::arc(Switch { is_on, text })?)
}

impl Object for Switch {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.text.read(io, to)
    }

    /// `EINVAL` for what is neither 0 nor 1, as `proc_dointvec_minmax` of Linux has it.
    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut bytes = [0; MOST_CHARACTERS];
        let wanted = from.left().min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        let is_on = match bytes[..len].trim_ascii() {
            b"0" => false,
            b"1" => true,
            _ => return Err(Errno::EINVAL),
        };
        self.is_on.store(is_on, Ordering::Relaxed);
        Ok(len)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
