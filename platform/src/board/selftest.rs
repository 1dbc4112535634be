//! The board proves itself before the kernel relies on it: the boot processor by itself, then with each other processor as soon as
//! that runs and before it goes to the kernel. What fails is told, and stops nobody.
//!
//! The other one does what it is told to ([`serve`]), one thing at a time: both see each other's stores through [`TASK`].

use super::check::{Check, duration, note};
use crate::devices::gic;
use crate::interrupt::RESCHEDULE;
use crate::memory::kernel_tables::Rights;
use crate::memory::stacks::{self, STACK_SIZE, Stack};
use crate::memory::{self, ram};
use crate::{arch, console, timer};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use mm::PAGE_SIZE;

/// What a processor is told to do.
const NOTHING: u32 = 0;
const READ_COUNTER: u32 = 1;
const ANSWER_INTERRUPT: u32 = 2;
const COUNT: u32 = 3;
const LOAD: u32 = 4;
const CALL: u32 = 5;
const ALARM: u32 = 6;
const GO: u32 = 7;

static TASK: AtomicU32 = AtomicU32::new(NOTHING);
/// With it, or what came of it.
static WORD: AtomicU64 = AtomicU64::new(0);
/// What two processors count in at once.
static SHARED: AtomicU64 = AtomicU64::new(0);
/// How often each does.
const COUNTS: u64 = 1000;
/// How long the other one may take: a second, for an emulator that has other things to do.
const PATIENCE_NANOS: u64 = 1_000_000_000;

/// Waits until `is_done`; whether it was.
fn wait_until(is_done: impl Fn() -> bool) -> bool {
    let end = timer::ticks().saturating_add(timer::nanos_to_ticks(PATIENCE_NANOS));
    while !is_done() {
        if timer::ticks() > end {
            return false;
        }
        arch::relax();
    }
    true
}

/// What the boot processor can try alone. Its alarm is as it was afterwards.
pub(crate) fn alone() {
    let alarm = timer::save_alarm();
    note(0, Check::Alarm, rings());
    if let Some(is_good) = console::loops_back(|number| takes(Some(number))) {
        note(0, Check::Loopback, is_good);
    }
    timer::restore_alarm(alarm);
}

/// Whether an alarm a millisecond ahead raises the timer's interrupt, and no sooner.
fn rings() -> bool {
    let at = timer::ticks() + timer::nanos_to_ticks(1_000_000);
    timer::set_alarm(at);
    let came = takes(crate::interrupt::timer());
    let is_due = timer::ticks() >= at;
    timer::clear_alarm();
    came && is_due
}

/// Waits for an interrupt, and takes it: whether it is that one. Another one, of a device, comes again.
fn takes(wanted: Option<u32>) -> bool {
    wait_until(|| {
        arch::is_interrupt_pending()
            && gic::acknowledge().is_some_and(|taken| {
                let is_wanted = Some(gic::number(taken)) == wanted;
                if is_wanted {
                    timer::clear_alarm();
                }
                gic::end(taken);
                is_wanted
            })
    })
}

/// The life of another processor until it may go to the kernel.
pub(crate) fn serve() {
    loop {
        if !wait_until(|| TASK.load(Ordering::Acquire) != NOTHING) {
            return;
        }
        let task = TASK.load(Ordering::Acquire);
        let word = WORD.load(Ordering::Relaxed);
        WORD.store(perform(task, word), Ordering::Relaxed);
        TASK.store(NOTHING, Ordering::Release);
        if task == GO {
            return;
        }
    }
}

fn perform(task: u32, word: u64) -> u64 {
    match task {
        READ_COUNTER => timer::ticks(),
        ANSWER_INTERRUPT => {
            let came = takes(Some(RESCHEDULE));
            gic::send(RESCHEDULE, 0);
            u64::from(came)
        }
        COUNT => {
            count();
            0
        }
        LOAD => load(word as usize),
        CALL => arch::call(word as usize),
        ALARM => u64::from(rings()),
        _ => 0,
    }
}

fn count() {
    for _ in 0..COUNTS {
        SHARED.fetch_add(1, Ordering::Relaxed);
    }
}

/// The word at an address that `Page::new` mapped.
fn load(address: usize) -> u64 {
    // SAFETY: mapped and aligned (`Page`); nobody writes there meanwhile.
    unsafe { core::ptr::with_exposed_provenance::<u64>(address).read_volatile() }
}

fn tell(task: u32, word: u64) {
    WORD.store(word, Ordering::Relaxed);
    TASK.store(task, Ordering::Release);
}

/// What the other one made of it; `None` if it does not answer.
fn hear() -> Option<u64> {
    wait_until(|| TASK.load(Ordering::Acquire) == NOTHING).then(|| WORD.load(Ordering::Relaxed))
}

fn ask(task: u32, word: u64) -> Option<u64> {
    tell(task, word);
    hear()
}

/// Tries everything with processor `other`, which [`serve`]s, and lets it go.
pub(crate) fn with(other: usize) {
    let alarm = timer::save_alarm();
    timer::clear_alarm();
    note(other, Check::Alarm, ask(ALARM, 0) == Some(1));
    let end = timer::ticks() + timer::nanos_to_ticks(duration());
    loop {
        note(other, Check::Counter, counters_agree());
        note(other, Check::Interrupts, interrupts_pass(other));
        note(other, Check::Exclusives, counts_add_up());
        if let Some(is_good) = Page::try_new().map(|page| page.is_seen_anew()) {
            note(other, Check::Translation, is_good);
        }
        if let Some(is_good) = Page::try_new().map(|page| page.runs_anew()) {
            note(other, Check::Instructions, is_good);
        }
        if timer::ticks() >= end {
            break;
        }
    }
    ask(GO, 0);
    timer::restore_alarm(alarm);
}

fn counters_agree() -> bool {
    let before = timer::ticks();
    let theirs = ask(READ_COUNTER, 0);
    let after = timer::ticks();
    theirs.is_some_and(|theirs| (before..=after).contains(&theirs))
}

fn interrupts_pass(other: usize) -> bool {
    tell(ANSWER_INTERRUPT, 0);
    gic::send(RESCHEDULE, other);
    let came_back = takes(Some(RESCHEDULE));
    hear() == Some(1) && came_back
}

fn counts_add_up() -> bool {
    SHARED.store(0, Ordering::Relaxed);
    tell(COUNT, 0);
    count();
    hear().is_some() && SHARED.load(Ordering::Relaxed) == 2 * COUNTS
}

/// Two frames, of which one at a time is seen at an address of the kernel, in the unmapped half of a stack's slot.
struct Page {
    stack: Option<Stack>,
    frames: Option<ram::Block>,
}

impl Page {
    fn try_new() -> Option<Page> {
        let stack = Stack::take().ok();
        let frames = ram::take(2 * PAGE_SIZE).ok();
        // Half of it is given back by the drop.
        let page = Page { stack, frames };
        (page.stack.is_some() && page.frames.is_some()).then_some(page)
    }

    fn address(&self) -> usize {
        self.stack
            .as_ref()
            .map_or(0, |stack| stack.range().start - STACK_SIZE)
    }

    /// Writes a word to the start of a frame, by the linear map.
    fn write(&self, frame: usize, word: u64) {
        let Some(frames) = &self.frames else { return };
        let at = frames.address() + frame * PAGE_SIZE;
        // SAFETY: RAM in the linear map that is ours.
        unsafe { core::ptr::with_exposed_provenance_mut::<u64>(at).write_volatile(word) }
    }

    /// Shows a frame at the address while `look` does.
    fn show<R>(&self, frame: usize, rights: Rights, look: impl FnOnce(usize) -> R) -> Option<R> {
        let physical = self.frames.as_ref()?.physical();
        let range = self.address()..self.address() + PAGE_SIZE;
        let to = mm::PhysAddr(physical.0 + (frame * PAGE_SIZE) as u64);
        memory::kernel_tables()
            .map(range.clone(), to, rights, &mut || None)
            .ok()?;
        let result = look(range.start);
        memory::kernel_tables().unmap(range);
        Some(result)
    }

    /// Whether both processors see the other frame once it stands where the first one stood.
    fn is_seen_anew(&self) -> bool {
        (0..2).all(|frame| {
            let word = 0x5eed + frame as u64;
            self.write(frame, word);
            let seen = self.show(frame, Rights::Constants, |at| (load(at), ask(LOAD, at as u64)));
            seen == Some((word, Some(word)))
        })
    }

    /// Whether both processors run an instruction that was written over another one.
    fn runs_anew(&self) -> bool {
        let seen = self.show(0, Rights::Text, |at| {
            (1..=2).all(|number| {
                self.write(0, arch::function_that_returns(number));
                arch::sync_instructions(at, 8);
                arch::call(at) == u64::from(number) && ask(CALL, at as u64) == Some(number.into())
            })
        });
        seen == Some(true)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.stack.take().into_iter().for_each(stacks::give_back);
        self.frames.take().into_iter().for_each(ram::give_back);
    }
}
