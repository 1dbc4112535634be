//! The reference counts of frames, the free stacks and the ASIDs under every interleaving that the memory model allows, by loom:
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mm --test counts --release`
//!
//! Without loom the same stories run on real threads, many times over, which proves less but needs nothing.

mod asids;

use mm::{
    Asid, Counters, Descriptor, Event, Frame, FrameInfos, FrameRun, FrameSource, FrameWord, Frames,
    FreeChain, MAX_CPUS, Mmu, Row, VirtAddr,
};
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(loom)]
use loom::{sync::Arc, thread};
#[cfg(not(loom))]
use std::{sync::Arc, thread};

/// Runs `story` under all interleavings, or many times.
fn explore(story: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    loom::model(story);
    #[cfg(not(loom))]
    (0..2_000).for_each(|_| story());
}

/// As [`explore`], for a story of too many steps: all interleavings with at most two switches that nobody waits for.
fn explore_some(story: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(story);
    }
    #[cfg(not(loom))]
    explore(story);
}

const FIRST: Frame = Frame(100);

/// Two frames, handed out one by one.
struct Source {
    taken: std::sync::Mutex<u32>,
}

impl FrameSource for Source {
    fn take(&self, _wanted: usize) -> Option<FrameRun> {
        let mut taken = self.taken.lock().unwrap();
        *taken += 1;
        (*taken <= 2).then(|| FrameRun {
            first: Frame(FIRST.0 + *taken - 1),
            len: 1,
        })
    }

    fn give(&self, _run: FrameRun) {
        *self.taken.lock().unwrap() -= 1;
    }

    fn spare(&self) -> usize {
        2_usize.saturating_sub(*self.taken.lock().unwrap() as usize)
    }
}

/// One processor of a machine that has nothing but frames.
struct Processor(usize);

/// How often each processor cleared its TLB: no part of the model.
static CLEARED: [AtomicUsize; MAX_CPUS] = [const { AtomicUsize::new(0) }; MAX_CPUS];

/// No part of the model either.
static COUNTERS: [Counters; MAX_CPUS] = [const { Counters::new() }; MAX_CPUS];

impl Mmu for Processor {
    fn cpu(&self) -> usize {
        self.0
    }

    fn counters(&self) -> &Counters {
        &COUNTERS[self.0]
    }

    fn counted(&self, event: Event) -> u64 {
        COUNTERS.iter().map(|counters| counters.get(event)).sum()
    }

    fn junk_frame(&self, _frame: Frame) {}

    fn zero_frame(&self, _frame: Frame) {}

    fn load(&self, _table: Frame, _index: usize) -> Descriptor {
        unreachable!("no tables here")
    }

    fn store(&self, _table: Frame, _index: usize, _descriptor: Descriptor) {
        unreachable!("no tables here")
    }

    fn dmb_ishst(&self) {}

    fn dsb_ishst(&self) {}

    fn dsb_ish(&self) {}

    fn tlbi_aside1is(&self, _asid: Asid) {}

    fn tlbi_vae1is(&self, _asid: Asid, _address: VirtAddr) {}

    fn tlbi_vale1is(&self, _asid: Asid, _address: VirtAddr) {}

    fn tlbi_vaae1is(&self, _address: VirtAddr) {}

    fn tlbi_vmalle1is(&self) {}

    fn tlbi_vae1_local(&self, _asid: Asid, _address: VirtAddr) {}

    fn tlbi_vmalle1_local(&self) {
        CLEARED[self.0].fetch_add(1, Ordering::Relaxed);
    }

    fn copy_frame(&self, _from: Frame, _to: Frame) {}

    fn sync_icache(&self, _frame: Frame) {}
}

/// The frames, for the threads of a story.
fn two_frames() -> Arc<Frames> {
    let words = || Box::leak(Box::new([FrameWord::default(), FrameWord::default()]));
    let infos = FrameInfos {
        counts: words(),
        words: words(),
    };
    let source: &'static Source = Box::leak(Box::new(Source {
        taken: std::sync::Mutex::new(0),
    }));
    Arc::new(Frames::new(FIRST, infos, source))
}

/// How often a frame was freed since one of the two was allocated.
fn frees(frames: &Frames) -> usize {
    frames.free_count() - 1
}

#[test]
fn the_last_of_two_releases_frees_once() {
    explore(|| {
        let frames = two_frames();
        let frame = frames.allocate(&Processor(0)).unwrap();
        frames.share(frame);
        let other = {
            let frames = frames.clone();
            thread::spawn(move || frames.release(&Processor(1), frame))
        };
        frames.release(&Processor(0), frame);
        other.join().unwrap();
        assert_eq!((frees(&frames), frames.count(frame)), (1, 0));
    });
}

#[test]
fn sharing_and_releasing_at_once_lose_nothing() {
    explore(|| {
        let frames = two_frames();
        let frame = frames.allocate(&Processor(0)).unwrap();
        frames.share(frame);
        // Each holds one reference, takes a second, and drops both.
        let other = {
            let frames = frames.clone();
            thread::spawn(move || {
                frames.share(frame);
                frames.release(&Processor(1), frame);
                frames.release(&Processor(1), frame);
            })
        };
        frames.share(frame);
        frames.release(&Processor(0), frame);
        assert!(frames.count(frame) >= 1);
        assert_eq!(frees(&frames), 0);
        other.join().unwrap();
        assert_eq!(frames.count(frame), 1);
        frames.release(&Processor(0), frame);
        assert_eq!((frees(&frames), frames.count(frame)), (1, 0));
    });
}

/// A count of 1, read by the holder, stays 1: nobody else can take a reference. And it may stay above 1 only for as long as
/// somebody else holds one: both sharers of a frame may copy, never may both reuse it.
#[test]
fn a_count_of_one_is_stable_and_belongs_to_one() {
    explore(|| {
        let frames = two_frames();
        let frame = frames.allocate(&Processor(0)).unwrap();
        frames.share(frame);
        // A write fault of each sharer: alone, it keeps the frame; else it copies and drops its reference.
        let fault = move |frames: &Frames, number: usize| {
            let is_alone = frames.count(frame) == 1;
            if is_alone {
                assert_eq!(frames.count(frame), 1);
            } else {
                frames.release(&Processor(number), frame);
            }
            is_alone
        };
        let other = {
            let frames = frames.clone();
            thread::spawn(move || fault(&frames, 1))
        };
        let is_mine = fault(&frames, 0);
        let is_theirs = other.join().unwrap();
        assert!(!(is_mine && is_theirs), "both reuse the frame");
        let left = u32::from(is_mine || is_theirs);
        assert_eq!((frames.count(frame), frees(&frames)), (left, 1 - left as usize));
    });
}

#[test]
fn three_sharers_release_at_once() {
    explore_some(|| {
        let frames = two_frames();
        let frame = frames.allocate(&Processor(0)).unwrap();
        frames.share(frame);
        frames.share(frame);
        let others = [1, 2].map(|number| {
            let frames = frames.clone();
            thread::spawn(move || frames.release(&Processor(number), frame))
        });
        frames.release(&Processor(0), frame);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!((frees(&frames), frames.count(frame)), (1, 0));
    });
}

/// A frame that two share, its content, and the second sharer, which reads that and lets go.
#[cfg(loom)]
fn read_and_let_go() -> (
    Arc<Frames>,
    Frame,
    Arc<loom::cell::UnsafeCell<u64>>,
    thread::JoinHandle<()>,
) {
    let frames = two_frames();
    let content = Arc::new(loom::cell::UnsafeCell::new(7_u64));
    let frame = frames.allocate(&Processor(0)).unwrap();
    frames.share(frame);
    let other = {
        let (frames, content) = (frames.clone(), content.clone());
        thread::spawn(move || {
            content.with(|_| ());
            frames.release(&Processor(1), frame);
        })
    };
    (frames, frame, content, other)
}

/// What a sharer read from the frame before it let go is read before the last owner, who sees the count 1, writes to it.
#[cfg(loom)]
#[test]
fn reading_one_acquires_what_the_other_did_before_its_release() {
    explore(|| {
        let (frames, frame, content, other) = read_and_let_go();
        if frames.count(frame) == 1 {
            content.with_mut(|_| ());
        }
        other.join().unwrap();
        frames.release(&Processor(0), frame);
    });
}

/// What a sharer read before it let go of a frame is read before whoever gets that frame next writes to it.
#[cfg(loom)]
#[test]
fn a_freed_frame_was_read_before() {
    explore(|| {
        let (frames, frame, content, other) = read_and_let_go();
        frames.release(&Processor(0), frame);
        if frames.allocate(&Processor(0)) == Ok(frame) {
            content.with_mut(|_| ());
        }
        other.join().unwrap();
    });
}

/// A sharer of both frames lets go of them at once.
fn release_both(frames: &Frames, number: usize) {
    let mut chain = FreeChain::default();
    let row = Row {
        first: Descriptor::page([FIRST, Frame(FIRST.0 + 1)][number]),
        step: [1 << 12, (1_u64 << 12).wrapping_neg()][number],
        change: 0,
    };
    frames.release_row(&Processor(number), &row, 2, &mut chain);
    frames.free_chain(&Processor(number), chain);
}

#[test]
fn rows_released_at_once_are_freed_once() {
    explore(|| {
        let frames = two_frames();
        let all = [(); 2].map(|()| frames.allocate(&Processor(0)).unwrap());
        all.into_iter().for_each(|frame| frames.share(frame));
        let other = {
            let frames = frames.clone();
            thread::spawn(move || release_both(&frames, 1))
        };
        release_both(&frames, 0);
        other.join().unwrap();
        assert_eq!(all.map(|frame| frames.count(frame)), [0, 0]);
        assert_eq!(frames.free_count(), 2);
        let again = [(); 2].map(|()| frames.allocate(&Processor(0)).unwrap());
        assert_ne!(again[0], again[1]);
    });
}

/// What a sharer read before it let go of a row is read before whoever gets a frame of it next writes to that.
#[cfg(loom)]
#[test]
fn a_freed_row_was_read_before() {
    explore_some(|| {
        let frames = two_frames();
        let content = Arc::new(loom::cell::UnsafeCell::new(7_u64));
        for frame in [(); 2].map(|()| frames.allocate(&Processor(0)).unwrap()) {
            frames.share(frame);
        }
        let other = {
            let (frames, content) = (frames.clone(), content.clone());
            thread::spawn(move || {
                content.with(|_| ());
                release_both(&frames, 1);
            })
        };
        release_both(&frames, 0);
        if frames.allocate(&Processor(0)) == Ok(FIRST) {
            content.with_mut(|_| ());
        }
        other.join().unwrap();
    });
}

/// One processor looks for frames on the stack of another, which puts one there.
#[test]
fn a_frame_freed_here_is_found_there() {
    explore(|| {
        let frames = two_frames();
        let [mine, theirs] = [(); 2].map(|()| frames.allocate(&Processor(0)).unwrap());
        let other = {
            let frames = frames.clone();
            thread::spawn(move || frames.release(&Processor(1), theirs))
        };
        let found = frames.allocate(&Processor(0));
        other.join().unwrap();
        assert!(found.is_err() || found == Ok(theirs));
        assert_eq!(frames.free_count(), usize::from(found.is_err()));
        frames.release(&Processor(0), mine);
    });
}

/// Two processors give the free frames back to the source at once: each frame once. The source panics otherwise.
#[test]
fn frames_go_back_to_the_source_once() {
    explore_some(|| {
        let frames = two_frames();
        let all = [(); 2].map(|()| frames.allocate(&Processor(0)).unwrap());
        for (number, frame) in all.into_iter().enumerate() {
            frames.release(&Processor(number), frame);
        }
        let other = {
            let frames = frames.clone();
            thread::spawn(move || frames.replenish_source(usize::MAX))
        };
        frames.replenish_source(usize::MAX);
        other.join().unwrap();
        assert_eq!(frames.free_count(), 2);
    });
}
