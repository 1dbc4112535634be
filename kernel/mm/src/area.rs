//! Areas: what a range of user addresses means (Linux says VMA). The tables say what *is* mapped, the areas what *may* be; a
//! fault is judged by the area, and the tables are made to agree. All areas of a space: `area_map`.

use crate::addr::{PAGE_SHIFT, PageRange, VirtAddr};
use crate::descriptor::Descriptor;
use crate::page_source::PageSource;
use crate::{Access, Frame};
use alloc::sync::Arc;

/// What may be done with an area's pages. Writing implies reading, as on every Arm processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Protection {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

impl Protection {
    /// No access (PROT_NONE).
    pub const NONE: Protection = Protection {
        read: false,
        write: false,
        execute: false,
    };
    /// Loads only.
    pub const READ: Protection = Protection {
        read: true,
        write: false,
        execute: false,
    };
    /// Loads and stores.
    pub const READ_WRITE: Protection = Protection {
        read: true,
        write: true,
        execute: false,
    };
    /// Loads and fetches.
    pub const READ_EXECUTE: Protection = Protection {
        read: true,
        write: false,
        execute: true,
    };

    /// Whether `access` is allowed. Any right includes loads: AP and UXN cannot express less (Linux does the same).
    #[inline]
    pub const fn allows(self, access: Access) -> bool {
        match access {
            Access::Read => self.read || self.write || self.execute,
            Access::Write => self.write,
            Access::Execute => self.execute,
        }
    }

    /// Whether every right of `other` is one of these.
    #[inline]
    pub const fn includes(self, other: Protection) -> bool {
        (self.read || !other.read) && (self.write || !other.write) && (self.execute || !other.execute)
    }
}

/// Whether stores stay with the process or reach everybody who maps the same object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Sharing {
    /// MAP_PRIVATE: copy-on-write.
    Private,
    /// MAP_SHARED.
    Shared,
}

/// Where an area's pages come from when nothing is mapped.
#[derive(Clone)]
pub enum Backing {
    /// Zeros.
    Anonymous,
    /// Pages of an object.
    Source {
        /// The object.
        source: Arc<dyn PageSource>,
        /// The object's page at the area's start.
        first: u64,
    },
}

/// What an area is used for: its name in /proc/PID/maps, and whether it grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Purpose {
    /// A mapping.
    Mapping,
    /// The break.
    Heap,
    /// Memory that grows down on demand ([`AddressSpace::grow_stack`](crate::AddressSpace::grow_stack)).
    Stack,
    /// A page of the kernel's own: the vDSO, and what it reads.
    Kernel,
}

/// What a program has said about an area beside its rights; each has a bit (Linux: `vm_flags`). In the upper half stands the
/// generation of the space in which the area was made: how many forks away from its first program. So what a child maps does not
/// become one with what it has inherited, pages of which its parent may have (Linux: by `anon_vma`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct AreaFlags(u32);

impl AreaFlags {
    /// Nothing said.
    pub const NONE: AreaFlags = AreaFlags(0);
    /// A child does not get the area (MADV_DONTFORK).
    pub const DONT_FORK: AreaFlags = AreaFlags(1);
    /// A child gets the area without its pages (MADV_WIPEONFORK).
    pub const WIPE_ON_FORK: AreaFlags = AreaFlags(1 << 1);
    /// A core dump leaves the pages out (MADV_DONTDUMP).
    pub const DONT_DUMP: AreaFlags = AreaFlags(1 << 2);
    /// Accesses will be in random order (MADV_RANDOM).
    pub const READ_AT_RANDOM: AreaFlags = AreaFlags(1 << 3);
    /// Accesses will be in ascending order (MADV_SEQUENTIAL).
    pub const READ_IN_ORDER: AreaFlags = AreaFlags(1 << 4);
    /// Its pages stay where they are (mlock(2)).
    pub const LOCKED: AreaFlags = AreaFlags(1 << 5);
    /// With [`AreaFlags::LOCKED`]: from their first touch on (MLOCK_ONFAULT).
    pub const LOCKED_ON_FAULT: AreaFlags = AreaFlags(1 << 6);
    /// Nothing is there yet: a mapping is on its way here ([`AddressSpace::move_some`](crate::AddressSpace::move_some)).
    pub(crate) const MOVING: AreaFlags = AreaFlags(1 << 7);
    /// All about locking.
    pub const LOCK: AreaFlags = AreaFlags::LOCKED.with(AreaFlags::LOCKED_ON_FAULT);
    /// What fork has to look for: a child inherits no locks.
    pub(crate) const AT_FORK: AreaFlags = AreaFlags::DONT_FORK
        .with(AreaFlags::WIPE_ON_FORK)
        .with(AreaFlags::LOCK);

    const GENERATION: AreaFlags = AreaFlags(0xffff << 16);
    const ONE_GENERATION: u32 = 1 << 16;

    /// All of them in one word.
    #[inline]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Those of a word that [`AreaFlags::bits`] gave.
    #[inline]
    pub const fn from_bits(bits: u32) -> AreaFlags {
        AreaFlags(bits)
    }

    /// Nothing said, one fork later. After 65,536 they are the same again: areas become one that Linux keeps apart.
    #[inline]
    pub const fn of_next_generation(self) -> AreaFlags {
        AreaFlags((self.0 & AreaFlags::GENERATION.0).wrapping_add(AreaFlags::ONE_GENERATION))
    }

    /// What is said, in whatever generation.
    #[inline]
    pub const fn without_generation(self) -> AreaFlags {
        self.without(AreaFlags::GENERATION)
    }

    /// Whether any of `flags` is set.
    #[inline]
    pub const fn has(self, flags: AreaFlags) -> bool {
        self.0 & flags.0 != 0
    }

    /// These and `flags`.
    pub const fn with(self, flags: AreaFlags) -> AreaFlags {
        AreaFlags(self.0 | flags.0)
    }

    /// These but for `flags`.
    pub const fn without(self, flags: AreaFlags) -> AreaFlags {
        AreaFlags(self.0 & !flags.0)
    }
}

/// One area.
#[derive(Clone)]
pub struct Area {
    pub(crate) range: PageRange,
    /// What may be done.
    pub protection: Protection,
    /// Private or shared.
    pub sharing: Sharing,
    /// What was said about it.
    pub flags: AreaFlags,
    /// Where pages come from.
    pub backing: Backing,
    /// What it is for.
    pub purpose: Purpose,
}

impl Area {
    /// The pages it covers.
    #[inline]
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// Whether it is private memory that may be written, and no stack: what Linux counts as data.
    #[inline]
    pub fn is_data(&self) -> bool {
        self.protection.write && self.would_be_data()
    }

    /// Whether it is data when it may be written.
    #[inline]
    pub fn would_be_data(&self) -> bool {
        self.sharing == Sharing::Private && self.purpose != Purpose::Stack
    }

    /// The source and index of the page that holds `address`, which lies in the area; `None` for anonymous memory.
    pub fn source_page(&self, address: VirtAddr) -> Option<(&Arc<dyn PageSource>, u64)> {
        match &self.backing {
            Backing::Anonymous => None,
            Backing::Source { source, first } => {
                Some((source, first + ((address.0 - self.range.start().0) >> PAGE_SHIFT)))
            }
        }
    }

    /// A descriptor of a page of this area at `frame`, as much as the area allows except write access.
    #[inline]
    pub(crate) fn leaf(&self, frame: Frame) -> Descriptor {
        let mut leaf = Descriptor::page(frame);
        if self.sharing == Sharing::Shared {
            leaf = leaf.of_shared_area();
        }
        if self.protection.execute {
            leaf = leaf.executable();
        }
        if self.protection.write {
            leaf = leaf.area_writable();
        }
        if self.protection == Protection::NONE {
            leaf.without_access()
        } else {
            leaf
        }
    }

    /// The part of the area inside `range`, which overlaps it.
    pub(crate) fn part(&self, range: PageRange) -> Area {
        let range = self.range.intersection(range);
        let mut part = self.clone();
        if let Backing::Source { first, .. } = &mut part.backing {
            *first += (range.start().0 - self.range.start().0) >> PAGE_SHIFT;
        }
        part.range = range;
        part
    }

    /// Whether `next`, which begins where this one ends, is more of the same.
    #[inline]
    pub(crate) fn continues_with(&self, next: &Area) -> bool {
        self.range.end() == next.range.start()
            && self.protection == next.protection
            && self.sharing == next.sharing
            && (self.flags == next.flags || self.is_shared_as(next))
            && self.purpose == next.purpose
            && self.backing_continues_with(next)
    }

    /// Whether only the generation sets the flags apart, which makes no difference here: nobody owns pages of shared memory.
    fn is_shared_as(&self, next: &Area) -> bool {
        self.sharing == Sharing::Shared && self.flags.without_generation() == next.flags.without_generation()
    }

    fn backing_continues_with(&self, next: &Area) -> bool {
        match (&self.backing, &next.backing) {
            (Backing::Anonymous, Backing::Anonymous) => true,
            (
                Backing::Source { source: a, first },
                Backing::Source {
                    source: b,
                    first: next_first,
                },
            ) => {
                core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
                    && first + self.range.pages() == *next_first
            }
            _ => false,
        }
    }
}
