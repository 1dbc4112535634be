//! A number of /proc/sys that a privileged process may set (sysctl(8)).

use alloc::sync::Arc;

use abi::Errno;

use super::seq_file;
use crate::fallible;
use crate::fs::object::{Io, Object, Positioning};
use crate::scheduler::Setting;
use crate::user_memory::{Sink, Source};

/// Longer than any number.
const MOST_CHARACTERS: usize = 24;

struct Number {
    setting: &'static Setting,
    text: Arc<dyn Object>,
}

/// Opens the file of a setting.
pub fn open(setting: &'static Setting) -> Result<Arc<dyn Object>, Errno> {
    let text = seq_file::open_whole(move |text| {
        text.add(format_args!("{}\n", setting.get()));
        Ok(())
    })?;
    Ok(fallible::arc(Number { setting, text })?)
}

impl Object for Number {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.text.read(io, to)
    }

    /// `EINVAL` for what is no number, or none that it can be.
    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let given = from.left();
        let mut bytes = [0; MOST_CHARACTERS];
        let wanted = given.min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        let text = str::from_utf8(bytes[..len].trim_ascii()).map_err(|_| Errno::EINVAL)?;
        self.setting.set(text.parse().map_err(|_| Errno::EINVAL)?)?;
        Ok(given)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
