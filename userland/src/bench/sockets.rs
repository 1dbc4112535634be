//! Sockets of one machine: a byte there and back, many bytes one way, a connection.

use super::Row;
use super::meter::Meter;
use super::report::Report;
use super::settings::Settings;
use crate::runtime::file::File;
use crate::runtime::process::{self, Fork};
use crate::runtime::socket;
use crate::runtime::{Errno, Result};

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "unix_round_trip",
        run: round_trip,
    },
    Row {
        name: "unix_send_4k",
        run: send_pages,
    },
    Row {
        name: "unix_accept",
        run: accept,
    },
];

/// Round trips, messages or connections of one sample.
const ROUNDS: u64 = 200;

/// A byte there and a byte back.
fn exchange(socket: &File) -> Result<()> {
    socket.write(&[1])?;
    match socket.read(&mut [0])? {
        1 => Ok(()),
        _ => Err(Errno::EPIPE),
    }
}

/// A process that sends back each byte, until there are no more; its number and the way to it.
fn start_echo() -> Result<(i32, File)> {
    let (own, other) = socket::pair()?;
    match process::fork_keeping_output()? {
        Fork::Parent(pid) => Ok((pid, own)),
        Fork::Child => {
            drop(own);
            while let Ok(1) = other.read(&mut [0]) {
                if other.write(&[1]).is_err() {
                    break;
                }
            }
            process::exit_now(0)
        }
    }
}

/// A byte to another process and one back over a pair of streams: two writes, two reads, two switches.
fn round_trip(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("unix_round_trip", ROUNDS, settings.repeats, |meter| {
        let (pid, own) = start_echo()?;
        exchange(&own)?;
        meter.time(|| (0..ROUNDS).try_for_each(|_| exchange(&own)))?;
        drop(own);
        process::wait_for_end(pid).map(drop)
    })
}

/// 4 KiB written to a pair of streams and read again by the same process.
fn send_pages(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("unix_send_4k", ROUNDS, settings.repeats, |meter: &mut Meter| {
        let (one, other) = socket::pair()?;
        let mut bytes = [1; 4096];
        let mut send = || -> Result<()> {
            one.write(&bytes)?;
            match other.read(&mut bytes)? {
                4096 => Ok(()),
                _ => Err(Errno::EPIPE),
            }
        };
        send()?;
        meter.time(|| (0..ROUNDS).try_for_each(|_| send()))
    })
}

/// A connection to an abstract name: made, accepted and closed on both sides by the same process.
fn accept(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("unix_accept", ROUNDS, settings.repeats, |meter| {
        let server = socket::listen(b"\0bench")?;
        let connect = || -> Result<()> {
            let client = socket::connect(b"\0bench")?;
            socket::accept(&server)?;
            drop(client);
            Ok(())
        };
        connect()?;
        meter.time(|| (0..ROUNDS).try_for_each(|_| connect()))
    })
}
