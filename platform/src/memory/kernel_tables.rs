//! The kernel's own translation tables, under TTBR1. Entries go from invalid to valid and back, never from one translation to
//! another, so nothing here needs break-before-make (Arm ARM D8.16.1). W^X: no right is both writable and executable, and
//! nothing is executable at EL0.

use crate::arch;
use crate::cpu;
use crate::layout::LINEAR_BASE;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use mm::{Event, Level, NoMemory, PAGE_SIZE, PhysAddr, TABLE_ENTRIES, VirtAddr};

/// What the kernel may do with a range of its half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rights {
    /// Fetch instructions and read.
    Text,
    /// Read.
    Constants,
    /// Read and write.
    Data,
    /// Read and write device registers (Device-nGnRE).
    Device,
}

const VALID: u64 = 1 << 0;
const TABLE_OR_PAGE: u64 = 1 << 1;
const ATTR_NORMAL: u64 = 1 << 2;
const READ_ONLY: u64 = 0b10 << 6;
const SH_INNER: u64 = 0b11 << 8;
const ACCESS_FLAG: u64 = 1 << 10;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

impl Rights {
    /// The descriptor bits besides address and type.
    const fn bits(self) -> u64 {
        const COMMON: u64 = VALID | ACCESS_FLAG | UXN;
        match self {
            Rights::Text => COMMON | ATTR_NORMAL | SH_INNER | READ_ONLY,
            Rights::Constants => COMMON | ATTR_NORMAL | SH_INNER | READ_ONLY | PXN,
            Rights::Data => COMMON | ATTR_NORMAL | SH_INNER | PXN,
            Rights::Device => COMMON | PXN,
        }
    }
}

/// A tree of kernel tables, reached at physical address + `reach`.
#[derive(Clone, Copy)]
pub(crate) struct KernelTables {
    root: PhysAddr,
    reach: usize,
}

impl KernelTables {
    /// The tree at `root`, a zeroed or earlier filled table, whose tables are all mapped at physical address + `reach`
    /// (wrapping).
    ///
    /// # Safety
    /// They must be so mapped as long as the value is used, and belong to this tree alone.
    pub(crate) const unsafe fn new(root: PhysAddr, reach: usize) -> KernelTables {
        KernelTables { root, reach }
    }

    /// The same tree, its tables reached through the linear map.
    ///
    /// # Safety
    /// The linear map must be installed and hold all tables of the tree.
    pub(crate) const unsafe fn in_linear_map(self) -> KernelTables {
        KernelTables {
            root: self.root,
            reach: LINEAR_BASE,
        }
    }

    /// Where the root lies.
    pub(crate) const fn root(self) -> PhysAddr {
        self.root
    }

    fn entry(self, table: PhysAddr, index: usize) -> &'static AtomicU64 {
        assert!(index < TABLE_ENTRIES);
        let address = self.reach.wrapping_add(table.0 as usize) + index * size_of::<AtomicU64>();
        // SAFETY: `new` demands that the tree's tables are mapped there; an index below 512 stays inside the table; tables
        // are only ever used as atomics.
        unsafe { &*core::ptr::with_exposed_provenance(address) }
    }

    /// Maps `range` to the physical addresses from `to`, all page aligned, in the largest blocks that fit. `new_table` gives
    /// a zeroed table inside reach. Visible to the walker of every processor on return.
    ///
    /// # Errors
    /// No table to be had: a part of the range may be mapped then.
    ///
    /// # Panics
    /// When a part of the range is mapped already.
    pub(crate) fn map(
        self,
        range: Range<usize>,
        to: PhysAddr,
        rights: Rights,
        new_table: &mut dyn FnMut() -> Option<PhysAddr>,
    ) -> Result<(), NoMemory> {
        let (mut at, mut to) = (range.start, to.0);
        assert!(
            (at | range.end | to as usize).is_multiple_of(PAGE_SIZE),
            "map {range:#x?} to {to:#x}: not whole pages"
        );
        while at < range.end {
            let level = largest_level(at, to, range.end - at);
            let leaf = if level == Level::L3 { TABLE_OR_PAGE } else { 0 };
            let table = self.table_for(at, level, new_table)?;
            let entry = self.entry(table, VirtAddr(at as u64).index(level));
            let old = entry.swap(to | rights.bits() | leaf, Ordering::Relaxed);
            assert!(
                old & VALID == 0,
                "kernel address {at:#x} was mapped already: {old:#x}"
            );
            at += level.span() as usize;
            to += level.span();
        }
        arch::dsb_ishst();
        arch::isb();
        cpu::counters().count(Event::Barrier);
        Ok(())
    }

    /// The table of `level` that holds the entry for `address`, made where it is missing.
    fn table_for(
        self,
        address: usize,
        level: Level,
        new_table: &mut dyn FnMut() -> Option<PhysAddr>,
    ) -> Result<PhysAddr, NoMemory> {
        let (mut table, mut at_level) = (self.root, Level::L1);
        while at_level < level {
            let entry = self.entry(table, VirtAddr(address as u64).index(at_level));
            let descriptor = entry.load(Ordering::Relaxed);
            table = if descriptor & VALID == 0 {
                let new = new_table().ok_or(NoMemory)?;
                // The walker must see the table's zeros before the table.
                arch::dsb_ishst();
                cpu::counters().count(Event::Barrier);
                entry.store(new.0 | TABLE_OR_PAGE | VALID, Ordering::Relaxed);
                new
            } else {
                assert!(
                    descriptor & TABLE_OR_PAGE != 0,
                    "kernel address {address:#x} lies in a block"
                );
                PhysAddr(descriptor & ADDRESS)
            };
            at_level = at_level.below().ok_or(NoMemory)?;
        }
        Ok(table)
    }

    /// Whether a store to `address` would be translated.
    pub(crate) fn is_writable(self, address: usize) -> bool {
        let (mut table, mut level) = (self.root, Level::L1);
        loop {
            let descriptor = self
                .entry(table, VirtAddr(address as u64).index(level))
                .load(Ordering::Relaxed);
            let is_table = level < Level::L3 && descriptor & TABLE_OR_PAGE != 0;
            match level.below() {
                _ if descriptor & VALID == 0 => return false,
                Some(below) if is_table => (table, level) = (PhysAddr(descriptor & ADDRESS), below),
                _ => return descriptor & READ_ONLY == 0,
            }
        }
    }

    /// Takes pages away: `range` is mapped page by page. On return no processor translates it any more.
    ///
    /// # Panics
    /// When a page of it is not mapped.
    pub(crate) fn unmap(self, range: Range<usize>) {
        for page in range.clone().step_by(PAGE_SIZE) {
            let table = self.table_for(page, Level::L3, &mut || None);
            let Ok(table) = table else {
                panic!("kernel address {page:#x} was not mapped")
            };
            let old = self
                .entry(table, VirtAddr(page as u64).index(Level::L3))
                .swap(0, Ordering::Relaxed);
            assert!(old & VALID != 0, "kernel address {page:#x} was not mapped");
        }
        arch::dsb_ishst();
        for page in range.clone().step_by(PAGE_SIZE) {
            arch::tlbi_vaale1is(page);
        }
        arch::dsb_ish();
        arch::isb();
        let counters = cpu::counters();
        counters.add(Event::FlushKernelPage, (range.len() / PAGE_SIZE) as u64);
        counters.add(Event::Barrier, 2);
    }
}

/// The largest span by which `len` bytes at `at` can begin to be mapped to `to`.
fn largest_level(at: usize, to: u64, len: usize) -> Level {
    let fits = |level: &Level| {
        let span = level.span();
        (at as u64 | to).is_multiple_of(span) && len as u64 >= span
    };
    [Level::L1, Level::L2].into_iter().find(fits).unwrap_or(Level::L3)
}
