//! A page has to be waited for, and others change the space meanwhile: the fault is looked at as if it was taken only afterwards.

use super::*;
use crate::world::object::Object;
use mm::{Frame, PageSource, Refusal};
use std::sync::Arc;

/// The page of the area that is late.
const LATE: u64 = 1;
/// The same of the object, of which the area shows pages from the second on.
const LATE_OF_OBJECT: u64 = LATE + 1;
const BUS_ERROR: Seen = Seen::Refused(Verdict::Bus);

fn data(world: &World) -> &Arc<Object> {
    let object = world.objects.iter().find(|object| object.role == Role::Data);
    object.expect("one of each")
}

/// Processor 0 runs a process that maps four pages of a file, one of which is late.
fn late_page(sharing: Sharing) -> (Rc<World>, Rc<Space>) {
    let (world, space) = empty_parent(Settings::new(9));
    let mapping = Mapping::of(data(&world), 1, RW, sharing);
    world
        .map(0, &space, Placement::Fixed(PAGES), 4, &mapping)
        .unwrap();
    data(&world).late.delay(LATE_OF_OBJECT);
    (world, space)
}

/// From now on `act` happens once, when a page is next waited for.
fn meanwhile(world: &Rc<World>, act: impl FnOnce(&World, &Rc<Space>) + 'static) {
    let others = Rc::downgrade(world);
    let act = Cell::new(Some(act));
    world.set_others(Some(Rc::new(move |space| {
        if let (Some(world), Some(act)) = (others.upgrade(), act.take()) {
            act(&world, space);
        }
    })));
}

/// Whether `act` was waited for.
fn waits(world: &World, act: impl FnOnce()) -> bool {
    let before = world.statistics.deferred.get();
    act();
    world.statistics.deferred.get() > before
}

/// What the file's late page holds in its first probed word.
fn word(world: &World) -> u64 {
    data(world).words(LATE_OF_OBJECT)[0]
}

fn count(world: &World, frame: Frame) -> u32 {
    world.memory.frames().count(frame)
}

#[test]
fn a_deferred_fault_has_done_nothing() {
    for sharing in [Sharing::Private, Sharing::Shared] {
        for access in [Access::Read, Access::Write] {
            let (world, space) = late_page(sharing);
            let (free, resolved) = (world.memory.frames().free_count(), world.resolved_faults());
            let frame = data(&world).frames()[LATE_OF_OBJECT as usize];
            for _ in 0..3 {
                let outcome = world.fault(0, &space, page(LATE), access);
                assert_eq!(outcome, Some(Outcome::Deferred));
                assert_eq!(world.memory.frames().free_count(), free);
                assert_eq!(count(&world, frame), 1);
                assert!(world.mapped(&space, page(LATE)).is_none());
            }
            assert_eq!(world.resolved_faults(), resolved);
            assert!(waits(&world, || assert_eq!(load(&world, 0, LATE), word(&world))));
            assert!(!waits(&world, || assert_ne!(load(&world, 0, LATE), 0)));
            world.finish();
        }
    }
}

/// The rest of the area does not wait with it.
#[test]
fn pages_beside_it_are_served() {
    let (world, space) = late_page(Sharing::Private);
    assert!(!waits(&world, || store(&world, 0, LATE - 1, 1)));
    assert!(!waits(&world, || assert_ne!(load(&world, 0, LATE + 1), 0)));
    assert_eq!(
        world.fault(0, &space, page(LATE), Access::Read),
        Some(Outcome::Deferred)
    );
    world.finish();
}

/// What others do to the area meanwhile decides, and the page that was waited for is nobody's.
#[test]
fn the_area_changes_meanwhile() {
    type Change = fn(&World, &Rc<Space>);
    let changes: [(Change, Seen); 6] = [
        (
            |world, space| world.unmap(1, space, pages(LATE, 1)).unwrap(),
            MAP_ERR,
        ),
        (
            |world, space| world.protect(1, space, pages(LATE, 1), Protection::NONE).unwrap(),
            ACC_ERR,
        ),
        (
            |world, space| world.protect(1, space, pages(LATE, 1), Protection::READ).unwrap(),
            ACC_ERR,
        ),
        (
            |world, _| world.shorten(1, data(world), LATE_OF_OBJECT, &mut |_| ()),
            BUS_ERROR,
        ),
        (
            |world, space| {
                let placement = RemapPlacement::Fixed(page(20));
                let most = mm::Portion::USUAL;
                let moved = world.remap_by(1, space, pages(LATE, 1), (1, placement), most);
                assert_eq!(moved, Some(page(20)));
            },
            MAP_ERR,
        ),
        (|world, space| assert!(world.exit(1, space)), Seen::Waits),
    ];
    for (change, expected) in changes {
        for sharing in [Sharing::Private, Sharing::Shared] {
            let (world, _space) = late_page(sharing);
            let frame = data(&world).frames()[LATE_OF_OBJECT as usize];
            meanwhile(&world, change);
            let seen = world.access(0, page(LATE), 0, Use::Store(7));
            assert_eq!(seen, expected);
            world.check_everything();
            assert!(
                count(&world, frame) <= 1,
                "the file's own reference, if it has the page still"
            );
            world.finish();
        }
    }
}

/// Other memory stands where the page was awaited.
#[test]
fn other_memory_is_mapped_meanwhile() {
    let (world, space) = late_page(Sharing::Shared);
    meanwhile(&world, |world, space| {
        let zeros = Mapping::anonymous(RW);
        world
            .map(1, space, Placement::Fixed(page(LATE)), 1, &zeros)
            .unwrap();
    });
    assert_eq!(load(&world, 0, LATE), 0);
    store(&world, 0, LATE, 5);
    assert_ne!(word(&world), 5);
    assert!(
        world
            .mapped(&space, page(LATE))
            .is_some_and(|page| page.is_exclusive)
    );
    world.finish();
}

/// Another thread waits for the same page: it comes once, for both.
#[test]
fn two_threads_wait_for_one_page() {
    for sharing in [Sharing::Private, Sharing::Shared] {
        let (world, space) = late_page(sharing);
        let frame = data(&world).frames()[LATE_OF_OBJECT as usize];
        meanwhile(&world, |world, space| {
            assert!(world.run(1, space));
            assert!(waits(world, || assert_eq!(load(world, 1, LATE), word(world))));
        });
        let faults = world.access(0, page(LATE), 0, Use::Load).faults();
        assert_eq!(faults.resolution, None, "the other was faster");
        assert_eq!(count(&world, frame), 2);
        assert!(world.mapped(&space, page(LATE)).is_some());
        world.finish();
    }
}

/// A fork neither waits nor is kept waiting; whoever faults afterwards, parent or child, gets a page of its own.
#[test]
fn a_fork_meanwhile() {
    let (world, _parent) = late_page(Sharing::Private);
    store(&world, 0, 0, 3);
    meanwhile(&world, |world, space| {
        let stack_in_late_page = Some(page(LATE));
        let child = world.fork(1, space, stack_in_late_page).unwrap();
        assert!(world.run(2, &child));
        assert!(world.mapped(&child, page(LATE)).is_none());
    });
    store(&world, 0, LATE, 8);
    assert_eq!(load(&world, 2, LATE), word(&world));
    assert_eq!((load(&world, 0, 0), load(&world, 2, 0)), (3, 3));
    store(&world, 2, LATE, 9);
    assert_eq!((load(&world, 0, LATE), load(&world, 2, LATE)), (8, 9));
    world.finish();
}

/// The kernel's own access waits as the program's does; a debugger's store too, and the file keeps what it has.
#[test]
fn the_kernel_waits_too() {
    let (world, space) = late_page(Sharing::Private);
    assert!(waits(&world, || {
        world.kernel_store(1, &space, page(LATE), 0, 0x1234).value();
    }));
    assert_eq!(load(&world, 0, LATE), 0x1234);
    world.unmap(0, &space, pages(0, 4)).unwrap();
    let read_only = Mapping::of(data(&world), 1, Protection::READ, Sharing::Private);
    world
        .map(0, &space, Placement::Fixed(PAGES), 4, &read_only)
        .unwrap();
    data(&world).late.delay(LATE_OF_OBJECT);
    let forced = || {
        world.with_space(1, &space, |inner| {
            inner.privatise_forced(&world.memory, page(LATE))
        })
    };
    assert_eq!(forced(), Some(Err(mm::Obstacle::Deferred)));
    assert!(world.mapped(&space, page(LATE)).is_none());
    data(&world).late.arrive(LATE_OF_OBJECT);
    assert!(matches!(forced(), Some(Ok(_))));
    world.finish();
}

/// What is refused is refused at once: nobody waits for a page that he may not have.
#[test]
fn a_forbidden_access_does_not_wait() {
    let (world, space) = late_page(Sharing::Private);
    world.protect(0, &space, pages(0, 4), Protection::READ).unwrap();
    assert!(!waits(&world, || {
        assert_eq!(world.access(0, page(LATE), 0, Use::Store(1)), ACC_ERR);
    }));
    let denied = Outcome::Refused(Refusal::Denied(SegvCode::AccErr));
    assert_eq!(world.fault(0, &space, page(LATE), Access::Write), Some(denied));
    world.finish();
}

/// What to wait for is asked for after the lock was free: there may be nothing any more.
#[test]
fn what_is_awaited_is_what_is_there_now() {
    let (world, space) = late_page(Sharing::Private);
    let awaited = |nth| {
        world
            .with_space(1, &space, |inner| inner.awaited_page(&world.memory, page(nth)))
            .flatten()
    };
    assert_eq!(awaited(LATE).map(|page| page.wait()), Some(Ok(())));
    assert!(
        data(&world)
            .page(LATE_OF_OBJECT)
            .inspect(|frame| give_back(&world, *frame))
            .is_ok()
    );
    world.unmap(0, &space, pages(LATE, 1)).unwrap();
    assert!(awaited(LATE).is_none());
    world.map(
        0,
        &space,
        Placement::Fixed(page(LATE)),
        1,
        &Mapping::anonymous(RW),
    );
    assert!(awaited(LATE).is_none(), "zeros are never late");
    world.finish();
}

fn give_back(world: &World, frame: Frame) {
    world.memory.frames().release(world.mmu(), frame);
}
