//! The loopback interface: a byte there and back, many bytes one way, a connection; and a pseudo-terminal.

use super::Row;
use super::meter::Meter;
use super::report::Report;
use super::settings::Settings;
use crate::runtime::file::{self, File};
use crate::runtime::process::{self, Fork};
use crate::runtime::{Errno, Result, mounts, socket, terminal};
use abi::file::OpenFlags;
use abi::mount::{MountFlags, UmountFlags};

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "tcp_round_trip",
        run: tcp_round_trip,
    },
    Row {
        name: "tcp_send_16k",
        run: tcp_send,
    },
    Row {
        name: "tcp_accept",
        run: tcp_accept,
    },
    Row {
        name: "udp_round_trip",
        run: udp_round_trip,
    },
    Row {
        name: "pty_round_trip",
        run: pty_round_trip,
    },
];

/// Round trips, messages or connections of one sample.
const ROUNDS: u64 = 200;
/// Ports that nobody else has.
const PORT: u16 = 5000;
const OTHER_PORT: u16 = 5001;

/// A byte there and a byte back.
fn exchange(way: &File) -> Result<()> {
    way.write(&[1])?;
    match way.read(&mut [0])? {
        1 => Ok(()),
        _ => Err(Errno::EPIPE),
    }
}

/// A process that sends back each byte that comes by `other`, until there are no more or a byte of 0 comes; its number.
fn start_echo(other: File, own: &File) -> Result<i32> {
    match process::fork_keeping_output()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            let _ = file::close(own.descriptor());
            let mut byte = [0];
            while let Ok(1) = other.read(&mut byte)
                && byte != [0]
                && other.write(&byte).is_ok()
            {}
            process::exit_now(0)
        }
    }
}

/// Round trips by way of a process that sends back what comes by `other`.
fn round_trips(meter: &mut Meter, own: File, other: File) -> Result<()> {
    let pid = start_echo(other, &own)?;
    exchange(&own)?;
    meter.time(|| (0..ROUNDS).try_for_each(|_| exchange(&own)))?;
    own.write(&[0])?;
    drop(own);
    process::wait_for_end(pid).map(drop)
}

/// Both ends of a connection.
fn connection() -> Result<(File, File)> {
    let server = socket::listen_to(PORT)?;
    let client = socket::connect_to(PORT)?;
    let accepted = socket::accept(&server)?;
    Ok((client, accepted))
}

/// A byte to another process and one back over a connection.
fn tcp_round_trip(settings: &Settings, report: &mut Report) -> Result<()> {
    socket::turn_loopback_on()?;
    report.measure("tcp_round_trip", ROUNDS, settings.repeats, |meter| {
        let (own, other) = connection()?;
        round_trips(meter, own, other)
    })
}

/// 16 KiB written to a connection and read again by the same process.
fn tcp_send(settings: &Settings, report: &mut Report) -> Result<()> {
    socket::turn_loopback_on()?;
    report.measure("tcp_send_16k", ROUNDS, settings.repeats, |meter| {
        let (one, other) = connection()?;
        let mut bytes = [1; 16_384];
        let mut send = || -> Result<()> {
            one.write(&bytes)?;
            let mut left = bytes.len();
            while left > 0 {
                match other.read(&mut bytes[..left])? {
                    0 => return Err(Errno::EPIPE),
                    more => left -= more,
                }
            }
            Ok(())
        };
        send()?;
        meter.time(|| (0..ROUNDS).try_for_each(|_| send()))
    })
}

/// A connection: made, accepted and closed on both sides by the same process.
fn tcp_accept(settings: &Settings, report: &mut Report) -> Result<()> {
    socket::turn_loopback_on()?;
    report.measure("tcp_accept", ROUNDS, settings.repeats, |meter| {
        let server = socket::listen_to(PORT)?;
        let connect = || -> Result<()> {
            let client = socket::connect_to(PORT)?;
            socket::accept(&server)?;
            drop(client);
            Ok(())
        };
        connect()?;
        meter.time(|| (0..ROUNDS).try_for_each(|_| connect()))
    })
}

/// A datagram of a byte to another process and one back.
fn udp_round_trip(settings: &Settings, report: &mut Report) -> Result<()> {
    socket::turn_loopback_on()?;
    report.measure("udp_round_trip", ROUNDS, settings.repeats, |meter| {
        let own = socket::datagrams(PORT, OTHER_PORT)?;
        let other = socket::datagrams(OTHER_PORT, PORT)?;
        round_trips(meter, own, other)
    })
}

/// A byte typed at a pseudo-terminal's master, and one that the program at its slave answers.
fn pty_round_trip(settings: &Settings, report: &mut Report) -> Result<()> {
    const PLACE: &str = "/bench-pts";
    match file::make_directory(PLACE, 0o755) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }?;
    mounts::mount(
        "devpts",
        PLACE,
        "devpts",
        MountFlags::empty(),
        "newinstance,ptmxmode=666",
    )?;
    let measured = report.measure("pty_round_trip", ROUNDS, settings.repeats, |meter| {
        let flags = OpenFlags::O_RDWR | OpenFlags::O_NOCTTY | OpenFlags::O_CLOEXEC;
        let master = File::open("/bench-pts/ptmx", flags, 0)?;
        let slave = terminal::slave_of(&master)?;
        let raw = terminal::raw(&terminal::settings(slave.descriptor())?);
        terminal::set(slave.descriptor(), &raw)?;
        round_trips(meter, master, slave)
    });
    let unmounted = mounts::unmount(PLACE, UmountFlags::empty());
    measured.and(unmounted)
}
