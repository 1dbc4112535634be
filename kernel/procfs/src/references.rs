//! /proc/PID/clear_refs: on Linux it takes marks off pages, for whoever counts which are used again. There are no such marks
//! here, neither of references nor of stores (soft-dirty), so that those commands are refused. One is there: 5 lets the peak of what
//! was resident begin anew.

use alloc::sync::Arc;

use abi::Errno;

use super::access::Inspected;
use super::proc_task::ProcTask;
use memory::fallible;
use sched::space::Space;
use uaccess::Source;
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Positioning};

/// `CLEAR_REFS_MM_HIWATER_RSS`.
const RESET_PEAK: &[u8] = b"5";
/// The longest command that is taken, with its newline.
const MOST_CHARACTERS: usize = 12;

struct References(Inspected);

/// Opens the file.
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    Ok(fallible::arc(References(Inspected::new(process)?))?)
}

impl FileOps for References {
    /// `EINVAL`, as for a command that is not known.
    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut bytes = [0; MOST_CHARACTERS];
        let wanted = from.left().min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        if bytes[..len].trim_ascii() != RESET_PEAK {
            return Err(Errno::EINVAL);
        }
        self.0.with_space(|space| Space::reset_peak(space));
        Ok(len)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
