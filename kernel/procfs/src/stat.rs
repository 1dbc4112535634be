//! /proc/PID/{stat,statm}: numbers about a process, for programs. Formats: proc(5), `fs/proc/array.c`.

use abi::Errno;
use abi::process::RLIMIT_RSS;
use mm::PAGE_SIZE;
use task::thread::ThreadExt;

use super::access::may_inspect;
use super::proc_task::ProcTask;
use super::sizes::Sizes;
use super::text::{Text, clock_ticks};
use sched::scheduler::SchedAttributes;
use sched::space::ProgramLayout;
use task::signal;
use task::signal::SignalSets;

/// The priority of threads without a real-time priority and with nice value 0.
const PRIORITY: i64 = 20;
/// What Linux shows in place of the ends of the program's text to whoever may not look into it.
const HIDDEN: u64 = 1;

/// The 52 fields of proc(5). Addresses inside a program are shown to whoever may look into it; fields that have no
/// meaning here are 0, as Linux prints those that it has given up.
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn stat(process: &ProcTask, text: &mut Text) -> Result<(), Errno> {
    let sizes = Sizes::of(process);
    let signals = signal::summary(process, process.own_thread().as_deref());
    let may_inspect = may_inspect(process).is_ok();
    identity(process, text);
    times(process, text);
    let started = process
        .thread
        .as_ref()
        .map_or(process.start_ticks(), |thread| thread.start_ticks());
    text.field(clock_ticks(started));
    let is_alive = sizes.is_some();
    let mut sizes = sizes.unwrap_or_default();
    text.field(sizes.total);
    text.field(sizes.resident / PAGE_SIZE as u64);
    text.field(process.limit(RLIMIT_RSS));
    if !may_inspect {
        sizes.program = ProgramLayout {
            code: if is_alive { (HIDDEN, HIDDEN) } else { (0, 0) },
            ..ProgramLayout::default()
        };
    }
    let program = &sizes.program;
    fields(text, &[program.code.0, program.code.1, program.stack, 0, 0]);
    signal_sets(&signals, text);
    text.bytes(b" 0 0 0 ");
    text.add(format_args!("{}", exit_signal(process)));
    text.field(
        process
            .own_thread()
            .map_or(0, |thread| thread.scheduling.home() as u64),
    );
    let asked = scheduling(process);
    fields(text, &[asked.priority.into(), asked.policy as u64, 0, 0, 0]);
    if may_inspect {
        places(&sizes, text);
    } else {
        text.bytes(b" 0 0 0 0 0 0 0");
    }
    let status = if process.is_zombie() && may_inspect {
        process.exit_status()
    } else {
        0
    };
    text.field(status.into());
    text.bytes(b"\n");
    Ok(())
}

fn fields(text: &mut Text, numbers: &[u64]) {
    numbers.iter().for_each(|number| text.field(*number));
}

/// Who it is and whom it belongs to.
fn identity(process: &ProcTask, text: &mut Text) {
    text.decimal(process.id().into());
    text.bytes(b" (");
    // As it is: programs look for the last bracket.
    text.bytes(process.name().bytes());
    text.bytes(b") ");
    text.bytes(&[process.state() as u8]);
    let ids = [process.parent(), process.group(), process.session()];
    fields(text, &ids.map(u64::from));
    match tty::controlling(process) {
        Some((number, group)) => text.add(format_args!(" {number} {group}")),
        None => text.bytes(b" 0 -1"),
    }
}

/// What was asked of the scheduler; nothing for who has ended.
fn scheduling(process: &ProcTask) -> SchedAttributes {
    let thread = process.own_thread();
    thread.map_or(SchedAttributes::unpack(0), |thread| {
        thread.scheduling.attributes()
    })
}

/// Faults, times, priority, threads.
fn times(process: &ProcTask, text: &mut Text) {
    let own = match &process.thread {
        Some(thread) => thread.totals(),
        None => process.own_totals(),
    };
    let children = process.children_totals();
    let asked = scheduling(process);
    fields(
        text,
        &[
            0,
            own.minor_faults,
            children.minor_faults,
            own.major_faults,
            children.major_faults,
        ],
    );
    let ticks = [own.user, own.system, children.user, children.system];
    fields(text, &ticks.map(clock_ticks));
    let nice = i64::from(asked.nice);
    let priority = match asked.effective_priority() {
        0 => PRIORITY + nice,
        real_time => -1 - i64::from(real_time),
    };
    text.add(format_args!(" {priority} {nice}"));
    fields(text, &[process.thread_count() as u64, 0]);
}

fn signal_sets(signals: &SignalSets, text: &mut Text) {
    let pending = signals.shared_pending.union(signals.pending);
    let sets = [pending, signals.blocked, signals.ignored, signals.caught];
    // Fields of 31 bits, "obsolete, because it does not provide information on real-time signals".
    fields(text, &sets.map(|set| set.0 & 0x7fff_ffff));
}

/// What lies where in its memory.
fn places(sizes: &Sizes, text: &mut Text) {
    let (data, arguments, environment) = (sizes.program.data, sizes.arguments, sizes.environment);
    fields(text, &[data.0, data.1, sizes.break_start]);
    fields(text, &[arguments.0, arguments.1, environment.0, environment.1]);
}

/// What the parent hears at the end; nothing, -1, at that of a further thread.
fn exit_signal(process: &ProcTask) -> i32 {
    match &process.thread {
        Some(thread) if !thread.is_first() => -1,
        _ => process.process.exit_signal().into(),
    }
}

/// Sizes in pages: total, resident, resident of objects, text, 0, data and stack, 0.
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn statm(process: &ProcTask, text: &mut Text) -> Result<(), Errno> {
    let sizes = Sizes::of(process).unwrap_or_default();
    let pages = |bytes: u64| bytes / PAGE_SIZE as u64;
    text.decimal(pages(sizes.total));
    text.field(pages(sizes.resident));
    text.field(pages(sizes.resident_files + sizes.resident_shared));
    text.field(pages(sizes.program.text_len()));
    text.field(0);
    text.field(pages(sizes.data + sizes.stack));
    text.bytes(b" 0\n");
    Ok(())
}
