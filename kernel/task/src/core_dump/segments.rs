//! Which memory a core holds: Linux's default filter (core(5), `coredump_filter` 0x33), as far as areas tell. What a process has
//! of its own is written; of code only the first page, by which debuggers know the file.

use super::Bytes;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::TryVec;
use mm::{Area, AreaFlags, Backing, PAGE_SIZE, Protection, Purpose, Sharing, VirtAddr};
use sched::scheduler;
use sched::space::Space;

/// Areas copied under one hold of the space's lock.
const BATCH: usize = 16;

/// The list of files grows no further: then there is none (`MAX_FILE_NOTE_SIZE` of Linux).
const MOST_NAMES: usize = 4 << 20;

/// One area in the core.
pub(super) struct Segment {
    pub start: u64,
    pub end: u64,
    pub protection: Protection,
    /// Bytes of it that are written.
    pub written: u64,
    /// Pages that nobody touched are not zeros: they are a file's.
    pub is_of_file: bool,
}

/// All areas, and what `NT_FILE` says of those of files.
#[derive(Default)]
pub(super) struct Segments {
    pub all: Vec<Segment>,
    /// Start, end, offset in pages, of each.
    pub files: Vec<[u64; 3]>,
    /// Their names, each with its NUL.
    pub names: Bytes,
}

/// Looks at all areas of the process of the running thread.
///
/// # Errors
/// `ESRCH`: it has none any more. `ENOMEM`. `EINTR`: it is to end at once.
#[inline(never)]
pub(super) fn collect(thread: &Thread) -> Result<Segments, Errno> {
    let space = thread.process().space().ok_or(Errno::ESRCH)?;
    let mut segments = Segments::default();
    let mut from = VirtAddr(0);
    loop {
        let areas: [Option<Area>; BATCH] = space.with(|space| {
            let mut areas = space.areas().iter_from(from);
            core::array::from_fn(|_| areas.next().cloned())
        });
        for area in areas.iter().flatten() {
            segments.add(&space, area)?;
            from = area.range().end();
        }
        if areas.iter().any(Option::is_none) {
            return Ok(segments);
        }
        scheduler::cond_resched_killable()?;
    }
}

impl Segments {
    fn add(&mut self, space: &Space, area: &Area) -> Result<(), Errno> {
        let (start, end) = (area.range().start().0, area.range().end().0);
        let segment = Segment {
            start,
            end,
            protection: area.protection,
            written: self.written(space, area, start, end)?,
            is_of_file: matches!(area.backing, Backing::Source { .. }),
        };
        self.all.try_push(segment)
    }

    /// How many bytes of an area are written. Notes the file.
    fn written(&mut self, space: &Space, area: &Area, start: u64, end: u64) -> Result<u64, Errno> {
        let is_empty = area.protection == Protection::NONE || area.flags.has(AreaFlags::DONT_DUMP);
        let Backing::Source { source, first } = &area.backing else {
            return Ok(if is_empty { 0 } else { end - start });
        };
        if area.purpose == Purpose::Kernel {
            return Ok(if is_empty { 0 } else { end - start });
        }
        let at = self.names.0.len();
        let mut result = Ok(());
        source.name(&mut |part| {
            if result.is_ok() {
                result = self.names.put(part);
            }
        });
        result?;
        // Shared memory without a name is nobody's but the processes'.
        let is_nameless = self.names.0[at..].ends_with(b" (deleted)");
        self.names.put(&[0])?;
        self.files.try_push([start, end, *first])?;
        let is_own = match area.sharing {
            Sharing::Private => !area.protection.execute,
            Sharing::Shared => is_nameless,
        };
        Ok(match is_own {
            _ if is_empty => 0,
            true => end - start,
            false if *first == 0 && is_program(space, start) => PAGE_SIZE as u64,
            false => 0,
        })
    }

    /// Whether the list of files is short enough to be written.
    pub fn has_short_names(&self) -> bool {
        self.names.0.len() + self.files.len() * size_of::<[u64; 3]>() < MOST_NAMES
    }
}

fn is_program(space: &Space, start: u64) -> bool {
    let mut magic = [0; 4];
    let read = space.read(start, &mut magic);
    read == Ok(magic.len()) && magic == *b"\x7fELF"
}
