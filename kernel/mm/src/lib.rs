//! The heart of Holstein: address spaces, copy-on-write, and fork through shared translation tables. Safe Rust that knows no
//! machine: what a machine must do is the trait [`Mmu`], which the board implements, and an adversary on the host in
//! `tests/soft_mmu`.
//!
//! Reading order: `fault` (story 1, a store to a shared page) and `fork` (story 2) are the two stories, top to bottom. The
//! words they use: [`addr`] (frames, pages, levels), [`descriptor`] (the bits), [`mmu`] (barriers and TLB maintenance),
//! `table` (the tree and the invariants I1 to I5), `privatise` and `table_copy` (how a space gets tables of its own),
//! `hostage` (why nothing is freed before a flush), [`frames`] and `records` (counts), [`area`] and [`area_map`] (what a
//! range means), [`space`] (mmap and its kin), `clear` and `range` (edits of ranges), [`asid`].
//!
//! Locks: one per address space, held by the caller of every method of [`AddressSpace`]. Counts are atomic; free frames and
//! ASIDs have locks of their own inside, taken last.

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
mod sync;
mod table;
mod table_copy;

pub use addr::{
    Asid, Frame, Level, PAGE_SHIFT, PAGE_SIZE, PageRange, PhysAddr, TABLE_ENTRIES, USER_END, VirtAddr,
};
pub use area::{Area, AreaFlags, Backing, Protection, Purpose, Sharing};
pub use area_map::{AreaMap, Sums};
pub use asid::Asids;
pub use descriptor::{Descriptor, Row};
pub use events::{Cost, Counters, Event};
pub use fault::{Obstacle, Outcome, Refusal, Resolution, SegvCode};
pub use footprint::Footprint;
pub use fork::Forked;
pub use frames::{FrameRun, FrameSource, Frames, NoMemory};
pub use inspect::{Entry, EntryPlace, MappedPage};
pub use memory::Memory;
pub use mmu::{Access, MAX_CPUS, Mmu};
pub use page_source::{AwaitedPage, FileIdentity, Interrupted, PageError, PageSource, RemoveError};
pub use portion::Portion;
pub use records::{FrameInfos, FrameWord};
pub use release::Release;
pub use relocation::Move;
pub use remap::{RemapPlacement, Remapped};
pub use revoke::{Revocation, Revoked};
pub use space::{AddressSpace, FaultCounts, MapError, MapRequest, Placement};
pub use stack_growth::StackLimits;
