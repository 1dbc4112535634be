//! What a machine must do for the heart. `platform` implements it on the board, `tests/machine` as an adversary on the host.
//!
//! The order of barriers, stated once (Arm ARM D8.13 "TLB maintenance", B2.3.12 "Memory barriers"):
//!
//! * A **new table** is filled with `store`, then `dsb_ishst`, then the descriptor that links it is stored.
//! * A **new page** is filled with its bytes, then `dmb_ishst`, then its descriptor is stored: who finds that finds the bytes.
//! * **Invalid to valid**: `store`, `dsb_ishst`. Translation faults are never cached, so there is nothing to invalidate; the
//!   return to EL0 is the context synchronisation.
//! * **Fewer rights**: `store` of the same output address, `dsb_ishst`, TLBI, `dsb_ish`.
//! * **More rights**: `store`, `dsb_ishst`. A stale entry only costs a spurious fault, which is answered by `tlbi_vae1`.
//! * **Another output address** (a table's or a page's): break-before-make: `store(INVALID)`, `dsb_ishst`, TLBI, `dsb_ish`,
//!   `store(new)`, `dsb_ishst`. The old frame's reference is dropped only after the `dsb_ish`.
//! * **Nothing any more**, for any number of entries of one space: `store` of each with bit 0 clear (*parked*, `clear`),
//!   `dsb_ishst`, one TLBI, `dsb_ish`; then `store(INVALID)` over each, and its reference is dropped. That second store needs
//!   no barrier: whichever of the two a walker finds, it finds nothing.
//! * **A page that goes out**, perhaps from a table of several spaces: `store` of the swapped descriptor, for any number of
//!   pages, `dsb_ishst`, one TLBI in all ASIDs, `dsb_ish`; then the descriptor's reference is dropped, and only then may the
//!   page's bytes be written to a device, for until then somebody could store to it.
//! * **The same page at another address** of one space: `store(INVALID)` there, `store` here, for any number of pages, then
//!   `dsb_ishst`, one TLBI, `dsb_ish`. In between either address reaches it.
//!
//! A TLBI has taken effect only when the `dsb_ish` that follows it on the same processor completes.

use crate::addr::{Asid, Frame, VirtAddr};
use crate::descriptor::{Descriptor, Row};
use crate::events::{Counters, Event};
use crate::records::FrameWord;
use crate::sync::Ordering;
use core::ops::Range;

/// Processors that per-processor records are laid out for.
pub const MAX_CPUS: usize = 8;

/// Entries of a table that are read or written together: one cache line.
pub const GROUP: usize = 8;

/// How memory was to be used when the access faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Access {
    /// A load, or cache maintenance by address (which reports WnR = 1 with CM = 1, yet needs only read access).
    Read,
    /// A store, an atomic, or DC ZVA.
    Write,
    /// An instruction fetch.
    Execute,
}

/// The machine under the heart: descriptors in memory, barriers, TLB maintenance, frame contents.
///
/// The heart calls these only with frames that it holds a reference to. An implementation must be the identity it claims:
/// `load` returns what the last `store` wrote, and each barrier and TLBI is exactly the named instruction.
pub trait Mmu {
    /// The number of the executing processor, below [`MAX_CPUS`].
    fn cpu(&self) -> usize;

    /// Whether the frame that is asked for is refused though there may be one: fault injection.
    #[inline]
    fn refuses_frame(&self) -> bool {
        false
    }

    /// The executing processor's counters.
    fn counters(&self) -> &Counters;

    /// How often all processors together counted `event`.
    fn counted(&self, event: Event) -> u64;

    /// Reads entry `index` (below 512) of the table in `table`: one 64-bit single-copy atomic load, relaxed.
    fn load(&self, table: Frame, index: usize) -> Descriptor;

    /// Writes entry `index` (below 512) of `table`: one 64-bit single-copy atomic store, relaxed. The hardware walker sees it
    /// at the next [`Mmu::dsb_ishst`] at the latest.
    fn store(&self, table: Frame, index: usize, descriptor: Descriptor);

    /// Reads the entries of `table` from `group` * [`GROUP`] on: as so many [`Mmu::load`]s, in any order.
    #[inline(always)]
    fn load_group(&self, table: Frame, group: usize) -> [Descriptor; GROUP] {
        core::array::from_fn(|nth| self.load(table, group * GROUP + nth))
    }

    /// Writes the entries of `table` from `group` * [`GROUP`] on: as so many [`Mmu::store`]s, in any order.
    #[inline(always)]
    fn store_group(&self, table: Frame, group: usize, descriptors: [Descriptor; GROUP]) {
        for (nth, descriptor) in descriptors.into_iter().enumerate() {
            self.store(table, group * GROUP + nth, descriptor);
        }
    }

    /// Fills the `entries` of `table`, the only ones that hold anything, with zeros. Nobody refers to the table any more: a frame of
    /// zeros is left.
    #[inline(always)]
    fn clear_entries(&self, table: Frame, entries: impl Iterator<Item = usize>) {
        entries.for_each(|index| self.store(table, index, Descriptor::INVALID));
    }

    /// [`Mmu::clear_entries`] of whole groups.
    #[inline(always)]
    fn clear_groups(&self, table: Frame, groups: impl Iterator<Item = usize>) {
        self.clear_entries(table, groups.flat_map(|group| group * GROUP..(group + 1) * GROUP));
    }

    /// Copies the entries of `source` in `groups` to `target`, without write access, and takes write access from the source's
    /// as well: up to the first group that is not whole of `row`, which begins with `groups`; its number, or that of the end. As
    /// so many [`Mmu::load`]s and [`Mmu::store`]s, group after group and in any order within one.
    #[inline(always)]
    fn share_row(&self, source: Frame, target: Frame, groups: Range<usize>, row: &Row) -> usize {
        let start = groups.start;
        for group in groups.clone() {
            let rest = row.behind((group - start) * GROUP);
            let Some(protected) = rest.write_protected(&self.load_group(source, group)) else {
                return group;
            };
            if row.change != 0 {
                self.store_group(source, group, protected);
            }
            self.store_group(target, group, protected);
        }
        groups.end
    }

    /// Adds 1 to each of `counts`, none of which is near its limit: as so many relaxed fetch_adds, in any order or at once.
    #[inline(always)]
    fn share_each(&self, counts: &[FrameWord]) {
        counts.iter().for_each(|count| {
            count.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// How far the entries of `table` in `groups` go on as `row`, which begins with `groups`: the first group that is not whole of
    /// it, or the end. `row` has no change. As so many [`Mmu::load`]s.
    #[inline(always)]
    fn row_end(&self, table: Frame, groups: Range<usize>, row: &Row) -> usize {
        let start = groups.start;
        let is_of_row = |group: &usize| {
            let rest = row.behind((group - start) * GROUP);
            rest.write_protected(&self.load_group(table, *group)).is_some()
        };
        groups
            .clone()
            .find(|group| !is_of_row(group))
            .unwrap_or(groups.end)
    }

    /// Takes 1 from each of `counts` up to the first that is 1, and stays; how many. As so many fetch_subs that release, none of
    /// which gives 0, in any order or at once.
    #[inline(always)]
    fn unshare_each(&self, counts: &[FrameWord]) -> usize {
        let unshare = |count: &&FrameWord| {
            count
                .fetch_update(Ordering::Release, Ordering::Relaxed, |count| {
                    (count > 1).then(|| count - 1)
                })
                .is_ok()
        };
        counts.iter().take_while(unshare).count()
    }

    /// Takes 1 from each of `counts` but those that are 1, which stay; which those are, by bits from bit 0 on. As so many fetch_subs that
    /// release, one after the other, none of which gives 0. A count may be there twice.
    #[inline(always)]
    fn unshare_group(&self, counts: [&FrameWord; GROUP]) -> u32 {
        let lone = counts.map(|count| u32::from(self.unshare_each(core::slice::from_ref(count)) == 0));
        lone.iter().rev().fold(0, |bits, one| bits << 1 | one)
    }

    /// DMB ISHST: who sees a store after it, and be it by a walk, sees the bytes that were stored before it. Descriptors for a walker
    /// need [`Mmu::dsb_ishst`].
    fn dmb_ishst(&self);

    /// DSB ISHST: stores before it are visible to every walker of the Inner Shareable domain before anything after it.
    fn dsb_ishst(&self);

    /// DSB ISH: loads, stores and TLB maintenance before it are complete on every processor.
    fn dsb_ish(&self);

    /// TLBI ASIDE1IS: every entry of `asid`, all levels, on every processor.
    fn tlbi_aside1is(&self, asid: Asid);

    /// TLBI VAE1IS: every entry that translates `address` in `asid`, all levels, on every processor.
    fn tlbi_vae1is(&self, asid: Asid, address: VirtAddr);

    /// TLBI VALE1IS: the last-level entry that translates `address` in `asid`, on every processor.
    fn tlbi_vale1is(&self, asid: Asid, address: VirtAddr);

    /// TLBI VAAE1IS: every entry that translates `address` in whichever ASID, all levels, on every processor.
    fn tlbi_vaae1is(&self, address: VirtAddr);

    /// TLBI VMALLE1IS: every entry of EL1&0, on every processor.
    fn tlbi_vmalle1is(&self);

    /// TLBI VAE1 and DSB NSH: as [`Mmu::tlbi_vae1is`], complete on return, on this processor only.
    fn tlbi_vae1_local(&self, asid: Asid, address: VirtAddr);

    /// TLBI VMALLE1 and DSB NSH: every entry of EL1&0, complete on return, on this processor only.
    fn tlbi_vmalle1_local(&self);

    /// Copies the 4 KiB of `from` to `to`. `to` is referenced by no descriptor.
    fn copy_frame(&self, from: Frame, to: Frame);

    /// Fills `frame` with zeros. It is referenced by no descriptor.
    fn zero_frame(&self, frame: Frame);

    /// `frame` is free from now on: whoever looks for faults fills it with a pattern that no program takes for its data.
    fn junk_frame(&self, frame: Frame);

    /// Makes the bytes of `frame` fit to be executed: DC CVAU to the point of unification, DSB ISH, IC IVAU, DSB ISH, ISB, by
    /// cache line (Arm ARM B2.7.4; CTR_EL0.IDC and DIC are 0 on Cortex-A72).
    fn sync_icache(&self, frame: Frame);
}
