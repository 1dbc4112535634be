//! Holstein: a kernel for AArch64 that runs Linux programs and forks them by copy-on-write through shared translation
//! tables. This crate is the top floor: processes, system calls, files. No unsafe code and no assembly: below it `platform`
//! knows the machine and `mm` decides about memory.
//!
//! Read `boot` for the way to the first process, `user_loop` for the life of each, `syscall` for what they can ask for;
//! kernel/README.md follows a page fault and a fork through all floors.
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![cfg_attr(target_os = "none", no_main)]
#![deny(unsafe_code)]

extern crate alloc;

mod boot;
mod boot_arguments;
mod core_dump;
mod devices;
mod escape;
mod exec;
mod fs;
mod futex;
mod log;
#[cfg(target_os = "none")]
mod panic;
mod power;
mod process;
mod processor_features;
mod procfs;
mod sched;
mod signal;
mod syscall;
#[cfg(test)]
mod tests;
mod thread;
mod timers;
mod tty;
mod user_loop;
mod user_memory;
mod uts;

use platform::heap::KernelHeap;

#[global_allocator]
static HEAP: KernelHeap = KernelHeap::new();

platform::entry!(main);

fn main(boot: platform::Boot) -> ! {
    boot::start(boot)
}
