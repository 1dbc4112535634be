//! What a processor may be told to do at a price, by words of the command line: on the boot processor at once, on the others when they
//! come.

use crate::arch;
use core::sync::atomic::{AtomicBool, Ordering};

static CLEARS_BRANCH_HISTORY: AtomicBool = AtomicBool::new(false);
static WORKS_AROUND_859971: AtomicBool = AtomicBool::new(false);

/// From now on each way in from EL0 makes the branch history useless to who trained it (Spectre-BHB): 8 rounds of a loop, enough for a
/// Cortex-A72 (Linux, `spectre_bhb_loop_affected`). Called on the boot processor, before the others are started.
pub fn clear_branch_history() {
    CLEARS_BRANCH_HISTORY.store(true, Ordering::Relaxed);
    apply();
}

/// Works around erratum 859971 of the Cortex-A72 up to r0p3, as TF-A does: no instruction prefetch. The firmware must let EL1 write
/// CPUACTLR_EL1 (ACTLR_EL3, ACTLR_EL2); where it does not, the machine stops here. Called on the boot processor, before the others are
/// started. Returns whether this is such a processor.
pub fn work_around_859971() -> bool {
    let is_affected = arch::is_cortex_a72();
    WORKS_AROUND_859971.store(is_affected, Ordering::Relaxed);
    apply();
    is_affected
}

/// Does on the running processor what was asked for.
pub(crate) fn apply() {
    if CLEARS_BRANCH_HISTORY.load(Ordering::Relaxed) {
        arch::use_vectors_with_loop();
    }
    if WORKS_AROUND_859971.load(Ordering::Relaxed) {
        arch::disable_instruction_prefetch();
    }
}

/// Whether the branch history is cleared, and whether erratum 859971 is worked around.
pub fn hardening() -> (bool, bool) {
    let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    (is(&CLEARS_BRANCH_HISTORY), is(&WORKS_AROUND_859971))
}
