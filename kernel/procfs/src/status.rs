//! /proc/PID/status: a process, for people. Format: proc(5), `fs/proc/array.c`.

use core::sync::atomic::Ordering;

use abi::Errno;
use abi::process::RLIMIT_SIGPENDING;

use super::proc_task::ProcTask;
use super::sizes::{self, Sizes};
use super::text::Text;
use formats::escape::Escaped;
use task::signal;
use task::thread::{Thread, ThreadExt};
use vfs::Credentials;
use vfs::FileTable;

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
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn status(process: &ProcTask, text: &mut Text) -> Result<(), Errno> {
    let credentials = process.credentials();
    let thread = process.own_thread();
    identity_lines(process, thread.as_deref(), text);
    credential_lines(&credentials, text);
    let slots = thread
        .as_ref()
        .map_or(0, |thread| thread.files().read(FileTable::capacity));
    line(text, "FDSize", slots as u64);
    text.bytes(b"Groups:\t");
    for group in credentials.groups.iter() {
        text.decimal((*group).into());
        text.bytes(b" ");
    }
    text.bytes(b"\n");
    for (name, id) in [
        ("NStgid", process.pid),
        ("NSpid", process.id()),
        ("NSpgid", process.group()),
        ("NSsid", process.session()),
    ] {
        line(text, name, id.into());
    }
    line(text, "Kthread", 0);
    if let Some(sizes) = Sizes::of(process) {
        memory_lines(&sizes, sizes::swapped(process), text);
    }
    line(text, "Threads", process.thread_count().max(1) as u64);
    signal_lines(process, text);
    capability_lines(&credentials, text);
    let is_fixed = process.attributes.has_no_new_privileges.load(Ordering::Relaxed);
    line(text, "NoNewPrivs", is_fixed.into());
    text.bytes(b"Seccomp:\t0\nSeccomp_filters:\t0\n");
    if let Some(thread) = &thread {
        processor_lines(thread, text);
    }
    Ok(())
}

fn line(text: &mut Text, name: &str, number: u64) {
    text.bytes(name.as_bytes());
    text.bytes(b":\t");
    text.decimal(number);
    text.bytes(b"\n");
}

fn identity_lines(process: &ProcTask, thread: Option<&Thread>, text: &mut Text) {
    text.bytes(b"Name:\t");
    text.escaped(&Escaped::name(process.name().bytes()));
    text.bytes(b"\n");
    if let Some(thread) = thread {
        let umask = thread.fs_context().read(|fs_context| fs_context.umask);
        text.add(format_args!("Umask:\t{umask:04o}\n"));
    }
    let state = process.state();
    text.add(format_args!("State:\t{state} ({})\n", state_name(state)));
    line(text, "Tgid", process.pid.into());
    line(text, "Ngid", 0);
    line(text, "Pid", process.id().into());
    line(text, "PPid", process.parent().into());
    line(text, "TracerPid", 0);
}

fn credential_lines(credentials: &Credentials, text: &mut Text) {
    let Credentials {
        uid,
        euid,
        suid,
        fsuid,
        gid,
        egid,
        sgid,
        fsgid,
        ..
    } = *credentials;
    for (name, ids) in [
        ("Uid:", [uid, euid, suid, fsuid]),
        ("Gid:", [gid, egid, sgid, fsgid]),
    ] {
        text.bytes(name.as_bytes());
        for id in ids {
            text.bytes(b"\t");
            text.decimal(id.into());
        }
        text.bytes(b"\n");
    }
}

fn capability_lines(credentials: &Credentials, text: &mut Text) {
    for (name, set) in [
        ("CapInh:\t", credentials.inheritable),
        ("CapPrm:\t", credentials.permitted),
        ("CapEff:\t", credentials.effective),
        ("CapBnd:\t", credentials.bounding),
        ("CapAmb:\t", credentials.ambient),
    ] {
        set_line(text, name, set.0);
    }
}

fn set_line(text: &mut Text, name: &str, set: u64) {
    text.bytes(name.as_bytes());
    text.hexadecimal(set, 16);
    text.bytes(b"\n");
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

fn memory_lines(sizes: &Sizes, swapped: u64, text: &mut Text) {
    let program = sizes.program.text_len();
    for (name, bytes) in [
        ("VmPeak", sizes.peak),
        ("VmSize", sizes.total),
        ("VmLck", sizes.locked),
        ("VmPin", 0),
        ("VmHWM", sizes.resident_peak),
        ("VmRSS", sizes.resident),
        ("RssAnon", sizes.resident_anonymous()),
        ("RssFile", sizes.resident_files),
        ("RssShmem", sizes.resident_shared),
        ("VmData", sizes.data),
        ("VmStk", sizes.stack),
        ("VmExe", program),
        ("VmLib", sizes.executable.saturating_sub(program)),
        ("VmPTE", sizes.tables),
        ("VmSwap", swapped),
    ] {
        text.kibibytes(name, bytes);
    }
}

fn signal_lines(process: &ProcTask, text: &mut Text) {
    let signals = signal::summary(process, process.own_thread().as_deref());
    text.bytes(b"SigQ:\t");
    text.decimal(process.signals.waiting() as u64);
    text.bytes(b"/");
    text.decimal(process.limit(RLIMIT_SIGPENDING));
    text.bytes(b"\n");
    for (name, set) in [
        ("SigPnd:\t", signals.pending),
        ("ShdPnd:\t", signals.shared_pending),
        ("SigBlk:\t", signals.blocked),
        ("SigIgn:\t", signals.ignored),
        ("SigCgt:\t", signals.caught),
    ] {
        set_line(text, name, set.0);
    }
}
