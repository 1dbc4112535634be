//! What the loader gave: the command line and the device tree. Kept at boot, read by whoever needs a word of it.

use formats::bootargs::CommandLine;
use formats::dtb::Machine;
use spin::Once;

static COMMAND_LINE: Once<CommandLine<'static>> = Once::new();
static MACHINE: Once<&Machine> = Once::new();

/// Keeps both. The first call counts; the words of the command line.
pub fn keep(machine: &'static Machine, command_line: &'static str) -> CommandLine<'static> {
    MACHINE.call_once(|| machine);
    *COMMAND_LINE.call_once(|| CommandLine::parse(command_line))
}

/// The kernel command line; `None` before it is known.
pub fn command_line() -> Option<CommandLine<'static>> {
    COMMAND_LINE.get().copied()
}

/// What the device tree says of the machine.
///
/// # Panics
/// Before [`keep`].
pub fn machine() -> &'static Machine {
    MACHINE
        .get()
        .expect("the machine is known before the first process")
}
