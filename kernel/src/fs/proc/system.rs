//! What the kernel says about the machine: the files of /proc itself.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::time::USER_HZ;
use mm::Event;
use platform::timer;

use super::text::Text;
use super::{Entry, TextLink, lock_stat, pages, sys, trigger};
use crate::fs::filesystem::Filesystem;
use crate::fs::mount;
use crate::process::{self, Process};
use crate::syscall::system;
use crate::{boot, memory, scheduler, time};

pub static ENTRIES: [Entry<()>; 21] = [
    Entry::text("cmdline", command_line),
    Entry::text("cpuinfo", processors),
    Entry::text("filesystems", filesystems),
    Entry::object("kpagecount", |()| Ok(pages::open_counts())),
    Entry::object("kpageflags", |()| Ok(pages::open_flags())),
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
    Entry::command("sysrq-trigger", trigger::open),
    Entry::link("thread-self", |()| {
        let current = scheduler::current();
        let (pid, tid) = (current.process.pid, current.tid);
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
    let id = platform::cpu::main_id();
    let half_centi = timer::frequency() / 5000;
    text.add(format_args!(
        "processor\t: 0\nBogoMIPS\t: {}.{:02}\n",
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
    Ok(())
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
        process::count(),
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

/// Ticks that all processes, living and dead, used at EL0 and in the kernel, and their minor and major faults.
struct Totals {
    user: u64,
    system: u64,
    minor_faults: u64,
    major_faults: u64,
}

/// A process that ended lives on in its parent's account of children, and so in the first process's at last.
fn totals() -> Totals {
    let mut totals = Totals {
        user: 0,
        system: 0,
        minor_faults: 0,
        major_faults: 0,
    };
    for process in process::all() {
        let times = process.times();
        let (own, children) = (process.usage.faults(), process.usage.children_faults());
        totals.user += times.user + times.children_user;
        totals.system += times.system + times.children_system;
        totals.minor_faults += own.0 + children.0;
        totals.major_faults += own.1 + children.1;
    }
    totals
}

/// Ticks since boot, and those of them in which nothing ran.
pub fn up_and_idle() -> (u64, u64) {
    let (up, totals) = (timer::ticks(), totals());
    (up, up.saturating_sub(totals.user + totals.system))
}

/// Ticks of the timer in units of `USER_HZ`.
pub fn clock_ticks(ticks: u64) -> u64 {
    timer::ticks_to_nanos(ticks) / (time::SECOND / USER_HZ)
}

fn uptime((): &(), text: &mut Text) -> Result<(), Errno> {
    let (up, idle) = up_and_idle();
    let (up, idle) = (clock_ticks(up), clock_ticks(idle));
    text.add(format_args!(
        "{}.{:02} {}.{:02}\n",
        up / 100,
        up % 100,
        idle / 100,
        idle % 100
    ));
    Ok(())
}

fn statistics((): &(), text: &mut Text) -> Result<(), Errno> {
    let totals = totals();
    let (_, idle) = up_and_idle();
    let (user, system, idle) = (
        clock_ticks(totals.user),
        clock_ticks(totals.system),
        clock_ticks(idle),
    );
    let times = alloc::format!("{user} 0 {system} {idle} 0 0 0 0 0 0");
    let booted = time::now_realtime_nanos().saturating_sub(time::now_monotonic_nanos()) / time::SECOND;
    text.add(format_args!("cpu  {times}\ncpu0 {times}\n"));
    text.add(format_args!("btime {booted}\n"));
    let blocked = process::all()
        .iter()
        .filter(|process| process.state() == 'D')
        .count();
    text.add(format_args!(
        "procs_running {}\nprocs_blocked {blocked}\n",
        scheduler::runnable().max(1)
    ));
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
    let totals = totals();
    text.add(format_args!("nr_free_pages {}\n", memory::free_frames()));
    text.add(format_args!(
        "pgfault {}\n",
        totals.minor_faults + totals.major_faults
    ));
    text.add(format_args!("pgmajfault {}\n", totals.major_faults));
    for (event, name) in Event::ALL {
        text.add(format_args!("{name} {}\n", memory::get().events(event)));
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

/// Whether the running process may look into the memory of `process` (ptrace(2), access mode checking).
pub fn may_look_into(process: &Process) -> Result<(), Errno> {
    let (mine, theirs) = (scheduler::current().process.credentials(), process.credentials());
    let is_same = [theirs.uid, theirs.euid, theirs.suid]
        .iter()
        .all(|id| *id == mine.fsuid);
    if is_same || mine.is_privileged() {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}
