//! The serial console: the first terminal. What the UART receives goes to it, and what it sends goes to the UART.

use abi::Errno;
use abi::terminal::{IXOFF, Termios, VSTART, VSTOP};
use alloc::sync::Arc;
use memory::fallible;

use super::Terminal;
use super::driver::TtyDriver;
use super::processes::AllGroups;
use super::registry;
use sched::interrupts::{self, InterruptHandler, RegisterError};
use vfs::device_registry::DeviceNumber;

/// What /proc/interrupts calls the interrupt, as Linux's driver does.
const NAME: &str = "uart-pl011";

/// ttyAMA0.
pub const NUMBER: DeviceNumber = DeviceNumber {
    major: 204,
    minor: 64,
};

struct SerialLine;

impl SerialLine {
    /// Tells the other side by a character to stop or to go on, if it heeds those.
    fn send_flow(termios: &Termios, key: usize) {
        let byte = termios.cc[key];
        if termios.iflag & IXOFF != 0 && byte != 0 {
            platform::console::write(&[byte]);
        }
    }
}

impl TtyDriver for SerialLine {
    /// A write waits for the UART.
    fn room(&self) -> usize {
        usize::MAX
    }

    fn write(&self, bytes: &[u8]) {
        platform::console::write(bytes);
    }

    fn throttle(&self, termios: &Termios) {
        Self::send_flow(termios, VSTOP);
    }

    fn unthrottle(&self, termios: &Termios) {
        Self::send_flow(termios, VSTART);
    }
}

struct ReceiveInterrupt(Arc<Terminal>);

impl InterruptHandler for ReceiveInterrupt {
    fn handle(&self) {
        platform::console::receive();
        self.0.receive(platform::console::read_byte);
    }
}

/// The console is there from now on. Called once, at boot.
///
/// # Errors
/// `EBUSY`: it is there. `ENOMEM`.
pub fn make() -> Result<Arc<Terminal>, Errno> {
    let line = fallible::arc(SerialLine)?;
    let console = Terminal::try_new(NUMBER, line, &AllGroups)?;
    registry::register(console.clone())?;
    Ok(console)
}

/// From now on the console hears what is typed, if the UART can tell it.
///
/// # Errors
/// Somebody else serves the interrupt of the UART.
pub fn register_interrupt(console: Arc<Terminal>) -> Result<(), RegisterError> {
    let Some(number) = platform::console::interrupt() else {
        return Ok(());
    };
    interrupts::register(number, NAME, Arc::new(ReceiveInterrupt(console)))?;
    platform::console::listen();
    Ok(())
}
