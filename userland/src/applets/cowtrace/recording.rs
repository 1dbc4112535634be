//! A run of a demo for the playground to replay: what /proc shows of the first process before it, the records of all, and what /proc
//! shows of those that are left at the end.

use super::pipe::Records;
use super::{FOLDER, set};
use crate::applets::cowtop::demo::{Demo, Order};
use crate::runtime::file::{self, File};
use crate::runtime::time::{self, TimeSpec};
use crate::runtime::{Errno, Result};
use abi::file::OpenFlags;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// What is done if nothing is said: two forks, stores on all sides, an end after which pages have one owner again.
const USUAL: [&str; 9] = [
    "A:w0", "A:f", "A:w0", "B:w0", "B:w1", "B:f", "C:r34", "B:x", "C:w1",
];
/// All that happens to memory, and when a process ends.
const EVENTS: &str = "fault call access exec exit swap";
/// So often, and so long apart, it is looked whether all have come to rest.
const LOOKS: usize = 5000;
const NAP: TimeSpec = TimeSpec::from_nanoseconds(2_000_000);

/// Records the steps to a file.
pub fn record(path: &str, steps: &[&str]) -> Result<()> {
    let steps = if steps.is_empty() { &USUAL } else { steps };
    let mut demo = Demo::start_apart()?;
    let mut text = String::from("@recording 1\n");
    let mut records = Records::open()?;
    wait_for_rest(&demo)?;
    let first = demo.pids().next().ok_or(Errno::ESRCH)?;
    set("tracing_on", "0")?;
    set("trace", "\n")?;
    set("set_event_pid", &format!("{first}\n"))?;
    set("set_event", EVENTS)?;
    describe("begin", first, &mut text)?;
    set("tracing_on", "1")?;
    for step in steps {
        let order = Order::parse(step, demo.free_place()).ok_or(Errno::EINVAL)?;
        let pids: Vec<i32> = demo.pids().collect();
        demo.step(order.place, order.step)?;
        // Who is told to end says so first, and ends then.
        let has_left = |pid: &i32| demo.place(*pid).is_none();
        pids.into_iter().filter(has_left).try_for_each(wait_for_end)?;
        records.read_what_is_there()?;
    }
    wait_for_rest(&demo)?;
    set("tracing_on", "0")?;
    records.read_what_is_there()?;
    if records.lost() > 0 {
        eprintln!(
            "cowtrace: {} records were lost; {FOLDER}/buffer_size_kb makes room",
            records.lost()
        );
        return Err(Errno::EOVERFLOW);
    }
    let _ = write!(text, "@records\n{}", records.text());
    for pid in demo.pids().collect::<Vec<_>>() {
        describe("end", pid, &mut text)?;
    }
    let left = [
        set("set_event", "\n"),
        set("set_event_pid", "\n"),
        set("tracing_on", "1"),
    ];
    left.into_iter().collect::<Result<()>>()?;
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
    File::open(path, flags, 0o644)?.write(text.as_bytes())
}

/// What /proc shows of a process.
fn describe(moment: &str, pid: i32, text: &mut String) -> Result<()> {
    // A String takes all that is written to it.
    let _ = writeln!(text, "@{moment} {pid}");
    for name in ["maps", "translation"] {
        let shown = file::read_text(&format!("/proc/{pid}/{name}"))?;
        let _ = write!(text, "@{name}\n{shown}");
    }
    Ok(())
}

/// Waits until all sleep: then each waits for its next order, and its memory rests.
fn wait_for_rest(demo: &Demo) -> Result<()> {
    for _ in 0..LOOKS {
        let mut pids = demo.pids();
        if pids.all(sleeps) {
            return Ok(());
        }
        time::sleep(NAP)?;
    }
    Err(Errno::ETIMEDOUT)
}

/// Waits until there is no such process: nobody waits for those of a demo, so it is gone when it has ended.
fn wait_for_end(pid: i32) -> Result<()> {
    for _ in 0..LOOKS {
        if file::read_text(&format!("/proc/{pid}/stat")).is_err() {
            return Ok(());
        }
        time::sleep(NAP)?;
    }
    Err(Errno::ETIMEDOUT)
}

fn sleeps(pid: i32) -> bool {
    let status = file::read_text(&format!("/proc/{pid}/stat"));
    status.is_ok_and(|status| {
        status
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('S'))
    })
}
