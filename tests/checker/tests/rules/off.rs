//! What is different while the MMU is off, and what a new entry of the kernel's half needs.

use crate::board::{BASE, BLOCK, Board, KERNEL, KERNEL_CODE, KERNEL_ROOT, ONE};
use checker::instruction::{Access, Accesses, Cache, Domain, Operation, Register, Scope};

#[test]
fn the_kernel_uses_a_new_entry_behind_an_isb() {
    for has_isb in [true, false] {
        let mut board = Board::new();
        board.store(KERNEL_ROOT + 8 * 2, (BASE + (1 << 30)) | BLOCK);
        board.dsb(Accesses::Stores);
        if has_isb {
            board.system(0, Operation::Isb, 0);
        }
        board.access(0, KERNEL_CODE, Access::Plain, KERNEL + (1 << 30), None);
        board.expect(if has_isb { &[] } else { &["USE-BEFORE-ISB"] });
    }
}

/// Processor 2 stores to its root with caches off, and turns its MMU on.
fn turn_on(is_invalidated: bool, is_complete: bool) -> Board {
    let mut board = Board::new();
    board.write(2, Register::Tcr, 25 << 16 | 25);
    board.write(2, Register::Ttbr1, KERNEL_ROOT);
    board.system(2, Operation::Tlbi(Scope::All, Domain::Local), 0);
    board.system(2, Operation::Cache(Cache::InvalidateAllInstructions), 0);
    board.access_uncached(Access::Plain, KERNEL_ROOT, Some(0));
    board.system(2, Operation::Dsb(Domain::System, Accesses::All), 0);
    if is_invalidated {
        board.system(2, Operation::Cache(Cache::Invalidate), KERNEL_ROOT);
    }
    if is_complete {
        board.system(2, Operation::Dsb(Domain::System, Accesses::All), 0);
    }
    board.system(2, Operation::Isb, 0);
    board.write(2, Register::Sctlr, 1);
    board
}

#[test]
fn tables_stored_with_caches_off_are_invalidated_before_they_are_walked() {
    turn_on(true, true).expect(&[]);
    turn_on(false, true).expect(&["STORED-UNCACHED"]);
    turn_on(true, false).expect(&["PENDING-DC"]);
}

#[test]
fn all_memory_is_device_memory_while_the_mmu_is_off() {
    for (access, rules) in [
        (Access::Plain, &[] as &[&str]),
        (Access::Exclusive, &["DEVICE-EXCLUSIVE"]),
    ] {
        let mut board = Board::new();
        board.access_uncached(access, ONE, None);
        board.expect(rules);
    }
}
