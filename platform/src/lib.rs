//! The machine: everything of the kernel that is unsafe or assembly. It boots both boards from one image, and offers the floor
//! above safe functions: run a program until its next trap, copy to and from its memory, switch threads, change translation
//! tables, tell the time, write to the serial port.
//!
//! Nothing here calls the kernel, but for `main` once. A trap is a value that `user::run` returns; an interrupt is a value
//! that `interrupt::take` returns. The kernel runs with interrupts masked.
//!
//! Reading order: `boot/head.s` and `boot` (how we get to `main`), `layout` (what is where), `memory::plan` (who gets which
//! RAM), `arch/vectors.s` and `user` (in and out of EL0), `user_copy`, `thread`, `devices`, `crash`. `platform/README.md` lists
//! the hardware rules and where each is kept.
//!
//! On a host (`host`) the same functions are made of what a host has, so that everything above can be tested there.
#![warn(clippy::missing_errors_doc)]
#![no_std]
#![feature(allocator_api)]
#![cfg_attr(
    not(target_os = "none"),
    expect(
        dead_code,
        reason = "only the board uses all of the files that the host shares with it"
    )
)]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;
#[cfg(test)]
#[path = "memory/ranges.rs"]
mod ranges;

#[cfg(target_os = "none")]
mod arch;
#[cfg(target_os = "none")]
pub mod board;
#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
pub mod cpu;
#[cfg(target_os = "none")]
pub mod crash;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
pub mod heap;
#[cfg(target_os = "none")]
mod layout;
#[cfg(target_os = "none")]
pub mod memory;
#[cfg(target_os = "none")]
pub mod network;
#[cfg(target_os = "none")]
pub mod power;
#[cfg(target_os = "none")]
pub mod thread;
#[cfg(target_os = "none")]
pub mod timer;

#[cfg(not(target_os = "none"))]
pub mod host;
#[cfg(not(target_os = "none"))]
use host::{arch, devices, layout};
#[cfg(not(target_os = "none"))]
pub use host::{board, console, cpu, crash, heap, memory, network, power, thread, timer};

pub mod disk;
pub mod fault_injection;
pub mod frame;
mod handover;
pub mod interrupt;
pub mod lent;
pub mod lock;
pub mod ordered;
pub mod owned;
mod per_cpu;
pub mod queue;
pub mod random;
pub mod rw_lock;
pub mod spin_lock;
mod trap;
pub mod user;
pub mod user_copy;
pub mod vdso;

pub use handover::{Boot, InitrdError};

/// Names the kernel's `main`: a `fn(platform::Boot) -> !`, called once, on the first processor.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        const _: () = {
            #[unsafe(export_name = "holstein_main")]
            extern "Rust" fn holstein_main(boot: $crate::Boot) -> ! {
                let main: fn($crate::Boot) -> ! = $main;
                main(boot)
            }
        };
    };
}
