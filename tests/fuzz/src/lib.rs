//! Fuzz targets: everything that reads bytes of a stranger (firmware, an archive, a program, a person at the keyboard) and can
//! run on the host. A target takes any bytes, must not panic, and checks what its reader promises of the answer.
//!
//! `make fuzz` lets libFuzzer look for inputs (`fuzz_targets` binds them to it; cargo-fuzz finds them there too). `make test`
//! runs each target over its seeds and some thousand mutations of them (`tests/mutations`).

extern crate alloc;

pub mod mutate;
pub mod seeds;
mod targets;

pub use targets::{TARGETS, Target};

#[path = "../../../kernel/vfs/src"]
mod fs {
    pub(crate) mod path;
}

#[path = "../../../kernel/fs/src/tmpfs"]
mod tmpfs {
    pub(crate) mod options;
}

/// Runs the target of that name.
///
/// # Panics
/// If there is none, or if the target finds something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of that name").run)(bytes);
}
