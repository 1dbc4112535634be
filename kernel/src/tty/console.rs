//! The serial console: what the UART receives goes to the terminal.

use super::console;
use crate::sched::interrupts::{self, InterruptHandler, RegisterError};
use alloc::sync::Arc;

/// What /proc/interrupts calls the interrupt, as Linux's driver does.
const NAME: &str = "uart-pl011";

struct ReceiveInterrupt;

impl InterruptHandler for ReceiveInterrupt {
    fn handle(&self) {
        platform::console::receive();
        console().receive(platform::console::read_byte);
    }
}

/// From now on the terminal hears what is typed, if the UART can tell it.
///
/// # Errors
/// Somebody else serves the interrupt of the UART.
pub fn register_interrupt() -> Result<(), RegisterError> {
    let Some(number) = platform::console::interrupt() else {
        return Ok(());
    };
    interrupts::register(number, NAME, Arc::new(ReceiveInterrupt))
}
