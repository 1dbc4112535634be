//! Which driver serves which device numbers (`Documentation/admin-guide/devices.txt`). Drivers register themselves at boot, with
//! the nodes that a devtmpfs has for them; open(2) of a device node finds the driver here, whatever file system the node is in.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ops::RangeInclusive;

use abi::Errno;
use abi::file::OpenFlags;
use lock::Mutex;
use memory::fallible::TryVec;

use super::file_ops::FileOps;

/// A device's number: makedev(3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceNumber {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl DeviceNumber {
    /// From the form that mknodat(2) takes and `st_rdev` has.
    pub fn decode(number: u64) -> Self {
        DeviceNumber {
            major: abi::file::device_major(number),
            minor: abi::file::device_minor(number),
        }
    }

    /// To the form that `st_rdev` has.
    pub fn encode(self) -> u64 {
        abi::file::device_number(self.major, self.minor)
    }
}

/// Whether a device is a row of bytes or of blocks. Their numbers do not touch each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceClass {
    /// Bytes: `S_IFCHR`.
    Character,
    /// Blocks: `S_IFBLK`.
    Block,
}

/// What serves a range of device numbers.
pub trait DeviceDriver: Send + Sync {
    /// What an open of the device with that minor number reads and writes. `flags` as in open(2).
    ///
    /// # Errors
    /// `ENXIO` if there is no such device, `ENOMEM`, and what the device says.
    fn open(&self, minor: u32, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno>;

    /// The same, for a driver that asks where the node stands that was opened: its [`Dentry`](super::dentry::Dentry), of which this file
    /// knows nothing.
    ///
    /// # Errors
    /// As of [`DeviceDriver::open`].
    fn open_node(
        &self,
        _node: Arc<dyn Any + Send + Sync>,
        minor: u32,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>, Errno> {
        self.open(minor, flags)
    }
}

/// A node that a devtmpfs has for a device.
pub struct DeviceNode {
    /// Its name in /dev.
    pub name: &'static str,
    /// Which of the driver's devices.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
}

/// What a driver registers.
#[derive(Clone)]
pub struct DeviceRange {
    /// As /proc/devices calls them.
    pub name: &'static str,
    /// Rows of bytes or of blocks.
    pub class: DeviceClass,
    /// The driver's number.
    pub major: u32,
    /// The devices that it serves.
    pub minors: RangeInclusive<u32>,
    /// Who serves them.
    pub driver: &'static dyn DeviceDriver,
    /// What /dev shows of them.
    pub nodes: &'static [DeviceNode],
}

impl DeviceRange {
    fn has(&self, class: DeviceClass, number: DeviceNumber) -> bool {
        self.class == class && self.major == number.major && self.minors.contains(&number.minor)
    }

    fn meets(&self, other: &DeviceRange) -> bool {
        let is_apart = self.minors.end() < other.minors.start() || other.minors.end() < self.minors.start();
        self.class == other.class && self.major == other.major && !is_apart
    }
}

static RANGES: Mutex<Vec<DeviceRange>> = Mutex::new(Vec::new());

/// A driver serves these devices from now on.
///
/// # Errors
/// `EBUSY` if another serves some of them, `ENOMEM`.
pub fn register(range: DeviceRange) -> Result<(), Errno> {
    let mut ranges = RANGES.lock();
    if ranges.iter().any(|other| other.meets(&range)) {
        return Err(Errno::EBUSY);
    }
    ranges.try_push(range)
}

/// Opens the device of that number, whose node is `node`.
///
/// # Errors
/// `ENXIO` if no driver serves it, and what the driver says.
pub fn open(
    class: DeviceClass,
    number: DeviceNumber,
    node: Arc<dyn Any + Send + Sync>,
    flags: OpenFlags,
) -> Result<Arc<dyn FileOps>, Errno> {
    let driver = {
        let ranges = RANGES.lock();
        let found = ranges.iter().find(|range| range.has(class, number));
        found.map(|range| range.driver).ok_or(Errno::ENXIO)?
    };
    driver.open_node(node, number.minor, flags)
}

/// What the driver that registered as number `index` said; `None` behind the last.
pub fn nth(index: usize) -> Option<DeviceRange> {
    RANGES.lock().get(index).cloned()
}
