//! Memory of a space that need not be the running one's, page by page under its lock.

use super::Space;
use crate::scheduler;
use abi::Errno;
use core::ops::Range;
use mm::{Access, AddressSpace, Obstacle, Refusal, VirtAddr};

impl Space {
    /// Copies bytes out of the space, whichever is active, serving faults as a load would. Returns how many were copied
    /// before an address that cannot be read. No lock may be held.
    ///
    /// # Errors
    /// `EFAULT`: the first cannot be read, or would have to be waited for by a thread that is to end. `ENOMEM`: there is no memory
    /// for its page.
    pub fn read(&self, at: u64, into: &mut [u8]) -> Result<usize, Errno> {
        self.for_each_page(at, into.len(), |space, address, part| {
            let frame = space.privatise(memory::get(), address, Access::Read)?;
            platform::frame::read(frame, address.page_offset(), &mut into[part]);
            Ok(())
        })
    }

    /// Copies bytes into the space, whichever is active, serving faults as a store would. Returns as [`Space::read`].
    ///
    /// # Errors
    /// As [`Space::read`].
    pub fn write(&self, at: u64, from: &[u8]) -> Result<usize, Errno> {
        self.for_each_page(at, from.len(), |space, address, part| {
            let frame = space.privatise(memory::get(), address, Access::Write)?;
            platform::frame::write(frame, address.page_offset(), &from[part]);
            memory::get().frames().note_kernel_write(frame);
            Ok(())
        })
    }

    /// As [`Space::write`], into private memory whatever its protection: a debugger's store. Shared memory that may not be
    /// written is left alone.
    ///
    /// # Errors
    /// As [`Space::read`]; `EFAULT` for such shared memory.
    pub fn write_forced(&self, at: u64, from: &[u8]) -> Result<usize, Errno> {
        self.for_each_page(at, from.len(), |space, address, part| {
            let frame = space.privatise_forced(memory::get(), address)?;
            platform::frame::write(frame, address.page_offset(), &from[part]);
            space.note_forced_write(memory::get(), address);
            Ok(())
        })
    }

    /// Fills with zeros, as [`Space::write`].
    ///
    /// # Errors
    /// As [`Space::read`].
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
                let awaited = self.with(|space| space.awaited_page(memory::get(), address));
                awaited.is_none_or(|page| page.wait().is_ok())
            }
            Obstacle::Refused(Refusal::NoMemory) => scheduler::current().has_found_room(),
            Obstacle::Refused(_) => self.wait_for_arrival(address),
        }
    }
}
