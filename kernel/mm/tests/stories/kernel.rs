//! What the kernel itself does to user memory, code, and ASIDs.

use super::*;

#[test]
fn case_12_the_kernel_writes_into_copy_on_write_memory() {
    let (world, parent) = parent_of_eight_pages();
    let child = fork_to(&world, &parent, 1);
    // A buffer across two shared pages, the page after it unmapped.
    world.unmap(0, &parent, pages(2, 1)).unwrap();
    let copied = times(&world, Event::Copied, || {
        for nth in [0, 1] {
            world
                .kernel_store(0, &parent, page(nth), PROBES.len() - 1, 0x1234)
                .value();
        }
    });
    assert_eq!(copied, 2);
    assert_eq!(world.kernel_store(0, &parent, page(2), 0, 1), MAP_ERR);
    assert_eq!(world.access(1, page(0), PROBES.len() - 1, Use::Load).value(), 0);
    // set_child_tid: in the child alone, whoever runs.
    world.kernel_store(0, &child, page(3), 0, 0x71d).value();
    assert_eq!((load(&world, 0, 3), load(&world, 1, 3)), (4, 0x71d));
    world.finish();
}

/// DC CIVAC by EL0 reports WnR = 1 with CM = 1: it is decoded to a read, and a read never copies.
#[test]
fn case_14_cache_maintenance_is_a_read() {
    let (world, parent) = parent_of_eight_pages();
    let _child = fork_to(&world, &parent, 1);
    let copied = times(&world, Event::Copied, || {
        let outcome = world.fault(0, &parent, page(0), Access::Read);
        assert_eq!(outcome, Some(Outcome::Resolved(Resolution::Spurious)));
    });
    assert_eq!(copied, 0);
    world
        .map(0, &parent, Placement::Fixed(page(30)), 1, &Mapping::anonymous(RW))
        .unwrap();
    let outcome = world.fault(0, &parent, page(30), Access::Read);
    assert_eq!(outcome, Some(Outcome::Resolved(Resolution::ZeroShared)));
    world.finish();
}

#[test]
fn case_15_code_written_before_and_after_fork() {
    let (world, parent) = empty_parent(Settings::new(1));
    world
        .map(0, &parent, Placement::Fixed(PAGES), 2, &Mapping::anonymous(RWX))
        .unwrap();
    world.access(0, page(0), 0, Use::Store(0xd65f_03c0)).value();
    world.access(0, page(0), 3, Use::Store(0xd503_201f)).value();
    assert_eq!(world.access(0, page(0), 0, Use::Fetch).value(), 0xd65f_03c0);
    let _child = fork_to(&world, &parent, 1);
    world.access(1, page(0), 0, Use::Store(0xd400_0001)).value();
    assert_eq!(world.access(1, page(0), 0, Use::Fetch).value(), 0xd400_0001);
    assert_eq!(
        world.access(1, page(0), 3, Use::Fetch).value(),
        0xd503_201f,
        "what the kernel copied"
    );
    assert_eq!(world.access(0, page(0), 0, Use::Fetch).value(), 0xd65f_03c0);
    world.finish();
}

#[test]
fn case_18_a_tiny_asid_space_rolls_over() {
    let limit = MAX_CPUS as u32 + 2;
    let world = World::new(Settings {
        asid_limit: Some(limit),
        ..Settings::new(1)
    });
    world.mmu().set_hot(vec![PAGES.0]);
    let spaces: Vec<Rc<Space>> = (0..24).map(|_| world.spawn(0).unwrap()).collect();
    let mut activations = 0;
    for round in 0..20_u64 {
        for (number, space) in spaces.iter().enumerate() {
            let cpu = (number + round as usize) % 4;
            assert!(world.run(cpu, space));
            activations += 1;
            assert!(u32::from(world.mmu().active(cpu).unwrap().1.0) < limit);
            if round == 0 {
                world
                    .map(cpu, space, Placement::Fixed(PAGES), 1, &Mapping::anonymous(RW))
                    .unwrap();
                store(&world, cpu, 0, number as u64);
            }
            assert_eq!(load(&world, cpu, 0), number as u64);
        }
        world.check_everything();
    }
    assert!(activations > 10 * limit);
    world.finish();
}

/// Processor 0 has taken the tag of another space and still walks for the one that it leaves, when processor 1 uses up all
/// numbers: whoever is given the number of the space that is left must not find its translations on processor 0.
#[test]
fn case_18_a_roll_over_between_a_tag_and_its_ttbr0() {
    let world = World::new(Settings {
        asid_limit: Some(MAX_CPUS as u32 + 2),
        ..Settings::new(1)
    });
    world.mmu().set_hot(vec![PAGES.0]);
    let spaces: Vec<Rc<Space>> = (0..12).map(|_| world.spawn(1).unwrap()).collect();
    for (space, number) in spaces.iter().zip(0..) {
        assert!(world.run(1, space));
        world
            .map(1, space, Placement::Fixed(PAGES), 1, &Mapping::anonymous(RW))
            .unwrap();
        store(&world, 1, 0, number);
    }
    for _ in 0..20 {
        let (enters, leaves) = (&spaces[0], &spaces[1]);
        for space in [enters, leaves] {
            assert!(world.run(0, space));
        }
        let (others, is_done) = (spaces[2..].to_vec(), Cell::new(false));
        interrupt_with(&world, move |world| {
            if !is_done.replace(true) {
                others.iter().for_each(|space| assert!(world.run(1, space)));
                world.mmu().warm_all();
            }
        });
        assert!(world.run(0, enters));
        world.mmu().set_interloper(None);
        for (space, number) in spaces.iter().zip(0..) {
            assert!(world.run(0, space));
            assert_eq!(load(&world, 0, 0), number);
        }
    }
    world.finish();
}

/// write(2) to a page of a program's file in the middle of the fault by which somebody executes it, at each point: whoever maps it
/// afterwards executes what was written. A page that was marked clean behind a write in between was taken for clean for ever.
#[test]
fn a_write_in_the_middle_of_a_cleaning_is_not_lost() {
    let text = |world: &World| Mapping::of(&world.objects[0], 0, Protection::READ_EXECUTE, Sharing::Private);
    let mut points = 0;
    for at in 0.. {
        let (world, space) = empty_parent(Settings::new(3));
        let map = || world.map(0, &space, Placement::Fixed(PAGES), 1, &text(&world));
        map().unwrap();
        let seen = Rc::new(Cell::new(0));
        let count = Rc::clone(&seen);
        interrupt_with(&world, move |world| {
            if count.replace(count.get() + 1) == at {
                world.write_file(&world.objects[0], 0, 0, 0xbeef);
            }
        });
        let outcome = world.fault(0, &space, PAGES, Access::Execute);
        assert_eq!(outcome, Some(Outcome::Resolved(Resolution::SourceMapped)));
        world.mmu().set_interloper(None);
        world.unmap(0, &space, PageRange::new(PAGES, 0x1000).unwrap());
        map().unwrap();
        let found = world.access(0, PAGES, 0, Use::Fetch).value();
        world.finish();
        if seen.get() <= at {
            break;
        }
        assert_eq!(found, 0xbeef, "written at point {at}");
        points += 1;
    }
    assert!(points >= 3, "{points}");
}

/// CVE-2020-29374: a frame that the kernel holds across a fork is never taken for the last owner's.
#[test]
fn case_21_a_frame_held_by_the_kernel_is_not_reused_in_place() {
    let (world, parent) = parent_of_eight_pages();
    let frame = world.mapped(&parent, page(0)).unwrap().descriptor.frame();
    let child = fork_to(&world, &parent, 1);
    world.hold(frame);
    assert!(world.exit(1, &child));
    let copied = times(&world, Event::Copied, || store(&world, 0, 0, 0xeee));
    assert_eq!(copied, 1);
    assert_eq!(
        world.mmu().read_probe(frame, 0),
        1,
        "the kernel sees what it held"
    );
    world.finish();
}

/// CVE-2016-5195: a write forced by the kernel into a private mapping of a file goes to a copy.
#[test]
fn case_21_a_forced_write_never_reaches_the_file() {
    let (world, parent) = empty_parent(Settings::new(1));
    let text = world.objects[0].clone();
    world
        .map(
            0,
            &parent,
            Placement::Fixed(PAGES),
            2,
            &Mapping::of(&text, 0, RW, Sharing::Private),
        )
        .unwrap();
    world.access(0, page(0), 0, Use::Load).value();
    world.kernel_store(1, &parent, page(0), 0, 0xbad).value();
    world.kernel_store(1, &parent, page(1), 0, 0xbad).value();
    for nth in [0, 1] {
        assert_eq!(
            world.mmu().read_probe(text.frames()[nth], 0),
            text.words(nth as u64)[0]
        );
    }
    world.protect(0, &parent, pages(0, 2), Protection::READ).unwrap();
    assert_eq!(world.kernel_store(1, &parent, page(0), 0, 0xbad), ACC_ERR);
    world.finish();
}
