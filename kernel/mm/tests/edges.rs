//! The far ends: many pages over the border of two tables, ranges that make no sense, counts near their limit, frames that go back to
//! where they came from, and what the heart shows of itself.

use crate::world::object::Role;
use crate::world::operations::Mapping;
use crate::world::{Seen, Settings, Space, Use, World};
use mm::{
    Access, AddressSpace, Event, Frame, Level, MapError, Obstacle, PageRange, Placement, Protection, Refusal,
    RemapPlacement, SegvCode, Sharing, USER_END, VirtAddr,
};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// Across the border of two level-3 tables.
const PAGES: VirtAddr = VirtAddr(0x401d_8000);
const MANY: u64 = 100;
const RW: Protection = Protection::READ_WRITE;
const DENIED: Obstacle = Obstacle::Refused(Refusal::Denied(SegvCode::AccErr));

fn page(nth: u64) -> VirtAddr {
    VirtAddr(PAGES.0 + (nth << 12))
}

fn many_pages() -> (Rc<World>, Rc<Space>) {
    let world = World::new(Settings::new(5));
    world.mmu().set_hot((0..MANY).map(|nth| page(nth).0).collect());
    let space = world.spawn(0).unwrap();
    assert!(world.run(0, &space));
    world
        .map(0, &space, Placement::Fixed(PAGES), MANY, &Mapping::anonymous(RW))
        .unwrap();
    for nth in 0..MANY {
        world.access(0, page(nth), 2, Use::Store(nth + 1)).value();
    }
    assert!(world.run(1, &space));
    world.mmu().warm_all();
    (world, space)
}

fn all() -> PageRange {
    PageRange::new(PAGES, MANY << 12).unwrap()
}

#[test]
fn many_pages_are_unmapped() {
    for is_forked in [false, true] {
        let (world, space) = many_pages();
        let child = is_forked.then(|| world.fork(0, &space, None).unwrap());
        world.mmu().warm_all();
        let inner = PageRange::new(page(1), (MANY - 2) << 12).unwrap();
        world.unmap(0, &space, inner).unwrap();
        world.check_everything();
        assert_eq!(world.access(1, page(0), 2, Use::Load).value(), 1);
        if let Some(child) = child {
            assert!(world.run(2, &child));
            assert_eq!(world.access(2, page(50), 2, Use::Load).value(), 51);
        }
        world.finish();
    }
}

#[test]
fn many_pages_are_moved_under_one_flush() {
    let (world, space) = many_pages();
    let target = VirtAddr(0x10_001f_0000);
    let flushes = world.memory.events(Event::FlushAsid);
    world
        .remap(0, &space, all(), MANY, RemapPlacement::Fixed(target))
        .unwrap();
    // The second is for the tables that are left without pages.
    assert_eq!(world.memory.events(Event::FlushAsid) - flushes, 2);
    world.check_everything();
    for nth in 0..MANY {
        let address = VirtAddr(target.0 + (nth << 12));
        assert_eq!(world.access(1, address, 2, Use::Load).value(), nth + 1);
    }
    world.finish();
}

#[test]
fn many_pages_are_discarded() {
    let (world, space) = many_pages();
    world.discard(0, &space, all()).unwrap();
    for nth in 0..MANY {
        assert_eq!(world.access(1, page(nth), 2, Use::Load).value(), 0);
    }
    world.finish();
}

#[test]
fn ranges_that_make_no_sense_change_nothing() {
    let (world, space) = many_pages();
    let memory = &world.memory;
    let mapping = Mapping::anonymous(RW);
    type Attempt<'a> = Box<dyn Fn(&mut AddressSpace) -> MapError + 'a>;
    let map = |placement, len| -> Attempt<'_> {
        let request = mapping.request(placement, len);
        Box::new(move |inner| inner.map(memory, request.clone()).unwrap_err())
    };
    let remap = |at: u64, len, new, placement| -> Attempt<'_> {
        Box::new(move |inner| {
            inner
                .remap(memory, VirtAddr(at), len, new, placement)
                .unwrap_err()
        })
    };
    let at = PAGES.0;
    let invalid: Vec<Attempt<'_>> = vec![
        map(Placement::Hint(VirtAddr(0)), 0),
        map(Placement::Fixed(VirtAddr(0x1000)), 0x1000),
        map(Placement::Fixed(VirtAddr(at + 1)), 0x1000),
        map(Placement::Fixed(VirtAddr(USER_END)), 0x1000),
        map(Placement::FixedNoReplace(VirtAddr(at)), u64::MAX),
        Box::new(|inner| inner.unmap(memory, PAGES, 0).unwrap_err()),
        Box::new(|inner| inner.unmap(memory, VirtAddr(at + 8), 0x1000).unwrap_err()),
        Box::new(|inner| inner.unmap(memory, PAGES, u64::MAX - 0xfff).unwrap_err()),
        Box::new(|inner| inner.protect(memory, VirtAddr(at + 1), 1, RW).unwrap_err()),
        Box::new(|inner| inner.discard(memory, VirtAddr(at + 1), 1).unwrap_err()),
        remap(at + 1, 0x1000, 0x1000, RemapPlacement::MayMove),
        remap(at, 0, 0x1000, RemapPlacement::MayMove),
        remap(at, 0x1000, u64::MAX, RemapPlacement::MayMove),
        remap(at, 0x1000, 0x1000, RemapPlacement::Fixed(VirtAddr(at))),
        remap(at, 0x2000, 0x1000, RemapPlacement::Fixed(VirtAddr(at + 0x1000))),
        remap(at, 0x1000, 0x1000, RemapPlacement::Fixed(VirtAddr(at + 0x1_0001))),
    ];
    for (number, attempt) in invalid.iter().enumerate() {
        let error = world.with_space(0, &space, |inner| attempt(inner)).unwrap();
        assert_eq!(error, MapError::Invalid, "attempt {number}");
    }
    let huge = world.with_space(0, &space, |inner| {
        inner
            .map(memory, mapping.request(Placement::Hint(VirtAddr(0)), 1 << 39))
            .unwrap_err()
    });
    assert_eq!(huge, Some(MapError::NoMemory));
    // An empty range is nothing to protect or to discard: as on Linux no error.
    let empty = world.with_space(0, &space, |inner| {
        inner
            .protect(memory, PAGES, 0, Protection::NONE)
            .and(inner.discard(memory, PAGES, 0))
    });
    assert_eq!(empty, Some(Ok(())));
    world.finish();
}

#[test]
fn a_full_count_refuses_the_fork() {
    let (world, space) = many_pages();
    let mut tables = Vec::new();
    world.with_space(0, &space, |inner| {
        inner.for_each_entry(&world.memory, |entry| {
            if entry.level == Level::L1 {
                tables.push(entry.descriptor.frame());
            }
        });
    });
    let references = if cfg!(debug_assertions) { 1 << 16 } else { return };
    (1..references).for_each(|_| world.hold(tables[0]));
    assert!(
        world.fork(0, &space, None).is_none(),
        "65,536 refer to the table already"
    );
    world.check_everything();
    world.release_held(1);
    assert!(world.fork(0, &space, None).is_some());
    world.release_held(usize::MAX);
    world.finish();
}

#[test]
fn frames_go_back_to_their_source() {
    let (world, space) = many_pages();
    assert!(world.exit(0, &space));
    world.leave_free(0);
    world.release_held(usize::MAX);
    let frames = world.memory.frames();
    let free = frames.free_count();
    frames.replenish_source(free);
    assert_eq!(frames.free_count(), free);
    let mut seen = BTreeSet::new();
    while let Ok(frame) = frames.allocate(world.mmu()) {
        assert!(seen.insert(frame), "{frame:?} was given out twice");
    }
    assert_eq!(seen.len(), free);
    seen.into_iter()
        .for_each(|frame| frames.release(world.mmu(), frame));
    // Enough to spare: nothing to do.
    frames.replenish_source(0);
    world.finish();
}

#[test]
fn an_object_without_memory_for_its_page() {
    let (world, space) = many_pages();
    let data = world
        .objects
        .iter()
        .find(|object| object.role == Role::Data)
        .unwrap()
        .clone();
    for sharing in [Sharing::Private, Sharing::Shared] {
        world
            .map(
                0,
                &space,
                Placement::Fixed(PAGES),
                1,
                &Mapping::of(&data, 0, RW, sharing),
            )
            .unwrap();
        data.is_without_memory.store(true, Ordering::Relaxed);
        assert_eq!(world.access(0, PAGES, 0, Use::Load), Seen::NoMemory);
        assert_eq!(world.access(0, PAGES, 0, Use::Store(1)), Seen::NoMemory);
        data.is_without_memory.store(false, Ordering::Relaxed);
        world.access(0, PAGES, 0, Use::Load).value();
    }
    world.finish();
}

#[test]
fn the_kernel_reads_what_a_program_would() {
    let (world, space) = many_pages();
    let frame_for = |address: VirtAddr, access| {
        let frame = world.with_space(0, &space, |inner| inner.privatise(&world.memory, address, access));
        frame.unwrap()
    };
    let frame = frame_for(page(3), Access::Read).unwrap();
    assert_eq!(world.mmu().read_probe(frame, 2), 4);
    world
        .map(0, &space, Placement::Fixed(page(4)), 1, &Mapping::anonymous(RW))
        .unwrap();
    assert_eq!(frame_for(page(4), Access::Read), Ok(world.memory.zero_frame()));
    assert_eq!(frame_for(page(4), Access::Execute), Err(DENIED));
    assert_eq!(
        frame_for(VirtAddr(USER_END), Access::Read),
        Err(Obstacle::Refused(Refusal::Denied(SegvCode::MapErr)))
    );
    let text = world.objects[0].clone();
    let mapping = Mapping::of(&text, 0, Protection::READ_EXECUTE, Sharing::Private);
    world
        .map(0, &space, Placement::Fixed(page(5)), 1, &mapping)
        .unwrap();
    for _ in 0..2 {
        assert_eq!(frame_for(page(5), Access::Execute), Ok(text.frames()[0]));
    }
    world.finish();
}

/// What /proc/PID/mem does: the page becomes private, stays as the program may use it, and nobody else sees the store.
#[test]
fn a_debugger_stores_where_the_program_may_not() {
    for is_forked in [false, true] {
        let (world, space) = many_pages();
        let text = world.objects[0].clone();
        let mapping = Mapping::of(&text, 0, Protection::READ_EXECUTE, Sharing::Private);
        world
            .map(0, &space, Placement::Fixed(page(5)), 1, &mapping)
            .unwrap();
        world.access(0, page(5), 0, Use::Load).value();
        let child = is_forked.then(|| world.fork(0, &space, None).unwrap());
        world.mmu().warm_all();
        let forced = |address: VirtAddr| {
            let frame = world.with_space(0, &space, |inner| {
                let frame = inner.privatise_forced(&world.memory, address);
                if frame.is_ok() {
                    inner.note_forced_write(&world.memory, address);
                }
                frame
            });
            frame.unwrap()
        };
        let frame = forced(page(5)).unwrap();
        assert_ne!(frame, text.frames()[0]);
        assert_eq!(forced(page(5)), Ok(frame), "it is copied once");
        let shown = world.with_space(0, &space, |inner| inner.page(&world.memory, page(5)));
        let shown = shown.unwrap().unwrap();
        assert!(!shown.descriptor.is_page_writable() && shown.descriptor.frame() == frame);
        if let Some(child) = &child {
            let theirs = world.with_space(0, child, |inner| inner.page(&world.memory, page(5)));
            assert_eq!(theirs.unwrap().unwrap().descriptor.frame(), text.frames()[0]);
        }
        let shared = Mapping::of(&text, 1, Protection::READ, Sharing::Shared);
        world
            .map(0, &space, Placement::Fixed(page(6)), 1, &shared)
            .unwrap();
        assert_eq!(forced(page(6)), Err(DENIED));
        world.check_everything();
        world.finish();
    }
}

#[test]
fn each_mapped_page_is_noted() {
    let (world, space) = many_pages();
    let noted = |first: u64, count: u64| {
        let mut states = vec![0; count as usize];
        let range = PageRange::new(page(first), count << 12).unwrap();
        world.with_space(0, &space, |inner| {
            inner.note_mapped(&world.memory, range, &mut states);
            let is_there = |nth: u64| inner.page(&world.memory, page(first + nth)).is_some();
            assert!((0..count).all(|nth| is_there(nth) == (states[nth as usize] == 1)));
        });
        states.iter().filter(|state| **state == 1).count() as u64
    };
    // Both tables are dense as far as they are used.
    assert_eq!([noted(0, MANY), noted(7, 50), noted(90, 1200)], [MANY, 50, 10]);
    for nth in [3, 60, MANY - 1] {
        let hole = PageRange::new(page(nth), 1 << 12).unwrap();
        world.unmap(0, &space, hole).unwrap();
    }
    assert_eq!([noted(0, MANY), noted(7, 50), noted(59, 3)], [MANY - 3, 50, 2]);
    world.finish();
}

#[test]
fn what_a_space_shows_of_itself() {
    let (world, space) = many_pages();
    let _child = world.fork(0, &space, None).unwrap();
    world.access(0, page(7), 2, Use::Store(0x77)).value();
    let first = world.memory.frames().managed().first;
    let mut counts = vec![0; world.memory.frames().managed().len];
    let (mut pages, mut entries) = (Vec::new(), Vec::new());
    world.with_space(0, &space, |inner| {
        inner.for_each_page(&world.memory, all(), |page| pages.push(page));
        inner.for_each_entry(&world.memory, |entry| entries.push(entry));
        let end = inner.count_mappings(&world.memory, all(), first, &mut counts);
        assert_eq!(end, all().end());
        assert_eq!(inner.resident_pages(&world.memory), MANY);
        let mut left = entries.iter().filter(|entry| entry.level != Level::L3);
        let tables = left.clone().count() as u64;
        let is_next = |found: mm::Entry| left.next().is_some_and(|entry| entry.address == found.address);
        let end = inner.visit_table_entries(&world.memory, mm::EntryPlace::FIRST, is_next);
        assert_eq!((end, left.next().is_none()), (None, true));
        let footprint = inner.footprint(&world.memory);
        assert_eq!((footprint.pages, footprint.tables), (MANY, tables));
        assert_eq!(inner.areas().len(), 1);
        assert!(!inner.areas().is_empty());
        assert_eq!(inner.translation_root().0, space.root);
    });
    assert_eq!(pages.len() as u64, MANY);
    assert!((0..MANY).all(|nth| pages[nth as usize].address == page(nth)));
    let exclusive: Vec<VirtAddr> = pages
        .iter()
        .filter(|page| page.is_exclusive)
        .map(|page| page.address)
        .collect();
    assert_eq!(exclusive, [page(7)]);
    assert_eq!(counts.iter().sum::<u32>() as u64, MANY);
    for page in &pages {
        let frame = page.descriptor.frame();
        assert_eq!(counts[(frame.0 - first.0) as usize], 1);
        assert_eq!(page.count, world.memory.frames().count(frame));
    }
    // One root entry, two level-2 entries, a hundred leaves, each where the raw tables have it.
    let of_level = |level| entries.iter().filter(|entry| entry.level == level).count();
    assert_eq!(
        [Level::L1, Level::L2, Level::L3].map(of_level),
        [1, 2, MANY as usize]
    );
    let mut table: [Frame; 3] = [space.root; 3];
    for entry in &entries {
        let depth = entry.level as usize;
        assert_eq!(world.mmu().word(table[depth], entry.index), entry.descriptor.0);
        assert_eq!(entry.address.index(entry.level), entry.index);
        if depth < 2 {
            table[depth + 1] = entry.descriptor.frame();
        }
    }
    world.finish();
}
