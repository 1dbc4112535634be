//! Address-space identifiers, handed out in generations. An ASID tags a space's TLB entries, so a switch needs no flush; a
//! number may serve another space on a processor only after that processor's TLB has forgotten it. Numbers are therefore never
//! given back one by one: when all are used up, the generation rises, and each space takes a new number when it next runs.
//! Spaces that run on some processor at that moment keep theirs (they are *reserved*).
//!
//! Each processor clears its own TLB at its first switch in the new generation, which the roll-over forces into the slow path.
//! One broadcast by whoever rolls over would come too early: a processor between taking a tag and loading TTBR0 still walks
//! under the number of the space that it leaves, which is reserved no more, and would fill its TLB again.

use crate::addr::Asid;
use crate::mmu::{MAX_CPUS, Mmu};
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};

/// A generation (bits 63:16) and a number in it (bits 15:0); 0 before the first activation.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AsidTag(u64);

impl AsidTag {
    const NUMBER_BITS: u32 = 16;

    /// The number as the TLB knows it.
    #[inline]
    pub const fn asid(self) -> Asid {
        Asid(self.0 as u16)
    }

    /// Whether the space was ever activated: until then no TLB can hold anything of it.
    #[inline]
    pub const fn has_run(self) -> bool {
        self.0 != 0
    }

    #[inline]
    const fn generation(self) -> u64 {
        self.0 >> Self::NUMBER_BITS
    }
}

/// The allocator of the machine's ASIDs.
pub struct Asids {
    /// The current generation; read without the lock.
    generation: AtomicU64,
    /// What each processor runs under, or ran under last, as an `AsidTag`; with [`COLLECTED`] once a roll-over has seen it.
    active: [AtomicU64; MAX_CPUS],
    /// No processor from this number on has ever been in a space.
    processors: AtomicUsize,
    /// All spaces run under number 1: see [`Asids::fixed`].
    is_fixed: bool,
    pool: Mutex<Pool>,
}

/// Mark in `active`: the processor's next switch must take the slow path.
const COLLECTED: u64 = 1 << 63;

struct Pool {
    next: u32,
    limit: u32,
    /// What each processor ran under at the last roll-over: numbers not to be handed out in this generation.
    reserved: [AsidTag; MAX_CPUS],
    /// Processors, one bit each, whose TLBs may hold entries of numbers that have been given to other spaces since.
    stale: u32,
}

impl Asids {
    /// An allocator of the numbers 1 to `limit` - 1 (0 is the empty space's); `limit` is 65,536 on the board, and must leave
    /// more numbers than there are processors.
    pub fn new(limit: u32) -> Asids {
        assert!(
            (MAX_CPUS as u32 + 2..=1 << AsidTag::NUMBER_BITS).contains(&limit),
            "asid: limit {limit}"
        );
        Asids::with(limit)
    }

    /// For finding stale translations where a TLB forgets everything at each change of the ASID, as QEMU's does: every space
    /// runs under number 1, and nothing is flushed but what must be, and the processor's own TLB when another space comes in.
    /// The processor must walk no user table when it calls [`Asids::activate`].
    pub fn fixed() -> Asids {
        Asids {
            is_fixed: true,
            ..Asids::with(2)
        }
    }

    fn with(limit: u32) -> Asids {
        Asids {
            generation: AtomicU64::new(1),
            active: core::array::from_fn(|_| AtomicU64::new(COLLECTED)),
            processors: AtomicUsize::new(0),
            is_fixed: false,
            pool: Mutex::new(Pool {
                next: 1,
                limit,
                reserved: [AsidTag::default(); MAX_CPUS],
                stale: 0,
            }),
        }
    }

    /// Whether all spaces share one number.
    pub fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// The tag under which the space tagged `tag` may run on the executing processor from now on. Caller holds the space's
    /// lock and activates the result at once.
    #[inline]
    pub fn activate(&self, mmu: &impl Mmu, tag: AsidTag) -> AsidTag {
        let active = &self.active[mmu.cpu()];
        let before = active.load(Ordering::Relaxed);
        let is_current = tag.generation() == self.generation.load(Ordering::Acquire);
        // A roll-over marks `active`, so the exchange fails when one came in between.
        if is_current
            && before & COLLECTED == 0
            && active
                .compare_exchange(before, tag.0, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        {
            return tag;
        }
        self.activate_slowly(mmu, tag)
    }

    /// Whether no processor but the executing one can be in the space tagged `tag`. Caller holds the space's lock, so that
    /// none comes in; one that has left it for nothing still counts.
    #[inline]
    pub fn is_alone(&self, mmu: &impl Mmu, tag: AsidTag) -> bool {
        let own = mmu.cpu();
        // Who has been in this space raised it under the space's lock.
        let processors = self.processors.load(Ordering::Relaxed);
        self.active
            .iter()
            .take(processors)
            .enumerate()
            .all(|(cpu, active)| {
                // By number: those of collected tags serve nobody else. Acquires what the processor stored before it left.
                cpu == own || AsidTag(active.load(Ordering::Acquire)).asid() != tag.asid()
            })
    }

    #[cold]
    fn activate_slowly(&self, mmu: &impl Mmu, tag: AsidTag) -> AsidTag {
        let mut pool = self.pool.lock();
        // Its first time in a space comes by here.
        self.processors.fetch_max(mmu.cpu() + 1, Ordering::Relaxed);
        if self.is_fixed {
            return self.activate_fixed(mmu, tag);
        }
        let mut new = tag;
        if tag.generation() != self.generation.load(Ordering::Relaxed) {
            new = self.renew(&mut pool, tag);
        }
        let own = 1 << mmu.cpu();
        if pool.stale & own != 0 {
            // What this processor still walks is reserved: nothing of it that comes in after this can be taken for another's.
            crate::memory::flush_all_own(mmu);
            pool.stale &= !own;
        }
        self.active[mmu.cpu()].store(new.0, Ordering::Release);
        new
    }

    /// One number for all, the rest of the tag telling spaces apart. Always by way of the slow path: `active` stays marked.
    fn activate_fixed(&self, mmu: &impl Mmu, tag: AsidTag) -> AsidTag {
        let new = match tag.has_run() {
            true => tag,
            false => AsidTag(self.generation.fetch_add(1, Ordering::Relaxed) << AsidTag::NUMBER_BITS | 1),
        };
        if self.active[mmu.cpu()].swap(new.0 | COLLECTED, Ordering::AcqRel) != new.0 | COLLECTED {
            crate::memory::flush_all_own(mmu);
        }
        new
    }

    /// A tag of the current generation for a space whose own is of an earlier one.
    fn renew(&self, pool: &mut Pool, old: AsidTag) -> AsidTag {
        loop {
            if let Some(kept) = self.keep_reserved(pool, old) {
                return kept;
            }
            if pool.next == pool.limit {
                self.roll_over(pool);
                continue;
            }
            let number = pool.next as u16;
            pool.next += 1;
            if !pool.reserved.iter().any(|reserved| reserved.asid().0 == number) {
                return self.tag(number);
            }
        }
    }

    /// A space that ran somewhere at the last roll-over keeps its number, now as one of the current generation.
    fn keep_reserved(&self, pool: &mut Pool, old: AsidTag) -> Option<AsidTag> {
        let kept = self.tag(old.asid().0);
        let mut is_reserved = false;
        for reserved in pool
            .reserved
            .iter_mut()
            .filter(|reserved| old.has_run() && **reserved == old)
        {
            *reserved = kept;
            is_reserved = true;
        }
        is_reserved.then_some(kept)
    }

    fn tag(&self, number: u16) -> AsidTag {
        AsidTag(self.generation.load(Ordering::Relaxed) << AsidTag::NUMBER_BITS | u64::from(number))
    }

    /// All numbers are used: a new generation. What runs now is reserved, and every processor clears its TLB before it runs
    /// anything else.
    fn roll_over(&self, pool: &mut Pool) {
        self.generation
            .store(self.generation.load(Ordering::Relaxed) + 1, Ordering::Release);
        for (active, reserved) in self.active.iter().zip(&mut pool.reserved) {
            let tag = active.fetch_or(COLLECTED, Ordering::AcqRel);
            // Else it has not switched since the roll-over before: it still runs under what was reserved then.
            if tag & COLLECTED == 0 {
                *reserved = AsidTag(tag);
            }
        }
        pool.next = 1;
        pool.stale = (1 << MAX_CPUS) - 1;
    }
}
