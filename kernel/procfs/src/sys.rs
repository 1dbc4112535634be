//! /proc/sys: the settings that programs ask for. Those that can be changed are the machine's names, what sched(7) tells, and
//! `vm/fork_copies_stack`, which only this kernel has: whether fork gives the child a copy of the page under the stack pointer at once (`mm::fork`).

use alloc::sync::Arc;

use abi::Errno;
use abi::capability::CAP_LAST_CAP;
use spin::Once;

use super::entry::{Directory, FixedEntry, SPREAD};
use super::node::PseudoNode;
use super::text::{Text, number};
use super::{net, posix_queues, settings, sysvipc};
use core::sync::atomic::Ordering;
use events::{epoll, inotify};
use fs::pipe;
use ipc::settings::{MOST_MESSAGE_BYTES, MOST_QUEUE_BYTES, MOST_QUEUES, MOST_SEGMENTS, SHMALL, SHMMAX};
use sched::scheduler::SETTINGS;
use swap::reclaim::{MOST_SWAPPINESS, SWAPPINESS};
use task::process;
use task::uts;
use tty::PtyLimit;
use vfs::NGROUPS_MAX;
use vfs::OpenFile;
use vfs::directory_notice;
use vfs::file_table::MAX_DESCRIPTORS;
use vfs::super_block::SuperBlock;

/// One more than the highest process id.
const PID_MAX: u64 = 32768;

static ROOT: [FixedEntry<()>; 4] = [
    FixedEntry::directory("fs", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &FILES)
    }),
    FixedEntry::directory("kernel", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &KERNEL)
    }),
    FixedEntry::directory("net", 0o555, net::settings),
    FixedEntry::directory("vm", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &MEMORY)
    }),
];

static FILES: [FixedEntry<()>; 8] = [
    FixedEntry::directory("epoll", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &EPOLL)
    }),
    FixedEntry::directory("inotify", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &INOTIFY)
    }),
    FixedEntry::directory("mqueue", 0o555, posix_queues::settings),
    FixedEntry::object("dir-notify-enable", 0o644, |()| {
        settings::open_switch(&directory_notice::IS_ENABLED)
    }),
    // Memory is the only limit, and each process's own.
    FixedEntry::text("file-max", |(), text| number(text, i64::MAX as u64)),
    FixedEntry::text("file-nr", |(), text| {
        text.add(format_args!("{}\t0\t{}\n", OpenFile::count(), i64::MAX));
        Ok(())
    }),
    FixedEntry::text("nr_open", |(), text| number(text, MAX_DESCRIPTORS as u64)),
    FixedEntry::text("pipe-max-size", |(), text| {
        number(text, pipe::MAX_UNPRIVILEGED as u64)
    }),
];

static EPOLL: [FixedEntry<()>; 1] = [FixedEntry::object("max_user_watches", 0o644, |()| {
    settings::open_limit(epoll::most_watches, epoll::set_most_watches)
})];

static INOTIFY: [FixedEntry<()>; 3] = [
    FixedEntry::object("max_queued_events", 0o644, |()| {
        settings::open_limit(
            || inotify::MOST_EVENTS.get(),
            |most| inotify::MOST_EVENTS.set(most),
        )
    }),
    FixedEntry::object("max_user_instances", 0o644, |()| {
        settings::open_limit(
            || inotify::MOST_INSTANCES.get(),
            |most| inotify::MOST_INSTANCES.set(most),
        )
    }),
    FixedEntry::object("max_user_watches", 0o644, |()| {
        settings::open_limit(inotify::most_watches, inotify::set_most_watches)
    }),
];

static KERNEL: [FixedEntry<()>; 26] = [
    FixedEntry::text("cap_last_cap", |(), text| number(text, CAP_LAST_CAP.into())),
    FixedEntry::object("core_pattern", 0o644, |()| settings::open_core_pattern()),
    FixedEntry::object("domainname", 0o644, |()| settings::open_name(&uts::DOMAIN)),
    FixedEntry::object("hostname", 0o644, |()| settings::open_name(&uts::HOST)),
    FixedEntry::object("msgmax", 0o644, |()| sysvipc::open_limit(&MOST_MESSAGE_BYTES)),
    FixedEntry::object("msgmnb", 0o644, |()| sysvipc::open_limit(&MOST_QUEUE_BYTES)),
    FixedEntry::object("msgmni", 0o644, |()| sysvipc::open_limit(&MOST_QUEUES)),
    FixedEntry::text("ngroups_max", |(), text| number(text, NGROUPS_MAX as u64)),
    FixedEntry::text("osrelease", |(), text| line(text, uts::RELEASE)),
    FixedEntry::text("ostype", |(), text| line(text, "Linux")),
    FixedEntry::text("overflowgid", |(), text| number(text, 65534)),
    FixedEntry::text("overflowuid", |(), text| number(text, 65534)),
    FixedEntry::text("pid_max", |(), text| number(text, PID_MAX)),
    FixedEntry::directory("pty", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &PSEUDO_TERMINALS)
    }),
    FixedEntry::directory("random", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &RANDOM)
    }),
    // Programs lie where their files say.
    FixedEntry::text("randomize_va_space", |(), text| number(text, 0)),
    FixedEntry::object("sched_rr_timeslice_ms", 0o644, |()| {
        settings::open_number(SETTINGS[0])
    }),
    FixedEntry::object("sched_rt_period_us", 0o644, |()| {
        settings::open_number(SETTINGS[1])
    }),
    FixedEntry::object("sched_rt_runtime_us", 0o644, |()| {
        settings::open_number(SETTINGS[2])
    }),
    FixedEntry::object("sem", 0o644, |()| sysvipc::open_semaphore_limits()),
    FixedEntry::object("shmall", 0o644, |()| sysvipc::open_limit(&SHMALL)),
    FixedEntry::object("shmmax", 0o644, |()| sysvipc::open_limit(&SHMMAX)),
    FixedEntry::object("shmmni", 0o644, |()| sysvipc::open_limit(&MOST_SEGMENTS)),
    // Nothing taints it: there are no modules.
    FixedEntry::text("tainted", |(), text| number(text, 0)),
    FixedEntry::text("threads-max", |(), text| {
        number(text, process::most_processes() as u64)
    }),
    FixedEntry::text("version", |(), text| line(text, uts::VERSION)),
];

static PSEUDO_TERMINALS: [FixedEntry<()>; 3] = [
    FixedEntry::object("max", 0o644, |()| {
        settings::open_limit(|| PtyLimit::Max.get().into(), |most| PtyLimit::Max.set(most))
    }),
    FixedEntry::text("nr", |(), text| number(text, tty::pty_count().into())),
    FixedEntry::object("reserve", 0o644, |()| {
        settings::open_limit(
            || PtyLimit::Reserve.get().into(),
            |most| PtyLimit::Reserve.set(most),
        )
    }),
];

static RANDOM: [FixedEntry<()>; 3] = [
    FixedEntry::text("boot_id", |(), text| {
        static ID: Once<[u8; 16]> = Once::new();
        uuid(text, ID.call_once(random_uuid));
        Ok(())
    }),
    // The generator is seeded at boot and never runs dry: 256 bits, as Linux says it (random(4)).
    FixedEntry::text("entropy_avail", |(), text| number(text, 256)),
    // Another one each time.
    FixedEntry::text("uuid", |(), text| {
        uuid(text, &random_uuid());
        Ok(())
    }),
];

static MEMORY: [FixedEntry<()>; 5] = [
    FixedEntry::object("fork_copies_stack", 0o644, |()| {
        settings::open_switch(&memory::IS_STACK_COPIED_AT_FORK)
    }),
    FixedEntry::text("max_map_count", |(), text| {
        number(text, memory::MAX_MAP_COUNT as u64)
    }),
    FixedEntry::text("mmap_min_addr", |(), text| number(text, mm::space::LOWEST.0)),
    // Memory is promised without counting: fork and mmap fail only when there is nothing at all.
    FixedEntry::text("overcommit_memory", |(), text| number(text, 1)),
    FixedEntry::object("swappiness", 0o644, |()| {
        settings::open_limit(
            || SWAPPINESS.load(Ordering::Relaxed),
            |wanted| {
                let wanted = u64::try_from(wanted)
                    .ok()
                    .filter(|wanted| *wanted <= MOST_SWAPPINESS);
                SWAPPINESS.store(wanted.ok_or(Errno::EINVAL)?, Ordering::Relaxed);
                Ok(())
            },
        )
    }),
];

/// The directory /proc/sys.
///
/// # Errors
/// `ENOMEM`.
pub fn root((): &(), filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    Directory::fixed(filesystem, inode * SPREAD, &ROOT)
}

fn line(text: &mut Text, line: &str) -> Result<(), Errno> {
    text.bytes(line.as_bytes());
    text.bytes(b"\n");
    Ok(())
}

/// A random UUID, version 4 (RFC 9562).
fn random_uuid() -> [u8; 16] {
    let mut bytes = [0; 16];
    platform::random::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn uuid(text: &mut Text, bytes: &[u8; 16]) {
    for (index, byte) in bytes.iter().enumerate() {
        let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
        text.add(format_args!("{dash}{byte:02x}"));
    }
    text.bytes(b"\n");
}
