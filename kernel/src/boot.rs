//! From the machine to the first process: memory, the file tree, init. And the other end: what happens when init ends or the
//! kernel cannot go on.
//!
//! Words of the command line that count here: `rdinit=`, `init=` (which program), `loglevel=`, `quiet`, `debug`, `panic=n`
//! (what follows a panic or the end of init: restart after n seconds; 0 stays, negative restarts at once; without it the
//! machine is turned off), `semihosting` (for tests in QEMU: instead of turning off, the emulator ends with init's exit status,
//! 128 + n if signal n ended it, 1 after a panic), `maxcpus=n` and `nosmp` (how many processors run), `asid=fixed` (every
//! address space under one ASID: QEMU then shows stale translations, which it hides by forgetting everything at each change of
//! the ASID), `root=` (a disk or partition whose file system is the root of the tree, if the loader gave no initrd: `/dev/vda1`, `UUID=`,
//! `PARTUUID=`, `LABEL=`) with `rootfstype=`, `ro`, `rw`, `rootwait`, `asid=n` (as if the machine had n ASIDs, so that they roll over), `fork=classic` (fork copies all tables: to measure
//! against), `watchdog=n` (the board's watchdog restarts it when its first processor takes no interrupts for n seconds), `boot=report`
//! (says what is known of the board: /proc/board), `boot=selftest` (the same, and what each processor is tried with at each boot is tried
//! for a second), `ip=` (the address of the first network device: `dhcp`, `off`, or `10.0.2.15/24,10.0.2.2`), `spectre_bhb=loop`, `pmu=programs` (CAP_PERFMON reads the processors' counters), `errata=859971` (what costs time and is not everybody's: platform/README.md). Everything else goes
//! to init as Linux hands it on: see
//! `formats::bootargs`.

use crate::{storage, user_loop, watchdog};
use abi::Errno;
use abi::file::OpenFlags;
use abi::process::{RLIMIT_STACK, WaitStatus};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use events::anonymous;
use formats::bootargs::CommandLine;
use formats::symbols::Payload;
use fs::initramfs;
use fs::pipe;
use fs::tmpfs;
use klog::boot_arguments;
use klog::power;
use klog::{self, Level, error, info, warn};
use memory::fallible;
use platform::Boot;
use platform::board::Check;
use platform::thread::KernelStack;
use sched::interrupts;
use sched::scheduler;
use sched::time;
use task::exec::{self, Arguments, Program};
use task::kernel_thread::{self, KernelWork};
use task::process::{self, Limits, Process, Shared, hooks};
use task::signal;
use task::signal::InheritedSignals;
use task::thread::{self, ThreadInit};
use task::vdso;
use vfs::mount;
use vfs::{
    self, Credentials, FileTable, FsContext, LastLink, LookupContext, OnExec, Restraint, Subject,
    open_executable,
};

/// Where init is looked for if the command line does not say (Linux's order, with `/init` of an initramfs first).
const INIT_PATHS: [&str; 5] = ["/init", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh"];

/// Frames that a process costs at least: its kernel stack, its tables, the first pages that it writes.
const FRAMES_PER_PROCESS: u64 = 32;

/// For how long the long self test of the board tries each processor, in nanoseconds.
const TEST_NANOS: u64 = time::SECOND;

/// `st_dev` of the root: file systems without a device of their own have major number 0.
const ROOT_DEVICE: u64 = 2;

/// What is mounted before init runs: the directory, the kind, `st_dev`.
const INITIAL_MOUNTS: [(&[u8], &[u8], u64); 3] = [
    (b"dev", b"devtmpfs", 5),
    (b"proc", b"proc", 4),
    (b"sys", b"sysfs", 6),
];

/// Starts the first process and runs the scheduler.
pub fn start(boot: Boot) -> ! {
    let line = boot_arguments::keep(boot.machine, boot.command_line);
    if let Some(level) = line.loglevel() {
        klog::show_below(level);
    }
    platform::crash::set_after_exception(power::after_panic());
    info!("Holstein {} on {}", env!("CARGO_PKG_VERSION"), describe(&boot));
    info!("Kernel command line: {}", line.text());
    say_rates();
    if let Some(seconds) = boot.wall_clock_seconds {
        time::set_realtime_nanos(seconds.saturating_mul(time::SECOND));
    }
    let asids = match line.value("asid") {
        Some("fixed") => mm::Asids::fixed(),
        limit => memory::asids(limit.and_then(|number| number.parse().ok())),
    };
    memory::start(asids).expect("a machine that booted has memory for the first frame");
    process::oom::register();
    process::register_tenants();
    if line.value("fork") == Some("classic") {
        memory::set_fork_classic();
    }
    signal::tell_file_owners();
    syscall::tell_makers_of_queues();
    vdso::make().expect("a machine that booted has memory for the next frames");
    let most = platform::memory::ram_bytes() / mm::PAGE_SIZE as u64 / FRAMES_PER_PROCESS;
    process::set_most_processes(most as usize);
    register_hooks();
    register_interrupts();
    fill_tree(&boot, line);
    give_back_initrd(boot);
    storage::begin(line, most);
    look_after_boards(line);
    start_processors(line);
    tell_of_board(line);
    inet::find_devices(inet::Wish::parse(line.value("ip")));
    watchdog::start(line.value("watchdog"));
    scheduler::run()
}

/// Mounts /dev, /proc and /sys, and starts init. On the boot stack, or on a thread of the kernel's own.
pub fn finish(line: CommandLine<'static>, most_processes: u64) {
    if let Err(reason) = mount_initial() {
        error!("Cannot mount /dev, /proc and /sys: {}", reason.message());
    }
    if let Err(reason) = start_init(line, most_processes) {
        klog::write(Level::Emergency, format_args!("Cannot start init: {reason}"));
        power::end(1)
    }
}

/// How fast the processors run: the firmware leaves them at their slowest.
fn say_rates() {
    const MEGA: u64 = 1_000_000;
    if let Some(rates) = platform::board::rates() {
        let (before, asked) = (u64::from(rates.before) / MEGA, u64::from(rates.asked) / MEGA);
        info!("Processor clock: {before} MHz from the firmware, which was asked for {asked} MHz");
    }
    if let Some(measured) = platform::board::measured_rate() {
        info!("Processor clock: {} MHz measured", measured / MEGA);
    }
}

/// What stands above the processes says what it does when they begin and end.
fn register_hooks() {
    hooks::set_thread_entry(user_loop::start);
    hooks::on_session_end(tty::session_ended);
    hooks::on_init_end(init_ended);
    net::unix::collector::set_start(kernel_thread::start::<SocketCollector>);
}

/// Closes sockets that only messages hold.
struct SocketCollector;

impl KernelWork for SocketCollector {
    const NAME: &'static str = "sockets";

    fn run() {
        net::unix::collector::run()
    }
}

/// Drivers say which interrupts they serve.
fn register_interrupts() {
    interrupts::set_stray_handler(|number| warn!("Interrupt {number} has no handler: it is masked"));
    let console = tty::make_console().expect("there is memory for a console");
    if let Err(reason) = tty::register_interrupt(console) {
        error!("Nothing can be typed at the console: {reason}");
    }
}

/// What the command line wants of the processors, before there is more than one: see the top of this file.
fn look_after_boards(line: CommandLine<'static>) {
    if line.value("spectre_bhb") == Some("loop") {
        platform::board::clear_branch_history();
    }
    if line.value("errata") == Some("859971") && !platform::board::work_around_859971() {
        warn!("errata=859971: this is no Cortex-A72");
    }
    if line.value("pmu") == Some("programs") && !platform::board::count_for_programs() {
        warn!("pmu=programs: this processor has no performance counters");
    }
    if line.value("boot") == Some("selftest") {
        platform::board::set_duration(TEST_NANOS);
    }
}

/// Says what is wrong with the board, and with `boot=report` or `boot=selftest` everything that is known of it.
fn tell_of_board(line: CommandLine<'static>) {
    if platform::board::passed(0, Check::Alarm) == Some(false) {
        error!("No interrupt arrives: on a Raspberry Pi 4 config.txt must not say enable_gic=0");
    }
    if matches!(line.value("boot"), Some("report" | "selftest")) {
        procfs::board_report(&mut |text| info!("{text}"));
    }
}

/// Starts the other processors. Each runs the first process, and all that follow, as soon as it is there.
fn start_processors(line: CommandLine<'static>) {
    for missing in platform::cpu::start_others(most_processors(line), scheduler::run) {
        warn!("Not started: {missing}");
    }
    let count = platform::cpu::count();
    info!("smp: Brought up {count} CPU{}", if count == 1 { "" } else { "s" });
}

/// `nosmp` and `maxcpus=0` leave the one that booted, as with Linux.
fn most_processors(line: CommandLine<'static>) -> usize {
    if line.has_flag("nosmp") {
        return 1;
    }
    let wanted = line.value("maxcpus").and_then(|text| text.parse::<usize>().ok());
    wanted.map_or(usize::MAX, |most| most.max(1))
}

fn describe(boot: &Boot) -> String {
    let megabytes = platform::memory::ram_bytes() >> 20;
    format!(
        "{}, {megabytes} MiB of memory, entered at EL{}",
        boot.machine.model, boot.exception_level
    )
}

/// Unpacks what the boot loader gave, or else the userland that the image carries. What is damaged is said; what came before the
/// damage is there.
fn fill_tree(boot: &Boot, line: CommandLine<'static>) {
    register().expect("there is memory for the names of a few file systems and devices");
    vfs::mount_root(tmpfs::root_kind(), ROOT_DEVICE).expect("there is memory for the root directory");
    let archive = match &boot.initrd {
        Ok(Some(initrd)) => Some(*initrd),
        // What `root=` names has the programs; nobody gave others.
        Ok(None) if line.value("root").is_some() => return,
        Ok(None) => embedded(boot.payload),
        Err(reason) => {
            error!("The initrd cannot be used: {reason}");
            None
        }
    };
    match archive.map(initramfs::unpack) {
        Some(Ok(summary)) => info!(
            "Unpacked the initramfs: {} entries, {} KiB",
            summary.entries,
            summary.bytes / 1024
        ),
        Some(Err(reason)) => error!("Initramfs unpacking failed: {reason}"),
        None => warn!("There is no initramfs"),
    }
}

/// Every file system says what it is called, every driver which devices it serves and what /dev shows of them.
fn register() -> Result<(), Errno> {
    procfs::register_sysfs()?;
    procfs::register_tracefs()?;
    tmpfs::register()?;
    procfs::register()?;
    tmpfs::register_devtmpfs()?;
    pipe::register()?;
    anonymous::register()?;
    net::file::register()?;
    net::unix::register()?;
    inet::register()?;
    tmpfs::register_ramfs()?;
    tty::register_devpts()?;
    ipc::posix::register()?;
    diskfs::register()?;
    devices::register()?;
    storage::register_loops()?;
    tty::register()
}

/// Mounts /dev, /proc and /sys; the directories are made if the initramfs has none. What the archive had there is hidden.
fn mount_initial() -> Result<(), Errno> {
    let root = vfs::root();
    for (name, kind, device) in INITIAL_MOUNTS {
        mount::mount_initial(&vfs::directory(&root, name)?, kind, device)?;
    }
    Ok(())
}

fn embedded(payload: &'static [u8]) -> Option<&'static [u8]> {
    Payload::parse(payload)
        .ok()
        .map(|payload| payload.initramfs())
        .filter(|archive| !archive.is_empty())
}

/// Everything was copied out of the initrd.
fn give_back_initrd(boot: Boot) {
    if let Ok(Some(initrd)) = boot.initrd {
        platform::memory::give_back_initrd(initrd);
    }
}

/// Makes process 1 and puts it into the run queue.
fn start_init(line: CommandLine<'static>, most_processes: u64) -> Result<(), String> {
    let limits = Limits::initial(most_processes / 2);
    let fs_context = FsContext::initial();
    let program = find_init(line, &fs_context, &limits)?;
    let reserved = process::reserve_pid(0, None).map_err(|error| String::from(error.message()))?;
    let files = console_files(&fs_context);
    let stack = KernelStack::take().map_err(|_| String::from("no memory for a stack"))?;
    let failed = |error: Errno| String::from(error.message());
    let process = Process::first(reserved.pid(), program.space.clone(), limits).map_err(failed)?;
    let (space, start) = (program.space.clone(), program.context());
    exec::take_identity(&process, program.identity);
    let thread = thread::new(ThreadInit {
        tid: reserved.pid(),
        process: process.clone(),
        files: Shared::new(Arc::new(files)),
        fs_context: Shared::new(Arc::new(fs_context)),
        signals: InheritedSignals::default(),
        kernel: thread::on_stack(stack, &start, |_| {}),
    })
    .map_err(failed)?;
    process.add_first_thread(thread.clone());
    space.enter();
    reserved.assign_first(&process);
    scheduler::begin(thread);
    Ok(())
}

/// The program that `rdinit=` or `init=` names; `/init` and Linux's other places if neither does.
fn find_init(line: CommandLine<'static>, fs_context: &FsContext, limits: &Limits) -> Result<Program, String> {
    if let Some(path) = line.rdinit().or(line.init()) {
        return load_init(path, line, fs_context, limits)
            .map_err(|error| format!("{path}: {}", error.message()));
    }
    for path in INIT_PATHS {
        match load_init(path, line, fs_context, limits) {
            Err(Errno::ENOENT) => {}
            Err(error) => return Err(format!("{path}: {}", error.message())),
            Ok(program) => return Ok(program),
        }
    }
    Err(String::from(
        "no init found; try passing rdinit= or init= on the command line",
    ))
}

fn load_init(
    path: &str,
    line: CommandLine<'static>,
    fs_context: &FsContext,
    limits: &Limits,
) -> Result<Program, Errno> {
    let credentials = Arc::new(Credentials::default());
    let context = LookupContext::current(fs_context, Subject::kernel());
    let file = open_executable(&context, path.as_bytes(), LastLink::Follow)?;
    let stack_limit = limits.get(RLIMIT_STACK).map_or(0, |limit| limit.cur);
    let request = exec::ExecRequest {
        file,
        path: path.as_bytes().to_vec(),
        arguments: init_arguments(path, line, stack_limit)?,
        fs_context,
        credentials: &credentials,
        stack_limit,
        restraint: Restraint::None,
    };
    let program = exec::load(request)?;
    info!("Run {path} as init process");
    Ok(program)
}

fn init_arguments(path: &str, line: CommandLine<'static>, stack_limit: u64) -> Result<Arguments, Errno> {
    let mut both = Arguments::new(stack_limit);
    both.push_argument(path.as_bytes())?;
    line.init_arguments().try_for_each(|parameter| {
        both.push_argument(fallible::text(format_args!("{parameter}"))?.as_bytes())
    })?;
    let given = |name| line.init_environment().any(|(key, _)| key == name);
    for (name, value) in [("HOME", "/"), ("TERM", "linux")] {
        if !given(name) {
            both.push_variable(fallible::text(format_args!("{name}={value}"))?.as_bytes())?;
        }
    }
    line.init_environment().try_for_each(|(name, value)| {
        both.push_variable(fallible::text(format_args!("{name}={value}"))?.as_bytes())
    })?;
    Ok(both)
}

/// Descriptors 0, 1, 2: the console, or nothing if it cannot be opened (Linux warns and goes on as well).
fn console_files(fs_context: &FsContext) -> FileTable {
    let mut files = FileTable::default();
    let context = LookupContext::current(fs_context, Subject::kernel());
    match vfs::open(&context, b"/dev/console", OpenFlags::O_RDWR, 0) {
        Ok(console) => {
            let opened = (0..3).all(|_| files.insert(console.clone(), OnExec::Keep, 0, 3).is_ok());
            debug_assert!(opened, "boot: three descriptors fit below three");
        }
        Err(error) => warn!("Unable to open an initial console: {}", error.message()),
    }
    files
}

/// Init ended, and with it everything: as Linux says it, then as `panic=` says.
fn init_ended(status: WaitStatus) -> ! {
    error!(
        "Kernel panic - not syncing: Attempted to kill init! exitcode={:#010x}",
        status.encode()
    );
    let code = match status {
        WaitStatus::Exited(code) => u32::from(code),
        WaitStatus::Signaled { signal, .. } => 128 + u32::from(signal),
        WaitStatus::Stopped(_) | WaitStatus::Continued => 1,
    };
    power::end(code)
}
