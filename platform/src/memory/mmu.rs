//! The machine under the heart: [`mm::Mmu`] by the instructions that it names, on frames through the linear map.

use super::{counts, pairs};
use crate::arch;
use crate::cpu;
use crate::fault_injection;
use crate::layout::linear;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use mm::mmu::GROUP;
use mm::{Asid, Counters, Descriptor, Event, Frame, FrameWord, Mmu, PAGE_SIZE, Row, TABLE_ENTRIES, VirtAddr};

unsafe extern "C" {
    fn copy_frame_bytes(to: *mut u8, from: *const u8);
    pub(crate) fn zero_frame_bytes(to: *mut u8);
}

/// The MMU of this board. Zero sized: all its state is in the processor and in RAM.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoardMmu;

/// Where entry `index` of the table in `table` lies.
#[inline(always)]
fn entry(table: Frame, index: usize) -> &'static AtomicU64 {
    debug_assert!(index < TABLE_ENTRIES);
    let address = linear(table.start()) + (index & (TABLE_ENTRIES - 1)) * size_of::<AtomicU64>();
    // SAFETY: the linear map holds every frame of RAM at an address that stays mapped for ever, and 8-byte aligned; the heart
    // names only tables that it holds (contract of `Mmu`), and tables are only ever used as atomics.
    unsafe { &*core::ptr::with_exposed_provenance(address) }
}

/// Groups of a table.
const GROUPS: usize = TABLE_ENTRIES / GROUP;

/// Where the entries of `table` from `group` * [`GROUP`] on lie.
#[inline(always)]
fn group_of(table: Frame, group: usize) -> &'static [AtomicU64; GROUP] {
    debug_assert!(group < GROUPS);
    let address = linear(table.start()) + (group & (GROUPS - 1)) * size_of::<[AtomicU64; GROUP]>();
    // SAFETY: as in `entry`; the groups of a table lie one after the other in its frame.
    unsafe { &*core::ptr::with_exposed_provenance(address) }
}

#[inline(always)]
fn start(frame: Frame) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut(linear(frame.start()))
}

impl Mmu for BoardMmu {
    #[inline(always)]
    fn cpu(&self) -> usize {
        cpu::number()
    }

    #[inline(always)]
    fn refuses_frame(&self) -> bool {
        fault_injection::refuses_frame()
    }

    #[inline(always)]
    fn counters(&self) -> &Counters {
        cpu::counters()
    }

    fn counted(&self, event: Event) -> u64 {
        cpu::counted(event)
    }

    #[inline(always)]
    fn load(&self, table: Frame, index: usize) -> Descriptor {
        Descriptor(entry(table, index).load(Ordering::Relaxed))
    }

    #[inline(always)]
    fn store(&self, table: Frame, index: usize, descriptor: Descriptor) {
        entry(table, index).store(descriptor.0, Ordering::Relaxed);
    }

    #[inline(always)]
    fn load_group(&self, table: Frame, group: usize) -> [Descriptor; GROUP] {
        pairs::load(group_of(table, group)).map(Descriptor)
    }

    #[inline(always)]
    fn store_group(&self, table: Frame, group: usize, descriptors: [Descriptor; GROUP]) {
        pairs::store(group_of(table, group), descriptors.map(|one| one.0));
    }

    #[inline(always)]
    fn clear_groups(&self, table: Frame, groups: impl Iterator<Item = usize>) {
        groups.for_each(|group| pairs::store(group_of(table, group), [0; GROUP]));
    }

    #[inline(always)]
    fn share_row(&self, source: Frame, target: Frame, groups: Range<usize>, row: &Row) -> usize {
        let table = |frame| group_of(frame, 0).as_ptr();
        assert!(
            groups.start <= groups.end && groups.end <= GROUPS,
            "a table has {GROUPS} groups"
        );
        // SAFETY: two tables that the heart holds, as in `entry`, used as atomics only; the groups are in them.
        unsafe { pairs::share_row(table(source), table(target), groups, row) }
    }

    #[inline(always)]
    fn share_each(&self, counts: &[FrameWord]) {
        counts::increment_each(counts);
    }

    #[inline(always)]
    fn row_end(&self, table: Frame, groups: Range<usize>, row: &Row) -> usize {
        assert!(
            groups.start <= groups.end && groups.end <= GROUPS,
            "a table has {GROUPS} groups"
        );
        // SAFETY: as in `share_row`.
        unsafe { pairs::row_end(group_of(table, 0).as_ptr(), groups, row) }
    }

    #[inline(always)]
    fn unshare_each(&self, counts: &[FrameWord]) -> usize {
        counts::decrement_each(counts)
    }

    #[inline(always)]
    fn unshare_group(&self, counts: [&FrameWord; GROUP]) -> u32 {
        counts::decrement_group(counts)
    }

    #[inline(always)]
    fn dmb_ishst(&self) {
        arch::dmb_ishst();
    }

    #[inline(always)]
    fn dsb_ishst(&self) {
        arch::dsb_ishst();
    }

    #[inline(always)]
    fn dsb_ish(&self) {
        arch::dsb_ish();
    }

    #[inline(always)]
    fn tlbi_aside1is(&self, asid: Asid) {
        arch::tlbi_aside1is(asid);
    }

    #[inline(always)]
    fn tlbi_vae1is(&self, asid: Asid, address: VirtAddr) {
        arch::tlbi_vae1is(asid, address);
    }

    #[inline(always)]
    fn tlbi_vale1is(&self, asid: Asid, address: VirtAddr) {
        arch::tlbi_vale1is(asid, address);
    }

    #[inline]
    fn tlbi_vaae1is(&self, address: VirtAddr) {
        arch::tlbi_vaae1is(address);
    }

    #[inline]
    fn tlbi_vmalle1is(&self) {
        arch::tlbi_vmalle1is();
    }

    #[inline(always)]
    fn tlbi_vae1_local(&self, asid: Asid, address: VirtAddr) {
        arch::tlbi_vae1(asid, address);
        arch::dsb_nsh();
    }

    #[inline(always)]
    fn tlbi_vmalle1_local(&self) {
        arch::tlbi_vmalle1();
        arch::dsb_nsh();
    }

    #[inline(always)]
    fn copy_frame(&self, from: Frame, to: Frame) {
        debug_assert!(from != to);
        // SAFETY: both are frames of RAM in the linear map, 4 KiB aligned; `to` is referenced by no descriptor and is not
        // `from`, so the two are apart and nobody else writes `to`.
        unsafe { copy_frame_bytes(start(to), start(from)) }
    }

    #[inline(always)]
    fn zero_frame(&self, frame: Frame) {
        // SAFETY: a frame of RAM in the linear map (Normal memory, as DC ZVA wants), referenced by no descriptor.
        unsafe { zero_frame_bytes(start(frame)) }
    }

    #[inline(always)]
    fn junk_frame(&self, frame: Frame) {
        const JUNK: u64 = 0xdead_f4ee_dead_f4ee;
        if !cfg!(debug_assertions) {
            return;
        }
        for index in 0..PAGE_SIZE / size_of::<u64>() {
            // SAFETY: in the linear map, inside the frame, which is free: nobody reads or writes it.
            unsafe { start(frame).cast::<u64>().add(index).write_volatile(JUNK) }
        }
    }

    fn sync_icache(&self, frame: Frame) {
        // The A72's instruction cache is physically tagged: the linear-map alias reaches the lines of every mapping.
        arch::sync_instructions(linear(frame.start()), PAGE_SIZE);
    }
}
