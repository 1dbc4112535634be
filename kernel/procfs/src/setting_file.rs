//! Files of /proc that show a short text and take another one (sysctl(8), proc(5)).

use alloc::sync::Arc;

use abi::Errno;

use super::seq_file;
use super::text::Text;
use memory::fallible;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Positioning};

struct SettingFile<const MOST: usize, F> {
    text: Arc<dyn FileOps>,
    set: F,
}

/// Opens a file: `show` adds its text, `set` is given what is written to it, of which it sees no more than `MOST` bytes. All that
/// was given counts as written.
///
/// # Errors
/// `ENOMEM`.
pub fn open<const MOST: usize>(
    show: impl Fn(&mut Text) -> Result<(), Errno> + Send + Sync + 'static,
    set: impl Fn(&[u8]) -> Result<(), Errno> + Send + Sync + 'static,
) -> Result<Arc<dyn FileOps>, Errno> {
    let text = seq_file::open_whole(show)?;
    Ok(fallible::arc(SettingFile::<MOST, _> { text, set })?)
}

/// The first line of what was written.
pub fn first_line(written: &[u8]) -> &[u8] {
    let line = written.split(|&byte| byte == b'\n').next();
    line.unwrap_or_default()
}

/// The number that was written.
///
/// # Errors
/// `EINVAL`: it is none.
pub fn number<T: core::str::FromStr>(written: &[u8]) -> Result<T, Errno> {
    let text = str::from_utf8(written.trim_ascii()).map_err(|_| Errno::EINVAL)?;
    text.parse().map_err(|_| Errno::EINVAL)
}

impl<const MOST: usize, F> FileOps for SettingFile<MOST, F>
where
    F: Fn(&[u8]) -> Result<(), Errno> + Send + Sync + 'static,
{
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.text.read(io, to)
    }

    /// What the setting says.
    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let given = from.left();
        let mut bytes = [0; MOST];
        let wanted = given.min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        (self.set)(&bytes[..len])?;
        Ok(given)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
