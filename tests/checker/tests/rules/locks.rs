//! Locks of one byte.

use crate::board::{BASE, Board, KERNEL, KERNEL_CODE, ONE};
use checker::instruction::Access;
use checker::rules::{Memory, Site, TakesFrame, Value};

fn access(board: &mut Board, access: Access, is_ordered: bool, stored: Option<u8>) {
    if let Some(value) = stored {
        board.machine.ram.write(ONE, value.into());
    }
    let site = Site {
        pc: KERNEL_CODE,
        access,
        is_ordered,
        takes_frame: TakesFrame::No,
    };
    let value = |value| match access {
        Access::Exclusive => Value::AsInRam,
        _ => Value::Words([u64::from(value), 0]),
    };
    let memory = Memory {
        address: ONE - BASE + KERNEL,
        physical: Some(ONE),
        size: 1,
        stored: stored.map(value),
    };
    board.machine.memory(0, &site, &memory);
}

/// Takes the lock and gives it back, twice; the second time with or without order.
fn twice(acquires: bool, releases: bool) -> Board {
    let mut board = Board::new();
    for (acquires, releases) in [(true, true), (acquires, releases)] {
        access(&mut board, Access::Exclusive, acquires, None);
        access(&mut board, Access::Exclusive, false, Some(1));
        let give_back = if releases { Access::Ordered } else { Access::Plain };
        access(&mut board, give_back, releases, Some(0));
    }
    board
}

#[test]
fn a_lock_is_taken_and_given_back_in_order() {
    twice(true, true).expect(&[]);
    twice(false, true).expect(&["LOCK-WITHOUT-ACQUIRE"]);
    twice(true, false).expect(&["UNLOCK-WITHOUT-RELEASE"]);
}
