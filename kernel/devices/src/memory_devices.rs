//! Major number 1: mem(4), null(4), random(4), and the kernel's log.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{OpenFlags, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use memory::fallible;

use super::kmsg;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::device_registry::{self, DeviceClass, DeviceDriver, DeviceNode, DeviceRange};
use vfs::file_ops::{FileOps, Io, Positioning};

/// `MEM_MAJOR`.
const MAJOR: u32 = 1;

const NULL: u32 = 3;
const ZERO: u32 = 5;
const FULL: u32 = 7;
const RANDOM: u32 = 8;
const URANDOM: u32 = 9;
const KMSG: u32 = 11;

static NODES: [DeviceNode; 6] = [
    node("null", NULL, 0o666),
    node("zero", ZERO, 0o666),
    node("full", FULL, 0o666),
    node("random", RANDOM, 0o666),
    node("urandom", URANDOM, 0o666),
    node("kmsg", KMSG, 0o644),
];

const fn node(name: &'static str, minor: u32, mode: u32) -> DeviceNode {
    DeviceNode { name, minor, mode }
}

/// Serves all devices of its major number.
struct MemoryDevices;

impl DeviceDriver for MemoryDevices {
    fn open(&self, minor: u32, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        match minor {
            NULL => Ok(fallible::arc(Null)?),
            ZERO => Ok(fallible::arc(Zero)?),
            FULL => Ok(fallible::arc(Full)?),
            RANDOM | URANDOM => Ok(fallible::arc(Random { minor })?),
            KMSG => kmsg::open(),
            _ => Err(Errno::ENXIO),
        }
    }
}

/// Registers the devices. Called once, at boot.
///
/// # Errors
/// `EBUSY`: another driver has their number. `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    device_registry::register(DeviceRange {
        name: "mem",
        class: DeviceClass::Character,
        major: MAJOR,
        minors: 0..=u32::from(u8::MAX),
        driver: &MemoryDevices,
        nodes: &NODES,
    })
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

impl FileOps for Null {
    fn read(&self, _io: &mut Io, _to: &mut dyn Sink) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        Ok(from.left())
    }

    fn positioning(&self) -> Positioning {
        Positioning::Ignored
    }
}

/// `/dev/zero`: zeros without end.
struct Zero;

impl FileOps for Zero {
    fn read(&self, _io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        fill_with_zeros(to)
    }

    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
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

impl FileOps for Full {
    fn read(&self, _io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        fill_with_zeros(to)
    }

    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
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
struct Random {
    minor: u32,
}

impl FileOps for Random {
    /// As on Linux, where `/dev/random` could once be waited for.
    fn can_be_watched(&self) -> bool {
        self.minor == RANDOM
    }

    /// What can be waited for there is that bytes can be read.
    fn poll(&self) -> i16 {
        let both = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
        if self.minor == RANDOM {
            POLLIN | POLLRDNORM
        } else {
            both
        }
    }

    fn read(&self, _io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut bytes = [0; 512];
        transfer(|| {
            let len = to.room().min(bytes.len());
            platform::random::fill(&mut bytes[..len]);
            to.put(&bytes[..len])
        })
    }

    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        Ok(from.left())
    }

    fn positioning(&self) -> Positioning {
        Positioning::Ignored
    }
}
