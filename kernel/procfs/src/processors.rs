//! What the kernel says about processors: /proc/cpuinfo, stat, interrupts.

use core::fmt;

use abi::Errno;
use platform::cpu::MAX_CPUS;
use platform::timer;

use super::text::{Text, clock_ticks};
use sched::interrupts;
use sched::scheduler;
use sched::scheduler::Times;
use sched::time;
use task::process;
use task::processor_features;

/// As `arch/arm64/kernel/cpuinfo.c` writes it. BogoMIPS are twice the timer's frequency, as there.
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn information((): &(), text: &mut Text) -> Result<(), Errno> {
    for number in scheduler::online_processors() {
        processor(number, text);
    }
    Ok(())
}

fn processor(number: usize, text: &mut Text) {
    let id = platform::cpu::main_id_of(number);
    let half_centi = timer::frequency() / 5000;
    text.add(format_args!(
        "processor\t: {number}\nBogoMIPS\t: {}.{:02}\n",
        half_centi / 100,
        half_centi % 100
    ));
    text.bytes(b"Features\t:");
    processor_features::names().for_each(|name| text.add(format_args!(" {name}")));
    text.bytes(b"\n");
    text.add(format_args!("CPU implementer\t: 0x{:02x}\n", id >> 24 & 0xff));
    text.add(format_args!(
        "CPU architecture: 8\nCPU variant\t: 0x{:x}\n",
        id >> 20 & 0xf
    ));
    text.add(format_args!(
        "CPU part\t: 0x{:03x}\nCPU revision\t: {}\n\n",
        id >> 4 & 0xfff,
        id & 0xf
    ));
}

/// proc_stat(5).
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn statistics((): &(), text: &mut Text) -> Result<(), Errno> {
    let times = [const { Times::NONE }; MAX_CPUS];
    let times = scheduler::online_processors().fold(times, |mut times, number| {
        times[number] = scheduler::times(number);
        times
    });
    let sum = times.iter().fold(Times::NONE, |sum, times| sum.plus(times));
    add_times(text, format_args!("cpu "), &sum);
    for number in scheduler::online_processors() {
        add_times(text, format_args!("cpu{number}"), &times[number]);
    }
    let total = |count: fn(usize) -> u64| scheduler::online_processors().map(count).sum::<u64>();
    let booted = time::now_realtime_nanos().saturating_sub(time::now_monotonic_nanos()) / time::SECOND;
    let interrupts = total(|number| scheduler::interrupts(number).total());
    text.add(format_args!("intr {interrupts}\n"));
    text.add(format_args!("ctxt {}\n", total(scheduler::switches)));
    text.add(format_args!("btime {booted}\nprocesses {}\n", process::made()));
    // No sleep waits for a device: nobody counts as blocked.
    text.add(format_args!(
        "procs_running {}\nprocs_blocked 0\n",
        scheduler::runnable().max(1)
    ));
    Ok(())
}

fn add_times(text: &mut Text, name: fmt::Arguments<'_>, times: &Times) {
    let [user, system, idle] = [times.user, times.system, times.idle].map(clock_ticks);
    text.add(format_args!("{name} {user} 0 {system} {idle} 0 0 0 0 0 0\n"));
}

/// Interrupts by kind, a column for each processor, as Linux lays them out: those of devices by number, with the name that the
/// driver gave; and below what Linux has no file for: threads taken from other processors' queues, interrupts sent to them,
/// switches.
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn interrupts((): &(), text: &mut Text) -> Result<(), Errno> {
    type Row = (&'static str, fn(usize) -> u64, &'static str);
    const ROWS: [Row; 6] = [
        ("tmr", |number| scheduler::interrupts(number).timer, "Timer"),
        (
            "IPI0",
            |number| scheduler::interrupts(number).reschedule,
            "Rescheduling interrupts",
        ),
        (
            "ERR",
            |number| scheduler::interrupts(number).unknown,
            "Unknown interrupts",
        ),
        (
            "sent",
            |number| scheduler::steals(number).1,
            "Rescheduling interrupts sent",
        ),
        (
            "stl",
            |number| scheduler::steals(number).0,
            "Threads taken from other processors",
        ),
        ("sw", scheduler::switches, "Switches to a thread"),
    ];
    text.add(format_args!("     "));
    scheduler::online_processors().for_each(|number| text.add(format_args!(" {:>10}", CpuName(number))));
    text.add(format_args!("\n"));
    for line in interrupts::lines() {
        add_row(text, line.number(), |number| line.count(number), line.name());
    }
    for (name, count, meaning) in ROWS {
        add_row(text, name, count, meaning);
    }
    Ok(())
}

fn add_row(text: &mut Text, name: impl fmt::Display, count: impl Fn(usize) -> u64, meaning: &str) {
    text.add(format_args!("{name:>4}:"));
    scheduler::online_processors().for_each(|number| text.add(format_args!(" {:>10}", count(number))));
    text.add(format_args!("  {meaning}\n"));
}

/// The head of a processor's column.
struct CpuName(usize);

impl fmt::Display for CpuName {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        let width = to
            .width()
            .unwrap_or(0)
            .saturating_sub(3 + if number > 9 { 2 } else { 1 });
        write!(to, "{:width$}CPU{number}", "")
    }
}
