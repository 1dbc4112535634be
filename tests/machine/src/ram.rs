//! The machine's RAM as the buddy allocator would hand it out: runs from the start, single frames that came back.

use alloc::boxed::Box;
use alloc::vec::Vec;
use mm::{Frame, FrameInfos, FrameRun, FrameSource, FrameWord, Frames};
use spin::Mutex;

/// Frames that nobody has asked for yet.
pub struct Ram {
    first: Frame,
    infos: FrameInfos,
    state: Mutex<State>,
}

struct State {
    next: u32,
    end: u32,
    returned: Vec<FrameRun>,
}

impl Ram {
    /// `count` frames from `first`. `Frames` wants them for ever, as they are on the board.
    pub fn leak(first: Frame, count: usize) -> &'static Ram {
        let words = || (0..count).map(|_| FrameWord::default()).collect::<Vec<_>>();
        let infos = FrameInfos {
            counts: words().leak(),
            words: words().leak(),
        };
        let state = State {
            next: first.0,
            end: first.0 + count as u32,
            returned: Vec::new(),
        };
        Box::leak(Box::new(Ram {
            first,
            infos,
            state: Mutex::new(state),
        }))
    }

    /// The heart's view of these frames.
    pub fn frames(&'static self) -> Frames {
        Frames::new(self.first, self.infos, self)
    }

    /// All frames.
    pub fn all(&self) -> impl Iterator<Item = Frame> {
        (self.first.0..self.first.0 + self.infos.counts.len() as u32).map(Frame)
    }
}

impl FrameSource for Ram {
    fn take(&self, wanted: usize) -> Option<FrameRun> {
        let mut state = self.state.lock();
        if let Some(run) = state.returned.pop() {
            return Some(run);
        }
        let len = (wanted as u32).min(state.end - state.next);
        let run = FrameRun {
            first: Frame(state.next),
            len: len as usize,
        };
        state.next += len;
        (len > 0).then_some(run)
    }

    fn give(&self, run: FrameRun) {
        self.state.lock().returned.push(run);
    }

    fn spare(&self) -> usize {
        let state = self.state.lock();
        (state.end - state.next) as usize + state.returned.iter().map(|run| run.len).sum::<usize>()
    }
}
