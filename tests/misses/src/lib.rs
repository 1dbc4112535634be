//! A model of the caches, the TLBs and the table walks of a Cortex-A72, which counts what instructions do not show: lines that are
//! not at hand, translations that must be walked for, the loads of these walks.
//!
//! The plugin of `tests/checker` (`measure.rs`) tells a [`model::Model`] of each instruction and access of the real kernel in QEMU;
//! the benchmark's program says when a row, a repeat and a measured part begin ([`ledger`]). It is no processor: it has no time, no
//! order of execution, no prefetcher; [`counts::Counts::cycles`] is an estimate by constants that stand there.

#![forbid(unsafe_code)]

pub mod cache;
pub mod counts;
pub mod ledger;
pub mod model;
pub mod regime;
pub mod tlb;
