//! The records of all frames: a count of references and a word for each, in two arrays. A table that is copied takes a
//! reference on up to 512 frames in a row and asks nothing else of them: their counts alone are half the cache lines that counts
//! with words between them would be, and lie so that a machine may add to several at once ([`Mmu::share_each`]).

use crate::addr::Frame;
use crate::descriptor::Descriptor;
use crate::mmu::{GROUP, Mmu};
use crate::sync::{AtomicU32, Ordering};

/// A count or a word of a frame's record.
pub type FrameWord = AtomicU32;

/// The records of frames in a row. All zeros: free at their [`FrameSource`](crate::FrameSource), or not RAM.
#[derive(Clone, Copy)]
pub struct FrameInfos {
    /// References. 0: free.
    pub counts: &'static [FrameWord],
    /// Free on a stack: the next free frame's index + 1. A table: see `occupancy`. A page: whether it is fit to be executed, and
    /// whether it is an object's.
    pub words: &'static [FrameWord],
}

/// Where the records are, by value: a loop that holds this does not read it again for each frame.
#[derive(Clone, Copy)]
pub(crate) struct Records {
    first: u32,
    infos: FrameInfos,
}

/// One reference more. Whoever takes it holds one already, so no order is needed.
#[inline(always)]
fn share(count: &FrameWord) {
    let before = count.fetch_add(1, Ordering::Relaxed);
    debug_assert_ne!(before, 0, "frames: a free frame was shared");
}

impl Records {
    /// The records of the frames from `first` on.
    pub(crate) fn new(first: Frame, infos: FrameInfos) -> Records {
        assert_eq!(
            infos.counts.len(),
            infos.words.len(),
            "frames: a count and a word each"
        );
        Records {
            first: first.0,
            infos,
        }
    }

    /// The lowest frame.
    #[inline(always)]
    pub(crate) fn first(self) -> Frame {
        Frame(self.first)
    }

    /// How many frames.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.infos.counts.len()
    }

    /// Which record is that of `frame`; not below [`Records::len`] if none is.
    #[inline(always)]
    pub(crate) fn index(self, frame: Frame) -> usize {
        frame.0.wrapping_sub(self.first) as usize
    }

    /// The count of record `index`. A record that does not exist is a broken invariant of ours: panics.
    #[inline(always)]
    pub(crate) fn count_at(self, index: usize) -> &'static FrameWord {
        &self.infos.counts[index]
    }

    /// The word of record `index`, as [`Records::count_at`].
    #[inline(always)]
    pub(crate) fn word_at(self, index: usize) -> &'static FrameWord {
        &self.infos.words[index]
    }

    /// The counts and the words of `len` records from `start` on.
    #[inline(always)]
    pub(crate) fn run(self, start: usize, len: usize) -> (&'static [FrameWord], &'static [FrameWord]) {
        let run = start..start + len;
        (&self.infos.counts[run.clone()], &self.infos.words[run])
    }

    /// The count of `frame`, which must have one.
    #[inline(always)]
    pub(crate) fn count(self, frame: Frame) -> &'static FrameWord {
        self.count_at(self.index(frame))
    }

    /// The counts of the frames of a group of entries, each of which must have one: asked once for all of them.
    #[inline(always)]
    pub(crate) fn counts_of(self, entries: &[Descriptor; GROUP]) -> [&'static FrameWord; GROUP] {
        let indices = entries.map(|entry| self.index(entry.frame()));
        let counts = self.infos.counts;
        assert!(
            indices.iter().all(|index| *index < counts.len()),
            "frames: a group refers to a frame without a record"
        );
        indices.map(|index| &counts[index])
    }

    /// The word of `frame`, which must have one.
    #[inline(always)]
    pub(crate) fn word(self, frame: Frame) -> &'static FrameWord {
        self.word_at(self.index(frame))
    }

    /// See [`Frames::share`](crate::Frames::share).
    #[inline(always)]
    pub(crate) fn share(self, frame: Frame) {
        share(self.count(frame));
    }

    /// [`Records::share`] of the frames of a group of entries.
    #[inline(always)]
    pub(crate) fn share_group(self, entries: &[Descriptor; GROUP]) {
        self.counts_of(entries).into_iter().for_each(share);
    }

    /// One reference less, which is certainly not the last: the caller knows of another that stays.
    #[inline(always)]
    pub(crate) fn unshare(self, frame: Frame) {
        let before = self.count(frame).fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 1, "frames: the last reference was dropped in passing");
    }

    /// [`Records::share`] of `len` frames in a row.
    #[inline(always)]
    pub(crate) fn share_run(self, mmu: &impl Mmu, lowest: Frame, len: usize) {
        let start = self.index(lowest);
        let counts = &self.infos.counts[start..start + len];
        debug_assert!(
            counts.iter().all(|count| count.load(Ordering::Relaxed) != 0),
            "frames: a free frame was shared"
        );
        mmu.share_each(counts);
    }
}
