//! Two processors and a place: what orders their accesses, and what does not.

use crate::board::{BASE, Board, KERNEL, KERNEL_CODE, LEVEL3, ONE, TWO};
use checker::clocks::Order;
use checker::instruction::{Access, Accesses, Cache, Domain, Operation, Scope};
use checker::rules::{Memory, Role, Site, TakesFrame, Value};

/// What lies at ONE is not atomic, what lies at TWO is.
fn access(board: &mut Board, cpu: usize, access: Access, is_ordered: bool, place: u64, is_store: bool) {
    let role = if place & !0xfff == ONE {
        Role::Data
    } else {
        Role::Relaxed
    };
    let site = Site {
        pc: KERNEL_CODE,
        access,
        is_ordered,
        role,
        drops_reference: false,
        takes_frame: TakesFrame::No,
    };
    let memory = Memory {
        address: place - BASE + KERNEL,
        physical: Some(place),
        size: 4,
        stored: is_store.then_some(Value::Words([1, 0])),
        loaded: 0,
    };
    board.machine.memory(cpu, &site, &memory);
}

fn data(board: &mut Board, cpu: usize, is_store: bool) {
    access(board, cpu, Access::Plain, false, ONE, is_store);
}

/// How one processor tells the other that it may go on, and how that one learns it.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// STLR, LDAR
    Ordered,
    /// STLXR, LDAXR
    Exclusive,
    /// A barrier before the store, behind the load.
    Barriers,
}

fn tell(board: &mut Board, way: Way, is_ordered: bool) {
    let barrier = Operation::Dmb(Domain::Inner, Accesses::Stores);
    match way {
        Way::Ordered if is_ordered => access(board, 0, Access::Ordered, true, TWO, true),
        Way::Exclusive => {
            access(board, 0, Access::Exclusive, false, TWO, false);
            access(board, 0, Access::Exclusive, is_ordered, TWO, true);
        }
        _ => {
            if is_ordered {
                board.system(0, barrier, 0);
            }
            access(board, 0, Access::Plain, false, TWO, true);
        }
    }
}

fn learn(board: &mut Board, way: Way, is_ordered: bool) {
    match way {
        Way::Ordered if is_ordered => access(board, 1, Access::Ordered, true, TWO, false),
        Way::Exclusive => {
            access(board, 1, Access::Exclusive, is_ordered, TWO, false);
            access(board, 1, Access::Exclusive, false, TWO, true);
        }
        _ => {
            access(board, 1, Access::Plain, false, TWO, false);
            if is_ordered {
                board.system(1, Operation::Dmb(Domain::Inner, Accesses::Loads), 0);
            }
        }
    }
}

#[test]
fn a_release_and_an_acquire_order_what_two_processors_do() {
    for way in [Way::Ordered, Way::Exclusive, Way::Barriers] {
        for (releases, acquires) in [(true, true), (false, true), (true, false)] {
            for (first, second) in [(true, true), (true, false), (false, true), (false, false)] {
                let mut board = Board::new();
                data(&mut board, 0, first);
                tell(&mut board, way, releases);
                learn(&mut board, way, acquires);
                data(&mut board, 1, second);
                let is_well = releases && acquires || !first && !second;
                board.expect(if is_well { &[] } else { &["NOT-ORDERED"] });
            }
        }
    }
}

#[test]
fn what_is_done_behind_a_release_is_not_released() {
    let mut board = Board::new();
    tell(&mut board, Way::Ordered, true);
    data(&mut board, 0, true);
    learn(&mut board, Way::Ordered, true);
    data(&mut board, 1, false);
    board.expect(&["NOT-ORDERED"]);
}

#[test]
fn order_goes_from_one_processor_to_the_next() {
    for acquires in [true, false] {
        let mut order = Order::default();
        order.access(0, KERNEL_CODE, ONE, 8, true);
        order.store_atomic(0, TWO, 4, true);
        order.load_atomic(1, TWO, 4, acquires);
        order.store_atomic(1, TWO + 64, 4, true);
        order.load_atomic(3, TWO + 64, 4, true);
        let found = order.access(3, KERNEL_CODE, ONE, 4, false);
        assert_eq!(
            found.is_none(),
            acquires,
            "processor 3 comes behind 1, and that behind 0"
        );
    }
}

#[test]
fn a_processor_begins_behind_all_that_was_done() {
    let mut order = Order::default();
    order.access(0, KERNEL_CODE, ONE, 8, true);
    order.begin(2);
    assert!(order.access(2, KERNEL_CODE, ONE, 8, false).is_none());
    order.access(0, KERNEL_CODE, ONE, 8, true);
    assert!(order.access(2, KERNEL_CODE, ONE, 8, false).is_some());
}

#[test]
fn neighbours_are_apart() {
    let mut board = Board::new();
    access(&mut board, 0, Access::Plain, false, ONE, true);
    access(&mut board, 1, Access::Plain, false, ONE + 4, true);
    board.expect(&[]);
    access(&mut board, 1, Access::Plain, false, ONE, true);
    board.expect(&["NOT-ORDERED"]);
}

#[test]
fn what_others_release_between_an_exclusive_load_and_its_store_is_acquired() {
    let mut board = Board::new();
    access(&mut board, 1, Access::Exclusive, true, TWO, false);
    data(&mut board, 0, true);
    tell(&mut board, Way::Exclusive, true);
    access(&mut board, 1, Access::Exclusive, false, TWO, true);
    data(&mut board, 1, true);
    board.expect(&[]);
}

#[test]
fn a_frame_is_taken_behind_what_others_did_with_it() {
    for acquires in [true, false] {
        let mut order = Order::default();
        order.touch_frame(1, ONE);
        order.store_atomic(1, TWO, 4, true);
        order.load_atomic(0, TWO, 4, acquires);
        assert_eq!(order.take_frame(0, ONE), (!acquires).then_some(1));
        assert_eq!(order.take_frame(0, ONE), None, "it is new");
    }
    for domain in [Domain::Inner, Domain::Local] {
        let mut board = Board::new();
        board.machine.has_order = true;
        board.store_as_program(1);
        board.store(LEVEL3, 0);
        board.dsb(Accesses::Stores);
        board.tlbi(Scope::Leaf, domain);
        board.dsb(Accesses::All);
        board.system(0, Operation::Cache(Cache::Zero), ONE - BASE + KERNEL);
        let rules: &[&str] = match domain {
            Domain::Inner => &[],
            _ => &["FRAME-NOT-ORDERED", "FRAME-STILL-REACHABLE"],
        };
        board.expect(rules);
    }
}
