//! A space that ends in pieces, while others are at work on what it shared.

use super::*;

/// Two more tables, one below the same level-2 table and one far away.
const NEAR: VirtAddr = VirtAddr(PAGES.0 + (4 << 21));
const FAR: VirtAddr = VirtAddr(PAGES.0 + (3 << 30));

fn parent_of_three_tables() -> (Rc<World>, Rc<Space>) {
    let (world, parent) = parent_of_eight_pages();
    for start in [NEAR, FAR] {
        world
            .map(0, &parent, Placement::Fixed(start), 1, &Mapping::anonymous(RW))
            .unwrap();
        world.access(0, start, 2, Use::Store(7)).value();
    }
    (world, parent)
}

/// Between the pieces the other sharer gets the shared tables back, and writes through them.
#[test]
fn the_parent_writes_between_the_pieces_of_the_end_of_the_child() {
    let (world, parent) = parent_of_three_tables();
    let child = fork_to(&world, &parent, 1);
    store(&world, 1, 1, 0x11);
    world.access(1, FAR, 2, Use::Store(0x12)).value();
    world.mmu().warm_all();
    let mut pieces = 0;
    assert!(world.exit_in_pieces(1, &child, || {
        store(&world, 0, pieces % LEN, 0x99);
        world.access(0, NEAR, 2, Use::Store(pieces)).value();
        pieces += 1;
        true
    }));
    assert!(pieces >= 4, "{pieces}");
    assert_eq!((load(&world, 0, 0), load(&world, 0, 7)), (0x99, 8));
    assert_eq!(world.access(0, FAR, 2, Use::Load).value(), 7);
    world.check_everything();
    world.finish();
}

/// Both sharers of all tables end at once: piece by piece, one inside the other.
#[test]
fn two_sharers_end_at_the_same_time() {
    let (world, parent) = parent_of_three_tables();
    let child = fork_to(&world, &parent, 1);
    store(&world, 1, 2, 0x22);
    let mut last = Some(parent);
    assert!(world.exit_in_pieces(1, &child, || {
        if let Some(parent) = last.take() {
            assert!(world.exit(0, &parent));
        }
        true
    }));
    world.finish();
}

#[test]
fn a_release_dropped_half_way_leaks_nothing() {
    for most in 0..8 {
        let (world, parent) = parent_of_three_tables();
        let child = fork_to(&world, &parent, 1);
        store(&world, 1, 3, 0x33);
        let mut left = most;
        let mut go_on = || {
            left -= i32::from(left > 0);
            left > 0
        };
        assert!(world.exit_in_pieces(1, &child, &mut go_on));
        world.check_everything();
        left = most;
        assert!(world.exit_in_pieces(0, &parent, || {
            left -= i32::from(left > 0);
            left > 0
        }));
        world.finish();
    }
}
