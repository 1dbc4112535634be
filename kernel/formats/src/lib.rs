//! Formats of what is handed to the kernel: bytes in, values out. Nothing here panics, whatever the bytes are: they come
//! from firmware, from an initramfs, from any program.
//!
//! Floor 0, no unsafe. [`dtb`], [`symbols`], [`bootargs`], [`elf`], [`script`], [`shared_object`], [`core_name`] and [`cpio`] need no heap;
//! `dtb` runs before there is one. [`gzip`] needs a heap, and so does [`line_discipline`], which is no format but as
//! pure: what a terminal makes of what is typed.
#![warn(clippy::missing_errors_doc)]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bootargs;
pub mod core_name;
pub mod cpio;
pub mod dtb;
pub mod elf;
pub mod escape;
pub mod gzip;
pub mod line_discipline;
pub mod script;
pub mod shared_object;
pub mod symbols;
