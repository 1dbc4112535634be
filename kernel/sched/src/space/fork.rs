//! A space of its own for a child.

use super::{Peaks, Space};
use crate::scheduler;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use lock::Mutex;
use memory::{self, fallible};
use mm::{NoMemory, VirtAddr};

impl Space {
    /// A copy-on-write copy. `stack_pointer` is that of the thread that forks: parent and child both write there at once, so
    /// that page is copied here unless that is switched off. No lock is held.
    ///
    /// # Errors
    /// [`NoMemory`]: there is none, or the process is to end while a mapping of it moves.
    pub fn fork(&self, stack_pointer: u64) -> Result<Arc<Space>, NoMemory> {
        let (child, has_advice) = self.fork_once(stack_pointer)?;
        if has_advice {
            self.settle(child, stack_pointer)
        } else {
            Ok(child)
        }
    }

    /// The child, and whether fork has to look for something.
    #[inline(always)]
    fn fork_once(&self, stack_pointer: u64) -> Result<(Arc<Space>, bool), NoMemory> {
        let place = fallible::arc_place::<Space>().map_err(|_| NoMemory)?;
        self.with(|space| {
            let forked = if memory::is_fork_classic() {
                space.fork_classic(memory::get())?
            } else {
                let is_copied = memory::IS_STACK_COPIED_AT_FORK.load(Ordering::Relaxed);
                // Where nothing is mapped there is nothing to copy.
                let written_first = if is_copied { stack_pointer } else { 0 };
                space.fork(memory::get(), Some(VirtAddr(written_first)))?
            };
            let child = place.fill(|| Space {
                memory: Mutex::new(Some(forked.beside(space))),
                users: AtomicU32::new(0),
                strings: self.strings.copy(),
                program: self.program.copy(),
                barriers: self.barriers.copy(),
                dumpable: self.dumpable.copy(),
                future_flags: self.future_flags.after_fork(),
                peaks: Peaks::default(),
            });
            Ok((child, space.has_fork_advice()))
        })
    }

    /// What is to be done with a child that was forked while fork had to look for something: one of a moment in which a mapping was on its
    /// way is forked anew.
    #[cold]
    fn settle(&self, mut child: Arc<Space>, stack_pointer: u64) -> Result<Arc<Space>, NoMemory> {
        while child.with(|child| child.is_moving()) {
            child.let_go();
            // An error: the process is to end.
            self.wait_for_moves().map_err(|_| NoMemory)?;
            (child, _) = self.fork_once(stack_pointer)?;
        }
        child.drop_uninherited()
    }

    /// A child that nobody runs yet loses what its parent told fork not to give it, in pieces between which others run.
    fn drop_uninherited(self: Arc<Space>) -> Result<Arc<Space>, NoMemory> {
        let mut next = Some(VirtAddr(0));
        while let Some(from) = next {
            let dropped = self.edit(|space| space.drop_uninherited(memory::get(), from));
            let Ok(reached) = dropped else {
                self.let_go();
                return Err(NoMemory);
            };
            next = reached;
            scheduler::cond_resched();
        }
        Ok(self)
    }
}
