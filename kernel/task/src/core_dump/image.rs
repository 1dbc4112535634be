//! The ELF file of a core: header, program headers, notes, and the memory page by page. Others run between any two pages.

use super::Bytes;
use super::segments::{Segment, Segments};
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use memory::fallible;
use mm::{PAGE_SIZE, PageRange, Protection, VirtAddr};
use sched::scheduler;
use sched::space::Space;
use uaccess::KernelSource;
use vfs::OpenFile;
use vfs::caller::Caller;

const PAGE: u64 = PAGE_SIZE as u64;
const HEADER: u64 = 64;
const PROGRAM_HEADER: u64 = 56;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;

/// The most program headers that the file's header can count.
const MOST_HEADERS: usize = 0xfffe;

/// Pages that are looked for at once.
const WINDOW: u64 = 512;

/// The file while it is written.
struct Output<'a> {
    caller: &'a Caller<'a>,
    file: &'a OpenFile,
    position: u64,
    /// Bytes that may still be written.
    left: u64,
}

/// Why no more is written.
enum DumpError {
    /// The limit is reached, or the disk is full: what is there is a core, if a cut one.
    Full,
    /// The process is to end at once.
    Killed,
}

impl Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), DumpError> {
        if bytes.len() as u64 > self.left {
            return Err(DumpError::Full);
        }
        let mut source = KernelSource(bytes);
        while !source.0.is_empty() {
            let written = self.file.write_at(self.caller, self.position, &mut source);
            match written {
                Ok(len) if len > 0 => {
                    self.position += len as u64;
                    self.left -= len as u64;
                }
                _ => return Err(DumpError::Full),
            }
            scheduler::cond_resched_killable().map_err(|_| DumpError::Killed)?;
        }
        Ok(())
    }

    fn write_page(&mut self, at: u64, page: &[u8]) -> Result<(), DumpError> {
        self.position = at;
        self.write(page)
    }
}

/// Writes the core. What is cut later than its headers is a core all the same.
///
/// # Errors
/// `EFBIG`: not even its headers could be written. `ESRCH`: the process has no memory any more. `ENOMEM`.
#[inline(never)]
pub(super) fn write(
    thread: &Thread,
    file: &OpenFile,
    segments: &Segments,
    notes: &[u8],
    limit: u64,
) -> Result<(), Errno> {
    let space = thread.process().space().ok_or(Errno::ESRCH)?;
    let headers = headers(segments, notes.len() as u64)?;
    // A process that dumps core ends: no signal has a meaning for it.
    let caller = Caller::new(&**thread.process());
    let mut output = Output {
        caller: &caller,
        file,
        position: 0,
        left: limit,
    };
    let first_page = (headers.0.len() as u64 + notes.len() as u64).next_multiple_of(PAGE);
    for part in [&headers.0, notes] {
        output.write(part).map_err(|_| Errno::EFBIG)?;
    }
    let mut page = fallible::filled(PAGE_SIZE, 0u8)?;
    let mut at = first_page;
    for segment in &segments.all {
        if write_segment(&space, &mut output, segment, at, &mut page).is_err() {
            return Ok(());
        }
        at += segment.written;
    }
    // What was never touched at the end is a hole, too.
    if let Some(regular) = file.inode().regular()
        && file.inode().size() < at
    {
        let _hole = regular.truncate(at);
    }
    Ok(())
}

fn headers(segments: &Segments, notes: u64) -> Result<Bytes, Errno> {
    if segments.all.len() >= MOST_HEADERS {
        return Err(Errno::E2BIG);
    }
    let count = segments.all.len() as u64 + 1;
    let mut headers = Bytes::default();
    headers.put(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0")?;
    // ET_CORE, EM_AARCH64, version 1; no entry; program headers behind this one; no section headers, no flags.
    headers.put(&[4, 0, 183, 0, 1, 0, 0, 0])?;
    headers.words64(&[0, HEADER, 0])?;
    headers.words32(&[0])?;
    let halves = [HEADER, PROGRAM_HEADER, count, 0, 0, 0].map(|half| half as u16);
    halves
        .iter()
        .try_for_each(|half| headers.put(&half.to_le_bytes()))?;
    let notes_at = HEADER + count * PROGRAM_HEADER;
    headers.words32(&[PT_NOTE, 0])?;
    headers.words64(&[notes_at, 0, 0, notes, 0, 0])?;
    let mut at = (notes_at + notes).next_multiple_of(PAGE);
    for segment in &segments.all {
        headers.words32(&[PT_LOAD, flags(segment.protection)])?;
        let Segment {
            start, end, written, ..
        } = segment;
        headers.words64(&[at, *start, 0, *written, end - start, PAGE])?;
        at += written;
    }
    Ok(headers)
}

fn flags(protection: Protection) -> u32 {
    u32::from(protection.execute) | u32::from(protection.write) << 1 | u32::from(protection.read) << 2
}

/// Writes the pages of one segment to the file's bytes from `at` on. Untouched pages of anonymous memory become holes.
fn write_segment(
    space: &Space,
    output: &mut Output<'_>,
    segment: &Segment,
    at: u64,
    page: &mut [u8],
) -> Result<(), DumpError> {
    let end = segment.start + segment.written;
    for window in (segment.start..end).step_by((WINDOW * PAGE) as usize) {
        scheduler::cond_resched_killable().map_err(|_| DumpError::Killed)?;
        let window_end = end.min(window + WINDOW * PAGE);
        let touched = if segment.is_of_file {
            [u64::MAX; (WINDOW / 64) as usize]
        } else {
            touched_pages(space, window, window_end)
        };
        for address in (window..window_end).step_by(PAGE_SIZE) {
            let index = (address - window) / PAGE;
            let is_touched = touched[(index / 64) as usize] >> (index % 64) & 1 != 0;
            // A file may end before its area does.
            if is_touched && space.read(address, page) == Ok(PAGE_SIZE) {
                output.write_page(at + (address - segment.start), page)?;
            }
        }
    }
    Ok(())
}

/// A bit for each page from `start` on that is mapped and not the page of zeros.
fn touched_pages(space: &Space, start: u64, end: u64) -> [u64; (WINDOW / 64) as usize] {
    let mut touched = [0; (WINDOW / 64) as usize];
    let Some(range) = PageRange::between(VirtAddr(start), VirtAddr(end)) else {
        return touched;
    };
    space.with(|space| {
        space.for_each_page(memory::get(), range, |page| {
            if !page.is_zero {
                let index = (page.address.0 - start) / PAGE;
                touched[(index / 64) as usize] |= 1 << (index % 64);
            }
        });
    });
    touched
}
