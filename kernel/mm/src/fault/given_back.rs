//! A page that was given back while its fault copied it. The walk found it shared, so it was copied; before the copy was put in its
//! place the others let go of the tables above it, and the page was given back writable with them. Other threads of the space may have
//! stored to it from that moment on, and the copy has not seen that.

use super::{Outcome, Page, Resolution};
use crate::addr::{Frame, Level};
use crate::descriptor::Descriptor;
use crate::hostage::Hostage;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::table::Tables;

impl Page<'_> {
    /// `found` is the page, writable now, in `table` (private); `new` is the copy, which brings its own reference. The page stays, and the
    /// copy goes. What the kernel holds cannot stay: it is copied anew, when nobody can store to it.
    #[cold]
    pub(super) fn map_given_back<M: Mmu>(
        &self,
        memory: &Memory<M>,
        tables: &Tables,
        (table, found): (Frame, Descriptor),
        new: Descriptor,
    ) -> Outcome {
        let (mmu, frames) = (memory.mmu(), memory.frames());
        if frames.count(found.frame()) == 1 {
            frames.release(mmu, new.frame());
            self.flush_own(memory, tables);
            return Outcome::Resolved(Resolution::Regained);
        }
        let index = self.address.index(Level::L3);
        frames.share(found.frame());
        Hostage::take_leaf(memory, table, index).release_after_address_flush(
            memory,
            tables.tag,
            self.address,
        );
        memory.copy_frame(found.frame(), new.frame());
        frames.release(mmu, found.frame());
        frames.note_kernel_write(new.frame());
        self.make_fit(memory, new.frame());
        mmu.dmb_ishst();
        mmu.store(table, index, new);
        memory.dsb_ishst();
        Outcome::Resolved(Resolution::Copied)
    }
}
