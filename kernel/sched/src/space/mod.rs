//! The address space as the kernel holds it: the heart's [`AddressSpace`] under its lock, shared by a parent and its vfork child,
//! and released when the last holder lets go. Holders are the processes and the processors that have it in TTBR0, so that it is
//! never released under a processor's feet.
//!
//! It belongs to the scheduler's floor: a processor enters it at a switch, and what takes long in it (release, moves, a walk over all
//! spaces) is done in pieces between which others run. Of processes it knows what [`Tenants`] says.

mod access;
mod barriers;
mod fork;
pub mod mappings;
mod moves;
mod peaks;
mod program;
mod release;
mod sizes;
mod tenants;

pub use barriers::Registrations;
pub use peaks::Peaks;
pub use program::{KeptLayout, ProgramLayout, Strings};
pub use tenants::{Tenants, next_from as next_tenant, register_tenants};

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use lock::{Mutex, rank};
use memory::fallible;
use memory::{self, Dumpable, FutureFlags};
use mm::{AddressSpace, Memory, NoMemory};
use platform::memory::BoardMmu;

/// An address space and its lock.
pub struct Space {
    /// Present until the drop.
    memory: Mutex<Option<AddressSpace>, { rank::SPACE }>,
    /// Threads that live in it.
    users: AtomicU32,
    /// Where exec laid the strings of arguments and environment.
    pub strings: Strings,
    /// Where exec laid the program.
    pub program: KeptLayout,
    /// What it registered for with membarrier(2).
    pub barriers: Registrations,
    /// Whether others may look into it.
    pub dumpable: Dumpable,
    /// What areas to come are made with.
    pub future_flags: FutureFlags,
    /// The largest that it was found.
    pub peaks: Peaks,
}

impl Space {
    /// An empty space.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn new() -> Result<Arc<Space>, NoMemory> {
        // The place first: tables are released, not dropped, where there is none for them.
        let place = fallible::arc_place::<Space>().map_err(|_| NoMemory)?;
        let space = AddressSpace::new(memory::get())?;
        Ok(place.fill(|| Space {
            memory: Mutex::new(Some(space)),
            users: AtomicU32::new(0),
            strings: Strings::default(),
            program: KeptLayout::default(),
            barriers: Registrations::default(),
            dumpable: Dumpable::default(),
            future_flags: FutureFlags::default(),
            peaks: Peaks::default(),
        }))
    }

    /// Works on the space under its lock. `work` must not touch user memory nor sleep.
    #[inline(always)]
    pub fn with<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> R {
        work(present(&mut self.memory.lock()))
    }

    /// [`Space::with`] for one who holds the lock of a process that has this space.
    #[inline]
    pub fn with_of_process<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> R {
        work(present(&mut self.memory.lock_second()))
    }

    /// Puts the space into this processor's TTBR0. `memory`: [`memory::get`], for who asks often.
    #[inline(always)]
    pub fn activate(&self, memory: &Memory<BoardMmu>) {
        if memory.asids().is_fixed() {
            platform::memory::deactivate();
        }
        self.with(|space| {
            let (root, asid) = space.activate(memory);
            platform::memory::activate(root, asid);
        });
    }

    /// A number that no other space has at the same time.
    pub fn identity(space: &Arc<Space>) -> usize {
        Arc::as_ptr(space).addr()
    }

    /// Whether several threads live in it, of one process or of several.
    pub fn is_shared(&self) -> bool {
        self.users.load(Ordering::Acquire) > 1
    }

    /// A thread begins to live in it.
    pub fn enter(&self) {
        self.users.fetch_add(1, Ordering::AcqRel);
    }

    /// A thread lives in it no longer.
    pub fn leave(&self) {
        self.users.fetch_sub(1, Ordering::AcqRel);
    }
}

#[inline]
fn present(memory: &mut Option<AddressSpace>) -> &mut AddressSpace {
    memory
        .as_mut()
        .expect("a space is released by its last holder only")
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Some(space) = self.memory.get_mut().take() {
            space.release(memory::get());
        }
    }
}
