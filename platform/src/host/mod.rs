//! The machine of a host: what stands above this crate is compiled for the machine that compiles it, and tested there. The
//! files beside this folder are the same ones; what a board does by assembly and devices is done here by threads and memory.
//!
//! * RAM is one piece of the host's memory ([`boot`]); user memory is reached by a walk through the tables that `mm` makes, as
//!   the MMU does it (`user_memory.rs`), and a fault is the same value.
//! * A processor is a number that one thread has at a time ([`cpu`]). A kernel thread is a thread of the host; a switch hands
//!   the number on (`thread.rs`).
//! * Time stands still but for [`timer::advance`], and for processors that all sleep: then it jumps to the first alarm.
//! * What is written to the console can be taken from it, and what is typed is said by a test ([`console`]).
//! * A program is a function of its registers, that says how it comes back ([`program`]).
//! * The end of the machine is a panic that says what was asked for ([`power::End`]).

pub(crate) mod arch;
pub mod board;
pub mod console;
pub mod cpu;
pub mod crash;
pub(crate) mod devices;
pub mod disk;
pub mod heap;
pub(crate) mod layout;
pub mod memory;
pub mod network;
pub mod power;
pub mod program;
pub mod thread;
pub mod timer;
mod user_memory;

use crate::handover::Boot;
use crate::{interrupt, random};
use formats::dtb::Machine;
use std::boxed::Box;
use std::sync::Once;

/// Number of the timer's interrupt, and of the console's.
const TIMER: u32 = 27;
const CONSOLE: u32 = 33;

/// Makes a machine with so many bytes of RAM, once in the life of this process, and what the kernel is given of it. The calling
/// thread is its first processor. `initrd` stays the caller's.
///
/// # Panics
/// When there is one already.
pub fn boot(ram_bytes: usize, command_line: &'static str, initrd: Option<&'static [u8]>) -> Boot {
    static BOOTED: Once = Once::new();
    assert!(!BOOTED.is_completed(), "a process has one machine");
    BOOTED.call_once(|| memory::set_up(ram_bytes));
    cpu::become_processor(0);
    let mut machine = Machine::default();
    machine.model.push_str("host");
    random::set_up(&machine.chosen, || None);
    interrupt::set_up(TIMER);
    Boot {
        machine: Box::leak(Box::new(machine)),
        command_line,
        initrd: Ok(initrd),
        payload: &[],
        wall_clock_seconds: None,
        exception_level: 1,
    }
}
