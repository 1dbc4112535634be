//! What single instructions of the board are on a host.

use core::cell::Cell;
use mm::{Asid, VirtAddr};

std::thread_local! {
    /// ESR_EL1 and FAR_EL1 of the last fault that this thread ran into.
    static FAULT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Notes a fault.
pub(crate) fn set_fault(syndrome: u64, address: u64) {
    FAULT.set((syndrome, address));
}

/// What the last exception was.
pub(crate) fn syndrome() -> u64 {
    FAULT.get().0
}

/// The address that it is about.
pub(crate) fn fault_address() -> u64 {
    FAULT.get().1
}

/// Whether an interrupt is pending for this processor.
pub(crate) fn is_interrupt_pending() -> bool {
    crate::devices::gic::is_pending()
}

/// Stores before are visible to all walkers before anything after: all accesses to tables are made in one order.
pub(crate) fn dsb_ishst() {
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
}

/// As [`dsb_ishst`].
pub(crate) fn dmb_ishst() {
    dsb_ishst();
}

/// As [`dsb_ishst`]; and no walk that began before is still on its way to memory.
pub(crate) fn dsb_ish() {
    super::user_memory::wait_for_walks();
}

/// As [`dsb_ishst`], for this processor.
pub(crate) fn dsb_nsh() {
    dsb_ishst();
}

/// Nothing after is done before what came before.
pub(crate) fn isb() {
    dsb_ishst();
}

/// The vDSO: programs of a host are functions, and call the kernel.
pub(crate) mod vdso {
    /// As many bytes as the board's code has.
    pub(crate) fn code() -> &'static [u8] {
        &[0x1f; 0x180]
    }

    /// Where in it each function would begin.
    pub(crate) fn functions() -> [usize; 5] {
        [0x10, 0x20, 0xa0, 0x110, 0x150]
    }
}

/// Looks again at once: a host has no such wait.
pub(crate) fn wait_for_store(_: &core::sync::atomic::AtomicU32, _: u32) {
    core::hint::spin_loop();
}

/// As [`wait_for_store`].
pub(crate) fn wait_for_store_to_byte(_: &core::sync::atomic::AtomicU8, _: u8) {
    core::hint::spin_loop();
}

// A host keeps no translations: each access walks the tables anew.

/// Forgets nothing: nothing is kept.
pub(crate) fn tlbi_aside1is(_: Asid) {}
/// As [`tlbi_aside1is`].
pub(crate) fn tlbi_vae1is(_: Asid, _: VirtAddr) {}
/// As [`tlbi_aside1is`].
pub(crate) fn tlbi_vale1is(_: Asid, _: VirtAddr) {}
/// As [`tlbi_aside1is`].
pub(crate) fn tlbi_vaae1is(_: VirtAddr) {}
/// As [`tlbi_aside1is`].
pub(crate) fn tlbi_vmalle1is() {}
/// As [`tlbi_aside1is`].
pub(crate) fn tlbi_vae1(_: Asid, _: VirtAddr) {}
/// As [`tlbi_aside1is`].
pub(crate) fn tlbi_vmalle1() {}

/// Programs of a host are no bytes of memory: nothing is fetched from there.
pub(crate) fn sync_instructions(_: usize, _: usize) {}

/// As [`dsb_ishst`], for devices too.
pub(crate) fn dsb_sy() {
    dsb_ishst();
}

/// Waits a little in a loop that watches a device.
pub(crate) fn relax() {
    core::hint::spin_loop();
}

/// A host's programs have their FP registers kept from the start.
pub(crate) fn is_fp_open() -> bool {
    true
}

/// They are open.
pub(crate) fn open_fp() {}

/// They stay open.
pub(crate) fn close_fp() {}

pub(crate) use super::user_memory::{set_thread_pointer, thread_pointer};
