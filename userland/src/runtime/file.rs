//! Files by path and by descriptor.

use alloc::string::String;
use alloc::vec::Vec;

use super::path::c_string;
use super::raw::syscall;
use super::{Errno, Result};
use abi::block::BLKFLSBUF;
use abi::file::{self as flags, AccessFlags, AtFlags, OpenFlags, PollFd, Stat};
use abi::{nr, time::TimeSpec};

/// "Relative to the current directory", as a register value.
pub(super) const HERE: usize = flags::AT_FDCWD as isize as usize;

/// An open file, closed when dropped.
#[derive(Debug)]
pub struct File(i32);

impl File {
    /// Opens or creates; `flags` are `O_*`. Descriptors above 2 close at exec only with `O_CLOEXEC`.
    pub fn open(path: &str, flags: OpenFlags, mode: u32) -> Result<File> {
        let path = c_string(path)?;
        // SAFETY: the path is NUL-terminated and lives through the call.
        let descriptor = unsafe {
            syscall(
                nr::OPENAT,
                [HERE, path.as_ptr() as usize, flags.bits() as usize, mode as usize],
            )
        }?;
        Ok(File(descriptor as i32))
    }

    /// Opens for reading, closed at exec.
    pub fn read_only(path: &str) -> Result<File> {
        File::open(path, OpenFlags::O_RDONLY | OpenFlags::O_CLOEXEC, 0)
    }

    /// Takes over a descriptor.
    pub fn from_descriptor(descriptor: i32) -> File {
        File(descriptor)
    }

    /// The descriptor, still owned by the file.
    pub fn descriptor(&self) -> i32 {
        self.0
    }

    /// The descriptor, no longer closed by anybody.
    pub fn into_descriptor(self) -> i32 {
        let descriptor = self.0;
        core::mem::forget(self);
        descriptor
    }

    /// read(2).
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        read(self.0, buffer)
    }

    /// pread(2), until the buffer is full or the file ends.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            let arguments = [
                self.0 as usize,
                rest.as_mut_ptr() as usize,
                rest.len(),
                offset as usize + done,
            ];
            // SAFETY: the kernel writes into the buffer only.
            match unsafe { syscall(nr::PREAD64, arguments) } {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// One 64-bit word of a file that is an array of them, as /proc/pid/pagemap is; `None` beyond its end.
    pub fn word(&self, index: u64) -> Result<Option<u64>> {
        let mut bytes = [0; 8];
        let count = self.read_at(index.checked_mul(8).ok_or(Errno::EINVAL)?, &mut bytes)?;
        Ok((count == 8).then_some(u64::from_le_bytes(bytes)))
    }

    /// The words from number `first` on, `count` of them or up to the end.
    pub fn words(&self, first: u64, count: usize) -> Result<Vec<u64>> {
        let mut bytes = alloc::vec![0; count.checked_mul(8).ok_or(Errno::EINVAL)?];
        let len = self.read_at(first.checked_mul(8).ok_or(Errno::EINVAL)?, &mut bytes)?;
        let (words, _) = bytes[..len].as_chunks();
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    /// Everything up to the end.
    pub fn read_all(&self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match self.read(&mut chunk)? {
                0 => return Ok(all),
                count => all.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// Writes everything.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        write_all(self.0, bytes)
    }

    /// `BLKFLSBUF`: writes what is cached of a disk, and forgets it.
    pub fn flush_buffers(&self) -> Result<()> {
        // SAFETY: the request has no argument.
        unsafe { syscall(nr::IOCTL, [self.0 as usize, BLKFLSBUF as usize, 0]) }.map(drop)
    }

    /// fstat(2).
    pub fn status(&self) -> Result<Stat> {
        let mut stat = Stat::default();
        // SAFETY: the kernel writes one `struct stat`.
        unsafe { syscall(nr::FSTAT, [self.0 as usize, &raw mut stat as usize]) }?;
        Ok(stat)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A failed close leaves nothing that could be done; the descriptor is free in any case (close(2)).
        let _ = close(self.0);
    }
}

/// read(2); waits again after a signal that the program did not ask for is not its business: EINTR is reported.
pub fn read(descriptor: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes into the buffer only.
    unsafe {
        syscall(
            nr::READ,
            [descriptor as usize, buffer.as_mut_ptr() as usize, buffer.len()],
        )
    }
}

/// write(2), until everything is written.
pub fn write_all(descriptor: i32, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads from the slice only.
        match unsafe {
            syscall(
                nr::WRITE,
                [descriptor as usize, bytes.as_ptr() as usize, bytes.len()],
            )
        } {
            Ok(0) => return Err(Errno::EIO),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// close(2).
pub fn close(descriptor: i32) -> Result<()> {
    // SAFETY: closing touches no memory.
    unsafe { syscall(nr::CLOSE, [descriptor as usize]) }.map(drop)
}

/// Makes `to` another name of `from`; the same number is no error (dup2(2) as POSIX has it).
pub fn duplicate(from: i32, to: i32) -> Result<()> {
    if from == to {
        return descriptor_flags(from).map(drop);
    }
    // SAFETY: touches no memory.
    unsafe { syscall(nr::DUP3, [from as usize, to as usize, 0]) }.map(drop)
}

/// A new descriptor for the same open file, at least `least`, closed at exec.
pub fn duplicate_above(from: i32, least: i32) -> Result<i32> {
    // SAFETY: touches no memory.
    unsafe {
        syscall(
            nr::FCNTL,
            [from as usize, flags::F_DUPFD_CLOEXEC as usize, least as usize],
        )
    }
    .map(|descriptor| descriptor as i32)
}

/// `FD_*` of a descriptor; EBADF if it is not open.
pub fn descriptor_flags(descriptor: i32) -> Result<u32> {
    // SAFETY: touches no memory.
    unsafe { syscall(nr::FCNTL, [descriptor as usize, flags::F_GETFD as usize, 0]) }.map(|flags| flags as u32)
}

/// A pipe: what is written to the second comes out of the first. Both are closed at exec.
pub fn pipe() -> Result<(File, File)> {
    let mut ends = [0i32; 2];
    // SAFETY: the kernel writes two descriptors.
    unsafe {
        syscall(
            nr::PIPE2,
            [ends.as_mut_ptr() as usize, OpenFlags::O_CLOEXEC.bits() as usize],
        )
    }?;
    Ok((File(ends[0]), File(ends[1])))
}

/// Waits until one of them is ready; how many are. `None` waits for ever.
pub fn poll(waiting: &mut [PollFd], timeout: Option<TimeSpec>) -> Result<usize> {
    let time = timeout
        .as_ref()
        .map_or(0, |time| core::ptr::from_ref(time) as usize);
    // SAFETY: the kernel writes `revents` of the slice and may write the remaining time, which is ours.
    unsafe {
        syscall(
            nr::PPOLL,
            [waiting.as_mut_ptr() as usize, waiting.len(), time, 0, 0],
        )
    }
}

/// Waits until one of the descriptors below `count` in `set`, a bit for each, can be read; how many can. Only they are left in the set.
pub fn select(count: i32, set: &mut [u64], mut timeout: TimeSpec) -> Result<usize> {
    if count < 0 || count as usize > set.len() * u64::BITS as usize {
        return Err(Errno::EINVAL);
    }
    let time = core::ptr::from_mut(&mut timeout) as usize;
    let arguments = [count as usize, set.as_mut_ptr() as usize, 0, 0, time, 0];
    // SAFETY: the kernel writes `count` bits of the slice, rounded up to words, and the remaining time, which is ours.
    unsafe { syscall(nr::PSELECT6, arguments) }
}

/// Reads a whole file.
pub fn read_file(path: &str) -> Result<Vec<u8>> {
    File::read_only(path)?.read_all()
}

/// Reads a whole file as text; bytes that are not UTF-8 become U+FFFD.
pub fn read_text(path: &str) -> Result<String> {
    Ok(String::from_utf8_lossy(&read_file(path)?).into_owned())
}

/// stat(2) or, with `AT_SYMLINK_NOFOLLOW`, lstat(2).
pub fn status(path: &str, at_flags: AtFlags) -> Result<Stat> {
    let path = c_string(path)?;
    let mut stat = Stat::default();
    let arguments = [
        HERE,
        path.as_ptr() as usize,
        &raw mut stat as usize,
        at_flags.bits() as usize,
    ];
    // SAFETY: the kernel reads the path and writes one `struct stat`.
    unsafe { syscall(nr::NEWFSTATAT, arguments) }?;
    Ok(stat)
}

/// Whether the path leads to a directory.
pub fn is_directory(path: &str) -> bool {
    status(path, AtFlags::empty()).is_ok_and(|stat| stat.mode & flags::S_IFMT == flags::S_IFDIR)
}

/// A call that takes a directory descriptor, one path and up to three numbers.
fn path_call(number: usize, path: &str, numbers: [usize; 3]) -> Result<()> {
    let path = c_string(path)?;
    let [a, b, c] = numbers;
    // SAFETY: the path is NUL-terminated; the numbers are no addresses in any of the calls below.
    unsafe { syscall(number, [HERE, path.as_ptr() as usize, a, b, c]) }.map(drop)
}

/// access(2).
pub fn access(path: &str, wanted: AccessFlags) -> Result<()> {
    path_call(nr::FACCESSAT, path, [wanted.bits() as usize, 0, 0])
}

/// unlink(2), or rmdir(2) with `AT_REMOVEDIR`.
pub fn unlink(path: &str, at_flags: AtFlags) -> Result<()> {
    path_call(nr::UNLINKAT, path, [at_flags.bits() as usize, 0, 0])
}

/// mkdir(2).
pub fn make_directory(path: &str, mode: u32) -> Result<()> {
    path_call(nr::MKDIRAT, path, [mode as usize, 0, 0])
}

/// mknod(2).
pub fn make_node(path: &str, mode: u32, device: u64) -> Result<()> {
    path_call(nr::MKNODAT, path, [mode as usize, device as usize, 0])
}

/// chmod(2).
pub fn change_mode(path: &str, mode: u32) -> Result<()> {
    path_call(nr::FCHMODAT, path, [mode as usize, 0, 0])
}

/// Sets access and modification time to now: utimensat(2) without times.
pub fn touch(path: &str) -> Result<()> {
    path_call(nr::UTIMENSAT, path, [0, 0, 0])
}

/// chdir(2).
pub fn change_directory(path: &str) -> Result<()> {
    let path = c_string(path)?;
    // SAFETY: the path is NUL-terminated.
    unsafe { syscall(nr::CHDIR, [path.as_ptr() as usize]) }.map(drop)
}

/// getcwd(2).
pub fn current_directory() -> Result<String> {
    let mut buffer = [0u8; flags::PATH_MAX];
    // SAFETY: the kernel writes at most that many bytes.
    let length = unsafe { syscall(nr::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len()]) }?;
    let text = buffer.get(..length.saturating_sub(1)).ok_or(Errno::EIO)?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// readlink(2).
pub fn read_link(path: &str) -> Result<String> {
    let path = c_string(path)?;
    let mut buffer = [0u8; flags::PATH_MAX];
    let arguments = [
        HERE,
        path.as_ptr() as usize,
        buffer.as_mut_ptr() as usize,
        buffer.len(),
    ];
    // SAFETY: the kernel reads the path and writes at most that many bytes.
    let length = unsafe { syscall(nr::READLINKAT, arguments) }?;
    Ok(String::from_utf8_lossy(buffer.get(..length).ok_or(Errno::EIO)?).into_owned())
}

/// rename(2).
pub fn rename(from: &str, to: &str) -> Result<()> {
    let (from, to) = (c_string(from)?, c_string(to)?);
    // SAFETY: both paths are NUL-terminated.
    unsafe {
        syscall(
            nr::RENAMEAT2,
            [HERE, from.as_ptr() as usize, HERE, to.as_ptr() as usize, 0],
        )
    }
    .map(drop)
}

/// link(2).
pub fn link(from: &str, to: &str) -> Result<()> {
    let (from, to) = (c_string(from)?, c_string(to)?);
    // SAFETY: both paths are NUL-terminated.
    unsafe {
        syscall(
            nr::LINKAT,
            [HERE, from.as_ptr() as usize, HERE, to.as_ptr() as usize, 0],
        )
    }
    .map(drop)
}

/// symlink(2): makes `path` a link to `target`.
pub fn symbolic_link(target: &str, path: &str) -> Result<()> {
    let (target, path) = (c_string(target)?, c_string(path)?);
    // SAFETY: both strings are NUL-terminated.
    unsafe {
        syscall(
            nr::SYMLINKAT,
            [target.as_ptr() as usize, HERE, path.as_ptr() as usize],
        )
    }
    .map(drop)
}

/// umask(2): sets the mask, returns the old one.
pub fn set_mask(mask: u32) -> Result<u32> {
    // SAFETY: touches no memory.
    unsafe { syscall(nr::UMASK, [mask as usize]) }.map(|old| old as u32)
}
