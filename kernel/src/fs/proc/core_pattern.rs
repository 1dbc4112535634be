//! /proc/sys/kernel/core_pattern: the name of core files, core(5).

use alloc::sync::Arc;

use abi::Errno;

use super::seq_file;
use crate::core_dump::pattern;
use crate::fs::object::{Io, Object, Positioning};
use crate::user_memory::{Sink, Source};

/// The longest that is taken, with its newline.
const MOST_CHARACTERS: usize = 128;

struct CorePattern {
    text: Arc<dyn Object>,
}

/// Opens the file.
pub fn open() -> Result<Arc<dyn Object>, Errno> {
    let text = seq_file::open_whole(|text| {
        let (pattern, len) = pattern::get();
        text.bytes(&pattern[..len]);
        text.bytes(b"\n");
        Ok(())
    })?;
    Ok(crate::fallible::arc(CorePattern { text })?)
}

impl Object for CorePattern {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.text.read(io, to)
    }

    /// The pattern up to a newline; all that was given counts as written. `EINVAL` for a pipe to a program.
    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let given = from.left();
        let mut bytes = [0; MOST_CHARACTERS];
        let wanted = given.min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        let line = bytes[..len].split(|&byte| byte == b'\n').next();
        pattern::set(line.unwrap_or_default())?;
        Ok(given)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
