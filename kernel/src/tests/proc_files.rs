//! Every file of /proc and /sys is read; what some of them say is looked at.

use super::Story;
use super::io::{BUFFER, Io};
use abi::file::OpenFlags;
use abi::nr;

pub const STORIES: &[Story] = &[("proc", every_file), ("texts", texts), ("settings", settings)];

/// What is not read: it waits, or is not for reading.
const LEFT_OUT: &[&str] = &["kmsg", "sysrq-trigger", "mem"];
const MOST_READS: usize = 30;
const DIRECTORY: u8 = 4;
const FILE: u8 = 8;

fn read_below(io: &Io, path: &str, depth: usize) -> usize {
    let mut read = 0;
    for (name, kind) in io.list(path) {
        let inner = format!("{path}/{name}");
        let is_other_process = depth == 0 && name.parse::<u32>().is_ok_and(|id| id > 1);
        if matches!(name.as_str(), "." | "..") || LEFT_OUT.contains(&name.as_str()) || is_other_process {
            continue;
        }
        if kind == DIRECTORY && depth < 5 {
            read += read_below(io, &inner, depth + 1);
        } else if kind == FILE {
            let file = io.call(
                nr::OPENAT,
                &[
                    super::io::HERE,
                    io.path(&inner),
                    u64::from(OpenFlags::O_RDONLY.bits()),
                    0,
                ],
            );
            if file >= 0 {
                // Some are as long as an address space.
                (0..MOST_READS).all(|_| io.call(nr::READ, &[file as u64, BUFFER, 2048]) > 0);
                io.close(file as u64);
                read += 1;
            }
        }
    }
    read
}

fn every_file(io: &Io) {
    let read = read_below(io, "/proc", 0);
    assert!(read > 100, "{read} files of /proc");
    assert!(read_below(io, "/sys", 1) > 3);
}

fn texts(io: &Io) {
    let has = |path: &str, part: &str| {
        let text = io.text_of(path);
        assert!(text.contains(part), "{path} lacks {part}:\n{text}");
    };
    has("/proc/cmdline", "one two=three");
    has("/proc/meminfo", "MemTotal:");
    has("/proc/version", "Linux version");
    has("/proc/cpuinfo", "CPU part\t: 0xd08");
    has("/proc/filesystems", "tmpfs");
    has("/proc/self/status", "State:\tR (running)");
    has("/proc/self/limits", "Max open files");
    has("/proc/1/stat", "1 (init)");
    has("/proc/uptime", ".");
    has("/proc/lock_stat", "run-queue");
    has("/proc/self/smaps", "Rss:");
    has("/proc/vmstat", "pgfault");
}

fn settings(io: &Io) {
    let path = "/proc/sys/kernel/sched_rt_period_us";
    let before = io.text_of(path);
    let file = io.open(path, OpenFlags::O_RDWR);
    io.write(file, before.as_bytes());
    io.close(file);
    assert_eq!(io.text_of(path), before);
    let name = "/proc/sys/kernel/hostname";
    let file = io.open(name, OpenFlags::O_RDWR);
    io.write(file, b"on-a-host");
    io.close(file);
    assert_eq!(io.text_of(name), "on-a-host\n");
}
