//! Reading the records while the command runs: a ring that is read in time loses nothing.

use super::FOLDER;
use crate::runtime::file::{self, File};
use crate::runtime::{Errno, Result, process};
use abi::file::{OpenFlags, POLLIN, PollFd};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes read at once.
const ROOM: usize = 1 << 14;

/// Who reads `trace_pipe`, and what was read.
pub struct Records {
    pipe: File,
    text: Vec<u8>,
}

impl Records {
    /// `EBUSY`: somebody else reads.
    pub fn open() -> Result<Records> {
        let flags = OpenFlags::O_RDONLY | OpenFlags::O_NONBLOCK;
        Ok(Records {
            pipe: File::open(&format!("{FOLDER}/trace_pipe"), flags, 0)?,
            text: Vec::new(),
        })
    }

    /// Reads whenever a ring has filled to its mark, until the process has ended. Who waits for it still finds it.
    pub fn read_until_end_of(&mut self, pid: i32) -> Result<()> {
        let process = process::descriptor_of(pid)?;
        let mut waiting = [&self.pipe, &process].map(|file| PollFd {
            fd: file.descriptor(),
            events: POLLIN,
            revents: 0,
        });
        loop {
            match file::poll(&mut waiting, None) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
            self.read_what_is_there()?;
            if waiting[1].revents != 0 {
                return Ok(());
            }
        }
    }

    /// Reads until there is nothing.
    pub fn read_what_is_there(&mut self) -> Result<()> {
        let mut buffer = [0; ROOM];
        loop {
            match self.pipe.read(&mut buffer) {
                Ok(0) | Err(Errno::EAGAIN) => return Ok(()),
                Ok(len) => {
                    self.text.try_reserve(len).map_err(|_| Errno::ENOMEM)?;
                    self.text.extend_from_slice(&buffer[..len]);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// So many records gave way before they were read.
    pub fn lost(&self) -> u64 {
        self.text.split(|byte| *byte == b'\n').filter_map(lost_in).sum()
    }

    /// The lines of all records.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// What the line `CPU:0 [LOST 12 EVENTS]` says.
fn lost_in(line: &[u8]) -> Option<u64> {
    let line = core::str::from_utf8(line).ok()?;
    let (cpu, rest) = line.strip_prefix("CPU:")?.split_once(" [LOST ")?;
    cpu.parse::<u32>().ok()?;
    rest.strip_suffix(" EVENTS]")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::lost_in;

    #[test]
    fn what_was_lost_is_found() {
        assert_eq!(lost_in(b"CPU:3 [LOST 17 EVENTS]"), Some(17));
        assert_eq!(lost_in(b"  CPU:3 [LOST 17 EVENTS]"), None);
        assert_eq!(lost_in(b"sh-7       (      7) [000]     1.000000: exit:"), None);
    }
}
