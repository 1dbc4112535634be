//! What all address spaces of a machine share: the machine itself, its frames, the zero frame, the ASIDs, and the
//! sequences of instructions that are counted.

use crate::addr::{Asid, Frame, VirtAddr};
use crate::asid::Asids;
use crate::events::{Cost, Event};
use crate::frames::{Frames, NoMemory};
use crate::mmu::Mmu;
use crate::swap::Swap;
use core::sync::atomic::{AtomicUsize, Ordering};

/// One machine's memory.
pub struct Memory<M: Mmu> {
    mmu: M,
    frames: Frames,
    zero_frame: Frame,
    asids: Asids,
    swap: Swap,
    /// Spaces with locked areas.
    locking: AtomicUsize,
}

impl<M: Mmu> Memory<M> {
    /// Takes one frame for the zero frame.
    ///
    /// # Errors
    /// [`NoMemory`]: there is no frame for it.
    pub fn new(mmu: M, frames: Frames, asids: Asids) -> Result<Memory<M>, NoMemory> {
        let zero_frame = frames.allocate(&mmu)?;
        Ok(Memory {
            mmu,
            frames,
            zero_frame,
            asids,
            swap: Swap::default(),
            locking: AtomicUsize::new(0),
        })
    }

    /// The machine.
    #[inline]
    pub fn mmu(&self) -> &M {
        &self.mmu
    }

    /// The frames and their counts.
    #[inline]
    pub fn frames(&self) -> &Frames {
        &self.frames
    }

    /// The one frame of zeros that every untouched page shows to readers. Memory holds a reference for ever, so its count is
    /// never 1 while it is mapped: it is never taken for exclusive.
    #[inline]
    pub fn zero_frame(&self) -> Frame {
        self.zero_frame
    }

    /// The address-space identifiers.
    #[inline]
    pub fn asids(&self) -> &Asids {
        &self.asids
    }

    /// The swap areas and the swap cache.
    #[inline]
    pub fn swap(&self) -> &Swap {
        &self.swap
    }

    /// Whether any space has locked areas. One whose lock the caller does not hold may begin to have some.
    pub(crate) fn is_any_locking(&self) -> bool {
        self.locking.load(Ordering::Relaxed) != 0
    }

    /// A space has locked areas from now on.
    #[cold]
    pub(crate) fn note_locking(&self) {
        self.locking.fetch_add(1, Ordering::Relaxed);
    }

    /// A space has no locked areas any more.
    #[cold]
    pub(crate) fn note_no_longer_locking(&self) {
        self.locking.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts `event` once.
    #[inline(always)]
    pub(crate) fn count(&self, event: Event) {
        self.mmu.counters().count(event);
    }

    /// Counts `event` so many times.
    #[inline]
    pub(crate) fn count_several(&self, event: Event, times: u64) {
        self.mmu.counters().add(event, times);
    }

    /// How often `event` has happened on all processors.
    pub fn events(&self, event: Event) -> u64 {
        self.mmu.counted(event)
    }

    /// Barriers, TLB invalidations and bytes moved so far, on all processors.
    pub fn cost(&self) -> Cost {
        Cost::total(|event| self.events(event))
    }

    /// DSB ISHST by itself.
    #[inline(always)]
    #[cfg_attr(feature = "places", track_caller)]
    pub(crate) fn dsb_ishst(&self) {
        self.mmu.dsb_ishst();
        self.count(Event::Barrier);
    }

    /// Copies a page to a frame that no descriptor refers to.
    #[inline(always)]
    #[cfg_attr(feature = "places", track_caller)]
    pub(crate) fn copy_frame(&self, from: Frame, to: Frame) {
        self.mmu.copy_frame(from, to);
        self.count(Event::FrameCopied);
    }

    /// Every translation of `asid` that preceding stores changed is gone from every TLB on return.
    #[inline]
    #[cfg_attr(feature = "places", track_caller)]
    pub(crate) fn flush_asid(&self, asid: Asid) {
        self.mmu.dsb_ishst();
        self.mmu.tlbi_aside1is(asid);
        self.mmu.dsb_ish();
        self.count(Event::FlushAsid);
    }

    /// Every translation of `address` in `asid`, at all levels, that preceding stores changed is gone from every TLB.
    #[inline]
    #[cfg_attr(feature = "places", track_caller)]
    pub(crate) fn flush_address(&self, asid: Asid, address: VirtAddr) {
        self.mmu.dsb_ishst();
        self.mmu.tlbi_vae1is(asid, address);
        self.mmu.dsb_ish();
        self.count(Event::FlushAddress);
    }

    /// As [`Memory::flush_address`], for the last level alone.
    #[inline]
    #[cfg_attr(feature = "places", track_caller)]
    pub(crate) fn flush_page(&self, asid: Asid, address: VirtAddr) {
        self.mmu.dsb_ishst();
        self.mmu.tlbi_vale1is(asid, address);
        self.mmu.dsb_ish();
        self.count(Event::FlushAddress);
    }

    /// Every translation of `address` in whichever ASID (`None`: every translation) that preceding stores changed is gone from
    /// every TLB on return.
    #[cfg_attr(feature = "places", track_caller)]
    pub(crate) fn flush_everywhere(&self, address: Option<VirtAddr>) {
        self.mmu.dsb_ishst();
        match address {
            Some(address) => self.mmu.tlbi_vaae1is(address),
            None => self.mmu.tlbi_vmalle1is(),
        }
        self.mmu.dsb_ish();
        self.count(Event::FlushEverywhere);
    }

    /// No translation of `address` in `asid` is left in this processor's TLB.
    #[inline]
    #[cfg_attr(feature = "places", track_caller)]
    pub(crate) fn flush_own(&self, asid: Asid, address: VirtAddr) {
        self.mmu.tlbi_vae1_local(asid, address);
        self.count(Event::FlushOwn);
    }
}

/// Fills a frame that no descriptor refers to with zeros.
#[inline]
#[cfg_attr(feature = "places", track_caller)]
pub(crate) fn zero_frame(mmu: &impl Mmu, frame: Frame) {
    mmu.zero_frame(frame);
    mmu.counters().count(Event::FrameZeroed);
}

/// Makes the bytes of a frame fit to be executed.
#[cfg_attr(feature = "places", track_caller)]
pub(crate) fn sync_icache(mmu: &impl Mmu, frame: Frame) {
    mmu.sync_icache(frame);
    mmu.counters().count(Event::InstructionsSynced);
}

/// No translation of any space is left in this processor's TLB.
#[cfg_attr(feature = "places", track_caller)]
pub(crate) fn flush_all_own(mmu: &impl Mmu) {
    mmu.tlbi_vmalle1_local();
    mmu.counters().count(Event::FlushAllOwn);
}
