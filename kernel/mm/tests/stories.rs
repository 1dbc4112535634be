//! The cases that a kernel must get right, one small story each, on the adversarial machine. Each ends with everything
//! recomputed, all processes gone, and every frame free again. The cases that need a board are in the scenes of `tests`.

use crate::soft_mmu::PROBES;
use crate::world::object::Role;
use crate::world::operations::Mapping;
use crate::world::shadow::Verdict;
use crate::world::{Seen, Settings, Space, Use, World};
use mm::{
    Access, Event, MAX_CPUS, Outcome, PageRange, Placement, Protection, RemapPlacement, Resolution, SegvCode,
    Sharing, VirtAddr,
};
use std::cell::Cell;
use std::rc::Rc;

/// Eight private pages, the stage of most stories.
const PAGES: VirtAddr = VirtAddr(0x4010_0000);
const LEN: u64 = 8;
const RW: Protection = Protection::READ_WRITE;
const RWX: Protection = Protection {
    read: true,
    write: true,
    execute: true,
};
const MAP_ERR: Seen = Seen::Refused(Verdict::Segv(SegvCode::MapErr));
const ACC_ERR: Seen = Seen::Refused(Verdict::Segv(SegvCode::AccErr));

fn page(nth: u64) -> VirtAddr {
    VirtAddr(PAGES.0 + (nth << 12))
}

fn pages(first: u64, count: u64) -> PageRange {
    PageRange::new(page(first), count << 12).unwrap()
}

/// A world with a process on processor 0 that has written all its pages: page n holds n + 1.
fn parent_of_eight_pages() -> (Rc<World>, Rc<Space>) {
    let (world, parent) = empty_parent(Settings::new(1));
    world
        .map(0, &parent, Placement::Fixed(PAGES), LEN, &Mapping::anonymous(RW))
        .unwrap();
    (0..LEN).for_each(|nth| store(&world, 0, nth, nth + 1));
    (world, parent)
}

fn empty_parent(settings: Settings) -> (Rc<World>, Rc<Space>) {
    let world = World::new(settings);
    world.mmu().set_hot((0..LEN).map(|nth| page(nth).0).collect());
    let parent = world.spawn(0).unwrap();
    assert!(world.run(0, &parent));
    (world, parent)
}

/// Forks, the child running on processor `cpu`.
fn fork_to(world: &World, parent: &Rc<Space>, cpu: usize) -> Rc<Space> {
    let child = world.fork(0, parent, None).unwrap();
    assert!(world.run(cpu, &child));
    child
}

fn store(world: &World, cpu: usize, nth: u64, value: u64) {
    world.access(cpu, page(nth), 0, Use::Store(value)).value();
}

fn load(world: &World, cpu: usize, nth: u64) -> u64 {
    world.access(cpu, page(nth), 0, Use::Load).value()
}

/// How often `event` happens while `act` runs.
fn times(world: &World, event: Event, act: impl FnOnce()) -> u64 {
    let before = world.memory.events(event);
    act();
    world.memory.events(event) - before
}

#[test]
fn case_01_a_warm_tlb_on_another_core_during_fork() {
    for seed in 0..50 {
        let (world, parent) = empty_parent(Settings::new(seed));
        world
            .map(0, &parent, Placement::Fixed(PAGES), LEN, &Mapping::anonymous(RW))
            .unwrap();
        (0..LEN).for_each(|nth| store(&world, 0, nth, nth + 1));
        assert!(world.run(1, &parent));
        world.mmu().warm_all();
        let writer = Rc::downgrade(&world);
        world.mmu().set_interloper(Some(Rc::new(move || {
            if let Some(world) = writer.upgrade()
                && let Some(space) = world.running(1)
            {
                let value = world.fresh_value();
                world.access_busy(1, &space, page(value >> 16 & 7), 0, Use::Store(value));
            }
        })));
        let child = world.fork(0, &parent, Some(page(2))).unwrap();
        world.mmu().set_interloper(None);
        assert!(world.run(2, &child));
        let seen: Vec<u64> = (0..LEN).map(|nth| load(&world, 2, nth)).collect();
        for round in 0..4 {
            (0..LEN).for_each(|nth| store(&world, 1, nth, 0xbad0_0000 + round));
        }
        assert_eq!((0..LEN).map(|nth| load(&world, 2, nth)).collect::<Vec<_>>(), seen);
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

/// As case 3, where the child had written first: what it demoted is given back only after a flush.
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
    let (world, parent) = parent_of_eight_pages();
    for round in 0..2_000_u64 {
        let nth = round % LEN;
        let child = fork_to(&world, &parent, 1);
        let other = Rc::downgrade(&world);
        let is_done = Cell::new(false);
        let step = Cell::new(round % 13);
        world.mmu().set_interloper(Some(Rc::new(move || {
            if let Some(world) = other.upgrade()
                && step.replace(step.get().wrapping_sub(1)) == 0
                && !is_done.replace(true)
            {
                store(&world, 1, nth, 0xc0de);
            }
        })));
        store(&world, 0, nth, round);
        world.mmu().set_interloper(None);
        store(&world, 1, nth, 0xc0df);
        assert_eq!((load(&world, 0, nth), load(&world, 1, nth)), (round, 0xc0df));
        if round % 100 == 0 {
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
    let copied = times(&world, Event::Copied, || {
        (0..LEN).for_each(|nth| store(&world, 0, nth, 0x80 + nth))
    });
    assert_eq!(copied, 0);
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

#[test]
fn case_11_mremap_while_another_thread_writes() {
    for seed in 0..50 {
        let (world, parent) = empty_parent(Settings::new(seed));
        world
            .map(0, &parent, Placement::Fixed(PAGES), LEN, &Mapping::anonymous(RW))
            .unwrap();
        (0..LEN).for_each(|nth| store(&world, 0, nth, nth + 1));
        assert!(world.run(1, &parent));
        world.mmu().warm_all();
        let writer = Rc::downgrade(&world);
        world.mmu().set_interloper(Some(Rc::new(move || {
            if let Some(world) = writer.upgrade()
                && let Some(space) = world.running(1)
            {
                let value = world.fresh_value();
                world.access_busy(1, &space, page(value >> 16 & 7), 1, Use::Store(value));
            }
        })));
        let target = VirtAddr(0x10_0000_0000);
        world
            .remap(0, &parent, pages(0, LEN), LEN, RemapPlacement::Fixed(target))
            .unwrap();
        world.mmu().set_interloper(None);
        assert_eq!(world.access(1, page(3), 0, Use::Load), MAP_ERR);
        for nth in 0..LEN {
            let address = VirtAddr(target.0 + (nth << 12));
            assert_eq!(world.access(1, address, 0, Use::Load).value(), nth + 1);
            // Whatever the other thread last stored is there too: the shadow knows it.
            world.access(0, address, 1, Use::Load).value();
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

#[test]
fn case_18_a_tiny_asid_space_rolls_over() {
    let limit = MAX_CPUS as u32 + 2;
    let world = World::new(Settings {
        asid_limit: limit,
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

#[test]
fn case_19_two_threads_fault_on_one_page() {
    let (world, parent) = parent_of_eight_pages();
    let _child = fork_to(&world, &parent, 2);
    assert!(world.run(1, &parent));
    let first = world.fault(0, &parent, page(0), Access::Write);
    let second = world.fault(1, &parent, page(0), Access::Write);
    assert_eq!(first, Some(Outcome::Resolved(Resolution::Copied)));
    assert_eq!(second, Some(Outcome::Resolved(Resolution::Spurious)));
    assert_eq!(world.fault_counts(&parent).spurious, 1);
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

/// The stack grows by being used, page by page or over a gap, but not to its limit's far side nor to the area below.
#[test]
fn the_stack_grows_down_to_its_guard() {
    let (world, parent) = empty_parent(Settings::new(1));
    let top = VirtAddr(0x7f_ffff_f000);
    let down = |nth: u64| VirtAddr(top.0 - (nth << 12));
    let stack = Mapping {
        purpose: mm::Purpose::Stack { limit: down(600) },
        ..Mapping::anonymous(RW)
    };
    world
        .map(0, &parent, Placement::Fixed(down(1)), 1, &stack)
        .unwrap();
    for nth in [2, 3, 40] {
        world.access(0, down(nth), 7, Use::Store(nth)).value();
    }
    assert_eq!(world.access(0, down(601), 7, Use::Store(1)), MAP_ERR);
    world
        .map(
            0,
            &parent,
            Placement::Fixed(down(400)),
            1,
            &Mapping::anonymous(RW),
        )
        .unwrap();
    world.access(0, down(140), 0, Use::Store(1)).value();
    assert_eq!(
        world.access(0, down(150), 0, Use::Store(1)),
        MAP_ERR,
        "256 pages stay free"
    );
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
