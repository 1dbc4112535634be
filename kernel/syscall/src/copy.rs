//! Copying between files inside the kernel.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::{OpenFlags, S_IFREG};

use super::caller::with_caller;
use super::lookup::file;
use sched::scheduler;
use task::thread::{Thread, ThreadExt};
use uaccess::{KernelSink, KernelSource, MOST_BYTES, read_value, write_value};
use vfs::OpenFile;
use vfs::file_ops::Whence;

/// Bytes copied in one go.
const PIECE: usize = 32 * 1024;

/// sendfile(2).
///
/// # Errors
/// `EBADF`: not open for reading, or for writing. `EINVAL`: the output appends; the input has no position; a negative
/// offset. As for `read` and `write`, and those of user memory.
pub fn sendfile(current: &Thread, output: i32, input: i32, offset: u64, count: u64) -> Result<usize, Errno> {
    let (output, input) = (file(current, output)?, file(current, input)?);
    if !output.is_writable() || !input.is_readable() {
        return Err(Errno::EBADF);
    }
    if output.flags().contains(OpenFlags::O_APPEND) {
        return Err(Errno::EINVAL);
    }
    let mut from = Position::read(&input, offset)?;
    let result = with_caller(current, |caller| {
        copy(&input, &mut from.at, count, |bytes, _| {
            output.write_piece(caller, &mut KernelSource(bytes))
        })
    });
    note(current, &input, &output, &result);
    from.write_back(&input)?;
    result
}

/// copy_file_range(2) between regular files.
///
/// # Errors
/// `EINVAL`: flags, other files than regular ones, ranges that overlap, a negative offset. `EISDIR`: a directory.
/// `EBADF`: not open for reading, or for writing without `O_APPEND`. As for `read` and `write`, and those of user
/// memory.
pub fn copy_file_range(
    current: &Thread,
    input: i32,
    input_offset: u64,
    output: i32,
    output_offset: u64,
    count: u64,
    flags: u32,
) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (input, output) = (file(current, input)?, file(current, output)?);
    if input.inode().is_directory() || output.inode().is_directory() {
        return Err(Errno::EISDIR);
    }
    if input.inode().kind() != S_IFREG || output.inode().kind() != S_IFREG {
        return Err(Errno::EINVAL);
    }
    if !output.is_writable() || !input.is_readable() || output.flags().contains(OpenFlags::O_APPEND) {
        return Err(Errno::EBADF);
    }
    let mut from = Position::read(&input, input_offset)?;
    let mut to = Position::read(&output, output_offset)?;
    // As Linux: what the file has now. What this call puts behind its end is not copied again.
    let count = count.min(input.inode().size().saturating_sub(from.at));
    let is_overlapping = Arc::ptr_eq(input.inode(), output.inode()) && from.at.abs_diff(to.at) < count;
    if is_overlapping {
        return Err(Errno::EINVAL);
    }
    let start = to.at;
    let result = with_caller(current, |caller| {
        copy(&input, &mut from.at, count, |bytes, done| {
            output.write_piece_at(caller, start + done, &mut KernelSource(bytes))
        })
    });
    note(current, &input, &output, &result);
    to.at += *result.as_ref().unwrap_or(&0) as u64;
    from.write_back(&input)?;
    to.write_back(&output)?;
    result
}

/// What is copied was read and written.
fn note(current: &Thread, input: &OpenFile, output: &OpenFile, result: &Result<usize, Errno>) {
    current.transfers().note_read(result);
    current.transfers().note_written(result);
    // As in Linux, which tells it of the write and of the call.
    output.note_transfer(InotifyEvents::IN_MODIFY, result);
    input.note_transfer(InotifyEvents::IN_ACCESS, result);
    output.note_transfer(InotifyEvents::IN_MODIFY, result);
}

/// A position in a file: the program's own, or the file's.
struct Position {
    at: u64,
    /// Where the program keeps it; 0: the file's.
    address: u64,
}

impl Position {
    fn read(file: &OpenFile, address: u64) -> Result<Self, Errno> {
        let at = if address == 0 {
            file.seek(0, Whence::Position).map_err(|_| Errno::EINVAL)?
        } else {
            u64::try_from(read_value::<i64>(address)?).map_err(|_| Errno::EINVAL)?
        };
        Ok(Position { at, address })
    }

    fn write_back(&self, file: &OpenFile) -> Result<(), Errno> {
        if self.address != 0 {
            return write_value(self.address, &self.at);
        }
        let at = i64::try_from(self.at).map_err(|_| Errno::EOVERFLOW)?;
        file.seek(at, Whence::Start).map(|_| ())
    }
}

/// Copies up to `count` bytes of `input` at `at`, which moves on, by `write(bytes, copied before)`.
fn copy(
    input: &OpenFile,
    at: &mut u64,
    count: u64,
    mut write: impl FnMut(&[u8], u64) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(MOST_BYTES);
    let mut buffer: Vec<u8> = memory::try_list(count.min(PIECE))?;
    let mut done = 0;
    while done < count {
        let len = (count - done).min(PIECE);
        let mut step = || {
            scheduler::cond_resched_killable()?;
            let read = input.read_piece_at(*at, &mut KernelSink::new(&mut buffer[..len]))?;
            let written = if read == 0 {
                0
            } else {
                write(&buffer[..read], done as u64)?
            };
            Ok((read, written))
        };
        match step() {
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
            Ok((read, written)) => {
                *at += written as u64;
                done += written;
                if read == 0 || written < read {
                    break;
                }
            }
        }
    }
    Ok(done)
}
