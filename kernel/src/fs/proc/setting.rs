//! A name of the machine in /proc/sys/kernel: a line that the privileged may change (sysctl(8)).

use alloc::sync::Arc;

use abi::Errno;

use super::seq_file;
use crate::fallible;
use crate::fs::object::{Io, Object, Positioning};
use crate::syscall::system::{MachineName, NAME_LEN};
use crate::user_memory::{Sink, Source};

struct Setting {
    name: &'static MachineName,
    text: Arc<dyn Object>,
}

/// Opens the file of a name.
pub fn open(name: &'static MachineName) -> Result<Arc<dyn Object>, Errno> {
    let text = seq_file::open_whole(move |text| {
        name.with_bytes(|bytes| text.bytes(bytes));
        text.bytes(b"\n");
        Ok(())
    })?;
    Ok(fallible::arc(Setting { name, text })?)
}

impl Object for Setting {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.text.read(io, to)
    }

    /// The first line, cut to what fits, becomes the name; all that was given counts as written.
    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let given = from.left();
        let mut bytes = [0; NAME_LEN];
        let wanted = given.min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        let line = bytes[..len].split(|&byte| byte == b'\n' || byte == 0).next();
        self.name.set(line.unwrap_or_default());
        Ok(given)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
