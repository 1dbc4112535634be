//! Holstein: a kernel for AArch64 that runs Linux programs and forks them by copy-on-write through shared translation
//! tables. This crate is the top floor: boot, panic, and the loop that is the life of each thread; the parts of the kernel are the crates below.
//! No unsafe code and no assembly: `platform` knows the machine, `mm` decides about memory.
//!
//! Read `boot` for the way to the first process, `user_loop` for the life of each, `syscall` for what they can ask for;
//! kernel/README.md follows a page fault and a fork through all floors.
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![cfg_attr(target_os = "none", no_main)]
#![deny(unsafe_code)]

extern crate alloc;

mod boot;
#[cfg(target_os = "none")]
mod panic;
mod storage;
#[cfg(test)]
mod tests;
mod user_loop;
mod watchdog;

use platform::heap::KernelHeap;

#[global_allocator]
static HEAP: KernelHeap = KernelHeap::new();

platform::entry!(main);

fn main(boot: platform::Boot) -> ! {
    boot::start(boot)
}
