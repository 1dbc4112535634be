//! /proc/PID/pagemap: a word of 64 bits for each page of the address space
//! (`Documentation/admin-guide/mm/pagemap.rst`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::pagemap::{PM_FILE, PM_MMAP_EXCLUSIVE, PM_PFN_MASK, PM_PRESENT, PM_SWAP};
use mm::{MappedPage, PAGE_SHIFT, PAGE_SIZE, PageRange, Slot, USER_END, VirtAddr};

use super::access::{Inspected, PhysicalAddresses};
use super::pages::WordFile;
use super::proc_task::ProcTask;
use vfs::file_ops::FileOps;

/// Opens the page map of a process. Frame numbers are for the privileged alone; others read 0 in their place.
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = Inspected::new(process)?;
    let frames = PhysicalAddresses::for_current();
    let make = move |first, count| words(&memory, first, count, frames);
    WordFile::open(|| USER_END >> PAGE_SHIFT, make)
}

fn words(memory: &Inspected, first: u64, count: usize, frames: PhysicalAddresses) -> Result<Vec<u64>, Errno> {
    let mut words = memory::try_list(count)?;
    let start = VirtAddr(first << PAGE_SHIFT);
    let range = PageRange::new(start, (count * PAGE_SIZE) as u64).ok_or(Errno::EINVAL)?;
    let shown = memory.with(|space| {
        space.for_each_page(memory::get(), range, |page| {
            let index = ((page.address.0 - start.0) >> PAGE_SHIFT) as usize;
            words[index] = word(&page, frames);
        });
        let mut at = range.start();
        while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
            at = space.visit_swapped(memory::get(), rest, |address, slot| {
                let index = ((address.0 - start.0) >> PAGE_SHIFT) as usize;
                words[index] = swapped_word(slot, frames);
            });
        }
    });
    // The memory is gone: there is nothing more to read.
    shown.map_or(Ok(Vec::new()), |()| Ok(words))
}

/// Five bits for the area, the others for the page of it: the header is page 0.
fn swapped_word(slot: Slot, frames: PhysicalAddresses) -> u64 {
    const AREA_BITS: u32 = 5;
    PM_SWAP
        | match frames {
            PhysicalAddresses::Shown => slot.area() as u64 | (u64::from(slot.offset()) + 1) << AREA_BITS,
            PhysicalAddresses::Hidden => 0,
        }
}

fn word(page: &MappedPage, frames: PhysicalAddresses) -> u64 {
    let frame = match frames {
        PhysicalAddresses::Shown => u64::from(page.descriptor.frame().0) & PM_PFN_MASK,
        PhysicalAddresses::Hidden => 0,
    };
    let exclusive = if page.is_exclusive { PM_MMAP_EXCLUSIVE } else { 0 };
    let file = if page.is_of_object { PM_FILE } else { 0 };
    PM_PRESENT | frame | exclusive | file
}
