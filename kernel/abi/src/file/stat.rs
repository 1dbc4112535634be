//! What a file is like: stat(2), statx(2), statfs(2); `asm-generic/stat.h`, `linux/stat.h`, `asm-generic/statfs.h`.

use crate::time::TimeSpec;
use core::mem::offset_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What stat(2) gives (`asm-generic/stat.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stat {
    /// Device that holds the file: see [`device_number`].
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Kind and permissions.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The device that a device file stands for.
    pub rdev: u64,
    /// Zero.
    pub pad1: u64,
    /// Length in bytes.
    pub size: i64,
    /// Good size of a read or write.
    pub blksize: i32,
    /// Zero.
    pub pad2: i32,
    /// Space used, in units of 512 bytes.
    pub blocks: i64,
    /// Last read.
    pub atime: TimeSpec,
    /// Last write.
    pub mtime: TimeSpec,
    /// Last change of content or attributes.
    pub ctime: TimeSpec,
    /// Zero.
    pub unused: [u32; 2],
}
const _: () = assert!(size_of::<Stat>() == 128);
const _: () = assert!(offset_of!(Stat, rdev) == 32 && offset_of!(Stat, size) == 48);
const _: () = assert!(offset_of!(Stat, blocks) == 64 && offset_of!(Stat, mtime) == 88);

/// The number of a device in [`Stat`] and mknod(2): `new_encode_dev` in `linux/kdev_t.h`.
pub const fn device_number(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64 & 0xfff, minor as u64 & 0xf_ffff);
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// The major number in a device number.
pub const fn device_major(device: u64) -> u32 {
    ((device >> 8) & 0xfff) as u32
}

/// The minor number in a device number.
pub const fn device_minor(device: u64) -> u32 {
    ((device & 0xff) | ((device >> 12) & 0xf_ff00)) as u32
}

/// A time in [`Statx`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StatxTimestamp {
    /// Seconds since 1970.
    pub sec: i64,
    /// Nanoseconds.
    pub nsec: u32,
    /// Zero.
    pub reserved: i32,
}
const _: () = assert!(size_of::<StatxTimestamp>() == 16);

/// What statx(2) gives (`linux/stat.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Statx {
    /// Which fields are filled: `STATX_*`.
    pub mask: u32,
    /// Good size of a read or write.
    pub blksize: u32,
    /// File attributes.
    pub attributes: u64,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Kind and permissions.
    pub mode: u16,
    /// Zero.
    pub spare0: u16,
    /// Inode number.
    pub ino: u64,
    /// Length in bytes.
    pub size: u64,
    /// Space used, in units of 512 bytes.
    pub blocks: u64,
    /// Which bits of `attributes` mean something.
    pub attributes_mask: u64,
    /// Last read.
    pub atime: StatxTimestamp,
    /// Birth.
    pub btime: StatxTimestamp,
    /// Last change of content or attributes.
    pub ctime: StatxTimestamp,
    /// Last write.
    pub mtime: StatxTimestamp,
    /// The device that a device file stands for, major number.
    pub rdev_major: u32,
    /// The device that a device file stands for, minor number.
    pub rdev_minor: u32,
    /// Device that holds the file, major number.
    pub dev_major: u32,
    /// Device that holds the file, minor number.
    pub dev_minor: u32,
    /// Mount.
    pub mnt_id: u64,
    /// Alignment of memory for `O_DIRECT`.
    pub dio_mem_align: u32,
    /// Alignment of the offset for `O_DIRECT`.
    pub dio_offset_align: u32,
    /// Zero.
    pub spare3: [u64; 12],
}
const _: () = assert!(size_of::<Statx>() == 256);
const _: () = assert!(offset_of!(Statx, ino) == 0x20 && offset_of!(Statx, atime) == 0x40);
const _: () = assert!(offset_of!(Statx, rdev_major) == 0x80 && offset_of!(Statx, mnt_id) == 0x90);

/// statx: the kind is wanted or given.
pub const STATX_TYPE: u32 = 0x0001;
/// statx: the permissions.
pub const STATX_MODE: u32 = 0x0002;
/// statx: everything that stat(2) gives.
pub const STATX_BASIC_STATS: u32 = 0x07ff;
/// statx: the birth time.
pub const STATX_BTIME: u32 = 0x0800;
/// statx: the mount.
pub const STATX_MNT_ID: u32 = 0x1000;

/// What statfs(2) gives (`asm-generic/statfs.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StatFs {
    /// Kind of file system: `*_MAGIC`.
    pub kind: i64,
    /// Block size.
    pub bsize: i64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub bfree: u64,
    /// Free blocks that a user may take.
    pub bavail: u64,
    /// Inodes in all.
    pub files: u64,
    /// Free inodes.
    pub ffree: u64,
    /// File system id.
    pub fsid: [i32; 2],
    /// Longest name.
    pub namelen: i64,
    /// Fragment size.
    pub frsize: i64,
    /// Mount flags.
    pub flags: i64,
    /// Zero.
    pub spare: [i64; 4],
}
const _: () = assert!(size_of::<StatFs>() == 120);
const _: () = assert!(offset_of!(StatFs, fsid) == 56 && offset_of!(StatFs, namelen) == 64);

/// Kind of file system: memory (`linux/magic.h`).
pub const TMPFS_MAGIC: i64 = 0x0102_1994;
/// Kind of file system: memory, fixed size.
pub const RAMFS_MAGIC: i64 = 0x8584_58f6;
/// Kind of file system: /proc.
pub const PROC_SUPER_MAGIC: i64 = 0x9fa0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_makedevs() {
        assert_eq!(device_number(5, 1), 0x501);
        assert_eq!(device_number(0xabc, 0x1_2345), 0x12_3000 << 8 | 0xa_bc45);
        let device = device_number(0xabc, 0xf_2345);
        assert_eq!((device_major(device), device_minor(device)), (0xabc, 0xf_2345));
    }
}
