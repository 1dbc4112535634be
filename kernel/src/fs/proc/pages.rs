//! /proc/kpagecount and /proc/kpageflags: a word of 64 bits for each frame of memory, from frame 0 on
//! (`Documentation/admin-guide/mm/pagemap.rst`).
//!
//! How often a frame is mapped is counted over all address spaces when it is asked for: the reference counts of the
//! heart count descriptors, and a descriptor in a shared table serves several spaces.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::pagemap::{
    KPF_ANON, KPF_LRU, KPF_MMAP, KPF_NOPAGE, KPF_PGTABLE, KPF_SWAPBACKED, KPF_UPTODATE, KPF_ZERO_PAGE,
};
use abi::zerocopy::IntoBytes;
use mm::{Area, Frame, MappedPage};

use super::maps::is_file_page;
use crate::fs::object::{Io, Object, Positioning};
use crate::memory;
use crate::process::{self, Space};
use crate::user_memory::Sink;

const WORD: u64 = 8;
/// Words made at once.
const PIECE: u64 = 1024;

/// Opens /proc/kpagecount.
pub fn open_counts() -> Arc<dyn Object> {
    Arc::new(Words {
        end: end_of_memory,
        make: counts,
    })
}

/// Opens /proc/kpageflags.
pub fn open_flags() -> Arc<dyn Object> {
    Arc::new(Words {
        end: end_of_memory,
        make: flags,
    })
}

/// A file of words, made when they are read.
pub struct Words<E, M> {
    /// How many words there are.
    pub end: E,
    /// Makes `count` words from number `first` on.
    pub make: M,
}

impl<E, M> Object for Words<E, M>
where
    E: Fn() -> u64 + Send + Sync,
    M: Fn(u64, usize) -> Result<Vec<u64>, Errno> + Send + Sync,
{
    /// Position and length must be multiples of a word: `EINVAL`.
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if !io.position.is_multiple_of(WORD) || !(to.room() as u64).is_multiple_of(WORD) {
            return Err(Errno::EINVAL);
        }
        let mut done = 0;
        while to.room() > 0 {
            let first = io.position / WORD;
            let count = ((self.end)().saturating_sub(first))
                .min(to.room() as u64 / WORD)
                .min(PIECE);
            if count == 0 {
                break;
            }
            let words = (self.make)(first, count as usize)?;
            match to.put(words.as_slice().as_bytes()) {
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

/// All address spaces, each once.
pub fn spaces() -> Vec<Arc<Space>> {
    let mut spaces: Vec<Arc<Space>> = process::all()
        .iter()
        .filter_map(|process| process.space())
        .collect();
    spaces.sort_unstable_by_key(|space| Arc::as_ptr(space).addr());
    spaces.dedup_by(|one, other| Arc::ptr_eq(one, other));
    spaces
}

/// How often each of `count` frames from `first` on is mapped.
pub fn mapping_counts(first: Frame, count: usize) -> Vec<u32> {
    let mut counts = vec![0; count];
    for space in spaces() {
        space.with(|space| space.count_mappings(memory::get(), first, &mut counts));
    }
    counts
}

fn counts(first: u64, count: usize) -> Result<Vec<u64>, Errno> {
    let first = Frame(u32::try_from(first).map_err(|_| Errno::EINVAL)?);
    Ok(mapping_counts(first, count).into_iter().map(u64::from).collect())
}

/// The flags of frames: those that are mapped, and how; translation tables; no memory there. Nothing is known of others.
fn flags(first: u64, count: usize) -> Result<Vec<u64>, Errno> {
    let first = u32::try_from(first).map_err(|_| Errno::EINVAL)?;
    let mut flags = vec![0; count];
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
    for space in spaces() {
        space.with(|space| {
            mark(space.translation_root().0, 1 << KPF_PGTABLE);
            space.for_each_entry(memory::get(), |entry| {
                if entry.level.below().is_some() {
                    mark(entry.descriptor.frame(), 1 << KPF_PGTABLE);
                }
            });
            for area in space.areas().iter() {
                space.for_each_page(memory::get(), area.range(), |page| {
                    mark(page.descriptor.frame(), page_flags(area, &page));
                });
            }
        });
    }
    Ok(flags)
}

fn page_flags(area: &Area, page: &MappedPage) -> u64 {
    let mapped = 1 << KPF_MMAP | 1 << KPF_UPTODATE;
    if page.is_zero {
        return mapped | 1 << KPF_ZERO_PAGE;
    }
    let anonymous = if is_file_page(area, page) {
        0
    } else {
        1 << KPF_ANON
    };
    // Files live in memory as tmpfs files do: like anonymous pages they would go to swap space.
    mapped | 1 << KPF_LRU | 1 << KPF_SWAPBACKED | anonymous
}
