//! What all address spaces of a machine share: the machine itself, its frames, the zero frame, the ASIDs, and counters of
//! what happened.

use crate::addr::{Asid, Frame, VirtAddr};
use crate::asid::Asids;
use crate::frames::{Frames, NoMemory};
use crate::mmu::{MAX_CPUS, Mmu};
use crate::sync::{AtomicU64, Ordering};

/// One machine's memory.
pub struct Memory<M: Mmu> {
    mmu: M,
    frames: Frames,
    zero_frame: Frame,
    asids: Asids,
    events: [Counters; MAX_CPUS],
}

impl<M: Mmu> Memory<M> {
    /// Takes one frame for the zero frame.
    pub fn new(mmu: M, frames: Frames, asids: Asids) -> Result<Memory<M>, NoMemory> {
        let zero_frame = frames.allocate(&mmu)?;
        let events = core::array::from_fn(|_| Counters::default());
        Ok(Memory {
            mmu,
            frames,
            zero_frame,
            asids,
            events,
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

    /// Counts `event` once.
    #[inline]
    pub(crate) fn count(&self, event: Event) {
        // Only the executing processor writes its row, so a plain read and write lose nothing.
        let counter = &self.events[self.mmu.cpu()].0[event as usize];
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How often `event` has happened on all processors.
    pub fn events(&self, event: Event) -> u64 {
        self.events
            .iter()
            .map(|row| row.0[event as usize].load(Ordering::Relaxed))
            .sum()
    }

    /// Every translation of `asid` that preceding stores changed is gone from every TLB on return.
    #[inline]
    pub(crate) fn flush_asid(&self, asid: Asid) {
        self.mmu.dsb_ishst();
        self.mmu.tlbi_aside1is(asid);
        self.mmu.dsb_ish();
        self.count(Event::FlushAsid);
    }

    /// Every translation of `address` in `asid`, at all levels, that preceding stores changed is gone from every TLB.
    #[inline]
    pub(crate) fn flush_address(&self, asid: Asid, address: VirtAddr) {
        self.mmu.dsb_ishst();
        self.mmu.tlbi_vae1is(asid, address);
        self.mmu.dsb_ish();
        self.count(Event::FlushAddress);
    }
}

/// What the heart counts, for /proc/vmstat and the demos.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A page was copied because it was shared.
    Copied,
    /// A page was given back writable to its last owner, by a fault on it.
    Regained,
    /// A page was given back writable together with a neighbour that faulted.
    RegainedInBulk,
    /// A fresh frame of zeros was mapped.
    ZeroFilled,
    /// The shared zero frame was mapped.
    ZeroShared,
    /// A page of a file or shared object was mapped.
    SourceMapped,
    /// The tables allowed the access already.
    Spurious,
    /// A shared table was copied.
    TableCopied,
    /// A table was given back to its last owner.
    TableRegained,
    /// An address space was forked.
    Fork,
    /// TLBI ASIDE1IS.
    FlushAsid,
    /// TLBI VAE1IS or VALE1IS.
    FlushAddress,
}

impl Event {
    /// Every event, with its name in /proc/vmstat.
    pub const ALL: [(Event, &'static str); 12] = [
        (Event::Copied, "cow_copied"),
        (Event::Regained, "cow_regained"),
        (Event::RegainedInBulk, "cow_regained_in_bulk"),
        (Event::ZeroFilled, "zero_filled"),
        (Event::ZeroShared, "zero_shared"),
        (Event::SourceMapped, "file_mapped"),
        (Event::Spurious, "faults_spurious"),
        (Event::TableCopied, "cow_tables_copied"),
        (Event::TableRegained, "cow_tables_regained"),
        (Event::Fork, "forks"),
        (Event::FlushAsid, "tlbi_asid"),
        (Event::FlushAddress, "tlbi_address"),
    ];
}

/// One processor's counters.
#[derive(Default)]
#[repr(align(64))]
struct Counters([AtomicU64; Event::ALL.len()]);
