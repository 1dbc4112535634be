//! What the kernel says about the machine: the files of /proc itself.

use alloc::vec::Vec;
use task::thread::ThreadExt;

use abi::Errno;
use mm::Event;
use platform::timer;

use super::entry::{Directory, FixedEntry, SPREAD, TextLink};
use super::node::{Magic, PseudoNode};
use super::text::{Text, clock_ticks};
use super::{board, disks, lock_stat, locks, net, pages, processors, resources, sys, sysvipc, trigger};
use klog::boot_arguments;
use memory::fallible;
use pagecache::writeback;
use sched::scheduler;
use task::process;
use task::uts;
use vfs::device_registry::{self, DeviceClass};
use vfs::filesystem;
use vfs::mount::{self, Mount};

pub static ENTRIES: [FixedEntry<()>; 29] = [
    FixedEntry::text("board", board::text),
    FixedEntry::text("cmdline", command_line),
    FixedEntry::text("cpuinfo", processors::information),
    FixedEntry::text("filesystems", filesystems),
    FixedEntry::object("kpagecount", 0o400, |()| pages::open_counts()),
    FixedEntry::object("kpageflags", 0o400, |()| pages::open_flags()),
    FixedEntry::text("interrupts", processors::interrupts),
    FixedEntry::object("iomem", 0o444, |()| resources::open()),
    FixedEntry::text("loadavg", load),
    FixedEntry::text("lock_stat", lock_stat::waits),
    FixedEntry::object("locks", 0o444, |()| locks::open()),
    FixedEntry::text("meminfo", memory_use),
    // There are no modules.
    FixedEntry::text("modules", |(), _| Ok(())),
    FixedEntry::link("mounts", |()| PseudoNode::link(TextLink(b"self/mounts"))),
    FixedEntry::directory("net", 0o555, net::root),
    FixedEntry::link("self", |()| PseudoNode::link(OwnDirectory { is_thread: false })),
    FixedEntry::text("stat", processors::statistics),
    FixedEntry::text("swaps", swaps),
    FixedEntry::directory("sys", 0o555, sys::root),
    FixedEntry::object("sysrq-trigger", 0o200, trigger::open),
    FixedEntry::link("thread-self", |()| {
        PseudoNode::link(OwnDirectory { is_thread: true })
    }),
    FixedEntry::text("uptime", uptime),
    FixedEntry::text("version", version),
    FixedEntry::text("vmstat", memory_events),
    FixedEntry::text("devices", devices),
    FixedEntry::text("diskstats", disks::statistics),
    FixedEntry::directory("tty", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &TERMINALS)
    }),
    FixedEntry::text("partitions", disks::partitions),
    FixedEntry::directory("sysvipc", 0o555, sysvipc::root),
];

/// The directory of whoever asks: its process's, or its own as a thread.
struct OwnDirectory {
    is_thread: bool,
}

impl Magic for OwnDirectory {
    fn text(&self) -> Result<Vec<u8>, Errno> {
        let current = scheduler::current();
        let (pid, tid) = (current.process().pid, current.tid());
        if self.is_thread {
            fallible::text_bytes(format_args!("{pid}/task/{tid}"))
        } else {
            fallible::text_bytes(format_args!("{pid}"))
        }
    }
}

static TERMINALS: [FixedEntry<()>; 1] = [FixedEntry::text("drivers", terminal_drivers)];

/// As `drivers/tty/tty_io.c` lists them: name, node, major number, minor numbers, kind.
fn terminal_drivers((): &(), text: &mut Text) -> Result<(), Errno> {
    for driver in tty::drivers() {
        let (first, last) = (driver.minors.start(), driver.minors.end());
        text.add(format_args!(
            "{:<20} /dev/{:<8} {:>3} ",
            driver.name, driver.node, driver.major
        ));
        match first == last {
            true => text.add(format_args!("{first:>7} ")),
            false => text.add(format_args!("{first}-{last} ")),
        }
        text.add(format_args!("{}\n", driver.kind));
    }
    Ok(())
}

fn command_line((): &(), text: &mut Text) -> Result<(), Errno> {
    let line = boot_arguments::command_line();
    text.add(format_args!("{}\n", line.map_or("", |line| line.text())));
    Ok(())
}

fn filesystems((): &(), text: &mut Text) -> Result<(), Errno> {
    // None of them needs a block device.
    for kind in (0..).map_while(filesystem::nth) {
        text.add(format_args!("nodev\t{}\n", kind.name()));
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

/// Pages of the files of all mounted filesystems: each is mounted once.
fn cached_pages() -> u64 {
    let next = |mount: &Mount| mount::next_from(mount.id + 1);
    core::iter::successors(mount::next_from(0), next)
        .map(|mount| mount.root.inode.filesystem.page_count())
        .sum()
}

fn memory_use((): &(), text: &mut Text) -> Result<(), Errno> {
    const PAGE: u64 = mm::PAGE_SIZE as u64;
    let free = memory::free_frames() as u64 * PAGE;
    let shared = cached_pages() * PAGE;
    let cached = pagecache::reclaim::cached_pages() as u64 * PAGE;
    let [dirty, written] =
        [writeback::dirty_pages(), writeback::written_pages()].map(|pages| pages as u64 * PAGE);
    let swap = memory::get().swap().usage();
    let heap = platform::heap::arena_bytes() as u64;
    let unused_heap = memory::unused_heap_frames() as u64 * PAGE;
    let lines = [
        ("MemTotal:", platform::memory::ram_bytes()),
        ("MemFree:", free),
        (
            "MemAvailable:",
            free + unused_heap + cached.saturating_sub(dirty + written),
        ),
        ("Buffers:", 0),
        ("Cached:", shared + cached),
        ("SwapCached:", memory::get().swap().cached().0 as u64 * PAGE),
        ("SwapTotal:", swap.slots * PAGE),
        ("SwapFree:", (swap.slots - swap.used) * PAGE),
        ("Dirty:", dirty),
        ("Writeback:", written),
        ("Shmem:", shared),
        ("Slab:", heap),
        ("SReclaimable:", unused_heap),
        ("SUnreclaim:", heap.saturating_sub(unused_heap)),
    ];
    for (name, bytes) in lines {
        text.add(format_args!("{name:<16}{:8} kB\n", bytes / 1024));
    }
    Ok(())
}

/// Faults of all processes, living and dead: all of them, and those that had to wait. A process that ended lives on in its parent's account of children, and
/// so in the first process's at last.
fn all_faults() -> Result<(u64, u64), Errno> {
    let mut sum = (0, 0);
    let mut next = process::next_from(0);
    while let Some(process) = next {
        let totals = process.all_totals();
        sum.0 += totals.minor_faults + totals.major_faults;
        sum.1 += totals.major_faults;
        scheduler::cond_resched_killable()?;
        next = process::next_from(process.pid + 1);
    }
    Ok(sum)
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

fn swaps((): &(), text: &mut Text) -> Result<(), Errno> {
    text.bytes(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    for area in swap::areas() {
        let area = area?;
        let kilobytes = |pages: u64| pages * (mm::PAGE_SIZE as u64 / 1024);
        text.bytes(&area.name);
        // As `swap_show` of Linux: the name has 40 columns, and a blank at least.
        (area.name.len()..39).for_each(|_| text.bytes(b" "));
        text.bytes(b" ");
        let (size, used) = (kilobytes(area.pages), kilobytes(area.used));
        let tabs = |number: u64| if number < 10_000_000 { "\t\t" } else { "\t" };
        text.add(format_args!(
            "{}\t{size}{}{used}{}{}\n",
            if area.is_file { "file\t" } else { "partition" },
            tabs(size),
            tabs(used),
            area.priority
        ));
    }
    Ok(())
}

fn version((): &(), text: &mut Text) -> Result<(), Errno> {
    text.add(format_args!(
        "Linux version {} (Holstein {})\n",
        uts::RELEASE,
        env!("CARGO_PKG_VERSION")
    ));
    Ok(())
}

fn memory_events((): &(), text: &mut Text) -> Result<(), Errno> {
    let (faults, major) = all_faults()?;
    text.add(format_args!("nr_free_pages {}\n", memory::free_frames()));
    text.add(format_args!("pgfault {faults}\npgmajfault {major}\n"));
    let (read, written) = (swap::pages_read(), swap::pages_written());
    text.add(format_args!("pswpin {read}\npswpout {written}\n"));
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
    text.bytes(b"Character devices:\n");
    let all = || (0..).map_while(device_registry::nth);
    let characters = || all().filter(|range| range.class == DeviceClass::Character);
    let mut from = 0;
    // By number, and then as they came.
    while let Some(major) = characters()
        .map(|range| range.major)
        .filter(|major| *major >= from)
        .min()
    {
        for range in characters().filter(|range| range.major == major) {
            text.add(format_args!("{major:>3} {}\n", range.name));
        }
        from = major + 1;
    }
    text.bytes(b"\nBlock devices:\n");
    for range in (0..)
        .map_while(device_registry::nth)
        .filter(|range| range.class == DeviceClass::Block)
    {
        text.add(format_args!("{:>3} {}\n", range.major, range.name));
    }
    Ok(())
}
