//! `print!`, `eprint!`, the end of a program, and what a panic says.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt::{self, Write};

use super::{Errno, file, process};

/// Standard output is written when this much has gathered; on a terminal also at every end of line.
const BUFFER: usize = 4096;

/// What a program printed and the kernel has not yet seen.
struct Output {
    pending: Vec<u8>,
    is_terminal: Option<bool>,
    error: Option<Errno>,
}

/// A cell that may be a `static` because the programs have one thread.
struct OneThread<T>(RefCell<T>);

// SAFETY: no program of this userland makes a second thread, and signal handlers never touch it (see `signal`).
unsafe impl<T> Sync for OneThread<T> {}

static STDOUT: OneThread<Output> = OneThread(RefCell::new(Output {
    pending: Vec::new(),
    is_terminal: None,
    error: None,
}));

impl Output {
    fn append(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let is_terminal = *self
            .is_terminal
            .get_or_insert_with(|| super::terminal::is_terminal(1));
        if self.pending.len() >= BUFFER || (is_terminal && bytes.contains(&b'\n')) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Err(error) = file::write_all(1, &self.pending) {
            self.error = Some(error);
        }
        self.pending.clear();
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.append(text.as_bytes());
        Ok(())
    }
}

/// Appends bytes to standard output; [`flush`] tells whether they could be written.
pub fn write_bytes(bytes: &[u8]) {
    STDOUT.0.borrow_mut().append(bytes);
}

/// Writes what was printed so far; the first error since the last call.
pub fn flush() -> super::Result<()> {
    let mut output = STDOUT.0.borrow_mut();
    output.flush();
    output.error.take().map_or(Ok(()), Err)
}

/// Forgets whether standard output is a terminal: to be called when descriptor 1 was replaced.
pub fn redirected() {
    STDOUT.0.borrow_mut().is_terminal = None;
}

/// `print!` writes here.
pub fn print(arguments: fmt::Arguments) {
    // Writing to the buffer cannot fail; an argument whose own Display fails has printed what it could.
    let _ = STDOUT.0.borrow_mut().write_fmt(arguments);
}

/// `eprint!` writes here: one write(2), so that lines of several processes do not mix.
pub fn eprint(arguments: fmt::Arguments) {
    let text = alloc::fmt::format(arguments);
    // There is nobody left to tell that standard error cannot be written.
    let _ = file::write_all(2, text.as_bytes());
}

/// Ends the program as the C library does: output is written; if that fails, the program says so and fails.
pub fn finish(program: &str, status: i32) -> ! {
    if let Err(error) = flush() {
        eprint(format_args!("{program}: write error: {error}\n"));
        process::exit_now(if status == 0 { 1 } else { status });
    }
    process::exit_now(status)
}

/// Prints to standard output.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::runtime::output::print(format_args!($($argument)*)) };
}

/// Prints a line to standard output.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::runtime::output::print(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Prints to standard error.
#[macro_export]
macro_rules! eprint {
    ($($argument:tt)*) => { $crate::runtime::output::eprint(format_args!($($argument)*)) };
}

/// Prints a line to standard error.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($argument:tt)*) => { $crate::runtime::output::eprint(format_args!("{}\n", format_args!($($argument)*))) };
}

/// A stack buffer for the panic message: a panic may come from the heap itself.
#[cfg(target_os = "none")]
struct PanicLine {
    bytes: [u8; 512],
    length: usize,
}

#[cfg(target_os = "none")]
impl Write for PanicLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes().iter().take(self.bytes.len() - self.length) {
            self.bytes[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// Prints the message and exits with 101, as Rust programs do.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    let mut line = PanicLine {
        bytes: [0; 512],
        length: 0,
    };
    // The line swallows what does not fit; nothing can be done about a failed write in a panic.
    let _ = writeln!(line, "{info}");
    let _ = file::write_all(2, &line.bytes[..line.length]);
    process::exit_now(101)
}
