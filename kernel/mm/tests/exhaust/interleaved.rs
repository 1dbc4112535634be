//! Two at once: while a space does a step, somebody else acts at each of its points.

use super::cast::{Act, MEMORY, SECOND_THREAD, Step, story};
use super::run::{Done, Run, perform};
use super::{PAGES, number};
use crate::lives::catch;
use crate::world::{Space, Use, World};
use machine::greed::Luck;
use mm::VirtAddr;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

/// What another processor does in the middle of a step: an act of another space, or a use of memory by a second thread of the first.
type Second = (usize, Act);

/// Plays `before`, then `first` with `second` at the point numbered `at`; how many points there are.
fn interleave(before: &[Act], first: Act, second: Option<Second>, at: u32) -> Result<u32, String> {
    let points = Rc::new(Cell::new(0_u32));
    let seen = Rc::clone(&points);
    catch(move || {
        let mut run = Run::begin(&MEMORY, None);
        if let Some(space) = &run.spaces[0] {
            run.world.run(SECOND_THREAD, space);
        }
        for act in before {
            run.world.mmu().warm_all();
            if !run.act(*act) {
                break;
            }
        }
        let world = Rc::clone(&run.world);
        world.mmu().warm_all();
        world.mmu().interrupt_each_read(true);
        let spaces = run.spaces.clone();
        let late: Rc<RefCell<Option<(usize, Done)>>> = Rc::default();
        let (others, outcome, points) = (Rc::downgrade(&world), Rc::clone(&late), Rc::clone(&seen));
        world.mmu().set_interloper(Some(Rc::new(move || {
            let Some(world) = others.upgrade() else { return };
            if !world.is_busy() || outcome.borrow().is_some() {
                return;
            }
            points.set(points.get() + 1);
            let (true, Some((cpu, (number, step)))) = (points.get() == at, second) else {
                return;
            };
            *outcome.borrow_mut() = Some((number, Done::Nothing));
            let Some(space) = &spaces[number] else { return };
            world.mmu().warm_all();
            let done = meddle(&world, cpu, space, step);
            *outcome.borrow_mut() = Some((number, done));
        })));
        run.act(first);
        world.mmu().set_interloper(None);
        match late.borrow_mut().take() {
            Some((number, Done::Ended)) => run.spaces[number] = None,
            Some((_, Done::Forked(child))) => {
                if let Some(free) = run.spaces.iter().position(Option::is_none) {
                    world.run(free, &child);
                    run.spaces[free] = Some(child);
                }
            }
            _ => {}
        }
        world.mmu().warm_all();
        drop(world);
        run.end();
    })?;
    Ok(points.get())
}

/// What somebody else does: who finds the space at work uses its memory, and does no more.
fn meddle(world: &World, cpu: usize, space: &Rc<Space>, step: Step) -> Done {
    if !world.is_locked(space) {
        return perform(world, cpu, space, step);
    }
    let (page, what) = match step {
        Step::Store(page) | Step::StoreByOld(page) => (page, Use::Store(world.fresh_value())),
        Step::Load(page) => (page, Use::Load),
        _ => return Done::Nothing,
    };
    // What has come in the meantime, or what was there before.
    let is_old = matches!(step, Step::StoreByOld(_));
    let luck = if is_old { Luck::Oldest } else { Luck::Youngest };
    world.mmu().set_luck(luck);
    world.access_busy(cpu, space, VirtAddr(page), 0, what);
    world.mmu().set_luck(Luck::Oldest);
    Done::Changed
}

/// Who may act in the middle of a step of `space`.
fn meddlers(space: usize) -> impl Iterator<Item = Second> {
    let others = MEMORY
        .acts(2)
        .filter(move |(other, _)| *other != space)
        .map(|act| (act.0, act));
    let uses = [
        Step::Store(PAGES[0]),
        Step::Store(PAGES[1]),
        Step::Store(PAGES[3]),
        Step::StoreByOld(PAGES[0]),
        Step::StoreByOld(PAGES[1]),
        Step::StoreByOld(PAGES[3]),
        Step::Load(PAGES[0]),
        Step::Load(PAGES[1]),
    ];
    others.chain(uses.map(|step| (SECOND_THREAD, (0, step))))
}

#[test]
fn every_second_act_at_every_point_is_right() {
    let begun = Instant::now();
    let mut before = vec![vec![(0, Step::Fork)]];
    for _ in 0..number("HOLSTEIN_INTERLEAVED", 0) {
        let longer = |history: &Vec<Act>| {
            let history = history.clone();
            MEMORY
                .acts(2)
                .map(move |act| history.iter().copied().chain([act]).collect())
        };
        before = before.iter().flat_map(longer).collect();
    }
    let (mut played, mut most) = (0_u64, 0);
    for history in &before {
        for first in MEMORY.acts(2) {
            let points = interleave(history, first, None, 0).expect("alone it is right");
            most = most.max(points);
            for second in meddlers(first.0) {
                for at in 1..=points {
                    played += 1;
                    if let Err(complaint) = interleave(history, first, Some(second), at) {
                        panic!(
                            "{}in the middle of {first:x?}, at point {at}, {second:x?}:\n{complaint}",
                            story(history)
                        );
                    }
                }
            }
        }
    }
    println!(
        "{played} histories of two at once, up to {most} points each, {:?}",
        begun.elapsed()
    );
}
