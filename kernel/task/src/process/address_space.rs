//! The address space of a process.

use super::Process;
use alloc::sync::Arc;
use mm::{AddressSpace, PAGE_SIZE};
use sched::NextSpace;
use sched::space::Space;

impl Process {
    /// The process's address space; `None` once it has ended.
    #[inline(always)]
    pub fn space(&self) -> Option<Arc<Space>> {
        self.space.lock().clone()
    }

    /// The process's address space, for a processor that is in the one with the identity `entered`.
    #[inline]
    pub fn next_space(&self, entered: usize) -> NextSpace {
        match &*self.space.lock() {
            Some(space) if Space::identity(space) == entered => NextSpace::Same,
            Some(space) => NextSpace::Other(space.clone()),
            None => NextSpace::Nowhere,
        }
    }

    /// Works on the address space under its lock; `None` once the process has ended. The process's own lock is held as well,
    /// and is always taken first: that is less work than to hold the space by a reference.
    #[inline]
    pub fn with_space<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> Option<R> {
        let space = self.space.lock();
        Some(space.as_ref()?.with_of_process(work))
    }

    /// Moves the process, with its only thread, to another address space. The old one is given back to be dropped when the
    /// caller has left it.
    pub fn replace_space(&self, new: Arc<Space>) -> Option<Arc<Space>> {
        new.enter();
        let old = self.space.lock().replace(new);
        if let Some(space) = &old {
            space.leave();
        }
        old
    }

    /// All threads have left the address space: it is released unless other processes live in it.
    pub(super) fn drop_space(&self) {
        let space = self.space.lock().take();
        if let Some(space) = space {
            space.let_go();
        }
    }

    /// Looks how many pages are resident: the most that were ever found are remembered.
    pub fn note_resident_pages(&self) {
        if let Some(space) = self.space() {
            let now = space.count_resident();
            let (_, most) = space.note_sizes(0, now * PAGE_SIZE as u64);
            self.usage.note_peak(most / PAGE_SIZE as u64);
            space.let_go();
        }
    }

    /// As [`Process::note_resident_pages`], all at once, for one who must not sleep.
    pub(super) fn note_last_pages(&self) {
        let found = |space: &Arc<Space>| {
            space.with_of_process(|memory| space.peaks.note_pages(memory.resident_pages(memory::get())))
        };
        let most = self.space.lock().as_ref().map(found);
        most.into_iter().for_each(|pages| self.usage.note_peak(pages));
    }
}
