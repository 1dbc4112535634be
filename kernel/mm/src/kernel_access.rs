//! The kernel's own access to a page of a space that is not running: a word for a child's thread library, a debugger's poke.
//! (Its access to the running space goes through the user address, with LDTR and STTR, and faults as the program would.)

use crate::addr::{Frame, VirtAddr};
use crate::fault::Outcome;
use crate::memory::Memory;
use crate::mmu::{Access, Mmu};
use crate::space::AddressSpace;

impl AddressSpace {
    /// The frame at `address`, made fit for `access` as a fault would. It may be used so as long as the caller keeps the
    /// space's lock, and not a moment longer: a fork in between shares it.
    pub fn privatise<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        address: VirtAddr,
        access: Access,
    ) -> Result<Frame, Outcome> {
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
                refused => return Err(refused),
            }
        }
        Ok(self.tables.walk(memory, address).leaf.frame())
    }
}
