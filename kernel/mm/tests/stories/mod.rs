//! The cases that a kernel must get right, one small story each, on the adversarial machine. Each ends with everything
//! recomputed, all processes gone, and every frame free again. The cases that need a board are in the scenes of `tests`.

mod around;
mod classic;
mod clearing;
mod given_back;
mod kernel;
mod ranges;
mod release;
mod sharing;
mod swap_failures;
mod swapping;
mod waiting;

use crate::world::object::Role;
use crate::world::operations::Mapping;
use crate::world::shadow::Verdict;
use crate::world::{Seen, Settings, Space, Use, World};
use machine::PROBES;
use mm::{
    Access, Event, MAX_CPUS, Outcome, PageRange, Placement, Protection, RemapPlacement, Resolution, SegvCode,
    Sharing, VirtAddr,
};
use std::cell::Cell;
use std::rc::Rc;

/// Eight private pages, the stage of most stories.
const PAGES: VirtAddr = VirtAddr(0x4010_0000);
const LEN: u64 = 8;
/// Rounds of the stories in which two processors are at work at once.
const ROUNDS: u64 = 100_000;

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

/// The settings of the stories of many rounds: the ASIDs roll over again and again.
fn few_asids(seed: u64) -> Settings {
    Settings {
        asid_limit: Some(64),
        ..Settings::new(seed)
    }
}

/// A world with a process on processor 0 that has written all its pages: page n holds n + 1.
fn parent_of_eight_pages() -> (Rc<World>, Rc<Space>) {
    eight_written_pages(Settings::new(1))
}

fn eight_written_pages(settings: Settings) -> (Rc<World>, Rc<Space>) {
    let (world, parent) = empty_parent(settings);
    world
        .map(0, &parent, Placement::Fixed(PAGES), LEN, &Mapping::anonymous(RW))
        .unwrap();
    (0..LEN).for_each(|nth| store(&world, 0, nth, nth + 1));
    (world, parent)
}

/// What other processors do at each step of the machine from now on.
fn interrupt_with(world: &Rc<World>, act: impl Fn(&World) + 'static) {
    let others = Rc::downgrade(world);
    world.mmu().set_interloper(Some(Rc::new(move || {
        if let Some(world) = others.upgrade() {
            act(&world);
        }
    })));
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
