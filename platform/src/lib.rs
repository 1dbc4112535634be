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
#![no_std]
#![cfg_attr(target_os = "none", feature(allocator_api))]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;
#[cfg(test)]
#[path = "devices/baud.rs"]
mod baud;
#[cfg(test)]
#[path = "memory/ranges.rs"]
mod ranges;

#[cfg(target_os = "none")]
mod arch;
#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
pub mod cpu;
#[cfg(not(target_os = "none"))]
#[path = "host/cpu.rs"]
pub mod cpu;
#[cfg(target_os = "none")]
pub mod crash;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
pub mod fault_injection;
#[cfg(target_os = "none")]
pub mod frame;
#[cfg(target_os = "none")]
pub mod heap;
#[cfg(target_os = "none")]
pub mod interrupt;
#[cfg(target_os = "none")]
mod layout;
#[cfg(target_os = "none")]
pub mod lock;
#[cfg(target_os = "none")]
pub mod memory;
pub mod ordered;
mod per_cpu;
#[cfg(target_os = "none")]
pub mod power;
pub mod queue;
#[cfg(target_os = "none")]
pub mod random;
#[cfg(target_os = "none")]
pub mod thread;
#[cfg(target_os = "none")]
pub mod timer;
#[cfg(target_os = "none")]
mod trap;
#[cfg(target_os = "none")]
pub mod user;
#[cfg(target_os = "none")]
pub mod user_copy;

#[cfg(target_os = "none")]
pub use boot::Boot;
#[cfg(target_os = "none")]
pub use memory::plan::InitrdError;

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
