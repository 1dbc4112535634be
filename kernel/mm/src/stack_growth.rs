//! A stack grows by being used: a fault below it is denied, for nothing is mapped there, and whoever serves the fault then asks
//! whether the stack may hold the page. So no other fault pays for it, and the limits are those of that moment.

use crate::addr::VirtAddr;
use crate::area::{AreaFlags, Protection, Purpose};
use crate::frames::NoMemory;
use crate::space::AddressSpace;

/// Bytes left free between a growing stack and memory below it that can be used (Linux's `stack_guard_gap`).
const GUARD: u64 = 256 << 12;

/// What a stack may grow to, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackLimits {
    /// The stack itself (RLIMIT_STACK).
    pub stack: u64,
    /// All areas of the space (RLIMIT_AS).
    pub space: u64,
    /// All that is locked, where the stack is (RLIMIT_MEMLOCK).
    pub locked: u64,
}

impl AddressSpace {
    /// Makes the stack above `address` hold it; whether there is one, which may grow so far. The caller holds the space's lock.
    ///
    /// # Errors
    /// [`NoMemory`]: nothing has changed.
    pub fn grow_stack(&mut self, address: VirtAddr, limits: StackLimits) -> Result<bool, NoMemory> {
        let page = address.page_start();
        let above = self.areas.iter_from(page).next();
        let Some(stack) = above.filter(|area| area.purpose == Purpose::Stack) else {
            return Ok(false);
        };
        let start = stack.range().start();
        let (len, is_locked) = (stack.range().end().0 - page.0, stack.flags.has(AreaFlags::LOCKED));
        let more = start.0.saturating_sub(page.0);
        let sums = self.areas.sums();
        let is_within = len <= limits.stack
            && sums.bytes.saturating_add(more) <= limits.space
            && (!is_locked || sums.locked.saturating_add(more) <= limits.locked);
        if page >= start || page < self.guard_end(page) || !is_within {
            return Ok(false);
        }
        self.areas.grow_down(start, page)?;
        Ok(true)
    }

    /// Where a stack may reach that grows down to `page`: clear of what is below, unless nobody can use that, or it is a stack, too.
    fn guard_end(&self, page: VirtAddr) -> VirtAddr {
        let below = self.areas.next_below(page);
        let is_in_the_way =
            |area: &&crate::Area| area.purpose != Purpose::Stack && area.protection != Protection::NONE;
        let guarded = below.filter(is_in_the_way);
        let end = guarded.map_or(0, |area| area.range().end().0 + GUARD);
        VirtAddr(end).max(crate::space::LOWEST)
    }
}
