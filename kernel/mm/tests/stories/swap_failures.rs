//! Swap space where something fails: a frame is not to be had, or the device refuses, at each step in turn. Nobody loses anything but the one
//! page that cannot be read, and that only once.

use super::swapping::write_all;
use super::*;
use mm::Others;

/// Parent and child share all tables, and all their pages are in line to be written.
fn all_out() -> Rc<World> {
    let (world, parent) = parent_of_eight_pages();
    fork_to(&world, &parent, 1);
    world.evict_all(0, &parent, pages(0, LEN), Others::Stopped);
    world
}

/// How often an access to a page that is out fails while 0, 1, 2, ... frames are free. Both sides have all their pages afterwards.
fn failures_for_want_of_frames(what: Use) -> usize {
    for free in 0..64 {
        let world = all_out();
        write_all(&world);
        world.leave_free(free);
        let seen = world.access(0, page(3), 0, what);
        world.check_everything();
        world.release_held(usize::MAX);
        (0..LEN).for_each(|nth| assert_eq!(load(&world, 1, nth), nth + 1));
        world.access(0, page(3), 0, what).value();
        world.check_everything();
        world.finish();
        match seen {
            Seen::Value(..) => return free,
            Seen::NoMemory | Seen::Waits => {}
            other => panic!("with {free} frames: {other:?}"),
        }
    }
    panic!("64 frames are not enough");
}

#[test]
fn memory_runs_out_at_each_step_of_a_load() {
    assert_eq!(
        failures_for_want_of_frames(Use::Load),
        3,
        "the page and two tables"
    );
}

#[test]
fn memory_runs_out_at_each_step_of_a_store() {
    assert_eq!(failures_for_want_of_frames(Use::Store(0x33)), 4, "and a copy");
}

/// Pages that could not be had when the device has refused its operation number `nth`: eight writes, and then the reads.
fn lost_by_failure_at(nth: usize) -> usize {
    let world = all_out();
    world.fail_device_at(nth);
    write_all(&world);
    world.check_everything();
    let mut lost = 0;
    for (cpu, number) in (0..2).flat_map(|cpu| (0..LEN).map(move |number| (cpu, number))) {
        match world.access(cpu, page(number), 0, Use::Load) {
            Seen::Value(value, _) => assert_eq!(value, number + 1),
            Seen::Refused(Verdict::Bus) => lost += 1,
            other => panic!("operation {nth} fails, processor {cpu}, page {number}: {other:?}"),
        }
    }
    world.check_everything();
    // Who was told asks again.
    for number in 0..LEN {
        assert_eq!(
            (load(&world, 0, number), load(&world, 1, number)),
            (number + 1, number + 1)
        );
        store(&world, 0, number, number + 100);
        assert_eq!(load(&world, 1, number), number + 1);
    }
    world.check_everything();
    world.finish();
    lost
}

#[test]
fn the_device_fails_at_each_of_its_operations() {
    let all = LEN as usize;
    let lost: Vec<usize> = (0..=2 * all).map(lost_by_failure_at).collect();
    assert_eq!(lost[..all], [0; LEN as usize], "what cannot be written stays");
    assert_eq!(
        lost[all..2 * all],
        [1; LEN as usize],
        "what cannot be read is told of once"
    );
    assert_eq!(lost[2 * all], 0, "there is no such operation");
}
