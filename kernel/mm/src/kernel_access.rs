//! The kernel's own access to a page of a space that is not running: a word for a child's thread library, a debugger's poke.
//! (Its access to the running space goes through the user address, with LDTR and STTR, and faults as the program would.)

use crate::addr::{Frame, VirtAddr};
use crate::area::Sharing;
use crate::descriptor::Descriptor;
use crate::events::Event;
use crate::fault::{Obstacle, Outcome, Refusal, SegvCode};
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::{Access, Mmu};
use crate::space::AddressSpace;

const NO_MEMORY: Obstacle = Obstacle::Refused(Refusal::NoMemory);

impl AddressSpace {
    /// The frame at `address`, made fit for `access` as a fault would. It may be used so as long as the caller keeps the
    /// space's lock, and not a moment longer: a fork in between shares it.
    ///
    /// # Errors
    /// [`Obstacle::Deferred`]: the page has to be waited for, as after a fault. [`Obstacle::Refused`]: the program could not make
    /// this access either, or there is no memory.
    pub fn privatise<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        address: VirtAddr,
        access: Access,
    ) -> Result<Frame, Obstacle> {
        let path = self.tables.walk(memory, address);
        let is_allowed = self
            .areas
            .find(address)
            .is_some_and(|area| area.protection.allows(access));
        let is_ready = match access {
            Access::Write => path.leaf.is_page_writable() && !path.is_write_disabled,
            Access::Read => path.leaf.is_page_accessible(),
            Access::Execute => path.leaf.is_page_executable(),
        };
        if !(is_allowed && is_ready) {
            match self.handle_fault(memory, address, access) {
                Outcome::Resolved(_) => {}
                Outcome::Deferred => return Err(Obstacle::Deferred),
                Outcome::Refused(refusal) => return Err(Obstacle::Refused(refusal)),
            }
        }
        Ok(self.tables.walk(memory, address).leaf.frame())
    }

    /// The frame at `address` for a store by a debugger, which may store where the program may not: in private memory. The page
    /// becomes the space's own, as a fault would make it, with the rights that it has: the program cannot write to it for that,
    /// and what it was copied from, a file's page, is not touched. Contract as [`AddressSpace::privatise`], and
    /// [`AddressSpace::note_forced_write`] afterwards.
    ///
    /// # Errors
    /// As [`AddressSpace::privatise`]; shared memory that may not be written is refused as well.
    pub fn privatise_forced<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        address: VirtAddr,
    ) -> Result<Frame, Obstacle> {
        let denied = |code| Err(Obstacle::Refused(Refusal::Denied(code)));
        let Some(area) = self.areas.find(address) else {
            return denied(SegvCode::MapErr);
        };
        if area.protection.write {
            return self.privatise(memory, address, Access::Write);
        }
        if area.sharing == Sharing::Shared {
            return denied(SegvCode::AccErr);
        }
        let frame = self.privatise(memory, address, Access::Read)?;
        let path = self.tables.walk(memory, address);
        if path.is_write_disabled || memory.frames().count(frame) != 1 {
            return self.copy_for_debugger(memory, address, path.leaf);
        }
        Ok(frame)
    }

    /// Puts a copy of the page at `leaf` in its place.
    fn copy_for_debugger<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        address: VirtAddr,
        leaf: Descriptor,
    ) -> Result<Frame, Obstacle> {
        let no_memory = |NoMemory| NO_MEMORY;
        let frame = memory
            .frames()
            .allocate_unfilled(memory.mmu())
            .map_err(no_memory)?;
        memory.copy_frame(leaf.frame(), frame);
        if leaf.is_page_executable() {
            memory.frames().make_executable(memory.mmu(), frame);
        }
        let copy = leaf.pointing_to(frame).without_write();
        let address = address.page_start();
        match self.tables.make_path(memory, address, Some(copy)) {
            Err(NoMemory) => {
                memory.frames().release(memory.mmu(), frame);
                return Err(NO_MEMORY);
            }
            Ok((_, true)) => {}
            Ok((table, false)) => self.tables.replace_page(memory, table, address, copy),
        }
        memory.count(Event::Copied);
        Ok(frame)
    }

    /// Bytes at `address` were stored through the frame that [`AddressSpace::privatise_forced`] gave, under the same hold of
    /// the lock: they may be instructions.
    pub fn note_forced_write<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr) {
        let leaf = self.tables.walk(memory, address).leaf;
        memory.frames().note_kernel_write(leaf.frame());
        if leaf.is_page_executable() {
            memory.frames().make_executable(memory.mmu(), leaf.frame());
        }
    }
}
