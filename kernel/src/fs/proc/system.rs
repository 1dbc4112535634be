//! What the kernel says about the machine: the files of /proc itself.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use abi::Errno;
use abi::time::USER_HZ;
use mm::Event;
use platform::timer;

use super::text::Text;
use super::{Entry, TextLink, lock_stat, pages, sys, trigger};
use crate::fs::filesystem::Filesystem;
use crate::fs::mount;
use crate::process;
use crate::scheduler::Times;
use crate::syscall::system;
use crate::{boot, memory, scheduler, time};

pub static ENTRIES: [Entry<()>; 22] = [
    Entry::text("cmdline", command_line),
    Entry::text("cpuinfo", processors),
    Entry::text("filesystems", filesystems),
    Entry::object("kpagecount", 0o400, |()| pages::open_counts()),
    Entry::object("kpageflags", 0o400, |()| pages::open_flags()),
    Entry::text("interrupts", interrupt_counts),
    Entry::text("loadavg", load),
    Entry::text("lock_stat", lock_stat::waits),
    Entry::text("meminfo", memory_use),
    // There are no modules.
    Entry::text("modules", |(), _| Ok(())),
    Entry::link("mounts", |()| {
        Box::new(TextLink(b"self/mounts".as_slice().into()))
    }),
    Entry::link("self", |()| {
        let pid = scheduler::current().process.pid;
        Box::new(TextLink(alloc::format!("{pid}").into_bytes().into()))
    }),
    Entry::text("stat", statistics),
    Entry::text("swaps", swaps),
    Entry::directory("sys", 0o555, sys::root),
    Entry::object("sysrq-trigger", 0o200, trigger::open),
    Entry::link("thread-self", |()| {
        let current = scheduler::current();
        let (pid, tid) = (current.process.pid, current.tid());
        Box::new(TextLink(alloc::format!("{pid}/task/{tid}").into_bytes().into()))
    }),
    Entry::text("uptime", uptime),
    Entry::text("version", version),
    Entry::text("vmstat", memory_events),
    Entry::text("devices", devices),
    Entry::text("partitions", partitions),
];

fn command_line((): &(), text: &mut Text) -> Result<(), Errno> {
    text.add(format_args!("{}\n", boot::command_line()));
    Ok(())
}

/// As `arch/arm64/kernel/cpuinfo.c` writes it. BogoMIPS are twice the timer's frequency, as there.
fn processors((): &(), text: &mut Text) -> Result<(), Errno> {
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
    text.add(format_args!("Features\t: fp asimd\n"));
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

fn filesystems((): &(), text: &mut Text) -> Result<(), Errno> {
    for kind in ["sysfs", "tmpfs", "proc", "devtmpfs", "pipefs", "ramfs"] {
        text.add(format_args!("nodev\t{kind}\n"));
    }
    Ok(())
}

/// The averages, who runs now of how many, the last id given out.
fn load((): &(), text: &mut Text) -> Result<(), Errno> {
    let (running, all, last) = (
        scheduler::runnable().max(1),
        process::thread_count(),
        process::last_pid(),
    );
    let [one, five, fifteen] = super::load::averages();
    text.add(format_args!("{one} {five} {fifteen} {running}/{all} {last}\n"));
    Ok(())
}

/// The filesystems that are mounted, each once.
fn mounted() -> Vec<Arc<Filesystem>> {
    let mut found: Vec<Arc<Filesystem>> = Vec::new();
    for mount in mount::all() {
        let filesystem = &mount.root.inode.filesystem;
        if !found.iter().any(|known| Arc::ptr_eq(known, filesystem)) {
            found.push(filesystem.clone());
        }
    }
    found
}

fn memory_use((): &(), text: &mut Text) -> Result<(), Errno> {
    const PAGE: u64 = mm::PAGE_SIZE as u64;
    let free = memory::free_frames() as u64 * PAGE;
    let cached = mounted()
        .iter()
        .map(|filesystem| filesystem.page_count())
        .sum::<u64>()
        * PAGE;
    let heap = platform::heap::arena_bytes() as u64;
    let lines = [
        ("MemTotal:", platform::memory::ram_bytes()),
        ("MemFree:", free),
        ("MemAvailable:", free),
        ("Buffers:", 0),
        ("Cached:", cached),
        ("SwapCached:", 0),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
        ("Shmem:", cached),
        ("Slab:", heap),
        ("SReclaimable:", 0),
        ("SUnreclaim:", heap),
    ];
    for (name, bytes) in lines {
        text.add(format_args!("{name:<16}{:8} kB\n", bytes / 1024));
    }
    Ok(())
}

/// Minor faults of all processes, living and dead. A process that ended lives on in its parent's account of children, and
/// so in the first process's at last.
fn all_faults() -> u64 {
    let all = process::all();
    all.iter().map(|process| process.all_totals().minor_faults).sum()
}

/// Ticks of the timer in units of `USER_HZ`.
pub fn clock_ticks(ticks: u64) -> u64 {
    timer::ticks_to_nanos(ticks) / (time::SECOND / USER_HZ)
}

/// Seconds since boot, and those that the processors spent without a thread, added up.
fn uptime((): &(), text: &mut Text) -> Result<(), Errno> {
    let idle = scheduler::online_processors().map(|number| scheduler::times(number).idle);
    let (up, idle) = (clock_ticks(timer::ticks()), clock_ticks(idle.sum()));
    text.add(format_args!(
        "{}.{:02} {}.{:02}\n",
        up / 100,
        up % 100,
        idle / 100,
        idle % 100
    ));
    Ok(())
}

/// proc_stat(5).
fn statistics((): &(), text: &mut Text) -> Result<(), Errno> {
    let all: Vec<(usize, Times)> = scheduler::online_processors()
        .map(|number| (number, scheduler::times(number)))
        .collect();
    let sum = all
        .iter()
        .fold(Times::default(), |sum, (_, times)| sum.plus(times));
    add_times(text, format_args!("cpu "), &sum);
    for (number, times) in &all {
        add_times(text, format_args!("cpu{number}"), times);
    }
    let total = |count: fn(usize) -> u64| scheduler::online_processors().map(count).sum::<u64>();
    let booted = time::now_realtime_nanos().saturating_sub(time::now_monotonic_nanos()) / time::SECOND;
    let interrupts = total(|number| scheduler::interrupts(number).total());
    text.add(format_args!("intr {interrupts}\n"));
    text.add(format_args!("ctxt {}\n", total(scheduler::switches)));
    text.add(format_args!("btime {booted}\n"));
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

/// Interrupts by kind, a column for each processor, as Linux lays them out; and below what Linux has no file for: threads taken
/// from other processors' queues, interrupts sent to them, switches.
fn interrupt_counts((): &(), text: &mut Text) -> Result<(), Errno> {
    type Row = (&'static str, fn(usize) -> u64, &'static str);
    const ROWS: [Row; 7] = [
        ("tmr", |number| scheduler::interrupts(number).timer, "Timer"),
        ("con", |number| scheduler::interrupts(number).console, "Console"),
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
    scheduler::online_processors()
        .for_each(|number| text.add(format_args!(" {:>10}", alloc::format!("CPU{number}"))));
    text.add(format_args!("\n"));
    for (name, count, meaning) in ROWS {
        text.add(format_args!("{name:>4}:"));
        scheduler::online_processors().for_each(|number| text.add(format_args!(" {:>10}", count(number))));
        text.add(format_args!("  {meaning}\n"));
    }
    Ok(())
}

fn swaps((): &(), text: &mut Text) -> Result<(), Errno> {
    text.bytes(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    Ok(())
}

fn version((): &(), text: &mut Text) -> Result<(), Errno> {
    text.add(format_args!(
        "Linux version {} (Holstein {})\n",
        system::RELEASE,
        env!("CARGO_PKG_VERSION")
    ));
    Ok(())
}

fn memory_events((): &(), text: &mut Text) -> Result<(), Errno> {
    let faults = all_faults();
    text.add(format_args!("nr_free_pages {}\n", memory::free_frames()));
    text.add(format_args!("pgfault {faults}\npgmajfault 0\n"));
    for (event, name) in Event::ALL {
        text.add(format_args!("{name} {}\n", memory::get().events(event)));
    }
    // What follows from those, in the words of the benchmark: each is a sum over all of them.
    let cost = memory::get().cost();
    for (name, number) in [
        ("tlbi_total", cost.tlbis),
        ("dsb_total", cost.dsbs),
        ("bytes_copied", cost.bytes_copied),
        ("bytes_zeroed", cost.bytes_zeroed),
        ("bytes_user", cost.user_bytes),
    ] {
        text.add(format_args!("{name} {number}\n"));
    }
    Ok(())
}

fn devices((): &(), text: &mut Text) -> Result<(), Errno> {
    text.bytes(
        b"Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n204 ttyAMA\n\nBlock devices:\n",
    );
    Ok(())
}

fn partitions((): &(), text: &mut Text) -> Result<(), Errno> {
    text.bytes(b"major minor  #blocks  name\n\n");
    Ok(())
}
