//! /proc/kpagecount and /proc/kpageflags: a word of 64 bits for each frame of memory, from frame 0 on
//! (`Documentation/admin-guide/mm/pagemap.rst`).
//!
//! How often a frame is mapped is counted over all address spaces when it is asked for: the reference counts of the
//! heart count descriptors, and a descriptor in a shared table serves several spaces.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::pagemap::{
    KPF_ANON, KPF_LRU, KPF_MMAP, KPF_NOPAGE, KPF_PGTABLE, KPF_SWAPBACKED, KPF_UPTODATE, KPF_ZERO_PAGE,
};
use abi::zerocopy::IntoBytes;
use mm::{EntryPlace, Frame, MappedPage, PageRange, USER_END, VirtAddr};

use super::seq_file::MOST_READ;
use memory::fallible;
use sched::scheduler;
use sched::space::Space;
use task::process;
use uaccess::Sink;
use vfs::file_ops::{FileOps, Io, Positioning};

const WORD: u64 = 8;
/// Words made at once.
const PIECE: u64 = 512;
/// Entries of tables looked at under one hold of a space's lock.
const ENTRIES: usize = 1024;

/// Opens /proc/kpagecount.
///
/// # Errors
/// `ENOMEM`.
pub fn open_counts() -> Result<Arc<dyn FileOps>, Errno> {
    WordFile::open(end_of_memory, counts)
}

/// Opens /proc/kpageflags.
///
/// # Errors
/// `ENOMEM`.
pub fn open_flags() -> Result<Arc<dyn FileOps>, Errno> {
    WordFile::open(end_of_memory, flags)
}

/// A file of words, made when they are read.
pub struct WordFile<E, M> {
    /// How many words there are.
    end: E,
    /// Makes `count` words from number `first` on; none if there is nothing to say any more.
    make: M,
}

impl<E, M> WordFile<E, M>
where
    E: Fn() -> u64 + Send + Sync + 'static,
    M: Fn(u64, usize) -> Result<Vec<u64>, Errno> + Send + Sync + 'static,
{
    /// Opens a file of `end()` words.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(end: E, make: M) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(fallible::arc(WordFile { end, make })?)
    }

    /// Gives some words from number `first` on; how many bytes.
    fn give(&self, first: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let left = (self.end)().saturating_sub(first);
        let count = left.min(to.room() as u64 / WORD).min(PIECE);
        if count == 0 {
            return Ok(0);
        }
        scheduler::cond_resched_killable()?;
        let words = (self.make)(first, count as usize)?;
        to.put(words.as_slice().as_bytes())
    }
}

impl<E, M> FileOps for WordFile<E, M>
where
    E: Fn() -> u64 + Send + Sync + 'static,
    M: Fn(u64, usize) -> Result<Vec<u64>, Errno> + Send + Sync + 'static,
{
    /// Position and length must be multiples of a word: `EINVAL`.
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if !io.position.is_multiple_of(WORD) || !(to.room() as u64).is_multiple_of(WORD) {
            return Err(Errno::EINVAL);
        }
        let mut done = 0;
        while to.room() > 0 && done < MOST_READ {
            match self.give(io.position / WORD, to) {
                Ok(0) => break,
                Ok(copied) => {
                    io.position += copied as u64;
                    done += copied;
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

/// One past the highest frame number.
fn end_of_memory() -> u64 {
    let managed = memory::get().frames().managed();
    u64::from(managed.first.0) + managed.len as u64
}

/// Calls `visit` with each address space, once. `ENOMEM`, `EINTR`, and what `visit` says.
fn for_each_space(mut visit: impl FnMut(&Space) -> Result<(), Errno>) -> Result<(), Errno> {
    let mut seen: Vec<usize> = Vec::new();
    let mut next = process::next_from(0);
    while let Some(process) = next {
        let mut result = Ok(());
        if let Some(space) = process.space() {
            if let Err(place) = seen.binary_search(&Space::identity(&space)) {
                seen.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                seen.insert(place, Space::identity(&space));
                result = visit(&space);
            }
            space.let_go();
        }
        result?;
        scheduler::cond_resched_killable()?;
        next = process::next_from(process.pid + 1);
    }
    Ok(())
}

/// Works through a space in pieces between which others run: `piece` is given where to begin, under the space's lock, and says
/// where to go on.
fn in_pieces<P: Copy>(
    space: &Space,
    first: P,
    mut piece: impl FnMut(&mm::AddressSpace, P) -> Option<P>,
) -> Result<(), Errno> {
    let mut next = Some(first);
    while let Some(place) = next {
        next = space.with(|space| piece(space, place));
        scheduler::cond_resched_killable()?;
    }
    Ok(())
}

/// What lies from `at` on; nothing at the end.
fn range_from(at: VirtAddr) -> Option<PageRange> {
    PageRange::between(at, VirtAddr(USER_END)).filter(|range| !range.is_empty())
}

/// How often each of `count` frames from `first` on is mapped.
fn counts(first: u64, count: usize) -> Result<Vec<u64>, Errno> {
    let first = Frame(u32::try_from(first).map_err(|_| Errno::EINVAL)?);
    let mut counts: Vec<u32> = memory::try_list(count)?;
    for_each_space(|space| {
        in_pieces(space, VirtAddr(0), |space, at| {
            let range = range_from(at)?;
            Some(space.count_mappings(memory::get(), range, first, &mut counts))
        })
    })?;
    let mut words = memory::try_list(count)?;
    words
        .iter_mut()
        .zip(counts)
        .for_each(|(word, count)| *word = u64::from(count));
    Ok(words)
}

/// The flags of frames: those that are mapped, and how; translation tables; no memory there. Nothing is known of others.
fn flags(first: u64, count: usize) -> Result<Vec<u64>, Errno> {
    let first = u32::try_from(first).map_err(|_| Errno::EINVAL)?;
    let mut flags: Vec<u64> = memory::try_list(count)?;
    for (index, flag) in flags.iter_mut().enumerate() {
        let frame = Frame(first.saturating_add(index as u32));
        if !memory::get().frames().is_managed(frame) {
            *flag = 1 << KPF_NOPAGE;
        }
    }
    let mut mark = |frame: Frame, bits: u64| {
        if let Some(flag) = flags.get_mut(frame.0.wrapping_sub(first) as usize) {
            *flag |= bits;
        }
    };
    for_each_space(|space| {
        in_pieces(space, EntryPlace::FIRST, |space, from| {
            mark(space.translation_root().0, 1 << KPF_PGTABLE);
            mark_tables(space, from, &mut mark)
        })?;
        in_pieces(space, VirtAddr(0), |space, at| {
            let range = range_from(at)?;
            let mark = |page: MappedPage| mark(page.descriptor.frame(), page_flags(&page));
            Some(space.visit_pages(memory::get(), range, mark))
        })
    })?;
    Ok(flags)
}

fn mark_tables(
    space: &mm::AddressSpace,
    from: EntryPlace,
    mark: &mut impl FnMut(Frame, u64),
) -> Option<EntryPlace> {
    let mut left = ENTRIES;
    space.visit_entries(memory::get(), from, |entry| {
        if left > 0 && entry.level.below().is_some() {
            mark(entry.descriptor.frame(), 1 << KPF_PGTABLE);
        }
        left = left.saturating_sub(1);
        left > 0
    })
}

fn page_flags(page: &MappedPage) -> u64 {
    let mapped = 1 << KPF_MMAP | 1 << KPF_UPTODATE;
    if page.is_zero {
        return mapped | 1 << KPF_ZERO_PAGE;
    }
    let anonymous = if page.is_of_object { 0 } else { 1 << KPF_ANON };
    // Files live in memory as tmpfs files do: like anonymous pages they would go to swap space.
    mapped | 1 << KPF_LRU | 1 << KPF_SWAPBACKED | anonymous
}
