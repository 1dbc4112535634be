//! Memory as the board has it: the kernel's own map, free RAM, kernel stacks, and the machine under the heart.

mod counts;
pub(crate) mod kernel_tables;
mod mmu;
mod pairs;
pub(crate) mod plan;
pub(crate) mod ram;
pub(crate) mod ranges;
pub(crate) mod stacks;

pub use mmu::BoardMmu;
pub(crate) use mmu::zero_frame_bytes;
pub use ram::RamFrames;

use crate::{arch, boot, layout};
use core::ops::Range;
use kernel_tables::KernelTables;
use mm::{Asid, Frame, FrameInfos, TABLE_ENTRIES};
use spin::{Mutex, Once};

/// What boot found and made, once.
pub(crate) struct Found {
    pub(crate) first_frame: Frame,
    pub(crate) frame_infos: FrameInfos,
    pub(crate) ram_bytes: u64,
}

static FOUND: Once<Found> = Once::new();
static KERNEL_TABLES: Once<KernelTables> = Once::new();
/// Where the initrd lies, until it is given back.
static INITRD: Mutex<Option<Range<u64>>> = Mutex::new(None);

/// A table with no entry, for TTBR0 while no program runs.
#[repr(C, align(4096))]
struct EmptyTable([u64; TABLE_ENTRIES]);

static EMPTY: EmptyTable = EmptyTable([0; TABLE_ENTRIES]);

pub(crate) fn set_found(found: Found) {
    FOUND.call_once(|| found);
}

/// `tables` are under TTBR1 now.
pub(crate) fn set_kernel_tables(tables: KernelTables) {
    KERNEL_TABLES.call_once(|| tables);
}

/// The tables under TTBR1.
pub(crate) fn kernel_tables() -> KernelTables {
    *KERNEL_TABLES.get().expect("the final map is made before main")
}

/// What other processors put into TTBR1.
pub(crate) fn kernel_root() -> u64 {
    kernel_tables().root().0
}

/// Whether the kernel can write the byte of RAM at `address` in the linear map.
pub(crate) fn is_writable_ram(address: mm::PhysAddr) -> bool {
    address.0 < crate::layout::LINEAR_END && kernel_tables().is_writable(crate::layout::linear(address))
}

pub(crate) fn set_initrd(range: Range<u64>) {
    *INITRD.lock() = Some(range);
}

fn found() -> &'static Found {
    FOUND.get().expect("memory is found before main")
}

/// One record for each frame from the lowest of RAM to the highest, holes included: the first frame, and the records. All
/// were zero at boot.
pub fn frame_infos() -> (Frame, FrameInfos) {
    (found().first_frame, found().frame_infos)
}

/// Bytes of RAM that the kernel found, whoever uses them.
pub fn ram_bytes() -> u64 {
    found().ram_bytes
}

/// Where in RAM the kernel's code lies, with its constants, and where its data.
pub fn image() -> (Range<u64>, Range<u64>) {
    let physical = |range: Range<usize>| boot::image_physical(range.start)..boot::image_physical(range.end);
    let code = layout::image::text().start..layout::image::rodata().end;
    (physical(code), physical(layout::image::data()))
}

/// Bytes of RAM in use by nobody, not counting the frames that `mm::Frames` keeps.
#[inline]
pub fn free_bytes() -> usize {
    ram::free_bytes()
}

/// How often, since boot, RAM was asked for and there was none; with the refusals that tests inject and want to be counted.
pub fn refusals() -> u64 {
    ram::refusals()
}

/// Makes the address space with this root and ASID the one of this processor's programs.
#[inline(always)]
pub fn activate(root: Frame, asid: Asid) {
    arch::set_ttbr0(root.start(), asid);
}

/// Leaves this processor with no address space: all user addresses fault.
#[inline]
pub fn deactivate() {
    arch::set_ttbr0(mm::PhysAddr(empty_table()), Asid(0));
}

/// The physical address of [`EMPTY`].
pub(crate) fn empty_table() -> u64 {
    boot::image_physical((&raw const EMPTY).expose_provenance())
}

/// Makes the RAM of the initrd free. `initrd` is the slice of `Boot`, which nobody may use any more: whoever still has a copy
/// would see other bytes.
///
/// # Panics
/// When `initrd` is not that slice, or it was given back before.
pub fn give_back_initrd(initrd: &'static [u8]) {
    let range = INITRD.lock().take().expect("an initrd is given back once");
    let start = crate::layout::linear(mm::PhysAddr(range.start));
    assert!(initrd.as_ptr().addr() == start, "that is not the initrd");
    let whole_pages = crate::layout::page_up(range.start)..crate::layout::page_down(range.end);
    // SAFETY: RAM in the linear map that was kept apart for the initrd (memory::plan), which is used no more.
    unsafe { ram::add(whole_pages) }
}
