//! What rows beside many others need: threads that only wait, memory that moves, and calls whose arguments are laid out beforehand, so
//! that the call is nearly all that is measured.

use super::file::{File, HERE, pipe};
use super::memory::{Mapping, PAGE};
use super::path::c_string;
use super::process::{WaitingRoom, waiting_thread};
use super::raw::syscall;
use super::{Errno, Result};
use abi::file::{F_SETLK, FLock, OpenFlags, Stat};
use abi::memory::{MAP_PRIVATE, MapFlags, MremapFlags, ProtFlags};
use abi::nr;
use alloc::ffi::CString;

/// Threads of this process that wait in the kernel and run no instruction, until this is dropped.
pub struct Threads {
    from: File,
    _to: File,
}

/// Of all of them: nobody writes to it.
static ROOM: WaitingRoom = WaitingRoom::new();

impl Threads {
    /// Starts so many.
    pub fn start(count: usize) -> Result<Threads> {
        let (from, to) = pipe()?;
        let threads = Threads { from, _to: to };
        for _ in 0..count {
            // Nothing comes: nobody writes to the pipe, which stays open while they wait.
            waiting_thread(&threads.from, &ROOM)?;
        }
        Ok(threads)
    }
}

impl Mapping {
    /// mremap(2) of pages to another place within the mapping, which leaves a hole where they were.
    pub fn move_pages(&self, from: usize, to: usize, pages: usize) -> Result<()> {
        self.check(from, pages)?;
        self.check(to, pages)?;
        let flags = MremapFlags::MREMAP_MAYMOVE | MremapFlags::MREMAP_FIXED;
        let arguments = [
            self.page_address(from),
            pages * PAGE,
            pages * PAGE,
            flags.bits() as usize,
            self.page_address(to),
        ];
        // SAFETY: both places are within the mapping, of which Rust assumes nothing.
        unsafe { syscall(nr::MREMAP, arguments) }.map(drop)
    }

    /// munmap(2) of pages. Before anything else is mapped they must be mapped again ([`Mapping::close_hole`]) or moved to: what came to
    /// lie there would be unmapped with the mapping.
    pub fn open_hole(&self, page: usize, pages: usize) -> Result<()> {
        self.check(page, pages)?;
        // SAFETY: within the mapping, of which Rust assumes nothing.
        unsafe { syscall(nr::MUNMAP, [self.page_address(page), pages * PAGE]) }.map(drop)
    }

    /// mmap(2) of memory that may not be touched where pages were unmapped or have moved away.
    pub fn close_hole(&self, page: usize, pages: usize) -> Result<()> {
        self.check(page, pages)?;
        let flags = MapFlags::MAP_ANONYMOUS | MapFlags::MAP_FIXED | MapFlags::from_bits_retain(MAP_PRIVATE);
        let arguments = [
            self.page_address(page),
            pages * PAGE,
            ProtFlags::empty().bits() as usize,
            flags.bits() as usize,
            usize::MAX,
            0,
        ];
        // SAFETY: as in `open_hole`.
        unsafe { syscall(nr::MMAP, arguments) }.map(drop)
    }

    /// `EINVAL` for pages beyond the end.
    fn check(&self, page: usize, pages: usize) -> Result<()> {
        let end = page.checked_add(pages).filter(|&end| end <= self.pages());
        end.map(drop).ok_or(Errno::EINVAL)
    }
}

/// A path as the kernel takes it.
pub struct Path(CString);

impl Path {
    /// `EINVAL` for a NUL.
    pub fn new(path: &str) -> Result<Path> {
        c_string(path).map(Path)
    }

    /// stat(2).
    pub fn status(&self) -> Result<Stat> {
        let mut stat = Stat::default();
        let arguments = [HERE, self.0.as_ptr() as usize, &raw mut stat as usize, 0];
        // SAFETY: the path is NUL-terminated, and the kernel writes one `struct stat`.
        unsafe { syscall(nr::NEWFSTATAT, arguments) }?;
        Ok(stat)
    }

    /// open(2).
    pub fn open(&self, flags: OpenFlags) -> Result<File> {
        let arguments = [HERE, self.0.as_ptr() as usize, flags.bits() as usize, 0o644];
        // SAFETY: the path is NUL-terminated.
        let descriptor = unsafe { syscall(nr::OPENAT, arguments) }?;
        Ok(File::from_descriptor(descriptor as i32))
    }

    /// unlink(2).
    pub fn unlink(&self) -> Result<()> {
        // SAFETY: the path is NUL-terminated.
        unsafe { syscall(nr::UNLINKAT, [HERE, self.0.as_ptr() as usize, 0]) }.map(drop)
    }
}

/// getcwd(2) into a buffer; its length with the NUL.
pub fn current_directory_into(buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most that many bytes.
    unsafe { syscall(nr::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len()]) }
}

impl File {
    /// getdents64(2) into a buffer; the length of the records, 0 at the end.
    pub fn read_entries(&self, buffer: &mut [u8]) -> Result<usize> {
        let arguments = [
            self.descriptor() as usize,
            buffer.as_mut_ptr() as usize,
            buffer.len(),
        ];
        // SAFETY: the kernel writes at most that many bytes into the buffer.
        unsafe { syscall(nr::GETDENTS64, arguments) }
    }

    /// fcntl(2), `F_SETLK`: a record lock of this process, or with `F_UNLCK` none.
    pub fn lock_record(&self, kind: i16, start: i64, length: i64) -> Result<()> {
        let lock = FLock {
            kind,
            start,
            len: length,
            ..FLock::default()
        };
        let arguments = [
            self.descriptor() as usize,
            F_SETLK as usize,
            &raw const lock as usize,
        ];
        // SAFETY: the kernel reads one `struct flock`.
        unsafe { syscall(nr::FCNTL, arguments) }.map(drop)
    }
}
