//! The heart of the kernel, for people to play with: `kernel/mm` as it runs on the board, on the machine of its tests
//! (`tests/machine`), with processes around it and everything to be seen. `make web` builds it for the browser; the test of the page
//! runs the same histories here and compares.
//!
//! A history is a list of commands (`command`). The state after it is decided by it alone: undo is a replay, an address of the page
//! holds a history, and both sides of the test are given one.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

pub mod command;
mod comparison;
#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "names that the page calls are chosen by hand")]
mod exports;
mod file;
mod image;
mod kernel;
mod operations;
mod playback;
mod recording;
mod report;
mod settings;
mod state;
mod swapping;
mod tree;

pub use kernel::Kernel;
pub use report::Report;
pub use state::State;
