//! A history under way.

use super::PAGES;
use super::cast::{Act, Cast, ELSEWHERE, SECOND_THREAD, Step, TEXT, WHOLE, bytes};
use crate::world::operations::Mapping;
use crate::world::{Settings, Space, Use, World};
use machine::Temper;
use machine::greed::Luck;
use machine::sabotage::Sabotage;
use machine::shape::Shape;
use mm::{
    Access, Descriptor, Frame, Level, Others, PageRange, Placement, Portion, Protection, RemapPlacement,
    Sharing, VirtAddr,
};
use std::rc::Rc;

/// So many that they roll over soon; the first is nobody's, and each processor may keep one.
const FEW_ASIDS: u32 = mm::MAX_CPUS as u32 + 2;

/// Space n runs on processor n, the second thread of the first one on its own.
pub struct Run {
    pub world: Rc<World>,
    pub spaces: Vec<Option<Rc<Space>>>,
    has_thread: bool,
    has_few_asids: bool,
    /// Where a space began, each time: from this follows who has which ASID, and who has to forget what.
    begun: Vec<usize>,
}

impl Run {
    pub fn begin(cast: &Cast, sabotage: Option<Sabotage>) -> Run {
        let limit = if cast.has_few_asids { FEW_ASIDS } else { 1 << 16 };
        let world = World::new(Settings {
            frames: 72,
            sabotage,
            is_caught: true,
            asid_limit: Some(limit),
            ..Settings::new(7)
        });
        world.mmu().set_temper(Temper::Greedy);
        let hot = PAGES.into_iter().chain([ELSEWHERE]);
        world.mmu().set_hot(hot.chain(cast.further_pages()).collect());
        if cast.has_few_asids {
            for _ in 0..FEW_ASIDS - 3 {
                live_everywhere(&world, cast.spaces);
            }
        }
        let space = world.spawn(0).expect("frames for one space");
        world.run(0, &space);
        for (start, pages) in [(PAGES[1], 3), (PAGES[3], 1)] {
            let mapping = Mapping::anonymous(Protection::READ_WRITE);
            world.map(0, &space, Placement::Fixed(VirtAddr(start)), pages, &mapping);
        }
        if cast.can(Step::MoveTable) {
            let mapping = Mapping::anonymous(Protection::READ_WRITE);
            let pages = Level::L2.span() / bytes(1);
            world.map(0, &space, Placement::Fixed(VirtAddr(WHOLE[0])), pages, &mapping);
        }
        if cast.can(Step::Fetch(TEXT)) {
            let text = Mapping::of(&world.objects[0], 0, Protection::READ_EXECUTE, Sharing::Private);
            world.map(0, &space, Placement::Fixed(VirtAddr(TEXT)), 1, &text);
        }
        for page in [PAGES[0], PAGES[1], PAGES[3]] {
            world.access(0, VirtAddr(page), 0, Use::Store(world.fresh_value()));
        }
        let has_thread = !cast.of_thread.is_empty();
        if has_thread {
            world.run(SECOND_THREAD, &space);
        }
        let mut spaces = vec![None; cast.spaces];
        spaces[0] = Some(space);
        Run {
            world,
            spaces,
            has_thread,
            has_few_asids: cast.has_few_asids,
            begun: Vec::new(),
        }
    }

    /// The space does the step on its processor; false if it cannot.
    pub fn act(&mut self, (number, step): Act) -> bool {
        let of_space = if number == SECOND_THREAD { 0 } else { number };
        let Some(space) = self.spaces[of_space].clone() else {
            return false;
        };
        let child = match step {
            Step::Fork | Step::ForkWithStack => match self.spaces.iter().position(Option::is_none) {
                None => return false,
                free => free,
            },
            _ => None,
        };
        match perform(&self.world, number, &space, step) {
            Done::Nothing => return false,
            Done::Changed => {}
            Done::Ended => self.spaces[of_space] = None,
            Done::Forked(space) => {
                if let Some(child) = child {
                    self.begun.push(child);
                    self.world.run(child, &space);
                    self.spaces[child] = Some(space);
                }
            }
        }
        true
    }

    pub fn shape(&self) -> u64 {
        let frames = self.world.memory.frames();
        let about = |frame: u32| (frames.count(Frame(frame)), frames.record(Frame(frame)));
        let about_swapped = |raw: u64| {
            let slot = Descriptor(raw).slot();
            let (count, frame) = self.world.memory.swap().slot_state(slot);
            (count, frame.map(|frame| frame.0))
        };
        let mut shape = Shape::new(self.world.mmu(), &about, &about_swapped);
        let roots: Vec<u32> = self
            .spaces
            .iter()
            .map(|space| space.as_ref().map_or(0, |space| space.root.0))
            .collect();
        for space in &self.spaces {
            shape.note(space.is_some());
            if let Some(space) = space {
                shape.tree(space.root.0, 1);
                let about = |area: &mm::Area| {
                    (
                        format!("{:?}", area.range()),
                        area.protection,
                        area.sharing,
                        format!("{:?}", area.flags),
                    )
                };
                let areas = self.world.with_space(0, space, |inner| {
                    inner.areas().iter().map(about).collect::<Vec<_>>()
                });
                shape.note(areas);
            }
        }
        for cpu in 0..self.spaces.len() {
            shape.remembered(cpu, &roots);
        }
        if self.has_thread {
            shape.remembered(SECOND_THREAD, &roots);
        }
        if self.has_few_asids {
            shape.note(&self.begun);
        }
        shape.note(self.world.memory.swap().cached());
        shape.finish()
    }

    /// Everybody sees what he should, and nothing is lost.
    pub fn end(self) {
        self.world.check_everything();
        for (number, space) in self.spaces.iter().enumerate() {
            if space.is_some() {
                for page in PAGES {
                    self.world.access(number, VirtAddr(page), 0, Use::Load);
                }
            }
        }
        drop(self.spaces);
        self.world.finish();
    }
}

/// A space that has run on so many processors, which remember its first page, and has ended.
fn live_everywhere(world: &World, processors: usize) {
    let space = world.spawn(0).expect("frames for one space");
    let mapping = Mapping::anonymous(Protection::READ_WRITE);
    world.map(0, &space, Placement::Fixed(VirtAddr(PAGES[0])), 1, &mapping);
    for cpu in 0..processors {
        world.run(cpu, &space);
        world.access(cpu, VirtAddr(PAGES[0]), 0, Use::Store(world.fresh_value()));
        world.mmu().warm_all();
        world.idle(cpu);
    }
    world.exit(0, &space);
}

/// What became of a step.
pub enum Done {
    Nothing,
    Changed,
    Ended,
    Forked(Rc<Space>),
}

pub fn perform(world: &World, cpu: usize, space: &Rc<Space>, step: Step) -> Done {
    let range = |start, pages: u64| PageRange::new(VirtAddr(start), bytes(pages)).expect("pages");
    let fork = |stack| world.fork(cpu, space, stack).map_or(Done::Nothing, Done::Forked);
    match step {
        Step::Fork => return fork(None),
        Step::ForkWithStack => return fork(Some(VirtAddr(PAGES[0] + 64))),
        Step::Exit => {
            return if world.exit(cpu, space) {
                Done::Ended
            } else {
                Done::Nothing
            };
        }
        Step::Store(page) => {
            world.access(cpu, VirtAddr(page), 0, Use::Store(world.fresh_value()));
        }
        Step::StoreByOld(page) => {
            if !world.mmu().may_refuse(cpu, VirtAddr(page), Access::Write) {
                return Done::Nothing;
            }
            world.mmu().set_luck(Luck::Refused);
            world.access(cpu, VirtAddr(page), 0, Use::Store(world.fresh_value()));
            world.mmu().set_luck(Luck::Oldest);
        }
        Step::Load(page) => {
            world.access(cpu, VirtAddr(page), 0, Use::Load);
        }
        Step::Fetch(page) => {
            world.access(cpu, VirtAddr(page), 0, Use::Fetch);
        }
        Step::Unmap(start, pages) => {
            world.unmap(cpu, space, range(start, pages));
        }
        Step::Protect(start, pages) => {
            world.protect(cpu, space, range(start, pages), Protection::READ);
        }
        Step::Allow(start, pages) => {
            world.protect(cpu, space, range(start, pages), Protection::READ_WRITE);
        }
        Step::Discard(start, pages) => {
            world.discard(cpu, space, range(start, pages));
        }
        Step::Move(page) => {
            let there = RemapPlacement::Fixed(VirtAddr(ELSEWHERE));
            world.remap(cpu, space, range(page, 1), 1, there);
        }
        Step::MoveTable => {
            let from = range(WHOLE[0], Level::L2.span() / bytes(1));
            let there = RemapPlacement::Fixed(VirtAddr(WHOLE[1]));
            world.remap_by(cpu, space, from, (from.pages(), there), Portion::USUAL);
        }
        Step::PageOut(start, pages) => {
            if world.is_busy() || world.is_locked(space) {
                return Done::Nothing;
            }
            world.evict_all(cpu, space, range(start, pages), Others::Stopped);
        }
        Step::WriteOut => {
            while world.memory.swap().cached().1 > 0 {
                world.write_out(&mut || {});
            }
            world.drop_unused();
        }
    }
    Done::Changed
}
