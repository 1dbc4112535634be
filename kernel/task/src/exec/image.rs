//! Mapping a program: each segment's pages straight from the file, so that everybody who runs it shares the same frames;
//! what the file does not cover is anonymous memory.
//!
//! ```text
//! 0x40_0000        fixed programs, where their segments say
//! PIE_BASE         programs that may lie anywhere; the break follows either
//! ...              mappings grow down from 0x7f_c000_0000: interpreter, libraries
//! 0x7f_ffff_f000   the stack grows down from here
//! ```

use crate::vdso;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use formats::elf::{Executable, Placement, Segment};
use memory::map_errno;
use mm::{Backing, MapRequest, PAGE_SIZE, PageSource, Protection, Purpose, Sharing, VirtAddr};
use sched::space::Space;
use vfs::OpenFile;

/// Where programs that may lie anywhere begin: two thirds of the user half, as on Linux, on a 2 MiB boundary.
const PIE_BASE: u64 = 0x55_5540_0000;

const PAGE: u64 = PAGE_SIZE as u64;

/// The program that `PT_INTERP` names.
pub struct Interpreter {
    /// Its file.
    pub file: Arc<OpenFile>,
    /// Its headers.
    pub executable: Box<Executable>,
}

/// A mapped program.
pub struct Image {
    /// Where to begin: the interpreter's entry if there is one.
    pub start: u64,
    /// The program's own entry.
    pub entry: u64,
    /// Where its program headers lie; 0 if no segment holds them.
    pub program_headers: u64,
    /// What the interpreter's addresses count from; 0 without one.
    pub interpreter_base: u64,
    /// First byte and end of its segments that may be executed, and of its last segment.
    pub code: (u64, u64),
    pub data: (u64, u64),
}

/// Maps the program, its interpreter, and the vDSO into a new space, and starts the break behind the program.
///
/// # Errors
/// `ENOEXEC`: a segment beyond all addresses. `ENOMEM`, and what mapping the file answers. `EINTR`: the process is to end.
pub fn map(
    space: &Space,
    file: &OpenFile,
    executable: &Executable,
    interpreter: Option<&Interpreter>,
) -> Result<Image, Errno> {
    space.with(vdso::map).map_err(map_errno)?;
    let base = match executable.placement {
        Placement::Fixed => 0,
        Placement::Anywhere => base_at(PIE_BASE, executable),
    };
    map_segments(space, file, executable, base)?;
    let end = base.wrapping_add(executable.span().end);
    space.with(|space| space.start_break(VirtAddr(end)));
    let entry = base.wrapping_add(executable.entry);
    let mut image = Image {
        start: entry,
        entry,
        program_headers: executable.program_headers.map_or(0, |at| base.wrapping_add(at)),
        interpreter_base: 0,
        code: span_of(executable, base, |segment| segment.is_executable),
        data: (
            base.saturating_add(last_start(executable)),
            span_of(executable, base, |_| true).1,
        ),
    };
    if let Some(Interpreter { file, executable }) = interpreter {
        image.interpreter_base = reserve(space, executable)?;
        map_segments(space, file, executable, image.interpreter_base)?;
        image.start = image.interpreter_base.wrapping_add(executable.entry);
    }
    Ok(image)
}

/// First byte and end, in the file, of the segments that `is_meant` chooses.
fn span_of(executable: &Executable, base: u64, is_meant: impl Fn(&Segment) -> bool) -> (u64, u64) {
    let meant = || executable.segments.iter().filter(|segment| is_meant(segment));
    let start = meant().map(|segment| segment.address).min();
    let end = meant()
        .map(|segment| segment.address.saturating_add(segment.file_len))
        .max();
    (
        base.saturating_add(start.unwrap_or(0)),
        base.saturating_add(end.unwrap_or(0)),
    )
}

fn last_start(executable: &Executable) -> u64 {
    executable
        .segments
        .iter()
        .map(|segment| segment.address)
        .max()
        .unwrap_or(0)
}

/// Takes a free range for the whole of an interpreter; its segments then replace it.
fn reserve(space: &Space, executable: &Executable) -> Result<u64, Errno> {
    if executable.placement == Placement::Fixed {
        return Ok(0);
    }
    let span = executable.span();
    let room = (span.end - span.start)
        .checked_add(executable.alignment - PAGE)
        .ok_or(Errno::ENOMEM)?;
    let request = MapRequest {
        placement: mm::Placement::Hint(VirtAddr(0)),
        len: room,
        protection: Protection::NONE,
        sharing: Sharing::Private,
        flags: mm::AreaFlags::NONE,
        backing: Backing::Anonymous,
        purpose: Purpose::Mapping,
    };
    let start = space
        .with(|space| space.map(memory::get(), request))
        .map_err(map_errno)?;
    space
        .with(|space| space.unmap(memory::get(), start, room))
        .map_err(map_errno)?;
    Ok(base_at(start.0, executable))
}

/// The base, a multiple of the alignment, with which the first page lies at `lowest` or, for the alignment's sake, above. A file
/// says from where its addresses count: the base of one that counts from high addresses lies "below zero".
fn base_at(lowest: u64, executable: &Executable) -> u64 {
    let mask = executable.alignment - 1;
    let base = lowest.wrapping_sub(executable.span().start);
    base.wrapping_add(mask) & !mask
}

fn map_segments(space: &Space, file: &OpenFile, executable: &Executable, base: u64) -> Result<(), Errno> {
    let source = file.page_source(Sharing::Private)?;
    executable
        .segments
        .iter()
        .try_for_each(|segment| map_segment(space, &source, segment, base))
}

/// Maps one segment: pages of the file, then zeros. The last page of the file part may hold bytes of the file that do not
/// belong to the segment; where the segment goes on in memory, the rest of that page becomes zeros.
fn map_segment(
    space: &Space,
    source: &Arc<dyn PageSource>,
    segment: &Segment,
    base: u64,
) -> Result<(), Errno> {
    let protection = Protection {
        read: segment.is_readable,
        write: segment.is_writable,
        execute: segment.is_executable,
    };
    let start = base.wrapping_add(segment.address);
    let first_page = start & !(PAGE - 1);
    let file_end = start.checked_add(segment.file_len).ok_or(Errno::ENOEXEC)?;
    let file_pages_end = if segment.file_len == 0 {
        first_page
    } else {
        page_end(file_end)?
    };
    if file_pages_end > first_page {
        let backing = Backing::Source {
            source: source.clone(),
            first: segment.file_offset / PAGE,
        };
        map_range(space, first_page, file_pages_end, protection, backing)?;
    }
    let memory_end = start.checked_add(segment.memory_len).ok_or(Errno::ENOEXEC)?;
    if segment.memory_len > segment.file_len && segment.is_writable {
        // To the end of the page: ld.so allocates from what follows its segment and takes it for zeros.
        clear(space, file_end, file_pages_end)?;
    }
    map_range(
        space,
        file_pages_end,
        page_end(memory_end)?,
        protection,
        Backing::Anonymous,
    )
}

/// The first page boundary at or above an address that the file decides. `ENOEXEC`.
fn page_end(address: u64) -> Result<u64, Errno> {
    address.checked_next_multiple_of(PAGE).ok_or(Errno::ENOEXEC)
}

fn map_range(
    space: &Space,
    start: u64,
    end: u64,
    protection: Protection,
    backing: Backing,
) -> Result<(), Errno> {
    if start >= end {
        return Ok(());
    }
    let request = MapRequest {
        placement: mm::Placement::Fixed(VirtAddr(start)),
        len: end - start,
        protection,
        sharing: Sharing::Private,
        flags: mm::AreaFlags::NONE,
        backing,
        purpose: Purpose::Mapping,
    };
    space
        .with(|space| space.map(memory::get(), request))
        .map(drop)
        .map_err(map_errno)
}

/// Fills the rest of one page with zeros.
fn clear(space: &Space, start: u64, end: u64) -> Result<(), Errno> {
    if start >= end {
        return Ok(());
    }
    space
        .clear(start, (end - start) as usize)
        .map(drop)
        .map_err(|_| Errno::ENOMEM)
}
