//! mmap, munmap, mprotect, mremap and brk in tables that are shared.

use super::*;
use crate::world::NO_LIMITS;
use mm::{AreaFlags, StackLimits};

#[test]
fn case_07_read_only_memory_is_never_written() {
    let (world, parent) = parent_of_eight_pages();
    world.protect(0, &parent, pages(0, 2), Protection::READ).unwrap();
    assert_eq!(world.access(0, page(0), 0, Use::Store(9)), ACC_ERR);
    let child = fork_to(&world, &parent, 1);
    assert_eq!(world.access(1, page(0), 0, Use::Store(9)), ACC_ERR);
    // RW -> RO in a subtree that is shared now.
    world.protect(1, &child, pages(4, 2), Protection::READ).unwrap();
    assert_eq!(world.access(1, page(4), 0, Use::Store(9)), ACC_ERR);
    store(&world, 0, 4, 0x44);
    assert_eq!(load(&world, 1, 4), 5);
    assert!(world.exit(0, &parent));
    assert_eq!(world.access(1, page(0), 0, Use::Store(9)), ACC_ERR);
    assert_eq!(world.access(1, page(4), 0, Use::Store(9)), ACC_ERR);
    world.finish();
}

#[test]
fn case_08_read_only_memory_becomes_writable() {
    let (world, parent) = parent_of_eight_pages();
    world
        .protect(0, &parent, pages(0, LEN), Protection::READ)
        .unwrap();
    assert_eq!(world.access(0, page(0), 0, Use::Store(9)), ACC_ERR);
    world.protect(0, &parent, pages(0, LEN), RW).unwrap();
    // Nobody else has the pages: the first stores to them do not fault.
    let faults = world.resolved_faults();
    (0..LEN).for_each(|nth| store(&world, 0, nth, 0x80 + nth));
    assert_eq!(world.resolved_faults(), faults);
    // From no access to some, too; what a child has as well comes back by a fault that copies it.
    world
        .protect(0, &parent, pages(0, LEN), Protection::NONE)
        .unwrap();
    let child = fork_to(&world, &parent, 1);
    world.protect(0, &parent, pages(0, 4), RW).unwrap();
    let copied = times(&world, Event::Copied, || {
        (0..4).for_each(|nth| store(&world, 0, nth, 0x90 + nth))
    });
    assert_eq!(copied, 4);
    assert!(world.exit(1, &child));
    world.protect(0, &parent, pages(4, 4), RW).unwrap();
    let faults = world.resolved_faults();
    (4..LEN).for_each(|nth| assert_eq!(load(&world, 0, nth), 0x80 + nth));
    (4..LEN).for_each(|nth| store(&world, 0, nth, 0xa0 + nth));
    assert_eq!(world.resolved_faults(), faults);
    world.finish();
}

/// The parent has its tables for itself, and one page of a group of eight: the others are the child's as well.
#[test]
fn case_08_rights_come_back_to_a_group_that_is_shared_in_part() {
    let (world, parent) = parent_of_eight_pages();
    fork_to(&world, &parent, 1);
    store(&world, 0, 3, 0x33);
    world
        .protect(0, &parent, pages(0, LEN), Protection::READ)
        .unwrap();
    world.protect(0, &parent, pages(0, LEN), RW).unwrap();
    let copied = times(&world, Event::Copied, || {
        (0..LEN).for_each(|nth| store(&world, 0, nth, 0x80 + nth))
    });
    assert_eq!(copied, LEN - 1);
    (0..LEN).for_each(|nth| assert_eq!(load(&world, 1, nth), nth + 1));
    world.finish();
}

#[test]
fn case_09_munmap_in_shared_tables() {
    let (world, parent) = parent_of_eight_pages();
    let child = fork_to(&world, &parent, 1);
    world.unmap(1, &child, pages(0, 4)).unwrap();
    assert_eq!(world.access(1, page(1), 0, Use::Load), MAP_ERR);
    assert_eq!((load(&world, 0, 1), load(&world, 1, 5)), (2, 6));
    let gigabyte = PageRange::new(VirtAddr(0x4000_0000), 1 << 30).unwrap();
    world.unmap(1, &child, gigabyte).unwrap();
    assert_eq!(world.access(1, page(5), 0, Use::Load), MAP_ERR);
    assert_eq!(load(&world, 0, 5), 6);
    // A whole shared table goes by one entry, nothing is copied for it.
    let second = fork_to(&world, &parent, 2);
    let copied = times(&world, Event::TableCopied, || {
        world.unmap(2, &second, gigabyte).unwrap()
    });
    assert_eq!(copied, 0);
    world.finish();
}

#[test]
fn case_10_a_mapping_in_the_hole_of_a_shared_table() {
    let (world, parent) = parent_of_eight_pages();
    let _child = fork_to(&world, &parent, 1);
    world
        .map(0, &parent, Placement::Fixed(page(20)), 1, &Mapping::anonymous(RW))
        .unwrap();
    store(&world, 0, 20, 0x20);
    assert_eq!(world.access(1, page(20), 0, Use::Load), MAP_ERR);
    assert_eq!(world.access(1, page(20), 0, Use::Store(1)), MAP_ERR);
    world.finish();
}

/// The pages move to and fro, in memory that is shared with a child now and then, while a thread on processor 1 stores
/// through what its TLB still holds.
#[test]
fn case_11_mremap_while_another_thread_writes() {
    const MOVES_OF_A_SEED: u64 = 1_000;
    let (here, there) = (
        pages(0, LEN),
        PageRange::new(VirtAddr(0x10_0000_0000), LEN << 12).unwrap(),
    );
    let at = |range: PageRange, nth| VirtAddr(range.start().0 + (nth << 12));
    for seed in 0..ROUNDS / MOVES_OF_A_SEED {
        let (world, parent) = eight_written_pages(few_asids(seed));
        assert!(world.run(1, &parent));
        let (mut from, mut to) = (here, there);
        for round in 0..MOVES_OF_A_SEED {
            let child = (round % 8 == 0).then(|| fork_to(&world, &parent, 2));
            interrupt_with(&world, move |world| {
                let space = world.running(1).expect("the thread runs on");
                let value = world.fresh_value();
                world.access_busy(1, &space, at(from, value >> 16 & 7), 1, Use::Store(value));
            });
            world
                .remap(0, &parent, from, LEN, RemapPlacement::Fixed(to.start()))
                .unwrap();
            world.mmu().set_interloper(None);
            (from, to) = (to, from);
            let nth = round % LEN;
            assert_eq!(world.access(1, at(to, nth), 0, Use::Load), MAP_ERR);
            assert_eq!(world.access(1, at(from, nth), 0, Use::Load).value(), nth + 1);
            // Whatever the other thread last stored is there too: the shadow knows it.
            for nth in 0..LEN {
                world.access(0, at(from, nth), 1, Use::Load).value();
            }
            if let Some(child) = child {
                assert!(world.exit(2, &child));
            }
            if round % 250 == 0 {
                world.check_everything();
            }
        }
        world.finish();
    }
}

#[test]
fn case_11_the_break_grows_and_shrinks_after_fork() {
    let (world, parent) = empty_parent(Settings::new(1));
    world.start_break(0, &parent, PAGES);
    assert_eq!(world.set_break(0, &parent, page(4)), Some(page(4)));
    (0..4).for_each(|nth| store(&world, 0, nth, nth + 1));
    let child = fork_to(&world, &parent, 1);
    assert_eq!(world.set_break(1, &child, page(1)), Some(page(1)));
    assert_eq!(world.access(1, page(2), 0, Use::Load), MAP_ERR);
    assert_eq!(world.set_break(1, &child, page(6)), Some(page(6)));
    assert_eq!(
        (load(&world, 1, 2), load(&world, 0, 2)),
        (0, 3),
        "memory that came back is zero"
    );
    assert_eq!(world.access(0, page(5), 0, Use::Load), MAP_ERR);
    world.finish();
}

#[test]
fn case_24_mprotect_there_and_back_never_makes_a_shared_frame_writable() {
    for (first, second) in [
        (Protection::READ, RW),
        (Protection::NONE, RW),
        (RWX, RW),
        (Protection::READ, RWX),
    ] {
        let (world, parent) = parent_of_eight_pages();
        let child = fork_to(&world, &parent, 1);
        world.protect(1, &child, pages(0, 4), first).unwrap();
        world.protect(1, &child, pages(0, 4), second).unwrap();
        world.protect(0, &parent, pages(2, 4), first).unwrap();
        world.protect(0, &parent, pages(2, 4), second).unwrap();
        world.mmu().warm_all();
        for nth in 0..LEN {
            store(&world, 1, nth, 0xcccc);
            assert_eq!(load(&world, 0, nth), nth + 1);
        }
        world.finish();
    }
}

/// Linux changes what lies before the hole, and then fails.
#[test]
fn case_24_mprotect_up_to_a_hole() {
    let (world, parent) = parent_of_eight_pages();
    let child = fork_to(&world, &parent, 1);
    world.unmap(1, &child, pages(4, 1)).unwrap();
    assert_eq!(world.protect(1, &child, pages(2, 6), Protection::READ), None);
    for nth in [2, 3] {
        assert_eq!(world.access(1, page(nth), 0, Use::Store(9)), ACC_ERR);
    }
    for nth in [0, 1, 5, 6, 7] {
        store(&world, 1, nth, 0xeeee);
    }
    assert_eq!(world.protect(1, &child, pages(4, 4), Protection::NONE), None);
    store(&world, 1, 5, 0xffff);
    (0..LEN).for_each(|nth| assert_eq!(load(&world, 0, nth), nth + 1));
    world.finish();
}

#[test]
fn case_24_no_access_then_fork_then_access() {
    let (world, parent) = parent_of_eight_pages();
    world
        .protect(0, &parent, pages(0, LEN), Protection::NONE)
        .unwrap();
    let child = fork_to(&world, &parent, 1);
    assert_eq!(world.access(1, page(0), 0, Use::Load), ACC_ERR);
    world.protect(1, &child, pages(0, LEN), RW).unwrap();
    (0..LEN).for_each(|nth| assert_eq!(load(&world, 1, nth), nth + 1, "what was hidden is still there"));
    (0..LEN).for_each(|nth| store(&world, 1, nth, 0xdddd));
    world.protect(0, &parent, pages(0, LEN), RW).unwrap();
    (0..LEN).for_each(|nth| assert_eq!(load(&world, 0, nth), nth + 1));
    world.finish();
}

#[test]
fn case_24_mprotect_of_private_file_pages() {
    let (world, parent) = empty_parent(Settings::new(1));
    let text = world.objects[0].clone();
    world
        .map(
            0,
            &parent,
            Placement::Fixed(PAGES),
            3,
            &Mapping::of(&text, 0, Protection::READ, Sharing::Private),
        )
        .unwrap();
    (0..3).for_each(|nth| assert_eq!(load(&world, 0, nth), text.words(nth)[0]));
    world.protect(0, &parent, pages(0, 3), RW).unwrap();
    let copied = times(&world, Event::Copied, || {
        (0..3).for_each(|nth| store(&world, 0, nth, 0xf00))
    });
    assert_eq!(copied, 3);
    world
        .protect(0, &parent, pages(0, 3), Protection::READ_EXECUTE)
        .unwrap();
    assert_eq!(world.access(0, page(0), 5, Use::Fetch).value(), text.words(0)[5]);
    world.finish();
}

const TOP: VirtAddr = VirtAddr(0x7f_ffff_f000);

fn down(nth: u64) -> VirtAddr {
    VirtAddr(TOP.0 - (nth << 12))
}

fn world_with_a_stack() -> (Rc<World>, Rc<Space>) {
    let (world, parent) = empty_parent(Settings::new(1));
    let stack = Mapping {
        purpose: mm::Purpose::Stack,
        ..Mapping::anonymous(RW)
    };
    world
        .map(0, &parent, Placement::Fixed(down(1)), 1, &stack)
        .unwrap();
    parent.shadow.borrow_mut().stack_limit = 600 << 12;
    (world, parent)
}

/// The stack grows by being used, page by page or over a gap, but not beyond its limit, which may change, nor to the area below,
/// unless nobody can use that.
#[test]
fn the_stack_grows_down_to_its_guard() {
    let (world, parent) = world_with_a_stack();
    for nth in [2, 3, 40] {
        world.access(0, down(nth), 7, Use::Store(nth)).value();
    }
    assert_eq!(world.access(0, down(601), 7, Use::Store(1)), MAP_ERR);
    parent.shadow.borrow_mut().stack_limit = 60 << 12;
    assert_eq!(world.access(0, down(61), 7, Use::Store(1)), MAP_ERR);
    world.access(0, down(60), 7, Use::Store(1)).value();
    parent.shadow.borrow_mut().stack_limit = 700 << 12;
    let one = |at, protection| {
        world
            .map(
                0,
                &parent,
                Placement::Fixed(at),
                1,
                &Mapping::anonymous(protection),
            )
            .unwrap()
    };
    one(down(400), RW);
    world.access(0, down(140), 0, Use::Store(1)).value();
    assert_eq!(
        world.access(0, down(150), 0, Use::Store(1)),
        MAP_ERR,
        "256 pages stay free"
    );
    world
        .protect(
            0,
            &parent,
            PageRange::new(down(400), 4096).unwrap(),
            Protection::NONE,
        )
        .unwrap();
    world.access(0, down(399), 0, Use::Store(1)).value();
    world.finish();
}

/// Nor does it grow beyond what the whole space may have, nor, where it is locked, beyond what may be locked.
#[test]
fn the_stack_grows_within_the_limits_of_its_space() {
    let (world, parent) = world_with_a_stack();
    let space = |pages: u64| StackLimits {
        space: pages << 12,
        ..NO_LIMITS
    };
    let locked = |pages: u64| StackLimits {
        locked: pages << 12,
        ..NO_LIMITS
    };
    let nothing_locked = StackLimits {
        locked: 0,
        ..space(10)
    };
    let all = PageRange::new(down(10), 10 << 12).unwrap();
    world.with_space(0, &parent, |inner| {
        let mut grow = |nth, limits| inner.grow_stack(down(nth), limits).unwrap();
        assert!(!grow(10, space(9)));
        assert!(grow(10, nothing_locked));
        inner.set_flags(&world.memory, all, AreaFlags::LOCKED).unwrap();
        let mut grow = |nth, limits| inner.grow_stack(down(nth), limits).unwrap();
        assert!(!grow(20, locked(19)));
        assert!(grow(20, locked(20)));
        assert!(!grow(20, NO_LIMITS), "it is there already");
        inner.unmap(&world.memory, down(20), 20 << 12).unwrap();
    });
    parent.shadow.borrow_mut().remove(all);
    world.finish();
}

/// What a child maps beside what it has inherited is an area of its own; what its parent maps there is more of the same. Of shared
/// memory nobody owns pages.
#[test]
fn after_fork_new_areas_stay_apart_in_the_child() {
    let (world, parent) = parent_of_eight_pages();
    let memory = world.objects[1].clone();
    let shared = |first| Mapping::of(&memory, first, RW, Sharing::Shared);
    let map = |cpu, space: &Rc<Space>, nth, mapping: &Mapping| {
        world
            .map(cpu, space, Placement::Fixed(page(nth)), 1, mapping)
            .unwrap()
    };
    let count = |space: &Rc<Space>| world.with_space(0, space, |inner| inner.areas().len()).unwrap();
    map(0, &parent, LEN + 10, &shared(0));
    let child = fork_to(&world, &parent, 1);
    let before = count(&parent);
    for nth in [LEN, LEN + 1] {
        map(0, &parent, nth, &Mapping::anonymous(RW));
        map(1, &child, nth, &Mapping::anonymous(RW));
    }
    assert_eq!((count(&parent), count(&child)), (before, before + 1));
    map(1, &child, LEN + 11, &shared(1));
    assert_eq!(count(&child), before + 1);
    world.finish();
}

/// A page beyond the end of its object is SIGBUS, for every kind of use.
#[test]
fn a_page_beyond_the_object_is_a_bus_error() {
    let (world, parent) = empty_parent(Settings::new(1));
    let data = world.objects[2].clone();
    for sharing in [Sharing::Private, Sharing::Shared] {
        world
            .map(
                0,
                &parent,
                Placement::Fixed(PAGES),
                2,
                &Mapping::of(&data, 5, RW, sharing),
            )
            .unwrap();
        assert_eq!(load(&world, 0, 0), data.words(5)[0]);
        for what in [Use::Load, Use::Store(1)] {
            assert_eq!(world.access(0, page(1), 0, what), Seen::Refused(Verdict::Bus));
        }
    }
    world.finish();
}
