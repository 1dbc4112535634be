//! Memory of a program's own, beside Rust's: areas that it maps to look at what the kernel does with them. Each access
//! is one volatile load or store, so that what the source says is what the MMU sees.

use super::file::File;
use super::raw::syscall;
use super::{Errno, Result};
use abi::memory::{MADV_PAGEOUT, MAP_PRIVATE, MAP_SHARED, MapFlags, MremapFlags, ProtFlags};
use abi::nr;

/// The size of a page: Holstein and Linux's usual arm64 kernels have 4 KiB.
pub const PAGE: usize = 4096;

/// Loads a byte of each page of the program's text, constants and data, so that no fault later on is for one of them.
#[cfg(target_os = "none")]
pub fn touch_program() {
    unsafe extern "C" {
        /// Both by linker/user.ld.
        static __executable_start: u8;
        static edata: u8;
    }
    let end = &raw const edata as usize;
    for address in (&raw const __executable_start as usize..end).step_by(PAGE) {
        // SAFETY: pages of the program's file, each of which may be read; nothing else runs while one byte is loaded.
        unsafe { (address as *const u8).read_volatile() };
    }
}

/// The host maps programs in its own way.
#[cfg(not(target_os = "none"))]
pub fn touch_program() {}

/// Whether a process and its children see each other's writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Copy-on-write.
    Private,
    /// One memory for all.
    Shared,
}

/// Bytes that belong to nobody in Rust: only loads and stores through this type touch them. A page that is not there
/// or may not be touched so ends the program by a signal.
#[derive(Debug)]
pub struct Region {
    address: usize,
    length: usize,
}

impl Region {
    /// The first address.
    pub fn address(&self) -> usize {
        self.address
    }

    /// The length in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The number of pages.
    pub fn pages(&self) -> usize {
        self.length / PAGE
    }

    /// The address of a page.
    pub fn page_address(&self, page: usize) -> usize {
        self.address + page * PAGE
    }

    fn cell<T>(&self, offset: usize) -> *mut T {
        let end = offset.checked_add(size_of::<T>());
        let is_good = offset.is_multiple_of(align_of::<T>()) && end.is_some_and(|end| end <= self.length);
        assert!(
            is_good,
            "offset {offset:#x} of a region of {:#x} bytes",
            self.length
        );
        (self.address + offset) as *mut T
    }

    /// Loads eight bytes. The offset must be aligned and within the region.
    pub fn load(&self, offset: usize) -> u64 {
        // SAFETY: within the region, aligned, and no Rust reference to it exists.
        unsafe { self.cell::<u64>(offset).read_volatile() }
    }

    /// Loads eight bytes and forgets them: for the fault that it may take.
    pub fn touch(&self, offset: usize) {
        self.load(offset);
    }

    /// Stores eight bytes. The offset must be aligned and within the region.
    pub fn store(&self, offset: usize, value: u64) {
        // SAFETY: within the region, aligned, and no Rust reference to it exists.
        unsafe { self.cell::<u64>(offset).write_volatile(value) }
    }

    /// Stores a byte.
    pub fn store_byte(&self, offset: usize, value: u8) {
        // SAFETY: within the region, and no Rust reference to it exists.
        unsafe { self.cell::<u8>(offset).write_volatile(value) }
    }

    /// read(2) into the region: the kernel itself writes. Length is cut to the region's end.
    pub fn read_from(&self, file: &File, offset: usize, length: usize) -> Result<usize> {
        let length = length.min(self.length.saturating_sub(offset));
        // SAFETY: the kernel writes within the region only.
        unsafe {
            syscall(
                nr::READ,
                [file.descriptor() as usize, self.address + offset, length],
            )
        }
    }

    /// mincore(2): a byte for each page of the region, 1 if it is there.
    pub fn present(&self, states: &mut [u8]) -> Result<()> {
        if states.len() < self.pages() {
            return Err(Errno::EINVAL);
        }
        let arguments = [self.address, self.pages() * PAGE, states.as_mut_ptr() as usize];
        // SAFETY: the kernel writes a byte for each page, and there is room for them.
        unsafe { syscall(nr::MINCORE, arguments) }.map(drop)
    }

    /// Says that the region is not needed (`MADV_PAGEOUT`): its pages go out to swap space, if there is any.
    pub fn page_out(&self) -> Result<()> {
        let arguments = [self.address, self.pages() * PAGE, MADV_PAGEOUT as usize];
        // SAFETY: the region's content stays as it is.
        unsafe { syscall(nr::MADVISE, arguments) }.map(drop)
    }

    /// The same of one page.
    pub fn page_out_one(&self, page: usize) -> Result<()> {
        if page >= self.pages() {
            return Err(Errno::EINVAL);
        }
        let arguments = [self.page_address(page), PAGE, MADV_PAGEOUT as usize];
        // SAFETY: the region's content stays as it is.
        unsafe { syscall(nr::MADVISE, arguments) }.map(drop)
    }

    /// mprotect(2) of whole pages.
    pub fn protect(&self, page: usize, pages: usize, rights: ProtFlags) -> Result<()> {
        if page.checked_add(pages).is_none_or(|end| end > self.pages()) {
            return Err(Errno::EINVAL);
        }
        // SAFETY: within the region, of which Rust assumes nothing.
        unsafe {
            syscall(
                nr::MPROTECT,
                [self.page_address(page), pages * PAGE, rights.bits() as usize],
            )
        }
        .map(drop)
    }
}

/// A mapped area, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping(Region);

impl core::ops::Deref for Mapping {
    type Target = Region;
    fn deref(&self) -> &Region {
        &self.0
    }
}

fn map(length: usize, rights: ProtFlags, flags: MapFlags, descriptor: i32, offset: u64) -> Result<Mapping> {
    let length = length.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    let arguments = [
        0,
        length,
        rights.bits() as usize,
        flags.bits() as usize,
        descriptor as usize,
        offset as usize,
    ];
    // SAFETY: without MAP_FIXED a new area never replaces memory in use.
    let address = unsafe { syscall(nr::MMAP, arguments) }?;
    Ok(Mapping(Region { address, length }))
}

impl Mapping {
    /// Zero-filled memory, readable and writable.
    pub fn anonymous(length: usize, sharing: Sharing) -> Result<Mapping> {
        map(
            length,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_ANONYMOUS | sharing.flag(),
            -1,
            0,
        )
    }

    /// Part of a file; the offset must be a multiple of the page size.
    pub fn file(
        file: &File,
        offset: u64,
        length: usize,
        rights: ProtFlags,
        sharing: Sharing,
    ) -> Result<Mapping> {
        map(length, rights, sharing.flag(), file.descriptor(), offset)
    }

    /// Unmaps pages at the end.
    pub fn shorten(&mut self, pages: usize) -> Result<()> {
        let keep = self
            .pages()
            .checked_sub(pages)
            .filter(|&keep| keep > 0)
            .ok_or(Errno::EINVAL)?;
        // SAFETY: within the mapping, of which Rust assumes nothing.
        unsafe { syscall(nr::MUNMAP, [self.page_address(keep), pages * PAGE]) }?;
        self.0.length = keep * PAGE;
        Ok(())
    }

    /// mremap(2): makes it longer or shorter; it may move.
    pub fn resize(&mut self, length: usize) -> Result<()> {
        let length = length
            .checked_next_multiple_of(PAGE)
            .filter(|&length| length > 0)
            .ok_or(Errno::EINVAL)?;
        let arguments = [
            self.0.address,
            self.0.length,
            length,
            MremapFlags::MREMAP_MAYMOVE.bits() as usize,
        ];
        // SAFETY: the mapping is ours alone; without MREMAP_FIXED it moves to a free place only.
        self.0.address = unsafe { syscall(nr::MREMAP, arguments) }?;
        self.0.length = length;
        Ok(())
    }
}

impl Sharing {
    pub(super) fn flag(self) -> MapFlags {
        match self {
            Sharing::Private => MapFlags::from_bits_retain(MAP_PRIVATE),
            Sharing::Shared => MapFlags::from_bits_retain(MAP_SHARED),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: ours, and no longer used. It cannot fail for an area that we mapped.
        let _ = unsafe { syscall(nr::MUNMAP, [self.0.address, self.0.length]) };
    }
}

/// Memory that `brk(2)` added; given back when dropped, if it still is the last.
#[derive(Debug)]
pub struct Break(Region);

impl core::ops::Deref for Break {
    type Target = Region;
    fn deref(&self) -> &Region {
        &self.0
    }
}

/// brk(2): the break after the call.
pub(super) fn set_break(address: usize) -> Result<usize> {
    // SAFETY: callers only grow, or shrink by what they added themselves.
    unsafe { syscall(nr::BRK, [address]) }
}

/// Moves the break up; the address of the new bytes.
pub(super) fn extend_break(length: usize) -> Result<usize> {
    let old = set_break(0)?;
    let new = old.checked_add(length).ok_or(Errno::ENOMEM)?;
    if set_break(new)? == new {
        Ok(old)
    } else {
        Err(Errno::ENOMEM)
    }
}

impl Break {
    /// Adds whole pages, the first of them not touched by anybody yet.
    pub fn grow(pages: usize) -> Result<Break> {
        let old = set_break(0)?;
        let length = pages.checked_mul(PAGE).ok_or(Errno::ENOMEM)?;
        let to_page = old.next_multiple_of(PAGE) - old;
        extend_break(length.checked_add(to_page).ok_or(Errno::ENOMEM)?)?;
        Ok(Break(Region {
            address: old + to_page,
            length,
        }))
    }
}

impl Drop for Break {
    fn drop(&mut self) {
        if set_break(0) == Ok(self.0.address + self.0.length) {
            // Shrinking cannot fail; if it did, the memory would merely stay.
            let _ = set_break(self.0.address);
        }
    }
}
