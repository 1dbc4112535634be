//! /proc/board: what the kernel found on this board, for who wants to know, and for whoever is sent the log of one that does not work.

use super::text::Text;
use abi::Errno;
use core::fmt::{self, Display};
use formats::dtb::{Gic, Machine, PhysRange, ReservedBy};
use klog::boot_arguments;
use platform::board::{self, Check};
use platform::{console, cpu, crash, memory, power, random, timer};

/// The whole report.
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn text((): &(), text: &mut Text) -> Result<(), Errno> {
    report(&mut |line| text.add(format_args!("{line}\n")));
    Ok(())
}

/// Gives the report to `say`, line by line.
pub fn report(say: &mut dyn FnMut(fmt::Arguments<'_>)) {
    let machine = boot_arguments::machine();
    say(format_args!(
        "----- BEGIN Holstein {} board report -----",
        env!("CARGO_PKG_VERSION")
    ));
    say(format_args!("model: {}", machine.model));
    tell_processors(say);
    tell_memory(machine, say);
    tell_devices(machine, say);
    tell_tests(say);
    say(format_args!("----- END board report -----"));
}

fn tell_processors(say: &mut dyn FnMut(fmt::Arguments<'_>)) {
    for number in 0..cpu::count() {
        say(format_args!(
            "processor {number}: MIDR_EL1 {:#x}",
            cpu::main_id_of(number)
        ));
    }
    for (name, value) in board::registers() {
        say(format_args!("{name}: {value:#x}"));
    }
    let (level, image) = (board::exception_level(), board::image_start());
    say(format_args!("entered at EL{level}, image at {image:#x}"));
    say(format_args!("counter: {} Hz", timer::frequency()));
    if let Some(rates) = board::rates() {
        say(format_args!(
            "processor clock: {} Hz from the firmware, {} Hz asked for",
            rates.before, rates.asked
        ));
    }
    say(format_args!(
        "processor clock measured: {} Hz",
        OrNone(board::measured_rate())
    ));
    let (clears_history, works_around) = board::hardening();
    say(format_args!(
        "Spectre v2, v4: open; BHB: {}; erratum 859971: {}",
        if clears_history { "loop" } else { "open" },
        if works_around {
            "worked around"
        } else {
            "as the firmware left it"
        }
    ));
    say(format_args!(
        "performance counters: {}",
        if board::counts_for_programs() {
            "cycles and instructions, for CAP_PERFMON"
        } else {
            "not for programs"
        }
    ));
    say(format_args!(
        "spurious kernel faults: {}",
        crash::spurious_faults()
    ));
}

fn tell_memory(machine: &Machine, say: &mut dyn FnMut(fmt::Arguments<'_>)) {
    for ram in &machine.ram {
        say(format_args!("memory: {}", Range(*ram)));
    }
    for reserved in &machine.reserved {
        let by = match reserved.by {
            ReservedBy::Block => "reservation block",
            ReservedBy::Node => "node",
            ReservedBy::NodeNoMap => "node, no-map",
        };
        say(format_args!("reserved: {} ({by})", Range(reserved.range)));
    }
    say(format_args!("used as memory: {} KiB", memory::ram_bytes() >> 10));
}

fn tell_devices(machine: &Machine, say: &mut dyn FnMut(fmt::Arguments<'_>)) {
    if let Some(stdout) = &machine.chosen.stdout {
        say(format_args!("stdout-path: {} {}", stdout.path, stdout.options));
    }
    if let (Some(uart), Some((clock, (integer, fraction)))) = (machine.uart, console::speed()) {
        let at = Range(uart.registers);
        say(format_args!(
            "UART: PL011 at {at}, clock {clock} Hz, divisors {integer} {fraction}"
        ));
    }
    let errors = console::line_errors();
    say(format_args!(
        "UART errors: overrun {}, framing {}, parity {}, break {}",
        errors.overruns, errors.framing, errors.parity, errors.breaks
    ));
    let distributor = machine.gic.as_ref().map(|gic| match gic {
        Gic::V2 { distributor, .. } | Gic::V3 { distributor, .. } => distributor.start,
    });
    if let (Some(at), Some((version, id))) = (distributor, board::interrupt_controller()) {
        say(format_args!(
            "interrupts: GICv{version} at {at:#x}, GICD_IIDR {id:#x}"
        ));
    }
    say(format_args!(
        "timer interrupt: {}",
        OrNone(machine.timer.virtual_interrupt)
    ));
    say(format_args!("random numbers from: {:?}", random::source()));
    say(format_args!("last reset: {}", OrNone(power::reset_reason())));
    say(format_args!(
        "watchdog found armed: {}",
        power::found_watchdog_armed()
    ));
}

/// Each processor has a line: what it passed, what failed, what was not tried.
fn tell_tests(say: &mut dyn FnMut(fmt::Arguments<'_>)) {
    for number in 0..cpu::count() {
        say(format_args!(
            "self test of processor {number}:{}",
            Outcomes(number)
        ));
    }
}

struct Outcomes(usize);

impl Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in Check::ALL {
            match board::passed(self.0, check) {
                Some(true) => write!(f, " {} ok", check.name())?,
                Some(false) => write!(f, " {} FAILED", check.name())?,
                None => {}
            }
        }
        Ok(())
    }
}

struct Range(PhysRange);

impl Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.0.start, self.0.end())
    }
}

struct OrNone<T>(Option<T>);

impl<T: Display> Display for OrNone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("none"),
        }
    }
}
