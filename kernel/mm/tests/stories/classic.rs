//! The fork that copies all tables: it must be as right as the other one, or it is nothing to measure against.

use super::*;

#[test]
fn both_sides_write_after_a_classic_fork() {
    let (world, parent) = parent_of_eight_pages();
    let child = world.fork_classic(0, &parent).unwrap();
    assert!(world.run(1, &child));
    world.check_everything();
    let copied = times(&world, Event::Copied, || {
        (0..LEN).for_each(|nth| store(&world, 0, nth, 0x99))
    });
    assert_eq!(copied, LEN);
    let tables = times(&world, Event::TableCopied, || store(&world, 1, 3, 0x77));
    assert_eq!(tables, 0);
    assert_eq!(
        (load(&world, 0, 3), load(&world, 1, 3), load(&world, 1, 4)),
        (0x99, 0x77, 5)
    );
    assert!(world.exit(1, &child));
    world.finish();
}

/// Tables that another process shares are copied all the same, and stay shared by the other two.
#[test]
fn a_classic_fork_of_shared_tables() {
    let (world, parent) = parent_of_eight_pages();
    let sharer = fork_to(&world, &parent, 1);
    let child = world.fork_classic(0, &parent).unwrap();
    assert!(world.run(2, &child));
    world.mmu().warm_all();
    store(&world, 2, 0, 0x22);
    store(&world, 1, 0, 0x11);
    store(&world, 0, 0, 0x33);
    world.check_everything();
    assert!(world.exit(1, &sharer));
    store(&world, 0, 1, 0x44);
    assert_eq!(
        (load(&world, 0, 0), load(&world, 2, 0), load(&world, 2, 1)),
        (0x33, 0x22, 2)
    );
    world.finish();
}

#[test]
fn without_memory_a_classic_fork_leaves_the_parent_whole() {
    let (mut forked, mut refused) = (0, 0);
    for frames in 30..50 {
        let settings = Settings {
            frames,
            ..Settings::new(1)
        };
        let (world, parent) = empty_parent(settings);
        let area = Mapping::anonymous(RW);
        if world
            .map(0, &parent, Placement::Fixed(page(0)), LEN, &area)
            .is_none()
        {
            continue;
        }
        for nth in 0..LEN {
            world.access(0, page(nth), 0, Use::Store(nth));
        }
        match world.fork_classic(0, &parent) {
            Some(_) => forked += 1,
            None => refused += 1,
        }
        world.check_everything();
        world.finish();
    }
    assert!(forked > 0 && refused > 0, "{forked} forked, {refused} refused");
}
