//! The device tree: Devicetree Specification 0.4, `Documentation/devicetree/bindings` of Linux. The blob is read by
//! `dtoolkit`, which checks it as a whole before anything is taken from it; here is what the kernel asks of it, as one
//! value: [`Machine`]. No heap: this runs before there is one.

mod decode;
mod device;
mod machine;
mod pci;
mod place;

pub use machine::{
    Chosen, Conduit, Cpu, EnableMethod, Gic, InitrdRange, Machine, PciHost, PciInterrupt, PhysRange,
    Reserved, ReservedBy, SdController, SdKind, Stdout, Timer, Uart, VirtioTransport,
};

use core::fmt;
use dtoolkit::Node;
use dtoolkit::error::FdtParseError;
use dtoolkit::fdt::Fdt;
use place::Place;

/// A blob is at most so long (Linux: `MAX_FDT_SIZE`).
pub const MAX_LEN: usize = 2 * 1024 * 1024;
/// First bytes of every blob, big endian.
const MAGIC: u32 = 0xd00d_feed;
/// Length of the header.
const HEADER_LEN: usize = 40;
/// Nodes deeper than this are not looked at: it bounds the stack.
const MAX_DEPTH: usize = 12;

/// A blob that was checked.
#[derive(Clone, Copy, Debug)]
pub struct DeviceTree<'a> {
    fdt: Fdt<'a>,
}

/// Why a blob cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub enum DtbError {
    /// The magic is missing: there is no device tree.
    NoMagic,
    /// The blob says a length that is too short, too long, or more than the bytes given.
    BadLength(usize),
    /// The structure is damaged.
    Damaged(FdtParseError),
    /// A property that must be right, since memory would be misused, is not: node and property.
    BadProperty(&'static str, &'static str),
    /// More entries than there is room for.
    TooMany(&'static str),
}

impl<'a> DeviceTree<'a> {
    /// The length that the start of a blob claims. `start` needs 8 bytes; the blob is to be mapped that far.
    ///
    /// ```
    /// use formats::dtb::{DeviceTree, DtbError};
    ///
    /// assert_eq!(DeviceTree::claimed_len(&[0xd0, 0x0d, 0xfe, 0xed, 0, 0, 4, 0]), Ok(1024));
    /// assert_eq!(DeviceTree::claimed_len(b"not one!"), Err(DtbError::NoMagic));
    /// ```
    ///
    /// # Errors
    /// [`DtbError::NoMagic`], [`DtbError::BadLength`].
    pub fn claimed_len(start: &[u8]) -> Result<usize, DtbError> {
        let word = |at: usize| {
            start
                .get(at..)?
                .first_chunk()
                .map(|bytes| u32::from_be_bytes(*bytes))
        };
        if word(0) != Some(MAGIC) {
            return Err(DtbError::NoMagic);
        }
        let len = word(4).ok_or(DtbError::NoMagic)? as usize;
        if (HEADER_LEN..=MAX_LEN).contains(&len) {
            Ok(len)
        } else {
            Err(DtbError::BadLength(len))
        }
    }

    /// Checks a blob. `bytes` may be longer than the blob.
    ///
    /// # Errors
    /// [`DtbError::NoMagic`], [`DtbError::BadLength`], [`DtbError::Damaged`].
    pub fn new(bytes: &'a [u8]) -> Result<DeviceTree<'a>, DtbError> {
        let len = DeviceTree::claimed_len(bytes)?;
        let blob = bytes.get(..len).ok_or(DtbError::BadLength(len))?;
        Ok(DeviceTree {
            fdt: Fdt::new(blob).map_err(DtbError::Damaged)?,
        })
    }

    /// The ranges of the memory reservation block.
    fn memory_reservations(&self) -> impl Iterator<Item = PhysRange> + use<'a> {
        self.fdt.memory_reservations().map(|range| PhysRange {
            start: range.address(),
            size: range.size(),
        })
    }

    /// Calls `visitor` for each node, parents first, until it returns an error.
    fn visit(&self, visitor: &mut dyn FnMut(&Place<'_, 'a>) -> Result<(), DtbError>) -> Result<(), DtbError> {
        visit_below(&Place::root(self.fdt.root()), 0, visitor)
    }
}

fn visit_below<'a>(
    place: &Place<'_, 'a>,
    depth: usize,
    visitor: &mut dyn FnMut(&Place<'_, 'a>) -> Result<(), DtbError>,
) -> Result<(), DtbError> {
    visitor(place)?;
    if depth < MAX_DEPTH {
        for child in place.node.children() {
            visit_below(&Place::below(place, child), depth + 1, visitor)?;
        }
    }
    Ok(())
}

impl fmt::Display for DtbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DtbError::NoMagic => f.write_str("no device tree"),
            DtbError::BadLength(len) => {
                write!(f, "the device tree claims an impossible length of {len} bytes")
            }
            DtbError::Damaged(error) => write!(f, "the device tree is damaged: {error}"),
            DtbError::BadProperty(node, property) => {
                write!(f, "device tree: bad property {property} in {node}")
            }
            DtbError::TooMany(what) => write!(f, "device tree: too many {what}"),
        }
    }
}

impl core::error::Error for DtbError {}
