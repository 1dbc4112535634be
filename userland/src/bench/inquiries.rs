//! Calls that ask: which of many files are ready, which pages are there, what /proc says of a process; and arguments that exec copies.

use super::children::expect_success;
use super::execs::{TINY, write_tiny};
use super::report::Report;
use super::settings::Settings;
use super::{MEBIBYTE, Row, filled};
use crate::runtime::file::{File, duplicate_above, pipe, poll, select};
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use crate::runtime::process::{self, Command};
use crate::runtime::time::TimeSpec;
use crate::runtime::{Errno, Result};
use abi::file::{POLLIN, PollFd};
use abi::memory::ProtFlags;
use alloc::string::String;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "poll",
        run: poll_pipes,
    },
    Row {
        name: "poll_files",
        run: poll_many_pipes,
    },
    Row {
        name: "select",
        run: select_pipes,
    },
    Row {
        name: "mincore",
        run: ask_for_pages,
    },
    Row {
        name: "proc_self",
        run: read_about_itself,
    },
    Row {
        name: "proc_maps",
        run: read_maps,
    },
    Row {
        name: "exec_arguments",
        run: exec_with_arguments,
    },
];

/// Calls in one repeat.
const CALLS: u64 = 64;

const AT_ONCE: Option<TimeSpec> = Some(TimeSpec { sec: 0, nsec: 0 });

fn repeat(
    settings: &Settings,
    report: &mut Report,
    name: &str,
    calls: u64,
    mut call: impl FnMut() -> Result<()>,
) -> Result<()> {
    report.measure(name, calls, settings.repeats, |meter| {
        meter.time(|| (0..calls).try_for_each(|_| call()))
    })
}

/// ppoll(2) of one pipe by many entries: nothing is ready, and nobody waits.
fn poll_pipes(settings: &Settings, report: &mut Report) -> Result<()> {
    let (from, _to) = pipe()?;
    for count in [1, 10, 100, 1000] {
        let entry = PollFd {
            fd: from.descriptor(),
            events: POLLIN,
            revents: 0,
        };
        let mut entries = alloc::vec![entry; count];
        let name = alloc::format!("poll/{count}");
        repeat(settings, report, &name, CALLS, || {
            poll(&mut entries, AT_ONCE).map(drop)
        })?;
    }
    Ok(())
}

/// The same of a hundred and twenty-eight pipes, by an entry each.
fn poll_many_pipes(settings: &Settings, report: &mut Report) -> Result<()> {
    let pipes: Vec<(File, File)> = (0..128).map(|_| pipe()).collect::<Result<_>>()?;
    let entry = |(from, _): &(File, File)| PollFd {
        fd: from.descriptor(),
        events: POLLIN,
        revents: 0,
    };
    let mut entries: Vec<PollFd> = pipes.iter().map(entry).collect();
    repeat(settings, report, "poll_files/128", CALLS, || {
        poll(&mut entries, AT_ONCE).map(drop)
    })
}

/// pselect6(2) of a hundred descriptors of one pipe, as [`poll_pipes`].
fn select_pipes(settings: &Settings, report: &mut Report) -> Result<()> {
    let (from, _to) = pipe()?;
    let mut copies = Vec::new();
    while copies.len() < 100 {
        let copy = duplicate_above(from.descriptor(), 0)?;
        copies.push(File::from_descriptor(copy));
    }
    let highest = copies.iter().map(File::descriptor).max().unwrap_or(0);
    let mut asked = [0u64; 4];
    for copy in &copies {
        let at = copy.descriptor() as usize;
        *asked.get_mut(at / 64).ok_or(Errno::EMFILE)? |= 1 << (at % 64);
    }
    repeat(settings, report, "select/100", CALLS, || {
        let mut set = asked;
        select(highest + 1, &mut set, TimeSpec { sec: 0, nsec: 0 }).map(drop)
    })
}

/// mincore(2) of 64 MiB, all of which is there.
fn ask_for_pages(settings: &Settings, report: &mut Report) -> Result<()> {
    let pages = 64 * MEBIBYTE / PAGE;
    let memory = filled(pages)?;
    let mut states = alloc::vec![0; pages];
    repeat(settings, report, "mincore/64", 1, || memory.present(&mut states))
}

/// A whole read of each of the files about the process itself, opened once.
fn read_about_itself(settings: &Settings, report: &mut Report) -> Result<()> {
    for name in ["stat", "status", "statm"] {
        let file = File::read_only(&alloc::format!("/proc/self/{name}"))?;
        let mut text = [0; 4096];
        repeat(
            settings,
            report,
            &alloc::format!("proc_self/{name}"),
            CALLS,
            || match file.read_at(0, &mut text)? {
                0 => Err(Errno::EIO),
                _ => Ok(()),
            },
        )?;
    }
    Ok(())
}

/// The same of the files with a line, or many, for each of a thousand areas more than usual.
fn read_maps(settings: &Settings, report: &mut Report) -> Result<()> {
    let memory = Mapping::anonymous(2000 * PAGE, Sharing::Private)?;
    for page in (0..2000).step_by(2) {
        memory.protect(page, 1, ProtFlags::PROT_READ)?;
    }
    for name in ["maps", "smaps"] {
        let path = alloc::format!("/proc/self/{name}");
        let mut text = alloc::vec![0; 1 << 16];
        repeat(settings, report, &alloc::format!("proc_{name}/1000"), 1, || {
            let file = File::read_only(&path)?;
            while file.read(&mut text)? > 0 {}
            Ok(())
        })?;
    }
    Ok(())
}

/// vfork, execve with so many KiB of arguments, each of 100 bytes, and wait.
fn exec_with_arguments(settings: &Settings, report: &mut Report) -> Result<()> {
    write_tiny()?;
    for kibibytes in [100, 1000] {
        let argument = "a".repeat(99);
        let count = kibibytes * 1024 / 100;
        let arguments: Vec<&str> = core::iter::repeat_n(argument.as_str(), count).collect();
        let name: String = alloc::format!("exec_arguments/{kibibytes}");
        let command = Command::new(TINY, &arguments, &[])?;
        repeat(settings, report, &name, 4, || {
            let child = command.vfork_exec()?;
            expect_success(process::wait_for_end(child)?)
        })?;
    }
    Ok(())
}
