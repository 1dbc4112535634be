//! Who shares what: fork, exit, exec, threads, both writing at once, shared memory, the zero page.

use super::*;

/// A thread on processor 1 stores through what its TLB still holds, at every step of the parent's forks.
#[test]
fn case_01_a_warm_tlb_on_another_core_during_fork() {
    const FORKS_OF_A_SEED: u64 = 1_000;
    for seed in 0..ROUNDS / FORKS_OF_A_SEED {
        let (world, parent) = eight_written_pages(few_asids(seed));
        assert!(world.run(1, &parent));
        for round in 0..FORKS_OF_A_SEED {
            (0..LEN).for_each(|nth| store(&world, 1, nth, world.fresh_value()));
            interrupt_with(&world, |world| {
                let space = world.running(1).expect("the thread runs on");
                for _ in 0..world.throw(|dice| dice.below(3)) {
                    let (nth, probe) = world.throw(|dice| (dice.below(3), dice.pick(&[0, PROBES.len() - 1])));
                    let value = Use::Store(world.fresh_value());
                    world.access_busy(1, &space, page(nth as u64), probe, value);
                }
            });
            let stack_pointer = Some(page(round % 4));
            let child = world.fork(0, &parent, stack_pointer).unwrap();
            world.mmu().set_interloper(None);
            assert!(world.run(2, &child));
            let nth = round % LEN;
            let seen = load(&world, 2, nth);
            store(&world, 1, nth, 0xbad0_0000);
            assert_eq!(load(&world, 2, nth), seen);
            if round % 250 == 0 {
                world.check_everything();
            }
            assert!(world.exit(2, &child));
        }
        world.finish();
    }
}

#[test]
fn case_02_a_chain_of_forks_before_any_write() {
    let (world, parent) = parent_of_eight_pages();
    let mut chain = vec![parent];
    for _ in 0..16 {
        chain.push(fork_to(&world, &chain[chain.len() - 1], 0));
    }
    let copied = times(&world, Event::Copied, || store(&world, 0, 3, 0x99));
    assert_eq!(copied, 1);
    for space in &chain[..16] {
        assert!(world.run(0, space));
        assert_eq!(load(&world, 0, 3), 4);
    }
    world.finish();
}

#[test]
fn case_03_child_exits_parent_writes_without_copy() {
    let (world, parent) = parent_of_eight_pages();
    let child = fork_to(&world, &parent, 1);
    assert_eq!(load(&world, 1, 0), 1);
    assert!(world.exit(1, &child));
    let copied = times(&world, Event::Copied, || {
        let first = world.access(0, page(0), 0, Use::Store(0x10)).faults();
        assert_eq!(first.resolution, Some(Resolution::Regained));
        for nth in 1..LEN {
            let next = world.access(0, page(nth), 0, Use::Store(0x10)).faults();
            assert_eq!(next.resolution, None, "one fault gives all pages back");
        }
    });
    assert_eq!(copied, 0);
    for nth in 0..LEN {
        let mapped = world.mapped(&parent, page(nth)).unwrap();
        assert!(mapped.is_exclusive && mapped.count == 1);
    }
    world.finish();
}

/// As case 3, where the child had written first: what it write-protected is given back only after a flush.
#[test]
fn case_03_child_writes_and_exits_parent_writes_without_copy() {
    let (world, parent) = parent_of_eight_pages();
    let child = fork_to(&world, &parent, 1);
    store(&world, 1, 5, 0x55);
    world.mmu().warm_all();
    assert!(world.exit(1, &child));
    let copied = times(&world, Event::Copied, || {
        (0..LEN).for_each(|nth| store(&world, 0, nth, 0x66))
    });
    assert_eq!(copied, 0);
    world.finish();
}

#[test]
fn case_04_both_write_the_same_page_at_once() {
    let (world, parent) = eight_written_pages(few_asids(1));
    for round in 0..ROUNDS {
        let nth = round % LEN;
        let child = fork_to(&world, &parent, 1);
        let (is_done, step) = (Cell::new(false), Cell::new(round % 97));
        interrupt_with(&world, move |world| {
            if step.replace(step.get().wrapping_sub(1)) == 0 && !is_done.replace(true) {
                store(world, 1, nth, 0xc0de);
            }
        });
        store(&world, 0, nth, round);
        world.mmu().set_interloper(None);
        store(&world, 1, nth, 0xc0df);
        assert_eq!((load(&world, 0, nth), load(&world, 1, nth)), (round, 0xc0df));
        if round % 500 == 0 {
            world.check_everything();
        }
        assert!(world.exit(1, &child));
    }
    world.finish();
}

#[test]
fn case_05_shared_memory_across_fork_beside_private_pages() {
    let (world, parent) = parent_of_eight_pages();
    let memory = world
        .objects
        .iter()
        .find(|object| object.role == Role::SharedMemory)
        .unwrap()
        .clone();
    world
        .map(
            0,
            &parent,
            Placement::Fixed(page(2)),
            2,
            &Mapping::of(&memory, 0, RW, Sharing::Shared),
        )
        .unwrap();
    store(&world, 0, 2, 0x11);
    let _child = fork_to(&world, &parent, 1);
    let copied = times(&world, Event::Copied, || {
        store(&world, 0, 2, 0x22);
        assert_eq!(load(&world, 1, 2), 0x22);
        store(&world, 1, 2, 0x33);
        assert_eq!(load(&world, 0, 2), 0x33);
        store(&world, 1, 3, 0x44);
        assert_eq!(load(&world, 0, 3), 0x44);
    });
    assert_eq!(copied, 0);
    store(&world, 1, 4, 0x55);
    assert_eq!(load(&world, 0, 4), 5);
    world.finish();
}

#[test]
fn case_06_the_zero_page_stays_zero() {
    let (world, parent) = empty_parent(Settings::new(1));
    world
        .map(0, &parent, Placement::Fixed(PAGES), LEN, &Mapping::anonymous(RW))
        .unwrap();
    for nth in [0, 1] {
        let read = world.access(0, page(nth), 0, Use::Load);
        assert_eq!(
            (read.value(), read.faults().resolution),
            (0, Some(Resolution::ZeroShared))
        );
        let mapped = world.mapped(&parent, page(nth)).unwrap();
        assert!(mapped.is_zero && !mapped.is_exclusive);
    }
    let written = world.access(0, page(0), 0, Use::Store(7)).faults();
    assert_eq!(written.resolution, Some(Resolution::ZeroFilled));
    assert_eq!(load(&world, 0, 1), 0);
    let zero = world.memory.zero_frame();
    assert!((0..512).all(|word| world.mmu().word(zero, word) == 0));
    world.finish();
}

#[test]
fn case_13_a_store_across_two_shared_pages() {
    let (world, parent) = parent_of_eight_pages();
    let _child = fork_to(&world, &parent, 1);
    let first = world
        .access(0, page(0), PROBES.len() - 1, Use::Store(0xaaaa))
        .faults();
    let second = world.access(0, page(1), 0, Use::Store(0xbbbb)).faults();
    assert_eq!(
        [first.resolution, second.resolution],
        [Some(Resolution::Copied); 2]
    );
    assert_eq!(world.access(1, page(0), PROBES.len() - 1, Use::Load).value(), 0);
    assert_eq!(load(&world, 1, 1), 2);
    world.finish();
}

#[test]
fn case_16_exec_and_exit_while_a_sibling_shares_tables() {
    let (world, parent) = parent_of_eight_pages();
    let first = fork_to(&world, &parent, 1);
    let _second = fork_to(&world, &parent, 2);
    world.exec(1).unwrap();
    assert!(world.exit(0, &parent));
    assert!(!world.spaces().iter().any(|space| Rc::ptr_eq(space, &first)));
    for nth in 0..LEN {
        assert_eq!(load(&world, 2, nth), nth + 1);
        store(&world, 2, nth, 0x77);
    }
    world.finish();
}

/// Two threads store to one shared page; the second comes at any step of the first one's fault, and waits for the lock.
#[test]
fn case_19_two_threads_fault_on_one_page() {
    let (world, parent) = eight_written_pages(few_asids(1));
    assert!(world.run(1, &parent));
    let mut spurious = 0;
    for round in 0..ROUNDS {
        let nth = round % LEN;
        let child = fork_to(&world, &parent, 2);
        assert_eq!(
            load(&world, 1, nth),
            if round < LEN { nth + 1 } else { round - LEN }
        );
        let first = world.fault(0, &parent, page(nth), Access::Write);
        let second = world.fault(1, &parent, page(nth), Access::Write);
        assert_eq!(first, Some(Outcome::Resolved(Resolution::Copied)));
        assert_eq!(second, Some(Outcome::Resolved(Resolution::Spurious)));
        spurious += 1;
        store(&world, 1, nth, round);
        store(&world, 0, nth, round);
        assert_eq!(
            load(&world, 2, nth),
            if round < LEN { nth + 1 } else { round - LEN }
        );
        assert!(world.exit(2, &child));
    }
    assert!(world.memory.events(Event::Spurious) >= spurious);
    world.finish();
}

#[test]
fn case_20_vfork_write_disables_nothing() {
    let (world, parent) = parent_of_eight_pages();
    world.share_space(&parent);
    assert!(world.run(1, &parent));
    for nth in 0..LEN {
        assert_eq!(
            world.access(1, page(nth), 0, Use::Store(0x40 + nth)).faults(),
            Default::default()
        );
        assert_eq!(
            world.access(0, page(nth), 0, Use::Store(0x50 + nth)).faults(),
            Default::default()
        );
    }
    assert!(world.exit(1, &parent));
    assert_eq!(
        world.access(0, page(0), 0, Use::Store(1)).faults(),
        Default::default()
    );
    world.finish();
}

/// Fork costs no flush when nothing was written since the last one, and one when something was.
#[test]
fn a_fork_server_flushes_nothing() {
    let (world, parent) = parent_of_eight_pages();
    let flushes = times(&world, Event::FlushAsid, || drop(world.fork(0, &parent, None)));
    assert_eq!(flushes, 1);
    let flushes = times(&world, Event::FlushAsid, || drop(world.fork(0, &parent, None)));
    assert_eq!(flushes, 0);
    world.finish();
}

/// With the stack pointer known neither side faults on its stack after fork.
#[test]
fn the_stack_page_is_prefaulted() {
    let (world, parent) = parent_of_eight_pages();
    let child = world.fork(0, &parent, Some(VirtAddr(page(4).0 + 0x7f8))).unwrap();
    assert!(world.run(1, &child));
    assert_eq!(
        world.access(1, page(4), 0, Use::Store(0x11)).faults().resolution,
        None
    );
    assert_eq!(
        world.access(0, page(4), 0, Use::Store(0x22)).faults().resolution,
        None
    );
    assert_eq!((load(&world, 1, 4), load(&world, 0, 4)), (0x11, 0x22));
    world.finish();
}

/// A table is shared by groups of entries: full ones whose frames lie in a row, upwards, downwards or not at all, one with a
/// shared page among them, and the one with the page that is written.
#[test]
fn full_groups_of_entries_are_shared() {
    const MANY: u64 = 64;
    let orders: [fn(u64) -> u64; 3] = [|nth| nth, |nth| MANY - 1 - nth, |nth| nth * 37 % MANY];
    for order in orders {
        let (world, parent) = empty_parent(Settings::new(1));
        let memory = Mapping::of(&world.objects[1], 0, RW, Sharing::Shared);
        world
            .map(0, &parent, Placement::Fixed(PAGES), MANY, &Mapping::anonymous(RW))
            .unwrap();
        world
            .map(0, &parent, Placement::Fixed(page(19)), 1, &memory)
            .unwrap();
        (0..MANY).for_each(|nth| store(&world, 0, order(nth), order(nth)));
        let child = fork_to(&world, &parent, 1);
        store(&world, 1, 35, 0xc0de);
        world.check_everything();
        store(&world, 0, 60, 0xc0de);
        world.check_everything();
        for nth in (0..MANY).filter(|nth| ![35, 60].contains(nth)) {
            assert_eq!((load(&world, 0, nth), load(&world, 1, nth)), (nth, nth));
        }
        assert!(world.exit(1, &child));
        (0..MANY).for_each(|nth| store(&world, 0, nth, 0x77));
        world.finish();
    }
}

/// A level-2 table is given back to its last owner; beside the table that is written lies one that another space has write-protected,
/// whose leaves this space's TLB may still hold writable: that one must not be opened without a flush.
#[test]
fn a_table_write_protected_by_another_is_not_opened_with_its_neighbour() {
    let (world, parent) = empty_parent(Settings::new(1));
    let neighbour = 512;
    for nth in [0, neighbour] {
        world
            .map(
                0,
                &parent,
                Placement::Fixed(page(nth)),
                2,
                &Mapping::anonymous(RW),
            )
            .unwrap();
        store(&world, 0, nth, 1);
        store(&world, 0, nth + 1, 2);
    }
    let _other = fork_to(&world, &parent, 1);
    // Level-2 tables of their own, the first level-3 table still shared.
    store(&world, 0, neighbour, 3);
    store(&world, 1, neighbour, 4);
    let child = fork_to(&world, &parent, 2);
    world.mmu().warm_all();
    store(&world, 1, 0, 5);
    assert!(world.exit(2, &child));
    store(&world, 0, neighbour, 6);
    world.check_everything();
    store(&world, 0, 1, 7);
    assert_eq!((load(&world, 0, 0), load(&world, 1, 1)), (1, 2));
    world.finish();
}

/// What a fork shares is counted from the references of tables; who copies a table shares it no more.
#[test]
fn the_tables_that_a_fork_shares_are_counted() {
    let (world, parent) = parent_of_eight_pages();
    let shared = |cpu, space: &Rc<Space>| {
        world
            .with_space(cpu, space, |inner| inner.shared_tables(&world.memory))
            .expect("nobody has locked it")
    };
    assert_eq!(shared(0, &parent), 0);
    let child = fork_to(&world, &parent, 1);
    // That of level 2, and that of level 3 below it.
    assert_eq!((shared(0, &parent), shared(1, &child)), (2, 2));
    store(&world, 1, 0, 0x10);
    assert_eq!((shared(0, &parent), shared(1, &child)), (0, 0));
    world.finish();
}
