//! Ways to break the machine. Each stands for a line of the heart that could have been forgotten or put wrong: what the
//! heart asks for is swallowed or bent here, so that the heart itself needs no hooks, and the oracles must notice.

/// One way in which the machine disobeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// TLBI ASIDE1IS does nothing.
    SwallowAside1is,
    /// TLBI VAE1IS does nothing.
    SwallowVae1is,
    /// TLBI VALE1IS does nothing.
    SwallowVale1is,
    /// TLBI VAAE1IS does nothing.
    SwallowVaae1is,
    /// TLBI VAAE1IS reaches one address space only.
    Vaae1isOfOneAsid,
    /// TLBI VMALLE1IS does nothing.
    SwallowVmalle1is,
    /// The local TLBI VAE1 does nothing.
    SwallowVae1Local,
    /// The local TLBI VMALLE1, by which a processor follows a roll-over, does nothing.
    SwallowVmalle1,
    /// The local TLBI VMALLE1 clears another processor's TLB.
    Vmalle1OfNeighbour,
    /// TLBI ASIDE1IS reaches one address only.
    Aside1isOfOneAddress,
    /// TLBI VAE1IS leaves the walk caches alone.
    Vae1isOfLastLevel,
    /// Every TLBI by ASID names another one.
    WrongAsid,
    /// Every TLBI by address names the next page.
    WrongAddress,
    /// Broadcast TLBIs stay on the processor that issued them.
    LocalOnly,
    /// DMB ISHST does nothing.
    SwallowDmbIshst,
    /// DSB ISHST does nothing.
    SwallowDsbIshst,
    /// DSB ISH does nothing.
    SwallowDsbIsh,
    /// The store that breaks a valid entry is lost.
    SwallowBreak,
    /// The store that puts a swapped page into the copy of a table is lost.
    LoseSwappedCopy,
    /// The store that takes write access from a page is lost.
    LosePageWriteProtect,
    /// The store that takes write access from a subtree is lost.
    LoseTableWriteProtect,
    /// The store that gives write access back to a page is lost.
    LosePageRegain,
    /// The store that gives write access back to a subtree is lost.
    LoseTableRegain,
    /// A table that moves to another entry comes with write access below it.
    OpenMovedTable,
    /// After a table has moved to another entry nothing is flushed.
    SwallowFlushOfMovedTable,
    /// New pages come with AF = 0.
    ClearAccessFlag,
    /// New pages come with nG = 0.
    ClearNotGlobal,
    /// New pages come with PXN = 0.
    ClearPxn,
    /// New pages come with UXN = 0.
    ClearUxn,
    /// Instruction caches are not maintained.
    SwallowSyncIcache,
    /// Frames are not zeroed.
    SwallowZeroFrame,
    /// Frames are zeroed but for the last word.
    PartialZeroFrame,
    /// The first entry of a table that ends is not cleared.
    PartialClear,
    /// Frames are not copied.
    SwallowCopyFrame,
    /// The second half of a frame is not copied.
    PartialCopyFrame,
    /// Frames are copied to a neighbour.
    CopyFrameElsewhere,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 36] = {
        use Sabotage::*;
        [
            SwallowAside1is,
            SwallowVae1is,
            SwallowVale1is,
            SwallowVaae1is,
            Vaae1isOfOneAsid,
            SwallowVmalle1is,
            SwallowVae1Local,
            SwallowVmalle1,
            Vmalle1OfNeighbour,
            Aside1isOfOneAddress,
            Vae1isOfLastLevel,
            WrongAsid,
            WrongAddress,
            LocalOnly,
            SwallowDmbIshst,
            SwallowDsbIshst,
            SwallowDsbIsh,
            SwallowBreak,
            LoseSwappedCopy,
            LosePageWriteProtect,
            LoseTableWriteProtect,
            LosePageRegain,
            LoseTableRegain,
            OpenMovedTable,
            SwallowFlushOfMovedTable,
            ClearAccessFlag,
            ClearNotGlobal,
            ClearPxn,
            ClearUxn,
            SwallowSyncIcache,
            SwallowZeroFrame,
            PartialZeroFrame,
            PartialClear,
            SwallowCopyFrame,
            PartialCopyFrame,
            CopyFrameElsewhere,
        ]
    };

    /// What becomes of a store of `new` over `old`: another value, or `None` when it is lost.
    pub fn bend_store(self, old: u64, new: u64) -> Option<u64> {
        let was_valid = old & 1 != 0;
        let same_output = was_valid && new & 1 != 0 && (old ^ new) & 0xffff_ffff_f000 == 0;
        let new_page = new >> 10 & 1 != 0 && new & 1 != 0;
        let set = |bit: u32| same_output && old >> bit & 1 == 0 && new >> bit & 1 == 1;
        let cleared = |bit: u32| same_output && old >> bit & 1 == 1 && new >> bit & 1 == 0;
        match self {
            Sabotage::LoseSwappedCopy if old & 1 == 0 && new & 3 == 0 && new != 0 => None,
            Sabotage::SwallowBreak if was_valid && new & 1 == 0 => None,
            Sabotage::LosePageWriteProtect if set(7) => None,
            Sabotage::LoseTableWriteProtect if set(62) => None,
            Sabotage::LosePageRegain if cleared(7) => None,
            Sabotage::LoseTableRegain if cleared(62) => None,
            Sabotage::ClearAccessFlag if new_page => Some(new & !(1 << 10)),
            Sabotage::ClearNotGlobal if new_page => Some(new & !(1 << 11)),
            Sabotage::ClearPxn if new_page => Some(new & !(1 << 53)),
            Sabotage::ClearUxn if new_page => Some(new & !(1 << 54)),
            _ => Some(new),
        }
    }
}
