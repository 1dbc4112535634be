//! The heart of Holstein: address spaces, copy-on-write, and fork through shared translation tables. Safe Rust that knows no
//! machine: what a machine must do is the trait [`Mmu`], which the board implements, and an adversary on the host in
//! `tests/machine`.
//!
//! A page, a fork, and two stores, on the machine of `tests/parallel`:
//!
//! ```
//! # #[path = "../tests/parallel/machine.rs"] mod machine;
//! # use machine::Machine;
//! # use ::machine::ram::Ram;
//! # use mm::*;
//! # fn anonymous_page() -> MapRequest {
//! #     MapRequest {
//! #         placement: Placement::Hint(VirtAddr(0)),
//! #         len: PAGE_SIZE as u64,
//! #         protection: Protection::READ_WRITE,
//! #         sharing: Sharing::Private,
//! #         flags: AreaFlags::NONE,
//! #         backing: Backing::Anonymous,
//! #         purpose: Purpose::Mapping,
//! #     }
//! # }
//! /// A program loads or stores: where the tables do not let it, the kernel serves the fault, and the access is tried again.
//! fn run(
//!     memory: &Memory<Machine>,
//!     space: &mut AddressSpace,
//!     address: VirtAddr,
//!     store: Option<u64>,
//! ) -> (u64, Option<Outcome>) {
//!     let access = if store.is_some() { Access::Write } else { Access::Read };
//!     memory.mmu().load_ttbr0(Some(space.activate(memory)));
//!     if let Some(value) = memory.mmu().access(address, store, address) {
//!         return (value, None);
//!     }
//!     let outcome = space.handle_fault(memory, address, access);
//!     (memory.mmu().access(address, store, address).unwrap(), Some(outcome))
//! }
//!
//! # fn main() -> Result<(), MapError> {
//! let machine = Machine::new(Frame(0x4_0000), 256, None);
//! let memory = Memory::new(machine, Ram::leak(Frame(0x4_0000), 256).frames(), Asids::new(1 << 16))?;
//! let free = memory.frames().free_count();
//!
//! // Nothing is behind a mapping before its first store, which finds a frame of zeros.
//! let mut parent = AddressSpace::new(&memory)?;
//! let page = parent.map(&memory, anonymous_page())?;
//! let stored = run(&memory, &mut parent, page, Some(7));
//! assert_eq!(stored, (7, Some(Outcome::Resolved(Resolution::ZeroFilled))));
//!
//! // The child gets a root of its own and nothing else; it reads without a fault.
//! let mut child = parent.fork(&memory, None)?.beside(&parent);
//! assert_eq!(memory.frames().free_count(), free - 5); // two roots, two tables, the page
//! assert_eq!(run(&memory, &mut child, page, None), (7, None));
//!
//! // Its store copies the page and the tables above it.
//! let stored = run(&memory, &mut child, page, Some(8));
//! assert_eq!(stored, (8, Some(Outcome::Resolved(Resolution::Copied))));
//! assert_eq!(memory.frames().free_count(), free - 8);
//!
//! // The page is the parent's alone again: its next store copies nothing.
//! assert_eq!(run(&memory, &mut parent, page, None).0, 7);
//! let stored = run(&memory, &mut parent, page, Some(9));
//! assert_eq!(stored, (9, Some(Outcome::Resolved(Resolution::Regained))));
//!
//! memory.mmu().load_ttbr0(None);
//! child.release(&memory);
//! parent.release(&memory);
//! assert_eq!(memory.frames().free_count(), free);
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: `fault` (story 1, a store to a shared page) and `fork` (story 2) are the two stories, top to bottom. The
//! words they use: [`addr`] (frames, pages, levels), [`descriptor`] (the bits), [`mmu`] (barriers and TLB maintenance),
//! `table` (the tree and the invariants I1 to I5), `privatise` and `table_copy` (how a space gets tables of its own),
//! `hostage` (why nothing is freed before a flush), [`frames`] and `records` (counts), [`area`] and [`area_map`] (what a
//! range means), [`space`] (mmap and its kin), `clear` and `range` (edits of ranges), [`asid`].
//!
//! Locks: one per address space, held by the caller of every method of [`AddressSpace`]. Counts are atomic; free frames and
//! ASIDs have locks of their own inside, taken last.
#![warn(clippy::missing_errors_doc)]
#![no_std]
#![feature(allocator_api, vec_push_within_capacity)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod addr;
pub mod area;
pub mod area_map;
pub mod asid;
mod classic;
mod clear;
mod deferred_tables;
pub mod descriptor;
mod entry_set;
pub mod events;
mod evict;
mod fallible;
mod fault;
mod footprint;
mod fork;
pub mod frames;
mod hostage;
mod inherit;
mod inspect;
mod kernel_access;
pub mod memory;
pub mod mmu;
mod moving;
mod occupancy;
pub mod page_source;
mod portion;
mod privatise;
mod protect;
mod range;
mod records;
mod release;
mod relocation;
mod remap;
mod revoke;
pub mod space;
mod stack_growth;
pub mod swap;
mod sync;
mod table;
mod table_copy;
mod table_release;

pub use addr::{
    Asid, Frame, Level, PAGE_SHIFT, PAGE_SIZE, PageRange, PhysAddr, TABLE_ENTRIES, USER_END, VirtAddr,
};
pub use area::{Area, AreaFlags, Backing, Protection, Purpose, Sharing};
pub use area_map::{AreaMap, Sums};
pub use asid::Asids;
pub use descriptor::{Descriptor, Row};
pub use events::{Cost, Counters, Event};
pub use evict::{BroughtBack, Evicted, Others};
pub use fault::{Obstacle, Outcome, Refusal, Resolution, SegvCode};
pub use footprint::Footprint;
pub use fork::Forked;
pub use frames::{FrameRun, FrameSource, Frames, FreeChain, NoMemory};
pub use inspect::{Entry, EntryPlace, MappedPage};
pub use memory::Memory;
pub use mmu::{Access, MAX_CPUS, Mmu};
pub use page_source::{
    AT_HAND, Attachment, AwaitedPage, FileIdentity, Interrupted, PageError, PageSource, RemoveError,
    WriteBackError,
};
pub use portion::Portion;
pub use records::{FrameInfos, FrameWord};
pub use release::Release;
pub use relocation::Move;
pub use remap::{RemapPlacement, Remapped};
pub use revoke::{Revocation, Revoked};
pub use space::{AddressSpace, MapError, MapRequest, Placement};
pub use stack_growth::StackLimits;
pub use swap::{NextInLine, Outgoing, Reading, Slot, Swap, SwapDevice, SwapUsage};
