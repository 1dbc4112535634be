//! The free frames of each processor, and pages that are given back many at a time, by the end of a table: references are dropped in
//! rows, and what nobody refers to any more is chained while nobody else knows it, then put on the stack under one hold of its lock.

use super::Frames;
use crate::addr::Frame;
use crate::descriptor::{Descriptor, Row};
use crate::mmu::{GROUP, Mmu};
use crate::records::FrameWord;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

/// Free frames of one processor, a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct FreeStack {
    pub(super) tops: Mutex<Tops>,
    /// Frames on either.
    pub(super) len: AtomicUsize,
}

/// Index + 1 of the top frame; 0: empty.
#[derive(Default)]
pub(super) struct Tops {
    /// Frames that hold anything.
    junk: u32,
    /// Frames that hold zeros: tables that were emptied.
    zeros: u32,
}

pub(super) type Kind = fn(&mut Tops) -> &mut u32;
pub(super) const JUNK: Kind = |tops| &mut tops.junk;
pub(super) const ZEROS: Kind = |tops| &mut tops.zeros;

/// Frames at count 0, the caller's alone, threaded through their records as a free stack is.
#[derive(Default)]
#[must_use = "the frames are to be freed"]
pub struct FreeChain {
    /// Index + 1 of the first; 0: there are none.
    top: u32,
    /// Index of the last.
    last: u32,
    len: usize,
}

impl FreeChain {
    /// Puts frames before the others: `len` of them, which are chained from index `first` to index `last`.
    #[inline(always)]
    fn push(&mut self, frames: &Frames, first: usize, last: usize, len: usize) {
        frames.records.word_at(last).store(self.top, Ordering::Relaxed);
        if self.top == 0 {
            self.last = last as u32;
        }
        self.top = first as u32 + 1;
        self.len += len;
    }
}

impl Frames {
    #[inline]
    pub(super) fn pop(&self, cpu: usize, kind: Kind) -> Option<u32> {
        let stack = &self.stacks[cpu];
        let mut tops = stack.tops.lock();
        self.take_top(stack, kind(&mut tops))
    }

    #[inline(always)]
    fn take_top(&self, stack: &FreeStack, top: &mut u32) -> Option<u32> {
        let index = top.checked_sub(1)?;
        *top = self.records.word_at(index as usize).load(Ordering::Relaxed);
        stack
            .len
            .store(stack.len.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        Some(index)
    }

    /// A frame that holds zeros, else one that holds anything; whether it holds zeros.
    #[inline(always)]
    pub(super) fn pop_zeroed(&self, cpu: usize) -> Option<(u32, bool)> {
        let stack = &self.stacks[cpu];
        let mut tops = stack.tops.lock();
        let is_zeroed = tops.zeros != 0;
        let index = self.take_top(
            stack,
            if is_zeroed {
                &mut tops.zeros
            } else {
                &mut tops.junk
            },
        )?;
        Some((index, is_zeroed))
    }

    #[inline]
    pub(super) fn push(&self, cpu: usize, kind: Kind, index: u32) {
        let stack = &self.stacks[cpu];
        let mut tops = stack.tops.lock();
        let top = kind(&mut tops);
        self.records
            .word_at(index as usize)
            .store(*top, Ordering::Relaxed);
        *top = index + 1;
        stack
            .len
            .store(stack.len.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn pop_any(&self, cpu: usize) -> Option<u32> {
        self.pop(cpu, JUNK).or_else(|| self.pop(cpu, ZEROS))
    }

    /// [`Frames::release`] by way of a chain.
    #[inline(always)]
    pub fn release_into(&self, mmu: &impl Mmu, frame: Frame, chain: &mut FreeChain) {
        if self.drop_reference(frame) {
            self.free_into(mmu, frame, chain);
        }
    }

    /// [`Frames::release_into`] of the pages of a group of entries, all valid.
    #[inline(always)]
    pub fn release_group(&self, mmu: &impl Mmu, entries: &[Descriptor; GROUP], chain: &mut FreeChain) {
        let lone = mmu.unshare_group(self.records.counts_of(entries));
        self.release_lone(mmu, lone, |nth| entries[nth as usize].frame(), chain);
    }

    /// [`Frames::free`] by way of a chain.
    #[inline(always)]
    pub(crate) fn free_into(&self, mmu: &impl Mmu, frame: Frame, chain: &mut FreeChain) {
        mmu.junk_frame(frame);
        let index = self.records.index(frame);
        chain.push(self, index, index, 1);
    }

    /// [`Frames::release_into`] of the first `len` pages of a row: what comes last is on top of the chain, so that a later row of
    /// descriptors is one again.
    pub fn release_row(&self, mmu: &impl Mmu, row: &Row, len: usize, chain: &mut FreeChain) {
        let lowest = row.lowest(len);
        let start = self.records.index(lowest);
        let (counts, words) = self.records.run(start, len);
        let mut done = 0;
        while done < len {
            let before = done;
            done += mmu.unshare_each(&counts[done..]);
            let lone = take_lone(&counts[done..], &words[done..], start + done, row);
            assert!(lone > 0 || done == len, "frames: a free frame was released");
            if lone > 0 {
                (done..done + lone).for_each(|nth| mmu.junk_frame(Frame(lowest.0 + nth as u32)));
                let (low, high) = (start + done, start + done + lone - 1);
                if row.is_upwards() {
                    chain.push(self, high, low, lone);
                } else {
                    chain.push(self, low, high, lone);
                }
            }
            done += lone;
            if done - before < GROUP {
                done += self.release_mixed(mmu, &counts[done..], lowest.0 + done as u32, chain);
            }
        }
    }

    /// A group of a row in which the last references and the others take turns: frames from `first` on with the first of `counts`; how
    /// many.
    fn release_mixed(
        &self,
        mmu: &impl Mmu,
        counts: &[FrameWord],
        first: u32,
        chain: &mut FreeChain,
    ) -> usize {
        let Some(group) = counts.first_chunk::<GROUP>() else {
            return 0;
        };
        let lone = mmu.unshare_group(group.each_ref());
        self.release_lone(mmu, lone, |nth| Frame(first + nth), chain);
        GROUP
    }

    /// Drops the last references to the frames of a group that `lone` names by its bits.
    #[inline(always)]
    fn release_lone(
        &self,
        mmu: &impl Mmu,
        mut lone: u32,
        frame: impl Fn(u32) -> Frame,
        chain: &mut FreeChain,
    ) {
        while lone != 0 {
            self.release_into(mmu, frame(lone.trailing_zeros()), chain);
            lone &= lone - 1;
        }
    }

    /// Frees what a chain holds.
    #[inline]
    pub fn free_chain(&self, mmu: &impl Mmu, chain: FreeChain) {
        if chain.top == 0 {
            return;
        }
        let stack = &self.stacks[mmu.cpu()];
        let mut tops = stack.tops.lock();
        self.records
            .word_at(chain.last as usize)
            .store(tops.junk, Ordering::Relaxed);
        tops.junk = chain.top;
        stack
            .len
            .store(stack.len.load(Ordering::Relaxed) + chain.len, Ordering::Relaxed);
    }
}

/// Counts that are looked at together.
const BLOCK: usize = 8;

/// Whether each of the counts is 1; compared two at a time, which is half the comparisons and branches.
#[inline(always)]
fn are_all_one(counts: &[FrameWord; BLOCK]) -> bool {
    const BOTH: u64 = 1 << 32 | 1;
    let load = |nth: usize| u64::from(counts[nth].load(Ordering::Relaxed));
    let pair = |first: usize| load(first) | load(first + 1) << 32;
    pair(0) == BOTH && pair(2) == BOTH && pair(4) == BOTH && pair(6) == BOTH
}

/// Takes the last reference to each of the frames from index `start` on, up to the first that has more than one; how many. They are
/// chained. As in [`Frames::drop_reference`], the sole holder needs no atomic subtraction.
#[inline(always)]
fn take_lone(counts: &[FrameWord], words: &[FrameWord], start: usize, row: &Row) -> usize {
    // Index + 1 of the frame before it in the row, or behind it.
    let next = start as u32 + if row.is_upwards() { 0 } else { 2 };
    let (count_blocks, _) = counts.as_chunks::<BLOCK>();
    let (word_blocks, _) = words.as_chunks::<BLOCK>();
    let mut lone = 0;
    for (counts, words) in count_blocks.iter().zip(word_blocks) {
        if !are_all_one(counts) {
            break;
        }
        fence(Ordering::Acquire);
        counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        for (nth, word) in words.iter().enumerate() {
            word.store(next + lone + nth as u32, Ordering::Relaxed);
        }
        lone += BLOCK as u32;
    }
    for (count, word) in counts.iter().zip(words).skip(lone as usize) {
        if count.load(Ordering::Acquire) != 1 {
            break;
        }
        count.store(0, Ordering::Relaxed);
        word.store(next + lone, Ordering::Relaxed);
        lone += 1;
    }
    lone as usize
}
