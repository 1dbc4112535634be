//! The address space of a process as the kernel holds it: the heart's [`AddressSpace`] under its lock, shared by a parent
//! and its vfork child, and released when the last holder lets go. Holders are the processes and the processors that have
//! it in TTBR0, so that it is never released under a processor's feet.

use super::{KeptLayout, Peaks};
use crate::sched::scheduler;
use abi::Errno;
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use lock::{Mutex, rank};
use memory::fallible;
use memory::{self, Dumpable, FutureFlags};
use mm::{Access, AddressSpace, NoMemory, Obstacle, Refusal, Release, VirtAddr};
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

/// The commands of membarrier(2) that a space may use. A fork inherits them.
#[derive(Default)]
pub struct Registrations(AtomicU32);

impl Registrations {
    /// Allows a command.
    pub fn register(&self, command: u32) {
        self.0.fetch_or(command, Ordering::SeqCst);
    }

    /// Whether a command is allowed.
    pub fn has(&self, command: u32) -> bool {
        self.0.load(Ordering::SeqCst) & command != 0
    }
}

/// The strings on the stack that exec laid down, for /proc/PID/cmdline and environ: first byte, one past the last.
#[derive(Default)]
pub struct Strings {
    arguments: AtomicU64,
    environment: AtomicU64,
    end: AtomicU64,
    /// The auxiliary vector: first byte, length.
    auxiliary: [AtomicU64; 2],
}

impl Strings {
    /// Says where the strings lie: the environment follows the arguments.
    pub fn set(&self, arguments: u64, environment: u64, end: u64) {
        self.arguments.store(arguments, Ordering::Relaxed);
        self.environment.store(environment, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }

    /// Says where the auxiliary vector lies.
    pub fn set_auxiliary(&self, start: u64, len: u64) {
        self.auxiliary[0].store(start, Ordering::Relaxed);
        self.auxiliary[1].store(len, Ordering::Relaxed);
    }

    /// Address and length of the auxiliary vector.
    pub fn auxiliary(&self) -> (u64, usize) {
        let [start, len] = &self.auxiliary;
        (
            start.load(Ordering::Relaxed),
            len.load(Ordering::Relaxed) as usize,
        )
    }

    /// Address and length of the argument strings.
    pub fn arguments(&self) -> (u64, usize) {
        span(&self.arguments, &self.environment)
    }

    /// Address and length of the environment strings.
    pub fn environment(&self) -> (u64, usize) {
        span(&self.environment, &self.end)
    }

    #[inline]
    fn copy(&self) -> Strings {
        let copy = |word: &AtomicU64| AtomicU64::new(word.load(Ordering::Relaxed));
        Strings {
            arguments: copy(&self.arguments),
            environment: copy(&self.environment),
            end: copy(&self.end),
            auxiliary: self.auxiliary.each_ref().map(copy),
        }
    }
}

fn span(start: &AtomicU64, end: &AtomicU64) -> (u64, usize) {
    let start = start.load(Ordering::Relaxed);
    (start, end.load(Ordering::Relaxed).saturating_sub(start) as usize)
}

impl Space {
    /// An empty space.
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

    /// A copy-on-write copy. `stack_pointer` is that of the thread that forks: parent and child both write there at once, so
    /// that page is copied here unless that is switched off.
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
    pub(super) fn fork_once(&self, stack_pointer: u64) -> Result<(Arc<Space>, bool), NoMemory> {
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
                barriers: Registrations(AtomicU32::new(self.barriers.0.load(Ordering::Relaxed))),
                dumpable: self.dumpable.copy(),
                future_flags: self.future_flags.after_fork(),
                peaks: Peaks::default(),
            });
            Ok((child, space.has_fork_advice()))
        })
    }

    /// Works on the space under its lock. `work` must not touch user memory nor sleep.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> R {
        work(present(&mut self.memory.lock()))
    }

    /// [`Space::with`] for one who holds the lock of a process that has this space.
    #[inline]
    pub fn with_of_process<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> R {
        work(present(&mut self.memory.lock_second()))
    }

    /// [`Space::with`] for work that may drop mappings. Whole tables are released behind the lock, in pieces between which
    /// others run; the caller holds no lock.
    #[inline]
    pub fn edit<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> R {
        let (result, has_deferred) = self.with(|space| (work(space), space.has_deferred()));
        if has_deferred {
            self.release_deferred();
        }
        result
    }

    #[cold]
    fn release_deferred(&self) {
        // Another thread may have come first.
        if let Some(deferred) = self.with(|space| space.take_deferred(memory::get())) {
            release_in_pieces(deferred);
        }
    }

    /// Puts the space into this processor's TTBR0.
    pub fn activate(&self) {
        if memory::get().asids().is_fixed() {
            platform::memory::deactivate();
        }
        self.with(|space| {
            let (root, asid) = space.activate(memory::get());
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

    /// Copies bytes out of the space, whichever is active, serving faults as a load would. Returns how many were copied
    /// before an address that cannot be read: `EFAULT` if that is the first. No lock may be held.
    pub fn read(&self, at: u64, into: &mut [u8]) -> Result<usize, Errno> {
        self.for_each_page(at, into.len(), |space, address, part| {
            let frame = space.privatise(memory::get(), address, Access::Read)?;
            platform::frame::read(frame, address.page_offset(), &mut into[part]);
            Ok(())
        })
    }

    /// Copies bytes into the space, whichever is active, serving faults as a store would. Returns as [`Space::read`].
    pub fn write(&self, at: u64, from: &[u8]) -> Result<usize, Errno> {
        self.for_each_page(at, from.len(), |space, address, part| {
            let frame = space.privatise(memory::get(), address, Access::Write)?;
            platform::frame::write(frame, address.page_offset(), &from[part]);
            memory::get().frames().note_kernel_write(frame);
            Ok(())
        })
    }

    /// As [`Space::write`], into private memory whatever its protection: a debugger's store. Shared memory that may not be
    /// written is left alone: `EFAULT`.
    pub fn write_forced(&self, at: u64, from: &[u8]) -> Result<usize, Errno> {
        self.for_each_page(at, from.len(), |space, address, part| {
            let frame = space.privatise_forced(memory::get(), address)?;
            platform::frame::write(frame, address.page_offset(), &from[part]);
            space.note_forced_write(memory::get(), address);
            Ok(())
        })
    }

    /// Fills with zeros, as [`Space::write`].
    pub fn clear(&self, at: u64, len: usize) -> Result<usize, Errno> {
        self.for_each_page(at, len, |space, address, part| {
            let frame = space.privatise(memory::get(), address, Access::Write)?;
            platform::frame::zero(frame, address.page_offset(), part.len());
            memory::get().frames().note_kernel_write(frame);
            Ok(())
        })
    }

    /// Does `work` under the space's lock at the address of each page's part of a range, which part it is given too. What has to be
    /// waited for is waited for without the lock, and the page looked at anew. How many bytes were done before the first page that
    /// cannot be: an error only if none was.
    #[inline]
    fn for_each_page(
        &self,
        at: u64,
        len: usize,
        mut work: impl FnMut(&mut AddressSpace, VirtAddr, Range<usize>) -> Result<(), Obstacle>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < len {
            let address = VirtAddr(at.wrapping_add(done as u64));
            let end = len.min(done + mm::PAGE_SIZE - address.page_offset());
            match self.with(|space| work(space, address, done..end)) {
                Ok(()) => done = end,
                Err(obstacle) if self.is_overcome(address, obstacle) => {}
                Err(_) if done > 0 => break,
                Err(Obstacle::Refused(Refusal::NoMemory)) => return Err(Errno::ENOMEM),
                Err(_) => return Err(Errno::EFAULT),
            }
        }
        Ok(done)
    }

    /// Whether what was in the way of an access has been waited for.
    #[cold]
    fn is_overcome(&self, address: VirtAddr, obstacle: Obstacle) -> bool {
        match obstacle {
            Obstacle::Deferred => {
                let awaited = self.with(|space| space.awaited_page(address));
                awaited.is_none_or(|page| page.wait().is_ok())
            }
            Obstacle::Refused(_) => self.wait_for_arrival(address),
        }
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

impl Space {
    /// Lets go of the space. The last holder releases it in pieces between which others run. No lock is held, and the
    /// caller's process is not in the space any more.
    pub fn let_go(mut self: Arc<Space>) {
        let memory = match Arc::get_mut(&mut self) {
            Some(space) => space.memory.get_mut().take(),
            None => let_go_with_others(self),
        };
        let Some(memory) = memory else {
            return;
        };
        release_in_pieces(memory.begin_release(memory::get()));
    }
}

/// Of several holders that let go at once one is the last.
#[cold]
fn let_go_with_others(space: Arc<Space>) -> Option<AddressSpace> {
    Arc::into_inner(space)?.memory.get_mut().take()
}

#[cold]
fn release_in_pieces(mut release: Release<'_, BoardMmu>) {
    while release.release_some() {
        // A thread that is told to end goes on: what it gives back is what others may be waiting for.
        scheduler::cond_resched();
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Some(space) = self.memory.get_mut().take() {
            space.release(memory::get());
        }
    }
}
