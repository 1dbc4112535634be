//! Character devices: which driver a device number means (`Documentation/admin-guide/devices.txt`), and the devices that
//! are memory alone: mem(4), null(4), random(4).

use alloc::sync::Arc;

use crate::fallible;
use abi::Errno;

use super::inode::DeviceNumber;
use super::object::{Io, Object, Positioning};
use crate::user_memory::{Sink, Source};
use crate::{log, tty};

/// The device nodes that /dev begins with: name, number, mode.
pub const NODES: [(&[u8], DeviceNumber, u32); 9] = [
    (b"null", DeviceNumber { major: 1, minor: 3 }, 0o666),
    (b"zero", DeviceNumber { major: 1, minor: 5 }, 0o666),
    (b"full", DeviceNumber { major: 1, minor: 7 }, 0o666),
    (b"random", DeviceNumber { major: 1, minor: 8 }, 0o666),
    (b"urandom", DeviceNumber { major: 1, minor: 9 }, 0o666),
    (b"kmsg", DeviceNumber { major: 1, minor: 11 }, 0o644),
    (b"tty", DeviceNumber { major: 5, minor: 0 }, 0o666),
    (b"console", DeviceNumber { major: 5, minor: 1 }, 0o600),
    (
        b"ttyAMA0",
        DeviceNumber {
            major: 204,
            minor: 64,
        },
        0o620,
    ),
];

/// The symbolic links that /dev begins with: name, target.
pub const LINKS: [(&[u8], &[u8]); 4] = [
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
];

/// Opens a character device. `ENXIO` if there is no such device.
pub fn open(number: DeviceNumber, flags: u32) -> Result<Arc<dyn Object>, Errno> {
    match (number.major, number.minor) {
        (1, 3) => Ok(fallible::arc(Null)?),
        (1, 5) => Ok(fallible::arc(Zero)?),
        (1, 7) => Ok(fallible::arc(Full)?),
        (1, 8 | 9) => Ok(fallible::arc(Random)?),
        (1, 11) => log::open_kmsg(),
        (5, 0) => tty::open_controlling(),
        (5, 1) => tty::open_console(),
        (204, 64) => tty::open_line(flags),
        _ => Err(Errno::ENXIO),
    }
}

/// Zeros for any wish.
fn fill_with_zeros(to: &mut dyn Sink) -> Result<usize, Errno> {
    const ZEROS: [u8; 512] = [0; 512];
    transfer(|| {
        let len = to.room().min(ZEROS.len());
        to.put(&ZEROS[..len])
    })
}

/// Repeats a step until it moves nothing more. An error counts only if nothing was moved before it.
fn transfer(mut step: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    let mut done = 0;
    loop {
        match step() {
            Ok(0) => return Ok(done),
            Ok(moved) => done += moved,
            Err(error) if done == 0 => return Err(error),
            Err(_) => return Ok(done),
        }
    }
}

/// `/dev/null`: empty, and takes everything.
struct Null;

impl Object for Null {
    fn read(&self, _io: &mut Io, _to: &mut dyn Sink) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        Ok(from.left())
    }

    fn positioning(&self) -> Positioning {
        Positioning::Ignored
    }
}

/// `/dev/zero`: zeros without end.
struct Zero;

impl Object for Zero {
    fn read(&self, _io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        fill_with_zeros(to)
    }

    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        Ok(from.left())
    }

    fn is_zeros(&self) -> bool {
        true
    }

    fn positioning(&self) -> Positioning {
        Positioning::Ignored
    }
}

/// `/dev/full`: as zero, and never has room.
struct Full;

impl Object for Full {
    fn read(&self, _io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        fill_with_zeros(to)
    }

    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        if from.left() == 0 {
            Ok(0)
        } else {
            Err(Errno::ENOSPC)
        }
    }

    fn positioning(&self) -> Positioning {
        Positioning::Ignored
    }
}

/// `/dev/random` and `/dev/urandom`.
struct Random;

impl Object for Random {
    fn read(&self, _io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut bytes = [0; 256];
        transfer(|| {
            let len = to.room().min(bytes.len());
            platform::random::fill(&mut bytes[..len]);
            to.put(&bytes[..len])
        })
    }

    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        Ok(from.left())
    }

    fn positioning(&self) -> Positioning {
        Positioning::Ignored
    }
}
