//! A QEMU plugin that watches the real kernel, instruction by instruction, as an unkind machine would see it.
//!
//! QEMU forgives what silicon does not: its TLB forgets everything at each change of ASID, its caches are coherent, its barriers
//! do nothing. The checker follows every store to a live translation table, each TLBI, DSB, ISB, DC, IC, write of TTBR and ERET
//! on each processor, keeps TLBs and walk caches that forget nothing and are filled by speculation, and a state for each 64-byte
//! line of RAM. [`rules`] lists what it finds. It shares no code with the kernel: it has its own decoder of descriptors.
//!
//! [`plugin`] is where QEMU calls; all else is safe code, which the tests drive with events made by hand. The library is another
//! plugin too, `measure`, which feeds the model of caches of crate `misses`.

pub mod clocks;
pub mod descriptor;
mod foreign;
pub mod instruction;
pub mod known;
pub mod lines;
pub mod machine;
mod measure;
pub mod options;
pub mod plugin;
pub mod prefetch;
pub mod ram;
pub mod report;
pub mod rules;
pub mod tlb;
pub mod trees;
