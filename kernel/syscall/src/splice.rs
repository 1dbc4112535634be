//! splice(2), tee(2), vmsplice(2): bytes between a pipe and something else.

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::{OpenFlags, S_IFCHR, S_IFREG, S_IFSOCK};
use abi::splice::SpliceFlags;

use super::caller::with_caller;
use super::flags::decode;
use super::lookup::opened;
use fs::pipe::{self, Pipe, Taking};
use task::thread::Thread;
use uaccess::{MOST_BYTES, Source, UserBuffer, read_value, write_value};
use vfs::OpenFile;
use vfs::caller::Caller;
use vfs::file_ops::Io;

/// The device that gives nothing, and cannot be spliced from: /dev/null.
const NULL_DEVICE: u64 = 1 << 8 | 3;

/// splice(2).
///
/// # Errors
/// `EBADF`: not open for reading, or for writing. `EINVAL`: unknown flags, no pipe, one pipe, an output that appends, what cannot be
/// spliced, an offset of what has no positions. `ESPIPE`: an offset of a pipe. `EAGAIN`: it would wait. `EPIPE`, and SIGPIPE: nobody
/// reads the pipe. As for `read` and `write`, and those of user memory.
pub fn splice(
    current: &Thread,
    input: i32,
    input_offset: u64,
    output: i32,
    output_offset: u64,
    [count, flags]: [u64; 2],
) -> Result<usize, Errno> {
    if count == 0 {
        return Ok(0);
    }
    let flags = decode(flags as u32, SpliceFlags::all())?;
    let (input, output) = (opened(current, input)?, opened(current, output)?);
    let (from, to) = (pipe::of(input.inode()), pipe::of(output.inode()));
    if from.is_some() && input_offset != 0 || to.is_some() && output_offset != 0 {
        return Err(Errno::ESPIPE);
    }
    let mut write_at = Offset::read(output_offset)?;
    let mut read_at = Offset::read(input_offset)?;
    if !input.is_readable() || !output.is_writable() {
        return Err(Errno::EBADF);
    }
    let most = most_of(count);
    let result = with_caller(current, |caller| match (from, to) {
        (Some(from), Some(to)) => {
            let io = io(flags, &[&input, &output]);
            pass(caller, &io, (from, to), most, Taking::Moved)
        }
        (Some(from), None) => drain(caller, &io(flags, &[&input]), from, &output, &mut write_at, most),
        (None, Some(to)) => fill(caller, &io(flags, &[&output]), to, &input, &mut read_at, most),
        (None, None) => Err(Errno::EINVAL),
    });
    note(&input, &output, &result);
    write_at.write_back()?;
    read_at.write_back()?;
    result
}

/// tee(2).
///
/// # Errors
/// `EINVAL`: unknown flags, no two pipes. `EBADF`: not open for reading, or for writing. `EAGAIN`: it would wait. `EPIPE`, and SIGPIPE:
/// nobody reads. `ENOMEM`, an interrupted wait.
pub fn tee(current: &Thread, input: i32, output: i32, count: u64, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, SpliceFlags::all())?;
    if count == 0 {
        return Ok(0);
    }
    let (input, output) = (opened(current, input)?, opened(current, output)?);
    if !input.is_readable() || !output.is_writable() {
        return Err(Errno::EBADF);
    }
    let (Some(from), Some(to)) = (pipe::of(input.inode()), pipe::of(output.inode())) else {
        return Err(Errno::EINVAL);
    };
    let io = io(flags, &[&input, &output]);
    let result = with_caller(current, |caller| {
        pass(caller, &io, (from, to), most_of(count), Taking::Copied)
    });
    note(&input, &output, &result);
    result
}

/// vmsplice(2). What the program gives is copied: it may change it at once.
///
/// # Errors
/// `EINVAL`: unknown flags, more than `IOV_MAX` parts. `EBADF`: no pipe. `EAGAIN`: it would wait. `EPIPE`, and SIGPIPE: nobody reads.
/// `ENOMEM`, an interrupted wait, those of user memory.
pub fn vmsplice(
    current: &Thread,
    descriptor: i32,
    list: u64,
    count: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let flags = decode(flags, SpliceFlags::all())?;
    let file = opened(current, descriptor)?;
    if !file.is_readable() && !file.is_writable() {
        return Err(Errno::EBADF);
    }
    let mut memory = UserBuffer::from_list(list, count)?;
    let most = memory.left();
    if most == 0 {
        return Ok(0);
    }
    let pipe = pipe::of(file.inode()).ok_or(Errno::EBADF)?;
    // Whether the pipe itself is waited for does not count, as on Linux.
    let mut io = io(flags, &[]);
    if !file.is_writable() {
        return file.ops().read(&mut io, &mut memory);
    }
    with_caller(current, |caller| {
        in_rounds(io, most, |io, most| {
            pipe.splice_in(caller, io, most, &mut |frames| frames.take_from(&mut memory))
        })
    })
}

/// What the flags of the call say, and those of the pipes: whether they are waited for.
fn io(flags: SpliceFlags, pipes: &[&OpenFile]) -> Io {
    let is_nonblocking = flags.contains(SpliceFlags::SPLICE_F_NONBLOCK)
        || pipes
            .iter()
            .any(|pipe| pipe.flags().contains(OpenFlags::O_NONBLOCK));
    Io {
        position: 0,
        flags: if is_nonblocking {
            OpenFlags::O_NONBLOCK
        } else {
            OpenFlags::empty()
        },
    }
}

fn most_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).min(MOST_BYTES)
}

/// One of the two was read, the other written.
fn note(input: &OpenFile, output: &OpenFile, result: &Result<usize, Errno>) {
    output.note_transfer(InotifyEvents::IN_MODIFY, result);
    input.note_transfer(InotifyEvents::IN_ACCESS, result);
}

/// From one pipe to another.
fn pass(
    caller: &Caller<'_>,
    io: &Io,
    (from, to): (&Pipe, &Pipe),
    most: usize,
    taking: Taking,
) -> Result<usize, Errno> {
    if core::ptr::eq(from, to) {
        return Err(Errno::EINVAL);
    }
    from.splice_to(to, caller, io, most, taking)
}

/// From a pipe to a file.
fn drain(
    caller: &Caller<'_>,
    io: &Io,
    from: &Pipe,
    output: &OpenFile,
    at: &mut Offset,
    most: usize,
) -> Result<usize, Errno> {
    if output.flags().contains(OpenFlags::O_APPEND) || !can_be_spliced(output) {
        return Err(Errno::EINVAL);
    }
    from.splice_out(io, most, &mut |bytes| {
        let written = match at.value {
            Some(value) => output
                .write_piece_at(caller, value, bytes)
                .map_err(without_positions)?,
            None => output.write_piece(caller, bytes)?,
        };
        at.advance(written);
        Ok(written)
    })
}

/// From a file to a pipe.
fn fill(
    caller: &Caller<'_>,
    io: &Io,
    to: &Pipe,
    input: &OpenFile,
    at: &mut Offset,
    most: usize,
) -> Result<usize, Errno> {
    if !can_be_spliced(input) || input.inode().is_device() && input.inode().device_number() == NULL_DEVICE {
        return Err(Errno::EINVAL);
    }
    let mut round = |io: &Io, most: usize| {
        to.splice_in(caller, io, most, &mut |frames| {
            let read = match at.value {
                Some(value) => input.read_piece_at(value, frames).map_err(without_positions)?,
                None => input.read_piece(frames)?,
            };
            at.advance(read);
            Ok(read)
        })
    };
    if input.inode().kind() == S_IFREG {
        in_rounds(*io, most, round)
    } else {
        // There may be nothing more for now.
        round(io, most)
    }
}

/// Fills a pipe by one round after the other until there is no more to come, or no more room: only the first waits.
fn in_rounds(
    mut io: Io,
    most: usize,
    mut round: impl FnMut(&Io, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < most {
        match round(&io, most - done) {
            Err(error) if done == 0 => return Err(error),
            Ok(0) | Err(_) => break,
            Ok(moved) => done += moved,
        }
        io.flags |= OpenFlags::O_NONBLOCK;
        if sched::scheduler::cond_resched_killable().is_err() {
            break;
        }
    }
    Ok(done)
}

/// Whether it is a file of a kind that has bytes.
fn can_be_spliced(file: &OpenFile) -> bool {
    matches!(file.inode().kind(), S_IFREG | S_IFCHR | S_IFSOCK)
}

/// An offset for what has no positions.
fn without_positions(error: Errno) -> Errno {
    if error == Errno::ESPIPE {
        Errno::EINVAL
    } else {
        error
    }
}

/// Where in a file the program wants the bytes, if it says so.
struct Offset {
    value: Option<u64>,
    /// Where the program keeps it.
    address: u64,
}

impl Offset {
    fn read(address: u64) -> Result<Self, Errno> {
        let value = match address {
            0 => None,
            _ => Some(u64::try_from(read_value::<i64>(address)?).map_err(|_| Errno::EINVAL)?),
        };
        Ok(Offset { value, address })
    }

    fn advance(&mut self, moved: usize) {
        self.value = self.value.map(|value| value + moved as u64);
    }

    fn write_back(&self) -> Result<(), Errno> {
        self.value
            .map_or(Ok(()), |value| write_value(self.address, &value))
    }
}
