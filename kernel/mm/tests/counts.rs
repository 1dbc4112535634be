//! The reference counts of frames under every interleaving that the memory model allows, by loom:
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mm --test counts --release`
//!
//! Without loom the same stories run on real threads, many times over, which proves less but needs nothing.

use mm::{Asid, Descriptor, Frame, FrameInfo, FrameRun, FrameSource, Frames, Mmu, VirtAddr};

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

impl Mmu for Processor {
    fn cpu(&self) -> usize {
        self.0
    }

    fn junk_frame(&self, _frame: Frame) {}

    fn zero_frame(&self, _frame: Frame) {}

    fn load(&self, _table: Frame, _index: usize) -> Descriptor {
        unreachable!("no tables here")
    }

    fn store(&self, _table: Frame, _index: usize, _descriptor: Descriptor) {
        unreachable!("no tables here")
    }

    fn dsb_ishst(&self) {}

    fn dsb_ish(&self) {}

    fn tlbi_aside1is(&self, _asid: Asid) {}

    fn tlbi_vae1is(&self, _asid: Asid, _address: VirtAddr) {}

    fn tlbi_vale1is(&self, _asid: Asid, _address: VirtAddr) {}

    fn tlbi_vae1_local(&self, _asid: Asid, _address: VirtAddr) {}

    fn tlbi_vmalle1_local(&self) {}

    fn copy_frame(&self, _from: Frame, _to: Frame) {}

    fn sync_icache(&self, _frame: Frame) {}
}

/// The frames, for the threads of a story.
fn two_frames() -> Arc<Frames> {
    let infos: &'static [FrameInfo] = Box::leak(Box::new([FrameInfo::default(), FrameInfo::default()]));
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
    explore(|| {
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

/// What a sharer read from the frame before it let go is read before the last owner, who sees the count 1, writes to it.
#[cfg(loom)]
#[test]
fn reading_one_acquires_what_the_other_did_before_its_release() {
    explore(|| {
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
        if frames.count(frame) == 1 {
            content.with_mut(|_| ());
        }
        other.join().unwrap();
        frames.release(&Processor(0), frame);
    });
}
