//! Fault-around: a read of one page of an object brings those around it that are at hand, and nothing else.

use super::*;
use crate::world::object::Object;
use std::sync::Arc;

/// Pages of a window.
const WINDOW: u64 = 16;

fn object(world: &World, role: Role) -> &Arc<Object> {
    let object = world.objects.iter().find(|object| object.role == role);
    object.expect("one of each")
}

/// Processor 0 runs a process that maps `count` pages of the object in `role`, from its first page on, at page `at`.
fn mapped(
    role: Role,
    at: u64,
    count: u64,
    (protection, sharing): (Protection, Sharing),
) -> (Rc<World>, Rc<Space>) {
    let (world, space) = empty_parent(Settings::new(11));
    let mapping = Mapping::of(object(&world, role), 0, protection, sharing);
    world
        .map(0, &space, Placement::Fixed(page(at)), count, &mapping)
        .unwrap();
    (world, space)
}

const PRIVATE_TEXT: (Protection, Sharing) = (Protection::READ_EXECUTE, Sharing::Private);
const PRIVATE_DATA: (Protection, Sharing) = (RW, Sharing::Private);

/// The pages of `0..count` that are mapped.
fn present(world: &World, space: &Space, count: u64) -> Vec<u64> {
    (0..count)
        .filter(|nth| world.mapped(space, page(*nth)).is_some())
        .collect()
}

#[test]
fn a_read_brings_its_neighbours() {
    for (what, rights) in [
        (Use::Load, PRIVATE_TEXT),
        (Use::Fetch, PRIVATE_TEXT),
        (Use::Load, (Protection::READ, Sharing::Shared)),
    ] {
        let (world, space) = mapped(Role::Text, 0, 5, rights);
        let around = times(&world, Event::MappedAround, || {
            let faults = world.access(0, page(2), 0, what).faults();
            assert_eq!(faults.resolution, Some(Resolution::SourceMapped));
        });
        assert_eq!((around, world.resolved_faults()), (4, 1));
        assert_eq!(present(&world, &space, 8), [0, 1, 2, 3, 4]);
        for nth in 0..5 {
            let seen = world.access(0, page(nth), 1, what);
            assert_eq!(seen.faults().resolution, None);
            assert_eq!(seen.value(), object(&world, Role::Text).words(nth)[1]);
        }
        world.finish();
    }
}

/// Neither of another area, nor of another window, nor of another table.
#[test]
fn what_is_elsewhere_stays_away() {
    let (world, space) = mapped(Role::Text, WINDOW - 3, 6, PRIVATE_TEXT);
    world
        .map(
            0,
            &space,
            Placement::Fixed(page(0)),
            WINDOW - 3,
            &Mapping::anonymous(RW),
        )
        .unwrap();
    load(&world, 0, WINDOW - 2);
    assert_eq!(
        present(&world, &space, 2 * WINDOW),
        [WINDOW - 3, WINDOW - 2, WINDOW - 1]
    );
    load(&world, 0, WINDOW + 1);
    let rest = [WINDOW, WINDOW + 1, WINDOW + 2];
    assert_eq!(present(&world, &space, 2 * WINDOW)[3..], rest);
    world.finish();
}

#[test]
fn nothing_comes_from_behind_the_end() {
    let (world, space) = mapped(Role::Data, 0, 6, PRIVATE_DATA);
    world.shorten(1, object(&world, Role::Data), 3, &mut |_| ());
    load(&world, 0, 0);
    assert_eq!(present(&world, &space, 6), [0, 1, 2]);
    let seen = world.access(0, page(3), 0, Use::Load);
    assert_eq!(seen, Seen::Refused(Verdict::Bus));
    world.finish();
}

#[test]
fn nobody_waits_for_a_neighbour() {
    let (world, space) = mapped(Role::Data, 0, 4, PRIVATE_DATA);
    object(&world, Role::Data).late.delay(2);
    load(&world, 0, 1);
    assert_eq!(world.statistics.deferred.get(), 0);
    assert_eq!(present(&world, &space, 4), [0, 1, 3]);
    assert_eq!(
        world.fault(0, &space, page(2), Access::Read),
        Some(Outcome::Deferred)
    );
    world.finish();
}

/// What came along is the object's as much as what was asked for.
#[test]
fn a_store_to_a_neighbour_copies_it() {
    let (world, space) = mapped(Role::Data, 0, 4, PRIVATE_DATA);
    load(&world, 0, 0);
    let copied = times(&world, Event::Copied, || store(&world, 0, 1, 77));
    assert_eq!(copied, 1);
    assert_eq!(load(&world, 0, 1), 77);
    let of_object = world.mapped(&space, page(1)).map(|page| page.is_of_object);
    assert_eq!(of_object, Some(false));
    world.finish();
}

/// A page that is there already stays what it is: here the process's own copy.
#[test]
fn what_is_mapped_stays() {
    let (world, space) = mapped(Role::Data, 0, 4, PRIVATE_DATA);
    store(&world, 0, 1, 77);
    assert_eq!(present(&world, &space, 4), [1]);
    load(&world, 0, 0);
    assert_eq!(load(&world, 0, 1), 77);
    assert_eq!(present(&world, &space, 4), [0, 1, 2, 3]);
    world.finish();
}

/// The first store to each page of a file that is mapped shared is to be noticed.
#[test]
fn shared_pages_that_may_be_written_come_one_by_one() {
    let (world, space) = mapped(Role::Data, 0, 4, (RW, Sharing::Shared));
    load(&world, 0, 1);
    assert_eq!(present(&world, &space, 4), [1]);
    world.finish();
}

/// The table is shared with a child: it is made private first, and the child sees nothing of what comes into it.
#[test]
fn neighbours_come_into_tables_of_ones_own() {
    let (world, parent) = mapped(Role::Text, 0, 4, PRIVATE_TEXT);
    world
        .map(0, &parent, Placement::Fixed(page(8)), 1, &Mapping::anonymous(RW))
        .unwrap();
    store(&world, 0, 8, 1);
    let child = fork_to(&world, &parent, 1);
    load(&world, 0, 2);
    assert_eq!(present(&world, &parent, 9), [0, 1, 2, 3, 8]);
    assert_eq!(present(&world, &child, 9), [8]);
    assert_eq!(load(&world, 1, 3), load(&world, 0, 3));
    world.finish();
}
