//! **Story 2: fork.** The child gets a root of its own and nothing else: each table below the root is now shared by both, one
//! reference more, and its descriptor in either root forbids writes below it (APTable\[1\]). Nothing here depends on how much
//! memory the parent has; whoever writes later pays for what it writes (`fault`).
//!
//! One path is an exception: both sides write the page under the stack pointer as soon as they return, so the child is given
//! its own copy of that page and of the tables above it at once, and neither side faults on it. The stack has the top GiB of
//! the space to itself, so those tables are small. The page is copied after the flush, write-disabled until then where another
//! processor may be in the space: so the child sees all memory as it was at one moment, whatever other threads store meanwhile.
//!
//! Caller holds the parent's lock.

use crate::addr::{Frame, Level, VirtAddr};
use crate::area::Sharing;
use crate::descriptor::Descriptor;
use crate::events::Event;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::occupancy::Occupancy;
use crate::privatise::{Build, build_path};
use crate::space::AddressSpace;
use crate::sync::{Ordering, fence};
use crate::table::{self, Path, Tables, link, new_table, valid_in_group};

/// The tables of a new child; [`Forked::beside`] its parent it becomes a space. So the space, which is large, is made where it
/// stays. Dropped instead, it leaks its frames.
#[must_use = "it holds references"]
pub struct Forked {
    pub(crate) root: Frame,
}

impl Forked {
    /// The child's space. The parent's lock was held since the fork.
    #[inline(always)]
    pub fn beside(self, parent: &AddressSpace) -> AddressSpace {
        AddressSpace {
            tables: Tables::forked(self.root, parent.tables.used),
            areas: parent.areas.clone(),
            retired: None,
            recent_area: parent.recent_area,
            heap: parent.heap,
            fork_advice: parent.fork_advice,
            is_locking: false,
        }
    }
}

impl AddressSpace {
    /// A copy of this space. `stack_pointer`: the page that both sides will write first, if that is known.
    ///
    /// # Errors
    /// [`NoMemory`]: the parent is as it was.
    pub fn fork<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        stack_pointer: Option<VirtAddr>,
    ) -> Result<Forked, NoMemory> {
        let stack = match stack_pointer.and_then(|address| self.writable_page(memory, address)) {
            Some(page) => Some(page.prepare_for_child(memory)?),
            None => None,
        };
        let root = self.tables.fork(memory, stack)?;
        memory.count(Event::Fork);
        Ok(Forked { root })
    }

    /// The page at `address`, if the parent could write it this moment without a fault: only then is its path private.
    fn writable_page<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr) -> Option<StackPage> {
        let path = self.tables.walk(memory, address);
        let area = self.areas.find(address)?;
        let is_simple = area.sharing == Sharing::Private && !area.protection.execute;
        let is_writable = path.leaf.is_page_writable() && !path.is_write_disabled;
        (is_simple && is_writable).then(|| StackPage {
            address: address.page_start(),
            path,
        })
    }
}

/// The page under the parent's stack pointer, and the private path to it.
struct StackPage {
    address: VirtAddr,
    path: Path,
}

/// The child's own path to its copy of the stack page, neither filled nor linked yet.
struct StackCopy {
    /// Index into the root.
    index: usize,
    build: Build,
    /// The parent's tables on the path.
    sources: [Frame; 2],
    /// Index of the page in the second of them.
    leaf_index: usize,
    /// The parent's descriptor of it.
    original: Descriptor,
    /// The frame that will hold the copy.
    frame: Frame,
}

impl StackPage {
    fn prepare_for_child<M: Mmu>(self, memory: &Memory<M>) -> Result<StackCopy, NoMemory> {
        let (Some(l2), Some(l3)) = (self.path.l2, self.path.l3) else {
            return Err(NoMemory);
        };
        let frame = memory.frames().allocate_unfilled(memory.mmu())?;
        let leaf = self.path.leaf.pointing_to(frame);
        match build_path(memory, Level::L2, Some(l2), self.address, Some(leaf)) {
            Ok(build) => Ok(StackCopy {
                index: self.address.index(Level::L1),
                build,
                sources: [l2, l3],
                leaf_index: self.address.index(Level::L3),
                original: self.path.leaf,
                frame,
            }),
            Err(error) => {
                memory.frames().release(memory.mmu(), frame);
                Err(error)
            }
        }
    }
}

impl Tables {
    /// The root of a tree that shares every table below the root with this one, but for the path in `stack`. One flush of this ASID if
    /// any descriptor lost write access, none if nothing was written since the last fork.
    fn fork<M: Mmu>(&mut self, memory: &Memory<M>, stack: Option<StackCopy>) -> Result<Frame, NoMemory> {
        let except = stack.as_ref().map(|copy| copy.index);
        let is_alone = memory.asids().is_alone(memory.mmu(), self.tag);
        let mut has_write_protected = stack
            .as_ref()
            .is_some_and(|copy| copy.build.has_write_protected || !is_alone);
        if let (Some(copy), false) = (&stack, is_alone) {
            copy.store_leaf(memory, copy.original.without_write());
        }
        let mut forked = new_table(memory);
        if let Ok(child) = forked
            && self
                .share_all(memory, child, except, &mut has_write_protected)
                .is_err()
        {
            Tables::forked(child, self.used).release(memory);
            forked = Err(NoMemory);
        }
        if has_write_protected {
            self.flush(memory);
        }
        if let Some(copy) = stack {
            // From here on nobody else can store anything, and what was stored is seen.
            memory.copy_frame(copy.original.frame(), copy.frame);
            if !is_alone {
                // The copy has been read before another thread may store to the page again: nothing else orders these loads before the store.
                fence(Ordering::Acquire);
                copy.store_leaf(memory, copy.original);
            }
            copy.place(memory, forked.ok());
        }
        memory.dsb_ishst();
        forked
    }

    /// Shares every table below the root with the root `child` (empty), but for entry `except`, and notes whether any descriptor lost
    /// write access.
    fn share_all<M: Mmu>(
        &self,
        memory: &Memory<M>,
        child: Frame,
        except: Option<usize>,
        has_write_protected: &mut bool,
    ) -> Result<(), NoMemory> {
        let (mmu, frames) = (memory.mmu(), memory.frames());
        let mut shared = 0;
        let used = self.used.groups();
        let mut valid = used.flat_map(|group| valid_in_group(memory, self.root(), group));
        let outcome = valid.try_for_each(|index| {
            if Some(index) == except {
                return Ok(());
            }
            let entry = mmu.load(self.root(), index);
            frames.try_share(entry.frame())?;
            let protected = entry.table_without_write();
            if protected != entry {
                mmu.store(self.root(), index, protected);
                *has_write_protected = true;
            }
            mmu.store(child, index, protected);
            shared += 1;
            Ok(())
        });
        let bound = frames.occupancy(self.root()).used();
        frames.set_occupancy(child, Occupancy::spanning(bound, shared));
        outcome
    }
}

impl StackCopy {
    /// Replaces the parent's descriptor of the page: the same frame, with other rights.
    fn store_leaf<M: Mmu>(&self, memory: &Memory<M>, leaf: Descriptor) {
        memory.mmu().store(self.sources[1], self.leaf_index, leaf);
    }

    /// After the parent's flush: links the path into the child's root, or drops it if there is no child after all.
    fn place<M: Mmu>(self, memory: &Memory<M>, child: Option<Frame>) {
        // The sources are the parent's alone, and no TLB holds what they were before the flush.
        for source in self.sources {
            memory
                .frames()
                .set_occupancy(source, memory.frames().occupancy(source).flushed());
        }
        match child {
            // The parent's root has that entry too, so it counts as used.
            Some(child) => link(memory, child, self.index, Descriptor::table(self.build.top)),
            None => table::release(memory, self.build.top, Level::L2),
        }
    }
}
