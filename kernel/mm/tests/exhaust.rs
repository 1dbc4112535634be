//! Every small history: all that up to three spaces can do with pages of two level-3 tables and two entries of the root, step by step,
//! on the adversarial machine, every processor warmed for every address before each step. Machines of the same shape are the same
//! state (`machine::shape`): "no new state" ends the search.
//!
//! `HOLSTEIN_DEPTH=n` goes n steps far, `HOLSTEIN_INTERLEAVED=n` lets another processor act at each point of a step after n steps;
//! `make exhaust` does so for long.

mod interleaved;

use crate::lives::catch;
use crate::world::operations::Mapping;
use crate::world::{Settings, Space, Use, World};
use machine::sabotage::Sabotage;
use machine::shape::Shape;
use mm::{Frame, PAGE_SIZE, PageRange, Placement, Protection, RemapPlacement, VirtAddr};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Instant;

/// Two pages of one table, the first of the next table, one below another entry of the root.
const PAGES: [u64; 4] = [0x5f_f000, 0x5f_e000, 0x60_0000, 0x4000_0000];
/// Where pages move to.
const ELSEWHERE: u64 = 0x8000_0000;
/// So many spaces live at once.
const SPACES: usize = 3;
/// Steps of the search in `make test`, and of that for stories of sabotages.
const DEPTH: u64 = 4;
const DEPTH_OF_STORIES: u64 = 3;

/// What a space can do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Fork,
    /// fork(2) with the stack on the first page.
    ForkWithStack,
    Store(u64),
    Load(u64),
    Unmap(u64, u64),
    Protect(u64, u64),
    Allow(u64, u64),
    Discard(u64, u64),
    Move(u64),
    Exit,
}

/// All of it.
const STEPS: [Step; 16] = [
    Step::Fork,
    Step::ForkWithStack,
    Step::Store(PAGES[0]),
    Step::Store(PAGES[1]),
    Step::Store(PAGES[3]),
    Step::Load(PAGES[0]),
    Step::Load(PAGES[2]),
    Step::Unmap(PAGES[0], 1),
    Step::Unmap(PAGES[1], 3),
    Step::Unmap(PAGES[3], 1),
    Step::Protect(PAGES[0], 1),
    Step::Allow(PAGES[0], 1),
    Step::Discard(PAGES[1], 2),
    Step::Move(PAGES[0]),
    Step::Move(PAGES[3]),
    Step::Exit,
];

/// A step, and whose.
type Act = (usize, Step);

fn acts(spaces: usize) -> impl Iterator<Item = Act> {
    (0..spaces).flat_map(|space| STEPS.into_iter().map(move |step| (space, step)))
}

/// As a story: one line for each step.
fn story(history: &[Act]) -> String {
    let lines = history
        .iter()
        .map(|(space, step)| format!("  space {space}: {step:x?}\n"));
    lines.collect()
}

/// A history under way: space n runs on processor n.
struct Run {
    world: Rc<World>,
    spaces: Vec<Option<Rc<Space>>>,
}

impl Run {
    fn begin(sabotage: Option<Sabotage>) -> Run {
        let world = World::new(Settings {
            frames: 72,
            sabotage,
            is_caught: true,
            ..Settings::new(7)
        });
        let hot = PAGES.into_iter().chain([ELSEWHERE]);
        world.mmu().set_hot(hot.collect());
        let space = world.spawn(0).expect("frames for one space");
        world.run(0, &space);
        for (start, pages) in [(PAGES[1], 3), (PAGES[3], 1)] {
            let mapping = Mapping::anonymous(Protection::READ_WRITE);
            world.map(0, &space, Placement::Fixed(VirtAddr(start)), pages, &mapping);
        }
        for page in [PAGES[0], PAGES[1], PAGES[3]] {
            world.access(0, VirtAddr(page), 0, Use::Store(world.fresh_value()));
        }
        let mut spaces = vec![None; SPACES];
        spaces[0] = Some(space);
        Run { world, spaces }
    }

    /// The space does the step on its processor; false if it cannot.
    fn act(&mut self, (number, step): Act) -> bool {
        let Some(space) = self.spaces[number].clone() else {
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
            Done::Ended => self.spaces[number] = None,
            Done::Forked(space) => {
                if let Some(child) = child {
                    self.world.run(child, &space);
                    self.spaces[child] = Some(space);
                }
            }
        }
        true
    }

    fn shape(&self) -> u64 {
        let frames = self.world.memory.frames();
        let about = |frame: u32| (frames.count(Frame(frame)), frames.record(Frame(frame)));
        let mut shape = Shape::new(self.world.mmu(), &about);
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
        for cpu in 0..SPACES {
            shape.remembered(cpu, &roots);
        }
        shape.finish()
    }

    /// Everybody sees what he should, and nothing is lost.
    fn end(self) {
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

/// What became of a step.
enum Done {
    Nothing,
    Changed,
    Ended,
    Forked(Rc<Space>),
}

fn perform(world: &World, cpu: usize, space: &Rc<Space>, step: Step) -> Done {
    let range = |start, pages: u64| PageRange::new(VirtAddr(start), pages * PAGE_SIZE as u64).expect("pages");
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
        Step::Load(page) => {
            world.access(cpu, VirtAddr(page), 0, Use::Load);
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
            world.remap(
                cpu,
                space,
                range(page, 1),
                1,
                RemapPlacement::Fixed(VirtAddr(ELSEWHERE)),
            );
        }
    }
    Done::Changed
}

/// Plays a history from the start: the shape that it comes to, `None` if its last step cannot be; or the complaint.
fn replay(history: &[Act], sabotage: Option<Sabotage>) -> Result<Option<u64>, String> {
    catch(|| {
        let mut run = Run::begin(sabotage);
        let mut is_history = true;
        for act in history {
            run.world.mmu().warm_all();
            is_history &= run.act(*act);
        }
        run.world.mmu().warm_all();
        let shape = is_history.then(|| run.shape());
        run.end();
        shape
    })
}

/// What a search found.
struct Found {
    /// New states after each number of steps.
    states: Vec<usize>,
    /// Histories that were played.
    played: u64,
    /// Shortest histories to the states of the last number of steps: the search is complete if there are none.
    last: Vec<Vec<Act>>,
}

/// Searches `depth` steps far.
///
/// # Errors
/// The shortest history that somebody complained of, and the complaint.
fn search(depth: u64, sabotage: Option<Sabotage>) -> Result<Found, (Vec<Act>, String)> {
    let first = replay(&[], sabotage).map_err(|complaint| (Vec::new(), complaint))?;
    let mut seen: HashSet<u64> = first.into_iter().collect();
    let mut found = Found {
        states: vec![1],
        played: 1,
        last: vec![Vec::new()],
    };
    for _ in 0..depth {
        let mut next = Vec::new();
        for history in &found.last {
            for act in acts(SPACES) {
                let history: Vec<Act> = history.iter().copied().chain([act]).collect();
                found.played += 1;
                match replay(&history, sabotage) {
                    Err(complaint) => return Err((history, complaint)),
                    Ok(Some(shape)) if seen.insert(shape) => next.push(history),
                    Ok(_) => {}
                }
            }
        }
        found.states.push(next.len());
        found.last = next;
        if found.last.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|value| value.parse().ok());
    given.unwrap_or(otherwise)
}

#[test]
fn every_short_history_is_right() {
    let begun = Instant::now();
    let depth = number("HOLSTEIN_DEPTH", DEPTH);
    match search(depth, None) {
        Ok(found) => println!(
            "{} histories, new states after 0, 1, 2 ... steps: {:?}{}, {:?}",
            found.played,
            found.states,
            if found.last.is_empty() {
                ": all there are"
            } else {
                ""
            },
            begun.elapsed()
        ),
        Err((history, complaint)) => panic!("{}{complaint}", story(&history)),
    }
}

/// Sabotages that no history of these steps can show: they want a roll-over of ASIDs, text, a second thread, a table that moves whole, or
/// pages that go out.
const BEYOND: [Sabotage; 12] = [
    Sabotage::LocalOnly,
    Sabotage::SwallowVaae1is,
    Sabotage::Vaae1isOfOneAsid,
    Sabotage::SwallowVmalle1is,
    Sabotage::LoseSwappedCopy,
    Sabotage::SwallowVmalle1,
    Sabotage::Vmalle1OfNeighbour,
    Sabotage::OpenMovedTable,
    Sabotage::SwallowFlushOfMovedTable,
    Sabotage::ClearPxn,
    Sabotage::ClearUxn,
    Sabotage::SwallowSyncIcache,
];

#[test]
fn sabotages_have_short_stories() {
    let only = std::env::var("HOLSTEIN_SABOTAGE").ok();
    let mut without = Vec::new();
    for sabotage in Sabotage::ALL {
        let name = format!("{sabotage:?}");
        if only
            .as_ref()
            .map_or(BEYOND.contains(&sabotage), |only| *only != name)
        {
            continue;
        }
        match search(DEPTH_OF_STORIES, Some(sabotage)) {
            Ok(_) => without.push(name),
            Err((history, complaint)) => {
                println!(
                    "{name}:\n{}  {}",
                    story(&history),
                    complaint.lines().next().unwrap_or_default()
                );
            }
        }
    }
    assert!(without.is_empty(), "no story shows {without:?}");
}
