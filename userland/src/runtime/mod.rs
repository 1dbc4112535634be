//! What a program stands on: start, system calls as safe functions, heap, output. The only `unsafe` of the userland.
//!
//! Safety in one paragraph: programs are single-threaded ([`threads`] run no code of Rust), and no function here lets a system call write anywhere but
//! into memory that the caller lent mutably or that the call itself made. A fault that a program provokes in its own
//! [`memory::Mapping`] (after `protect`, past a file's end) ends the program by a signal; it never breaks Rust's rules.

#![expect(
    unsafe_code,
    reason = "the one floor of the userland that talks to the machine"
)]

#[macro_use]
pub mod output;
pub mod crowd;
pub mod directory;
pub mod events;
pub mod file;
#[cfg(target_os = "none")]
mod heap;
pub mod measure;
pub mod memory;
pub mod mounts;
pub mod path;
pub mod process;
mod raw;
pub mod semaphore;
pub mod signal;
pub mod socket;
mod start;
pub mod swap;
pub mod system;
pub mod terminal;
pub mod threads;
pub mod time;
pub mod trespass;
pub mod vdso;

pub use abi::errno::Errno;
pub use start::{Arguments, auxiliary, environment, program_path};

/// What a system call gives: a value, or the error number.
pub type Result<T> = core::result::Result<T, Errno>;

/// Names the function that the program begins in: `fn program(arguments: &[&str]) -> i32`; what it returns is the exit
/// status. Written once in each program.
#[macro_export]
macro_rules! entry {
    ($program:path) => {
        #[cfg(target_os = "none")]
        #[unsafe(no_mangle)]
        fn program_main(arguments: &[&str]) -> i32 {
            $program(arguments)
        }

        /// The programs speak Linux/arm64 system calls: on the host they are compiled, for lints, and do not run.
        #[cfg(not(target_os = "none"))]
        fn main() {
            let _program: fn(&[&str]) -> i32 = $program;
            std::eprintln!("this program runs on AArch64 only");
            std::process::exit(1);
        }
    };
}
