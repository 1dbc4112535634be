//! The table of instructions that may fault on user memory (arch/copy.s): where each goes on.

use crate::layout::image;

/// A row of the fix-up table: a fault between `first` and `end` continues at `landing`.
#[repr(C)]
struct Fixup {
    first: usize,
    end: usize,
    landing: usize,
}

/// Where to go on after a fault of the kernel at `pc`, if that instruction is one that may fault.
pub(crate) fn landing(pc: usize) -> Option<usize> {
    let (start, end) = (image::fixups_start(), image::fixups_end());
    let rows = (end - start) / size_of::<Fixup>();
    // SAFETY: the linker script puts only whole rows between the two symbols (arch/copy.s), in read-only memory.
    let table: &[Fixup] =
        unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(start), rows) };
    table
        .iter()
        .find(|row| (row.first..row.end).contains(&pc))
        .map(|row| row.landing)
}
