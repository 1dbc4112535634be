//! The heart under true parallelism: threads of the host are processors, several of them in each process, and fork, fault,
//! map, protect, unmap, exec and exit as they like. Each thread writes a sequence whose next value and place follow from the
//! one before, so that what a forked child finds tells whether it was made at one moment: of each thread a beginning of its
//! sequence and nothing more. Every so often all stop, and every count is recomputed; at the end every frame is free.
//!
//! `HOLSTEIN_ROUNDS=n` says how often all stop.

mod machine;
mod processor;

use machine::{CPUS, Machine, Sabotage};
use mm::{
    AddressSpace, Asids, Backing, Frame, FrameInfos, FrameRun, FrameSource, FrameWord, Frames, Level,
    MAX_CPUS, MapRequest, Memory, Placement, Protection, Purpose, Sharing, VirtAddr,
};
use processor::run_processor;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};

const FIRST: Frame = Frame(0x100);
const FRAMES: usize = 4_096;
/// Where all threads of a process write, each its own word of each page: across the border of two level-3 tables.
const PAGES: u64 = 0x3f_d000;
const PAGE_COUNT: u64 = 6;
/// Where each thread maps and unmaps pages of its own, in one of the same tables.
const SCRATCH: u64 = 0x50_0000;
const PROCESSES: usize = 6;
/// Steps of each processor between two halts.
const STEPS: usize = 400;

struct Ram {
    next: AtomicU64,
}

impl FrameSource for Ram {
    fn take(&self, wanted: usize) -> Option<FrameRun> {
        let at = self.next.fetch_add(wanted as u64, Ordering::Relaxed) as usize;
        let len = wanted.min(FRAMES.saturating_sub(at));
        (len > 0).then_some(FrameRun {
            first: Frame(FIRST.0 + at as u32),
            len,
        })
    }

    fn give(&self, _run: FrameRun) {
        unreachable!("nobody replenishes here")
    }

    fn spare(&self) -> usize {
        FRAMES.saturating_sub(self.next.load(Ordering::Relaxed) as usize)
    }
}

/// A process: its space with the lock, and how far each thread has come.
struct Process {
    space: Mutex<Option<AddressSpace>>,
    progress: [AtomicU64; CPUS],
    memory: Arc<Memory<Machine>>,
    complaints: Arc<Complaints>,
}

/// The first thing that was found wrong.
#[derive(Default)]
struct Complaints(Mutex<Option<String>>);

impl Complaints {
    fn add(&self, what: String) {
        self.0.lock().unwrap().get_or_insert(what);
    }

    fn are_there(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

impl Process {
    fn with<T>(&self, act: impl FnOnce(&mut AddressSpace) -> T) -> T {
        act(self
            .space
            .lock()
            .unwrap()
            .as_mut()
            .expect("present until the drop"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let space = self
            .space
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match space {
            // What is wrong cannot be torn down.
            Some(space) if self.complaints.are_there() => std::mem::forget(space),
            Some(space) => space.release(&self.memory),
            None => {}
        }
    }
}

/// The page of the `nth` value of a sequence.
fn page_of(nth: u64) -> u64 {
    (nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % PAGE_COUNT
}

/// The word of thread `thread` in a page: both halves of a page are used.
fn word(page: u64, thread: usize) -> VirtAddr {
    VirtAddr(PAGES + (page << 12) + (thread as u64 * 0x408))
}

/// What thread's word in `page` holds when its sequence has come to `last`.
fn expected(page: u64, last: u64) -> u64 {
    (1..=last).rev().find(|nth| page_of(*nth) == page).unwrap_or(0)
}

struct World {
    memory: Arc<Memory<Machine>>,
    processes: Mutex<Vec<Arc<Process>>>,
    complaints: Arc<Complaints>,
    forks: AtomicU64,
}

impl World {
    fn complain(&self, what: String) {
        self.complaints.add(what);
    }

    /// Does `act` unless something is wrong already; a panic is a complaint.
    fn attempt(&self, act: impl FnOnce()) {
        if !self.complaints.are_there() && catch_unwind(AssertUnwindSafe(act)).is_err() {
            self.complain("the heart panics".into());
        }
    }

    fn adopt(&self, space: AddressSpace) -> Arc<Process> {
        Arc::new(Process {
            space: Mutex::new(Some(space)),
            progress: Default::default(),
            memory: Arc::clone(&self.memory),
            complaints: Arc::clone(&self.complaints),
        })
    }

    fn first_process(&self) -> Arc<Process> {
        let process = self.adopt(AddressSpace::new(&self.memory).unwrap());
        process.with(|space| space.map(&self.memory, request(PAGES, PAGE_COUNT)).unwrap());
        process
    }

    /// Every processor rests: each count is the number of descriptors found, and what is shared cannot be written.
    fn audit(&self) {
        let mut found: HashMap<Frame, u32> = HashMap::from([(self.memory.zero_frame(), 1)]);
        for process in self.processes.lock().unwrap().iter() {
            process.with(|space| {
                let root = space.translation_root().0;
                *found.entry(root).or_default() += 1;
                let mut skipped: Option<(Level, u64)> = None;
                space.for_each_entry(&self.memory, |entry| {
                    // Below a table that was counted before everything was counted.
                    if let Some((level, end)) = skipped {
                        if entry.level > level && entry.address.0 < end {
                            return;
                        }
                        skipped = None;
                    }
                    let count = found.entry(entry.descriptor.frame()).or_default();
                    *count += 1;
                    if entry.level < Level::L3 && *count > 1 {
                        skipped = Some((entry.level, entry.address.0 + entry.level.span()));
                    }
                    let is_writable = match entry.level {
                        Level::L3 => entry.descriptor.is_page_writable(),
                        _ => entry.descriptor.is_table_writable(),
                    };
                    if is_writable && entry.count > 1 {
                        self.complain(format!("I1: {entry:?}"));
                    }
                });
            });
        }
        for frame in (FIRST.0..FIRST.0 + FRAMES as u32).map(Frame) {
            let (count, found) = (
                self.memory.frames().count(frame),
                found.get(&frame).copied().unwrap_or(0),
            );
            if count != found {
                self.complain(format!(
                    "{frame:?} has count {count}, {found} references were found"
                ));
            }
        }
    }
}

fn request(start: u64, pages: u64) -> MapRequest {
    MapRequest {
        placement: Placement::Fixed(VirtAddr(start)),
        len: pages << 12,
        protection: Protection::READ_WRITE,
        sharing: Sharing::Private,
        flags: mm::AreaFlags::NONE,
        backing: Backing::Anonymous,
        purpose: Purpose::Mapping,
    }
}

/// `rounds` times [`STEPS`] steps of every processor, an audit after each; the first complaint.
fn live(rounds: usize, sabotage: Option<Sabotage>) -> Option<String> {
    let words = || (0..FRAMES).map(|_| FrameWord::default()).collect::<Vec<_>>();
    let infos = FrameInfos {
        counts: words().leak(),
        words: words().leak(),
    };
    let ram: &'static Ram = Box::leak(Box::new(Ram {
        next: AtomicU64::new(0),
    }));
    let machine = Machine::new(FIRST, FRAMES, sabotage);
    let asids = Asids::new(MAX_CPUS as u32 + 2);
    let memory = Memory::new(machine, Frames::new(FIRST, infos, ram), asids).unwrap();
    let world = World {
        memory: Arc::new(memory),
        processes: Mutex::default(),
        complaints: Arc::default(),
        forks: AtomicU64::new(0),
    };
    let barrier = Barrier::new(CPUS);
    std::thread::scope(|scope| {
        for number in 0..CPUS {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || run_processor(world, barrier, number, rounds));
        }
    });
    world
        .processes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
    let free = world.memory.frames().free_count();
    if free != FRAMES - 1 {
        world.complain(format!("{} frames leak", FRAMES - 1 - free));
    }
    println!(
        "{} forks of processes with threads on {CPUS} processors",
        world.forks.load(Ordering::Relaxed)
    );
    world.complaints.0.lock().unwrap().take()
}

fn rounds() -> usize {
    std::env::var("HOLSTEIN_ROUNDS").map_or(200, |text| text.parse().expect("a number"))
}

#[test]
fn parallel_lives_are_right() {
    if let Some(complaint) = live(rounds(), None) {
        panic!("{complaint}");
    }
}

/// Each rule of this machine is needed, and would be missed.
#[test]
fn every_sabotage_is_noticed() {
    for sabotage in [
        Sabotage::LocalOnly,
        Sabotage::SwallowVmalle1,
        Sabotage::LosePageWriteProtect,
    ] {
        let complaint = (0..20).find_map(|_| live(2, Some(sabotage)));
        println!("{sabotage:?}: {complaint:?}");
        assert!(complaint.is_some(), "{sabotage:?} is not noticed");
    }
}
