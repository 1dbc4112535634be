//! Files that show bytes of a process's memory: /proc/PID/cmdline, environ, auxv; and mem, all of it, to read and write.

use alloc::sync::Arc;

use abi::Errno;

use super::access::Inspected;
use super::proc_task::ProcTask;
use super::seq_file::MOST_READ;
use memory::fallible;
use sched::scheduler;
use sched::space::Space;
use task::process::Process;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Positioning};

/// Bytes copied at once.
const PIECE: usize = 256;

/// Where some strings lie in a space: address and length.
type Place = fn(&Space) -> (u64, usize);

/// Part of the memory that the process had at the open.
struct MemoryPart {
    memory: Inspected,
    place: Place,
}

/// The whole of it.
struct Whole(Inspected);

/// The arguments of the process. They are for everybody, so they are those of whatever it runs.
struct CommandLine(Arc<Process>);

/// Opens environ: the strings of the environment, each with its NUL.
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open_environment(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = Inspected::new(process)?;
    let place: Place = |space| space.strings.environment();
    Ok(fallible::arc(MemoryPart { memory, place })?)
}

/// Opens auxv: the auxiliary vector, where exec laid it (getauxval(3)).
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open_auxiliary_vector(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = Inspected::new(process)?;
    let place: Place = |space| space.strings.auxiliary();
    Ok(fallible::arc(MemoryPart { memory, place })?)
}

/// Opens mem: a position is an address.
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    Ok(fallible::arc(Whole(Inspected::new(process)?))?)
}

/// Opens cmdline: the argument strings, each with its NUL; empty once the process has ended.
///
/// # Errors
/// `ENOMEM`.
pub fn open_command_line(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    Ok(fallible::arc(CommandLine(process.process.clone()))?)
}

impl FileOps for MemoryPart {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        transfer(io, to.room(), |at, bytes| {
            let read = |space: &Arc<Space>| read_at(space, self.place, at, bytes);
            let len = self.memory.with_space(read).unwrap_or(Ok(0))?;
            if len == 0 { Ok(0) } else { to.put(&bytes[..len]) }
        })
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

impl FileOps for CommandLine {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        transfer(io, to.room(), |at, bytes| {
            let Some(space) = self.0.space() else {
                return Ok(0);
            };
            let read = read_at(&space, |space| space.strings.arguments(), at, bytes);
            space.let_go();
            let len = read?;
            if len == 0 { Ok(0) } else { to.put(&bytes[..len]) }
        })
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

impl FileOps for Whole {
    /// `EIO` where nothing can be read.
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        transfer(io, to.room(), |at, bytes| {
            let read = |space: &Arc<Space>| space.read(at, bytes);
            match self.0.with_space(read) {
                Some(len) => to.put(&bytes[..len.map_err(unmapped)?]),
                None => Ok(0),
            }
        })
    }

    /// Private memory is written whatever its protection, as a debugger must; what is behind it, a file, is never. `EIO` where
    /// nothing can be written.
    fn write(&self, _caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        transfer(io, from.left(), |at, bytes| {
            let len = from.take(bytes)?;
            let write = |space: &Arc<Space>| space.write_forced(at, &bytes[..len]);
            self.0.with_space(write).unwrap_or(Ok(0)).map_err(unmapped)
        })
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

/// What mem says of an address that has no memory (`mem_rw` of Linux).
fn unmapped(error: Errno) -> Errno {
    match error {
        Errno::EFAULT => Errno::EIO,
        other => other,
    }
}

/// Copies bytes of a part from offset `at` on; how many.
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

/// Moves up to `len` bytes from the position on by `step(position, room for a piece)`, which says how many it moved. An error
/// only if nothing was moved.
fn transfer(
    io: &mut Io,
    len: usize,
    mut step: impl FnMut(u64, &mut [u8]) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let (mut done, len) = (0, len.min(MOST_READ));
    while done < len {
        let mut bytes = [0; PIECE];
        let wanted = (len - done).min(PIECE);
        let moved = scheduler::cond_resched_killable().and_then(|()| step(io.position, &mut bytes[..wanted]));
        match moved {
            Ok(0) => break,
            Ok(moved) => {
                io.position = io.position.wrapping_add(moved as u64);
                done += moved;
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}
