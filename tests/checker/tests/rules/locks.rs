//! Locks of one byte, and counts.

use crate::board::{BASE, Board, KERNEL, KERNEL_CODE, ONE};
use checker::instruction::{Access, Accesses, Domain, Operation};
use checker::rules::{Memory, Role, Site, TakesFrame, Value};

fn access(board: &mut Board, access: Access, is_ordered: bool, stored: Option<u8>) {
    if let Some(value) = stored {
        board.machine.ram.write(ONE, value.into());
    }
    let site = Site {
        pc: KERNEL_CODE,
        access,
        is_ordered,
        role: Role::Unknown,
        drops_reference: false,
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
        loaded: 0,
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

/// Takes the last reference to something away, comes behind this barrier, and goes to what was counted or to something else.
fn drop_last(left: u64, releases: bool, barrier: Option<Operation>, place: u64) -> Board {
    drop_one(left + 1, left, releases, barrier, place)
}

/// Of `loaded` references one is taken away; when that is told there are `left`.
fn drop_one(loaded: u64, left: u64, releases: bool, barrier: Option<Operation>, place: u64) -> Board {
    let mut board = Board::new();
    board.machine.ram.write(ONE, left);
    let site = |access, drops_reference| Site {
        pc: KERNEL_CODE,
        access,
        is_ordered: drops_reference && releases,
        role: Role::Unknown,
        drops_reference,
        takes_frame: TakesFrame::No,
    };
    let memory = |physical, stored| Memory {
        address: physical - BASE + KERNEL,
        physical: Some(physical),
        size: 8,
        stored,
        loaded: 0,
    };
    let before = Memory {
        loaded,
        ..memory(ONE, None)
    };
    board.machine.memory(0, &site(Access::Exclusive, false), &before);
    let decrement = memory(ONE, Some(Value::AsInRam));
    board
        .machine
        .memory(0, &site(Access::Exclusive, true), &decrement);
    if let Some(barrier) = barrier {
        board.system(0, barrier, 0);
    }
    board
        .machine
        .memory(0, &site(Access::Plain, false), &memory(place, None));
    board
}

/// An exclusive load, perhaps something else, and an exclusive store.
fn pair(load: Option<u64>, between: Option<u64>, store: u64) -> Board {
    let mut board = Board::new();
    let mut go = |access: Access, place: u64, stored: Option<Value>| {
        let site = Site {
            pc: KERNEL_CODE,
            access,
            is_ordered: false,
            role: Role::Unknown,
            drops_reference: false,
            takes_frame: TakesFrame::No,
        };
        let memory = Memory {
            address: place - BASE + KERNEL,
            physical: Some(place),
            size: 4,
            stored,
            loaded: 0,
        };
        board.machine.memory(0, &site, &memory);
    };
    if let Some(place) = load {
        go(Access::Exclusive, place, None);
    }
    if let Some(place) = between {
        go(Access::Plain, place, Some(Value::Words([1, 0])));
    }
    go(Access::Exclusive, store, Some(Value::AsInRam));
    board
}

#[test]
fn an_exclusive_store_follows_its_own_load() {
    pair(Some(ONE), None, ONE).expect(&[]);
    pair(None, None, ONE).expect(&["EXCLUSIVE-OPEN"]);
    pair(Some(ONE + 64), None, ONE).expect(&["EXCLUSIVE-OPEN"]);
    pair(Some(ONE), Some(ONE + 4096), ONE).expect(&[]);
}

#[test]
fn the_last_reference_is_taken_away_by_an_acquire() {
    let loads = Operation::Dmb(Domain::Inner, Accesses::Loads);
    let stores = Operation::Dmb(Domain::Inner, Accesses::Stores);
    drop_last(0, true, Some(loads), ONE + 16).expect(&[]);
    drop_last(1, true, None, ONE + 16).expect(&[]);
    drop_last(0, true, None, ONE + 4096).expect(&[]);
    for barrier in [None, Some(stores)] {
        drop_last(0, true, barrier, ONE + 16).expect(&["LAST-WITHOUT-ACQUIRE"]);
        drop_last(0, true, barrier, ONE).expect(&["LAST-WITHOUT-ACQUIRE"]);
    }
    // It took one of two away, and another the last one before this was told.
    drop_one(2, 0, true, None, ONE + 16).expect(&[]);
    drop_last(1, false, None, ONE).expect(&["DROP-WITHOUT-RELEASE"]);
}
