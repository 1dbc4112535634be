//! The userland of Holstein: programs for EL0 without a C library, which speak only Linux/arm64 system calls, so that
//! the same static binaries run under Linux too.
//!
//! `runtime` is the floor: the first instruction, system calls as safe functions, heap, output. It is the only place
//! with `unsafe`. On it stand `shell` (parser, expansion, line editor, executor, jobs), `applets` (ls, cat, ps, ...),
//! `regex` (what grep and sed look for), `demo` (the questions about copy-on-write that `cow` answers) `pages` (what /proc
//! says about frames) `disks` (what is on them) and
//! `compressed` (one in memory, and swap space on it).
//!
//! Everything compiles for the host as well, where each system call answers ENOSYS: parser, patterns and line editor
//! are tested there by `cargo test`.

#![cfg_attr(target_os = "none", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

#[macro_use]
pub mod runtime;
pub mod applets;
pub mod bench;
mod compressed;
pub mod demo;
pub mod disks;
pub mod pages;
pub mod regex;
pub mod shell;
