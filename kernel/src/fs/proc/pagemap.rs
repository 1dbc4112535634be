//! /proc/PID/pagemap: a word of 64 bits for each page of the address space
//! (`Documentation/admin-guide/mm/pagemap.rst`).

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::pagemap::{PM_FILE, PM_MMAP_EXCLUSIVE, PM_PFN_MASK, PM_PRESENT};
use mm::{PAGE_SHIFT, PAGE_SIZE, PageRange, USER_END, VirtAddr};

use super::maps::is_file_page;
use super::pages::Words;
use super::process::Subject;
use super::system::may_look_into;
use crate::fs::Subject as Caller;
use crate::fs::object::Object;
use crate::memory;

/// Opens the page map of a process. Frame numbers are for user 0 alone; others read 0 in their place.
pub fn open(process: &Subject) -> Result<Arc<dyn Object>, Errno> {
    may_look_into(process)?;
    let shows_frames = Caller::current().is_superuser();
    let process = process.clone();
    let make = move |first, count| words(&process, first, count, shows_frames);
    Ok(Arc::new(Words {
        end: || USER_END >> PAGE_SHIFT,
        make,
    }))
}

fn words(process: &Subject, first: u64, count: usize, shows_frames: bool) -> Result<Vec<u64>, Errno> {
    let mut words = vec![0; count];
    let start = VirtAddr(first << PAGE_SHIFT);
    let range = PageRange::new(start, (count * PAGE_SIZE) as u64).ok_or(Errno::EINVAL)?;
    process.with_space(|space| {
        for area in space.areas().overlapping(range) {
            space.for_each_page(memory::get(), area.range().intersection(range), |page| {
                let index = ((page.address.0 - start.0) >> PAGE_SHIFT) as usize;
                let frame = if shows_frames {
                    u64::from(page.descriptor.frame().0) & PM_PFN_MASK
                } else {
                    0
                };
                let exclusive = if page.is_exclusive { PM_MMAP_EXCLUSIVE } else { 0 };
                let file = if is_file_page(area, &page) { PM_FILE } else { 0 };
                words[index] = PM_PRESENT | frame | exclusive | file;
            });
        }
    });
    Ok(words)
}
