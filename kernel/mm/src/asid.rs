//! Address-space identifiers, handed out in generations. An ASID tags a space's TLB entries, so a switch needs no flush; a
//! number may serve another space only after every TLB has forgotten it. Numbers are therefore never given back one by one:
//! when all are used up, the generation rises, one broadcast `TLBI VMALLE1IS` clears every TLB, and each space takes a new
//! number when it next runs. Spaces that run on some processor at that moment keep theirs (they are *reserved*).

use crate::addr::Asid;
use crate::mmu::{MAX_CPUS, Mmu};
use crate::sync::{AtomicU64, Mutex, Ordering};

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
    /// What each processor runs under, as an `AsidTag`; 0 once a roll-over has collected it.
    active: [AtomicU64; MAX_CPUS],
    pool: Mutex<Pool>,
}

struct Pool {
    next: u32,
    limit: u32,
    /// What each processor ran under at the last roll-over: numbers not to be handed out in this generation.
    reserved: [AsidTag; MAX_CPUS],
}

impl Asids {
    /// An allocator of the numbers 1 to `limit` - 1 (0 is the empty space's); `limit` is 65,536 on the board, and must leave
    /// more numbers than there are processors.
    pub fn new(limit: u32) -> Asids {
        assert!(
            (MAX_CPUS as u32 + 2..=1 << AsidTag::NUMBER_BITS).contains(&limit),
            "asid: limit {limit}"
        );
        Asids {
            generation: AtomicU64::new(1),
            active: core::array::from_fn(|_| AtomicU64::new(0)),
            pool: Mutex::new(Pool {
                next: 1,
                limit,
                reserved: [AsidTag::default(); MAX_CPUS],
            }),
        }
    }

    /// The tag under which the space tagged `tag` may run on the executing processor from now on. Caller holds the space's
    /// lock and activates the result at once.
    #[inline]
    pub fn activate(&self, mmu: &impl Mmu, tag: AsidTag) -> AsidTag {
        let active = &self.active[mmu.cpu()];
        let before = active.load(Ordering::Relaxed);
        let is_current = tag.generation() == self.generation.load(Ordering::Acquire);
        // A roll-over sets `active` to 0, so the exchange fails when one came in between.
        if is_current
            && before != 0
            && active
                .compare_exchange(before, tag.0, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        {
            return tag;
        }
        self.activate_slowly(mmu, tag)
    }

    #[cold]
    fn activate_slowly(&self, mmu: &impl Mmu, tag: AsidTag) -> AsidTag {
        let mut pool = self.pool.lock();
        let mut new = tag;
        if tag.generation() != self.generation.load(Ordering::Relaxed) {
            new = self.renew(mmu, &mut pool, tag);
        }
        self.active[mmu.cpu()].store(new.0, Ordering::Release);
        new
    }

    /// A tag of the current generation for a space whose own is of an earlier one.
    fn renew(&self, mmu: &impl Mmu, pool: &mut Pool, old: AsidTag) -> AsidTag {
        loop {
            if let Some(kept) = self.keep_reserved(pool, old) {
                return kept;
            }
            if pool.next == pool.limit {
                self.roll_over(mmu, pool);
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

    /// All numbers are used: a new generation, every TLB cleared, what runs now reserved.
    fn roll_over(&self, mmu: &impl Mmu, pool: &mut Pool) {
        self.generation
            .store(self.generation.load(Ordering::Relaxed) + 1, Ordering::Release);
        for (active, reserved) in self.active.iter().zip(&mut pool.reserved) {
            match AsidTag(active.swap(0, Ordering::AcqRel)) {
                // Not switched since the roll-over before: it still runs under what was reserved then.
                tag if !tag.has_run() => {}
                tag => *reserved = tag,
            }
        }
        pool.next = 1;
        mmu.dsb_ishst();
        mmu.tlbi_vmalle1is();
        mmu.dsb_ish();
    }
}
