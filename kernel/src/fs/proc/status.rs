//! /proc/PID/{stat,statm,status,limits}: numbers about a process, for programs (`stat`) and for people (`status`).
//! Formats: proc(5), `fs/proc/array.c`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use abi::process::{
    RLIM64_INFINITY, RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS,
    RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO,
    RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
};
use mm::{AddressSpace, PAGE_SIZE, Purpose, VirtAddr};

use super::maps::file_pages;
use super::process::Subject;
use super::system::clock_ticks;
use super::text::Text;
use crate::fs::FileTable;
use crate::thread::Thread;
use crate::{memory, signal, tty};

/// The priority of ordinary processes with nice value 0.
const PRIORITY: i32 = 20;

/// Sizes of an address space in bytes.
#[derive(Default)]
struct Sizes {
    total: u64,
    resident: u64,
    resident_files: u64,
    data: u64,
    stack: u64,
    text: u64,
    /// First and last byte of program text, start of the stack, start of the break.
    text_range: (u64, u64),
    stack_start: u64,
    break_start: u64,
}

impl Sizes {
    /// Those of a process; zeros once it has ended.
    fn of(process: &Subject) -> Self {
        process.with_space(Sizes::of_space).unwrap_or_default()
    }

    fn of_space(space: &mut AddressSpace) -> Self {
        let mut sizes = Sizes {
            resident: space.resident_pages(memory::get()) * PAGE_SIZE as u64,
            resident_files: file_pages(space) * PAGE_SIZE as u64,
            break_start: space.break_range().0.0,
            ..Sizes::default()
        };
        for area in space.areas().iter() {
            let (range, len) = (area.range(), area.range().len());
            sizes.total += len;
            match area.purpose {
                Purpose::Stack { .. } => {
                    sizes.stack += len;
                    sizes.stack_start = range.end().0;
                }
                _ if area.protection.execute => sizes.add_text(range.start(), range.end()),
                _ if area.protection.write && area.sharing == mm::Sharing::Private => sizes.data += len,
                _ => {}
            }
        }
        sizes
    }

    fn add_text(&mut self, start: VirtAddr, end: VirtAddr) {
        if self.text == 0 {
            self.text_range = (start.0, end.0);
        }
        self.text += end.0 - start.0;
    }
}

/// The 52 fields of proc(5). Addresses inside a program are shown to whoever may look into it; fields that have no
/// meaning here are 0, as Linux prints those that it has given up.
pub fn stat(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    let sizes = Sizes::of(process);
    let own = match &process.thread {
        Some(thread) => thread.totals(),
        None => process.own_totals(),
    };
    let children = process.children_totals();
    let (terminal, foreground) = match tty::controlling(process.session()) {
        Some((number, group)) => (number, i64::from(group)),
        None => (0, -1),
    };
    let nice = i32::from(
        process
            .attributes
            .nice
            .load(core::sync::atomic::Ordering::Relaxed),
    );
    let signals = signal::summary(process, process.own_thread().as_deref());
    let (arguments, environment) = string_ranges(process);
    let started = process
        .thread
        .as_ref()
        .map_or(process.start_ticks(), |thread| thread.start_ticks());
    text.add(format_args!(
        "{} ({}) {}",
        process.id(),
        process.name(),
        process.state()
    ));
    text.add(format_args!(
        " {} {} {}",
        process.parent(),
        process.group(),
        process.session()
    ));
    text.add(format_args!(
        " {terminal} {foreground} 0 {} {} 0 0",
        own.minor_faults, children.minor_faults
    ));
    text.add(format_args!(
        " {} {}",
        clock_ticks(own.user),
        clock_ticks(own.system)
    ));
    text.add(format_args!(
        " {} {}",
        clock_ticks(children.user),
        clock_ticks(children.system)
    ));
    text.add(format_args!(
        " {} {nice} {} 0",
        PRIORITY + nice,
        process.thread_count()
    ));
    text.add(format_args!(" {} {}", clock_ticks(started), sizes.total));
    text.add(format_args!(
        " {} {}",
        sizes.resident / PAGE_SIZE as u64,
        process.limit(RLIMIT_RSS)
    ));
    text.add(format_args!(
        " {} {} {}",
        sizes.text_range.0, sizes.text_range.1, sizes.stack_start
    ));
    text.add(format_args!(
        " 0 0 {} {}",
        signals.shared_pending.union(signals.pending).0,
        signals.blocked.0
    ));
    text.add(format_args!(
        " {} {} 0 0 0 {} {} 0 0 0 0 0",
        signals.ignored.0,
        signals.caught.0,
        exit_signal(process),
        process.own_thread().map_or(0, |thread| thread.scheduling.home())
    ));
    text.add(format_args!(" 0 0 {}", sizes.break_start));
    text.add(format_args!(
        " {} {} {} {}",
        arguments.0, arguments.1, environment.0, environment.1
    ));
    text.add(format_args!(
        " {}\n",
        if process.is_zombie() {
            process.exit_status()
        } else {
            0
        }
    ));
    Ok(())
}

/// What the parent hears at the end; nothing, -1, at that of a further thread.
fn exit_signal(process: &Subject) -> i32 {
    match &process.thread {
        Some(thread) if !thread.is_first() => -1,
        _ => process.process.exit_signal().into(),
    }
}

/// First byte and end of the argument and the environment strings.
fn string_ranges(process: &Subject) -> ((u64, u64), (u64, u64)) {
    let Some(space) = process.space() else {
        return Default::default();
    };
    let end = |(start, len): (u64, usize)| (start, start + len as u64);
    (end(space.strings.arguments()), end(space.strings.environment()))
}

/// Sizes in pages: total, resident, resident of files, text, 0, data and stack, 0.
pub fn statm(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    let sizes = Sizes::of(process);
    let pages = |bytes: u64| bytes / PAGE_SIZE as u64;
    text.add(format_args!(
        "{} {} {} {} 0 {} 0\n",
        pages(sizes.total),
        pages(sizes.resident),
        pages(sizes.resident_files),
        pages(sizes.text),
        pages(sizes.data + sizes.stack)
    ));
    Ok(())
}

/// What a state letter means.
fn state_name(state: char) -> &'static str {
    match state {
        'R' => "running",
        'T' => "stopped",
        'Z' => "zombie",
        _ => "sleeping",
    }
}

/// The table for people.
pub fn status(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    let credentials = process.credentials();
    let state = process.state();
    let thread = process.own_thread();
    text.add(format_args!("Name:\t{}\n", process.name()));
    if let Some(thread) = &thread {
        let umask = thread.directories.read(|directories| directories.umask);
        text.add(format_args!("Umask:\t{umask:04o}\n"));
    }
    text.add(format_args!("State:\t{state} ({})\n", state_name(state)));
    text.add(format_args!(
        "Tgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\n",
        process.pid,
        process.id(),
        process.parent()
    ));
    text.add(format_args!("TracerPid:\t0\n"));
    let ids = |text: &mut Text, name: &str, ids: [u32; 4]| {
        text.add(format_args!(
            "{name}:\t{}\t{}\t{}\t{}\n",
            ids[0], ids[1], ids[2], ids[3]
        ));
    };
    ids(
        text,
        "Uid",
        [
            credentials.uid,
            credentials.euid,
            credentials.suid,
            credentials.fsuid,
        ],
    );
    ids(
        text,
        "Gid",
        [
            credentials.gid,
            credentials.egid,
            credentials.sgid,
            credentials.fsgid,
        ],
    );
    let groups: Vec<String> = credentials
        .groups
        .iter()
        .map(|group| format!("{group} "))
        .collect();
    let slots = thread
        .as_ref()
        .map_or(0, |thread| thread.files.read(FileTable::capacity));
    text.add(format_args!("FDSize:\t{slots}\nGroups:\t{}\n", groups.concat()));
    if !process.is_zombie() {
        memory_lines(&Sizes::of(process), text);
    }
    text.add(format_args!("Threads:\t{}\n", process.thread_count().max(1)));
    signal_lines(process, text);
    for (name, set) in [
        ("CapInh", credentials.inheritable),
        ("CapPrm", credentials.permitted),
        ("CapEff", credentials.effective),
        ("CapBnd", credentials.bounding),
        ("CapAmb", credentials.ambient),
    ] {
        text.add(format_args!("{name}:\t{:016x}\n", set.0));
    }
    let is_fixed = process
        .attributes
        .has_no_new_privileges
        .load(core::sync::atomic::Ordering::Relaxed);
    text.add(format_args!(
        "NoNewPrivs:\t{}\nSeccomp:\t0\n",
        u32::from(is_fixed)
    ));
    if let Some(thread) = &thread {
        processor_lines(thread, text);
    }
    Ok(())
}

/// Where the thread may run, as a mask and as a list of ranges, and how often it gave a processor up, or had to.
fn processor_lines(thread: &Thread, text: &mut Text) {
    let allowed = thread.scheduling.allowed();
    text.add(format_args!("Cpus_allowed:\t{allowed:x}\nCpus_allowed_list:\t"));
    let (mut rest, mut separator) = (allowed, "");
    while rest != 0 {
        let first = rest.trailing_zeros();
        let count = (rest >> first).trailing_ones();
        match count {
            1 => text.add(format_args!("{separator}{first}")),
            _ => text.add(format_args!("{separator}{first}-{}", first + count - 1)),
        }
        rest &= !(((1 << count) - 1) << first);
        separator = ",";
    }
    let (voluntary, involuntary) = thread.scheduling.switches();
    text.add(format_args!(
        "\nvoluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}\n"
    ));
}

fn memory_lines(sizes: &Sizes, text: &mut Text) {
    text.kibibytes("VmSize", sizes.total);
    text.kibibytes("VmRSS", sizes.resident);
    text.kibibytes("RssAnon", sizes.resident.saturating_sub(sizes.resident_files));
    text.kibibytes("RssFile", sizes.resident_files);
    text.kibibytes("VmData", sizes.data);
    text.kibibytes("VmStk", sizes.stack);
    text.kibibytes("VmExe", sizes.text);
    text.kibibytes("VmSwap", 0);
}

fn signal_lines(process: &Subject, text: &mut Text) {
    let signals = signal::summary(process, process.own_thread().as_deref());
    let lines = [
        ("SigPnd", signals.pending),
        ("ShdPnd", signals.shared_pending),
        ("SigBlk", signals.blocked),
        ("SigIgn", signals.ignored),
        ("SigCgt", signals.caught),
    ];
    for (name, set) in lines {
        text.add(format_args!("{name}:\t{:016x}\n", set.0));
    }
}

/// Name and unit of each limit, in the order of proc(5).
const LIMITS: [(usize, &str, &str); 16] = [
    (RLIMIT_CPU, "Max cpu time", "seconds"),
    (RLIMIT_FSIZE, "Max file size", "bytes"),
    (RLIMIT_DATA, "Max data size", "bytes"),
    (RLIMIT_STACK, "Max stack size", "bytes"),
    (RLIMIT_CORE, "Max core file size", "bytes"),
    (RLIMIT_RSS, "Max resident set", "bytes"),
    (RLIMIT_NPROC, "Max processes", "processes"),
    (RLIMIT_NOFILE, "Max open files", "files"),
    (RLIMIT_MEMLOCK, "Max locked memory", "bytes"),
    (RLIMIT_AS, "Max address space", "bytes"),
    (RLIMIT_LOCKS, "Max file locks", "locks"),
    (RLIMIT_SIGPENDING, "Max pending signals", "signals"),
    (RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"),
    (RLIMIT_NICE, "Max nice priority", ""),
    (RLIMIT_RTPRIO, "Max realtime priority", ""),
    (RLIMIT_RTTIME, "Max realtime timeout", "us"),
];

/// The table of limits.
pub fn limits(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    let limits = process.limits();
    let show = |value: u64| {
        if value == RLIM64_INFINITY {
            String::from("unlimited")
        } else {
            format!("{value}")
        }
    };
    text.add(format_args!(
        "{:<25} {:<20} {:<20} {:<10}\n",
        "Limit", "Soft Limit", "Hard Limit", "Units"
    ));
    for (which, name, unit) in LIMITS {
        if let Some(limit) = limits.get(which) {
            text.add(format_args!(
                "{name:<25} {:<20} {:<20} {unit:<10}\n",
                show(limit.cur),
                show(limit.max)
            ));
        }
    }
    Ok(())
}
