//! Files as disks: `linux/loop.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The major number of such disks.
pub const LOOP_MAJOR: u32 = 7;
/// The minor number of /dev/loop-control, which is a character device of major 10.
pub const LOOP_CTRL_MINOR: u32 = 237;

/// It takes no writes.
pub const LO_FLAGS_READ_ONLY: u32 = 1;
/// It lets go of its file when nobody has it open any more.
pub const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// Partitions on it are looked for.
pub const LO_FLAGS_PARTSCAN: u32 = 8;
/// It goes around the page cache of its file.
pub const LO_FLAGS_DIRECT_IO: u32 = 16;

/// Bytes of a name.
pub const LO_NAME_SIZE: usize = 64;

/// The argument is the file.
pub const LOOP_SET_FD: u32 = 0x4c00;
/// Lets go of the file.
pub const LOOP_CLR_FD: u32 = 0x4c01;
/// Sets [`LoopInfo64`].
pub const LOOP_SET_STATUS64: u32 = 0x4c04;
/// Gets [`LoopInfo64`].
pub const LOOP_GET_STATUS64: u32 = 0x4c05;
/// The argument is a file to take the place of the one that it has.
pub const LOOP_CHANGE_FD: u32 = 0x4c06;
/// The file became longer or shorter.
pub const LOOP_SET_CAPACITY: u32 = 0x4c07;
/// Whether it goes around the page cache of its file.
pub const LOOP_SET_DIRECT_IO: u32 = 0x4c08;
/// The argument is how many bytes a block has.
pub const LOOP_SET_BLOCK_SIZE: u32 = 0x4c09;
/// Sets everything at once: [`LoopConfig`].
pub const LOOP_CONFIGURE: u32 = 0x4c0a;

/// Of /dev/loop-control: makes the disk of a number.
pub const LOOP_CTL_ADD: u32 = 0x4c80;
/// Takes the disk of a number away.
pub const LOOP_CTL_REMOVE: u32 = 0x4c81;
/// The number of a disk that has no file.
pub const LOOP_CTL_GET_FREE: u32 = 0x4c82;

/// What is known of such a disk.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LoopInfo64 {
    /// The device that the file is on.
    pub device: u64,
    /// The file's inode.
    pub inode: u64,
    /// The file's number, if that is a device.
    pub rdevice: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// Bytes that it has at most; 0: all.
    pub size_limit: u64,
    /// Its number.
    pub number: u32,
    /// Nothing.
    pub encrypt_type: u32,
    /// Nothing.
    pub encrypt_key_size: u32,
    /// `LO_FLAGS_*`.
    pub flags: u32,
    /// What the caller calls the file.
    pub file_name: [u8; LO_NAME_SIZE],
    /// Nothing.
    pub crypt_name: [u8; LO_NAME_SIZE],
    /// Nothing.
    pub encrypt_key: [u8; 32],
    /// Nothing.
    pub init: [u64; 2],
}
const _: () = assert!(size_of::<LoopInfo64>() == 232);

/// What [`LOOP_CONFIGURE`] takes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LoopConfig {
    /// The file.
    pub fd: u32,
    /// Bytes of a block; 0: as usual.
    pub block_size: u32,
    /// The rest.
    pub info: LoopInfo64,
    /// Zeros.
    pub reserved: [u64; 8],
}
const _: () = assert!(size_of::<LoopConfig>() == 304);
