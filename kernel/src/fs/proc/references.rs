//! /proc/PID/clear_refs: on Linux it takes marks off pages, for whoever counts which are used again. There are no such marks
//! here, neither of references nor of stores (soft-dirty), so that every command is refused.

use alloc::sync::Arc;

use abi::Errno;

use super::access::may_inspect;
use super::process::Subject;
use crate::fallible;
use crate::fs::object::{Io, Object, Positioning};
use crate::user_memory::Source;

struct References;

/// Opens the file.
pub fn open(process: &Subject) -> Result<Arc<dyn Object>, Errno> {
    may_inspect(process)?;
    Ok(fallible::arc(References)?)
}

impl Object for References {
    /// `EINVAL`, as for a command that is not known.
    fn write(&self, _io: &mut Io, _from: &mut dyn Source) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
