//! Memory runs out at every single allocation of every operation: the operation says so, nothing has changed that a program
//! could see, every count is exact, and the same operation succeeds once there is memory again.

use crate::world::object::Role;
use crate::world::operations::Mapping;
use crate::world::{Seen, Settings, Space, Use, World};
use mm::{PageRange, Placement, Protection, RemapPlacement, Sharing, VirtAddr};
use std::rc::Rc;

const PAGES: VirtAddr = VirtAddr(0x401f_c000);
/// Across the border of two level-3 tables.
const LEN: u64 = 8;
const FAR: VirtAddr = VirtAddr(0x10_0000_0000);
const RW: Protection = Protection::READ_WRITE;

fn page(nth: u64) -> VirtAddr {
    VirtAddr(PAGES.0 + (nth << 12))
}

fn pages(first: u64, count: u64) -> PageRange {
    PageRange::new(page(first), count << 12).unwrap()
}

/// A parent with pages written, a page of shared memory, an untouched file and a break, and with an idle child that shares
/// all of it; the parent runs on processor 0, the child on processor 1.
fn family() -> (Rc<World>, Rc<Space>) {
    let world = World::new(Settings::new(3));
    world
        .mmu()
        .set_hot((0..LEN).map(|nth| page(nth).0).chain([FAR.0]).collect());
    let parent = world.spawn(0).unwrap();
    assert!(world.run(0, &parent));
    world
        .map(0, &parent, Placement::Fixed(PAGES), LEN, &Mapping::anonymous(RW))
        .unwrap();
    let object = |role| {
        world
            .objects
            .iter()
            .find(|object| object.role == role)
            .unwrap()
            .clone()
    };
    let memory = Mapping::of(&object(Role::SharedMemory), 0, RW, Sharing::Shared);
    world
        .map(0, &parent, Placement::Fixed(page(LEN)), 2, &memory)
        .unwrap();
    let data = Mapping::of(&object(Role::Data), 0, RW, Sharing::Private);
    world.map(0, &parent, Placement::Fixed(FAR), 4, &data).unwrap();
    world.start_break(0, &parent, VirtAddr(0x2_0000_0000));
    world.set_break(0, &parent, VirtAddr(0x2_0000_4000)).unwrap();
    for nth in 0..=LEN {
        world.access(0, page(nth), 1, Use::Store(nth + 1)).value();
    }
    for nth in 0..4 {
        world
            .access(0, VirtAddr(0x2_0000_0000 + (nth << 12)), 1, Use::Store(nth + 1))
            .value();
    }
    let child = world.fork(0, &parent, None).unwrap();
    assert!(world.run(1, &child));
    world.mmu().warm_all();
    (world, parent)
}

/// Performs `act` with 0, 1, 2, ... free frames until it succeeds. Returns how often it failed.
fn fail_at_every_allocation(act: impl Fn(&World, &Rc<Space>) -> bool) -> usize {
    for free in 0..64 {
        let (world, parent) = family();
        world.leave_free(free);
        let is_done = act(&world, &parent);
        world.check_everything();
        world.release_held(usize::MAX);
        assert!(is_done || act(&world, &parent), "with memory again it succeeds");
        world.finish();
        if is_done {
            return free;
        }
    }
    panic!("64 frames are not enough");
}

fn touch(world: &World, address: VirtAddr, what: Use) -> bool {
    match world.access(0, address, 1, what) {
        Seen::Value(..) => true,
        Seen::NoMemory => false,
        other => panic!("{what:?} at {address:?}: {other:?}"),
    }
}

#[test]
fn fork() {
    let failures = fail_at_every_allocation(|world, parent| world.fork(0, parent, None).is_some());
    assert_eq!(failures, 1, "a root");
}

#[test]
fn fork_with_a_stack_page() {
    // A write first, so that the path of the stack page is private again.
    let failures = fail_at_every_allocation(|world, parent| {
        touch(world, page(1), Use::Store(0x77)) && world.fork(0, parent, Some(page(1))).is_some()
    });
    assert_eq!(
        failures,
        3 + 4,
        "two tables and a page for the write; a root, two tables and a page for the child"
    );
}

#[test]
fn a_write_through_shared_tables() {
    let failures = fail_at_every_allocation(|world, _| touch(world, page(3), Use::Store(0x33)));
    assert_eq!(failures, 3, "the page and two tables");
}

#[test]
fn a_write_to_shared_memory_through_shared_tables() {
    let failures = fail_at_every_allocation(|world, _| touch(world, page(LEN), Use::Store(0x33)));
    assert_eq!(failures, 2, "two tables");
}

#[test]
fn a_page_of_a_file_read_and_written() {
    let failures = fail_at_every_allocation(|world, _| touch(world, FAR, Use::Load));
    assert_eq!(failures, 2, "two tables");
    let failures = fail_at_every_allocation(|world, _| touch(world, FAR, Use::Store(1)));
    assert_eq!(failures, 3, "two tables and the copy");
}

#[test]
fn zeros_where_there_was_no_table() {
    for (what, needed) in [(Use::Load, 2), (Use::Store(5), 3)] {
        let at = VirtAddr(0x20_0000_0000);
        let failures = fail_at_every_allocation(|world, parent| {
            world
                .map(0, parent, Placement::Fixed(at), 1, &Mapping::anonymous(RW))
                .unwrap();
            touch(world, at, what)
        });
        assert_eq!(failures, needed);
    }
}

#[test]
fn munmap_of_half_a_shared_table() {
    let failures = fail_at_every_allocation(|world, parent| world.unmap(0, parent, pages(2, 4)).is_some());
    assert!(failures >= 3, "a level-2 table and two level-3 tables");
}

#[test]
fn munmap_of_whole_shared_tables_needs_none() {
    let all = PageRange::new(VirtAddr(0x4000_0000), 1 << 30).unwrap();
    assert_eq!(
        fail_at_every_allocation(|world, parent| world.unmap(0, parent, all).is_some()),
        0
    );
}

#[test]
fn mprotect_in_shared_tables() {
    let failures = fail_at_every_allocation(|world, parent| {
        world.protect(0, parent, pages(2, 4), Protection::READ).is_some()
    });
    assert!(failures >= 3);
}

#[test]
fn mprotect_to_more_needs_none() {
    let more = Protection { execute: true, ..RW };
    assert_eq!(
        fail_at_every_allocation(|world, parent| world.protect(0, parent, pages(2, 4), more).is_some()),
        0
    );
}

#[test]
fn mremap_out_of_shared_tables() {
    for placement in [
        RemapPlacement::MayMove,
        RemapPlacement::Fixed(VirtAddr(0x30_0000_0000)),
    ] {
        let failures = fail_at_every_allocation(|world, parent| {
            world.remap(0, parent, pages(2, 4), 5, placement).is_some()
        });
        assert!(failures >= 5, "three tables at the source, two at the target");
    }
}

/// Nothing is mapped yet, so that nothing moves: the tables of the old range are shared all the same.
#[test]
fn mremap_of_untouched_pages_beside_shared_tables() {
    let failures = fail_at_every_allocation(|world, parent| {
        let at = VirtAddr(0x4060_0000);
        world
            .map(0, parent, Placement::Fixed(at), 2, &Mapping::anonymous(RW))
            .unwrap();
        let from = PageRange::new(at, 0x2000).unwrap();
        world
            .remap(
                0,
                parent,
                from,
                3,
                RemapPlacement::Fixed(VirtAddr(0x30_0000_0000)),
            )
            .is_some()
    });
    assert_eq!(failures, 1, "the level-2 table");
}

#[test]
fn mremap_onto_shared_tables() {
    let failures = fail_at_every_allocation(|world, parent| {
        world
            .remap(0, parent, pages(0, 2), 2, RemapPlacement::Fixed(page(5)))
            .is_some()
    });
    assert!(failures >= 3);
}

#[test]
fn mmap_in_place_of_shared_pages() {
    let failures = fail_at_every_allocation(|world, parent| {
        world
            .map(0, parent, Placement::Fixed(page(1)), 2, &Mapping::anonymous(RW))
            .is_some()
    });
    assert_eq!(failures, 2, "the path to the first table");
}

#[test]
fn the_break_shrinks_in_shared_tables() {
    let end = VirtAddr(0x2_0000_1000);
    let failures = fail_at_every_allocation(|world, parent| world.set_break(0, parent, end) == Some(end));
    assert_eq!(failures, 2);
}

#[test]
fn discarded_pages_of_shared_tables() {
    let failures = fail_at_every_allocation(|world, parent| world.discard(0, parent, pages(1, 2)).is_some());
    assert_eq!(failures, 2);
}

#[test]
fn a_store_by_the_kernel() {
    let failures = fail_at_every_allocation(|world, parent| {
        matches!(world.kernel_store(2, parent, page(2), 1, 0x99), Seen::Value(..))
    });
    assert_eq!(failures, 3);
}

#[test]
fn a_new_space() {
    let failures = fail_at_every_allocation(|world, _| world.spawn(2).is_some());
    assert_eq!(failures, 1, "a root");
}
