//! What it costs to be traced. What the other rows have of it is the cost of tracing that is off.

use super::Row;
use super::calls::measure_switch;
use super::report::Report;
use super::settings::Settings;
use crate::runtime::file::{self, File};
use crate::runtime::{Errno, Result, mounts};
use abi::file::OpenFlags;
use abi::mount::{MountFlags, UmountFlags};

/// The rows of this file.
pub const ROWS: &[Row] = &[Row {
    name: "switch_traced",
    run: switch_traced,
}];

const PLACE: &str = "/bench-tracing";
const EVENTS: &str = "/bench-tracing/set_event";

/// `switch`, while each of them is recorded. Only here: Linux calls the event otherwise, and refuses the name.
fn switch_traced(settings: &Settings, report: &mut Report) -> Result<()> {
    match file::make_directory(PLACE, 0o755) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }?;
    if mounts::mount("tracefs", PLACE, "tracefs", MountFlags::empty(), "").is_err() {
        return Ok(());
    }
    let measured = match trace(b"switch") {
        Err(Errno::EINVAL) => Ok(()),
        begun => begun
            .and_then(|()| measure_switch("switch_traced", settings, report))
            .and(trace(b"\n")),
    };
    measured.and(mounts::unmount(PLACE, UmountFlags::empty()))
}

fn trace(events: &[u8]) -> Result<()> {
    File::open(EVENTS, OpenFlags::O_WRONLY, 0)?
        .write(events)
        .map(drop)
}
