//! Files that show bytes of a process's memory: /proc/PID/cmdline and environ.

use alloc::sync::Arc;

use abi::Errno;

use super::access::Inspected;
use super::process::Subject;
use super::seq_file::MOST_READ;
use crate::fs::object::{Io, Object, Positioning};
use crate::process::{Process, Space};
use crate::scheduler;
use crate::user_memory::Sink;

/// Bytes copied at once.
const PIECE: usize = 256;

/// Where some strings lie in a space: address and length.
type Place = fn(&Space) -> (u64, usize);

/// The environment of the memory that the process had at the open.
struct Environment(Inspected);

/// The arguments of the process. They are for everybody, so they are those of whatever it runs.
struct CommandLine(Arc<Process>);

/// Opens environ: the strings of the environment, each with its NUL.
pub fn open_environment(process: &Subject) -> Result<Arc<dyn Object>, Errno> {
    let file = Arc::try_new(Environment(Inspected::new(process)?)).map_err(|_| Errno::ENOMEM)?;
    Ok(file)
}

/// Opens cmdline: the argument strings, each with its NUL; empty once the process has ended.
pub fn open_command_line(process: &Subject) -> Result<Arc<dyn Object>, Errno> {
    let file = Arc::try_new(CommandLine(process.process.clone())).map_err(|_| Errno::ENOMEM)?;
    Ok(file)
}

impl Object for Environment {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        read_strings(io, to, |at, bytes| {
            let read = |space: &Arc<Space>| read_at(space, |space| space.strings.environment(), at, bytes);
            self.0.with_space(read).unwrap_or(Ok(0))
        })
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

impl Object for CommandLine {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        read_strings(io, to, |at, bytes| {
            let Some(space) = self.0.space() else {
                return Ok(0);
            };
            let read = read_at(&space, |space| space.strings.arguments(), at, bytes);
            space.let_go();
            read
        })
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

/// Copies bytes of the strings from offset `at` on; how many.
fn read_at(space: &Space, place: Place, at: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
    let (start, len) = place(space);
    let left = usize::try_from((len as u64).saturating_sub(at)).unwrap_or(0);
    let wanted = left.min(bytes.len());
    if wanted == 0 {
        return Ok(0);
    }
    // What the program has unmapped of them is no error, it is not there.
    match space.read(start + at, &mut bytes[..wanted]) {
        Err(Errno::EFAULT) => Ok(0),
        read => read,
    }
}

/// Reads from the position on, by pieces that `piece(offset, into)` copies.
fn read_strings(
    io: &mut Io,
    to: &mut dyn Sink,
    piece: impl Fn(u64, &mut [u8]) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    while to.room() > 0 && done < MOST_READ {
        let mut bytes = [0; PIECE];
        let wanted = to.room().min(PIECE);
        let step = scheduler::cond_resched_killable()
            .and_then(|()| piece(io.position, &mut bytes[..wanted]))
            .and_then(|len| if len == 0 { Ok(0) } else { to.put(&bytes[..len]) });
        match step {
            Ok(0) => break,
            Ok(put) => {
                io.position += put as u64;
                done += put;
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}
