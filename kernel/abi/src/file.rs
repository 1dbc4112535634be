//! Files: open(2), stat(2), statx(2), statfs(2), getdents64(2), fcntl(2), poll(2), rename(2).

pub mod open;
pub mod stat;

pub use open::{AccessMode, OpenFlags};
pub use stat::{Stat, StatFs, Statx, device_major, device_minor, device_number};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// In place of a directory descriptor: the current directory.
pub const AT_FDCWD: i32 = -100;

flags! {
    /// How a path and what it leads to are looked up: open(2), stat(2), link(2) and kin.
    pub struct AtFlags: u32 {
        /// Do not follow a symbolic link at the end of the path.
        const AT_SYMLINK_NOFOLLOW = 0x100;
        /// faccessat2: check with the effective ids.
        const AT_EACCESS = 0x200;
        /// unlinkat: remove a directory.
        const AT_REMOVEDIR = 0x200;
        /// linkat: follow a symbolic link at the end of the path.
        const AT_SYMLINK_FOLLOW = 0x400;
        /// Do not trigger an automount.
        const AT_NO_AUTOMOUNT = 0x800;
        /// An empty path means the descriptor itself.
        const AT_EMPTY_PATH = 0x1000;
        /// statx: the bits that say how fresh the answer must be.
        const AT_STATX_SYNC_TYPE = 0x6000;
    }
}

/// fcntl: the lowest free descriptor from the argument on.
pub const F_DUPFD: u32 = 0;
/// fcntl: read the descriptor flags.
pub const F_GETFD: u32 = 1;
/// fcntl: set the descriptor flags.
pub const F_SETFD: u32 = 2;
/// fcntl: read the status flags.
pub const F_GETFL: u32 = 3;
/// fcntl: set the status flags.
pub const F_SETFL: u32 = 4;
/// fcntl: look for a record lock.
pub const F_GETLK: u32 = 5;
/// fcntl: set a record lock.
pub const F_SETLK: u32 = 6;
/// fcntl: set a record lock, waiting.
pub const F_SETLKW: u32 = 7;
/// fcntl: who gets SIGIO.
pub const F_SETOWN: u32 = 8;
/// fcntl: read who gets SIGIO.
pub const F_GETOWN: u32 = 9;
/// fcntl: which signal is sent in place of SIGIO.
pub const F_SETSIG: u32 = 10;
/// fcntl: read which signal is sent in place of SIGIO.
pub const F_GETSIG: u32 = 11;
/// fcntl: who gets SIGIO, as a [`FOwnerEx`].
pub const F_SETOWN_EX: u32 = 15;
/// fcntl: read who gets SIGIO, as a [`FOwnerEx`].
pub const F_GETOWN_EX: u32 = 16;
/// fcntl: look for a record lock that stands in the way of the open file's own.
pub const F_OFD_GETLK: u32 = 36;
/// fcntl: set a record lock of the open file.
pub const F_OFD_SETLK: u32 = 37;
/// fcntl: set a record lock of the open file, waiting.
pub const F_OFD_SETLKW: u32 = 38;
/// fcntl: read the lease.
pub const F_GETLEASE: u32 = 1025;
/// `F_SETOWN_EX`: a thread.
pub const F_OWNER_TID: i32 = 0;
/// `F_SETOWN_EX`: a process.
pub const F_OWNER_PID: i32 = 1;
/// `F_SETOWN_EX`: a process group.
pub const F_OWNER_PGRP: i32 = 2;
/// fcntl: as `F_DUPFD`, to be closed at execve.
pub const F_DUPFD_CLOEXEC: u32 = 1030;
/// fcntl: tell of what happens in a directory.
pub const F_NOTIFY: u32 = 1026;
/// fcntl: set the capacity of a pipe.
pub const F_SETPIPE_SZ: u32 = 1031;
/// fcntl: read the capacity of a pipe.
pub const F_GETPIPE_SZ: u32 = 1032;
/// fcntl: add seals to a file in memory.
pub const F_ADD_SEALS: u32 = 1033;
/// fcntl: read the seals.
pub const F_GET_SEALS: u32 = 1034;

flags! {
    /// What stays as it is of a file in memory: fcntl(2), `F_ADD_SEALS`.
    pub struct SealFlags: u32 {
        /// No further seals.
        const F_SEAL_SEAL = 1;
        /// The file does not become shorter.
        const F_SEAL_SHRINK = 2;
        /// The file does not become longer.
        const F_SEAL_GROW = 4;
        /// Nobody writes.
        const F_SEAL_WRITE = 8;
        /// Nobody writes but by mappings that there are.
        const F_SEAL_FUTURE_WRITE = 16;
    }
}

/// Descriptor flag: close at execve.
pub const FD_CLOEXEC: u32 = 1;
/// Record lock: shared.
pub const F_RDLCK: u32 = 0;
/// Record lock: exclusive.
pub const F_WRLCK: u32 = 1;
/// Record lock: none.
pub const F_UNLCK: u32 = 2;
/// flock: shared.
pub const LOCK_SH: u32 = 1;
/// flock: exclusive.
pub const LOCK_EX: u32 = 2;
/// flock: do not wait.
pub const LOCK_NB: u32 = 4;
/// flock: unlock.
pub const LOCK_UN: u32 = 8;

/// ioctl: share all pages of another file.
pub const FICLONE: u32 = 0x4004_9409;
/// ioctl: share some pages of another file.
pub const FICLONERANGE: u32 = 0x4020_940d;
/// ioctl: share equal pages with other files.
pub const FIDEDUPERANGE: u32 = 0xc018_9436;

/// The bits of the mode that hold the kind of file: inode(7).
pub const S_IFMT: u32 = 0o170000;
/// Socket.
pub const S_IFSOCK: u32 = 0o140000;
/// Symbolic link.
pub const S_IFLNK: u32 = 0o120000;
/// Regular file.
pub const S_IFREG: u32 = 0o100000;
/// Block device.
pub const S_IFBLK: u32 = 0o060000;
/// Directory.
pub const S_IFDIR: u32 = 0o040000;
/// Character device.
pub const S_IFCHR: u32 = 0o020000;
/// Pipe.
pub const S_IFIFO: u32 = 0o010000;
/// Set the user id at execve.
pub const S_ISUID: u32 = 0o4000;
/// Set the group id at execve.
pub const S_ISGID: u32 = 0o2000;
/// Only the owner removes entries.
pub const S_ISVTX: u32 = 0o1000;
/// Mode: the group may execute.
pub const S_IXGRP: u32 = 0o010;

/// Directory entry of unknown kind.
pub const DT_UNKNOWN: u8 = 0;
/// Directory entry: pipe.
pub const DT_FIFO: u8 = 1;
/// Directory entry: character device.
pub const DT_CHR: u8 = 2;
/// Directory entry: directory.
pub const DT_DIR: u8 = 4;
/// Directory entry: block device.
pub const DT_BLK: u8 = 6;
/// Directory entry: regular file.
pub const DT_REG: u8 = 8;
/// Directory entry: symbolic link.
pub const DT_LNK: u8 = 10;
/// Directory entry: socket.
pub const DT_SOCK: u8 = 12;

/// The kind of a directory entry for a file of that mode (glibc's `IFTODT`).
pub const fn directory_entry_kind(mode: u32) -> u8 {
    ((mode & S_IFMT) >> 12) as u8
}

/// lseek: from the start.
pub const SEEK_SET: u32 = 0;
/// lseek: from the current position.
pub const SEEK_CUR: u32 = 1;
/// lseek: from the end.
pub const SEEK_END: u32 = 2;
/// lseek: the next data.
pub const SEEK_DATA: u32 = 3;
/// lseek: the next hole.
pub const SEEK_HOLE: u32 = 4;

flags! {
    /// What is wanted of a file: access(2).
    pub struct AccessFlags: u32 {
        /// Nothing: whether it is there at all.
        const F_OK = 0;
        /// To execute, or to search a directory.
        const X_OK = 1;
        /// To write.
        const W_OK = 2;
        /// To read.
        const R_OK = 4;
    }
}

flags! {
    /// What becomes of what has the new name: renameat2(2).
    pub struct RenameFlags: u32 {
        /// renameat2: do not replace.
        const RENAME_NOREPLACE = 1;
        /// renameat2: exchange both.
        const RENAME_EXCHANGE = 2;
        /// renameat2: leave a whiteout.
        const RENAME_WHITEOUT = 4;
    }
}

/// utimensat: the current time, in place of nanoseconds.
pub const UTIME_NOW: i64 = 0x3fff_ffff;
/// utimensat: leave the time as it is, in place of nanoseconds.
pub const UTIME_OMIT: i64 = 0x3fff_fffe;

flags! {
    /// What is done with descriptors: close_range(2).
    pub struct CloseRangeFlags: u32 {
        /// close_range: first stop sharing the descriptor table.
        const CLOSE_RANGE_UNSHARE = 2;
        /// close_range: do not close, set close-on-exec.
        const CLOSE_RANGE_CLOEXEC = 4;
    }
}

flags! {
    /// How pages of a file are given or taken: fallocate(2).
    pub struct FallocFlags: u32 {
        /// fallocate: do not move the end of the file.
        const FALLOC_FL_KEEP_SIZE = 1;
        /// fallocate: give pages back.
        const FALLOC_FL_PUNCH_HOLE = 2;
        /// fallocate: what is behind the range takes its place.
        const FALLOC_FL_COLLAPSE_RANGE = 8;
        /// fallocate: make zeros that have room.
        const FALLOC_FL_ZERO_RANGE = 0x10;
        /// fallocate: what is behind the start gets room before it.
        const FALLOC_FL_INSERT_RANGE = 0x20;
        /// fallocate: share no blocks with other files.
        const FALLOC_FL_UNSHARE_RANGE = 0x40;
    }
}

flags! {
    /// What the owner of a directory is told of: fcntl(2), `F_NOTIFY`.
    pub struct DirectoryEvents: u32 {
        /// A file of it was read.
        const DN_ACCESS = 1;
        /// A file was written.
        const DN_MODIFY = 2;
        /// One was made.
        const DN_CREATE = 4;
        /// One was taken away.
        const DN_DELETE = 8;
        /// One was renamed.
        const DN_RENAME = 0x10;
        /// What is known of one was changed.
        const DN_ATTRIB = 0x20;
        /// Not once, but whenever it happens.
        const DN_MULTISHOT = 0x8000_0000;
    }
}

flags! {
    /// What a file in memory is like: memfd_create(2).
    pub struct MfdFlags: u32 {
        /// memfd_create: close at execve.
        const MFD_CLOEXEC = 1;
        /// memfd_create: seals may be set.
        const MFD_ALLOW_SEALING = 2;
    }
}

/// Longest path, the NUL included (`linux/limits.h`).
pub const PATH_MAX: usize = 4096;
/// Longest name in a directory.
pub const NAME_MAX: usize = 255;
/// preadv2(2), pwritev2(2): without interrupts, if the device can.
pub const RWF_HIPRI: u32 = 1;
/// What is written is on the disk behind it: the bytes, or all.
pub const RWF_DSYNC: u32 = 2;
/// As above.
pub const RWF_SYNC: u32 = 4;
/// As if the file were `O_APPEND`, and as if it were not.
pub const RWF_APPEND: u32 = 16;
/// As above.
pub const RWF_NOAPPEND: u32 = 32;

/// A write of so many bytes to a pipe is not divided.
pub const PIPE_BUF: usize = 4096;
/// Most parts in readv and writev.
pub const IOV_MAX: usize = 1024;

/// There is data to read.
pub const POLLIN: i16 = 0x0001;
/// There is urgent data.
pub const POLLPRI: i16 = 0x0002;
/// There is room to write.
pub const POLLOUT: i16 = 0x0004;
/// An error (answer only).
pub const POLLERR: i16 = 0x0008;
/// The other end is closed (answer only).
pub const POLLHUP: i16 = 0x0010;
/// No such descriptor (answer only).
pub const POLLNVAL: i16 = 0x0020;
/// As `POLLIN`.
pub const POLLRDNORM: i16 = 0x0040;
/// Priority band data.
pub const POLLRDBAND: i16 = 0x0080;
/// A message: of a directory that is watched by `F_NOTIFY`.
pub const POLLMSG: i16 = 0x0400;
/// As `POLLOUT`.
pub const POLLWRNORM: i16 = 0x0100;
/// Priority data may be written.
pub const POLLWRBAND: i16 = 0x0200;
/// The other side writes no more.
pub const POLLRDHUP: i16 = 0x2000;

/// One part of a scattered read or write: readv(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IoVec {
    /// Address in the caller's memory.
    pub base: u64,
    /// Length in bytes.
    pub len: u64,
}
const _: () = assert!(size_of::<IoVec>() == 16);

/// One descriptor to wait for: poll(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PollFd {
    /// The descriptor; negative: skip.
    pub fd: i32,
    /// What is wanted.
    pub events: i16,
    /// What happened.
    pub revents: i16,
}
const _: () = assert!(size_of::<PollFd>() == 8);

/// Who gets SIGIO: fcntl(2), `F_SETOWN_EX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FOwnerEx {
    /// `F_OWNER_*`.
    pub kind: i32,
    /// The id; 0: nobody.
    pub pid: i32,
}
const _: () = assert!(size_of::<FOwnerEx>() == 8);

/// A record lock: fcntl(2), `F_SETLK`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FLock {
    /// `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
    pub kind: i16,
    /// `SEEK_*`: what `start` counts from.
    pub whence: i16,
    /// Zero.
    pub pad1: u32,
    /// First byte.
    pub start: i64,
    /// Length; 0: to the end.
    pub len: i64,
    /// Who holds the lock that is in the way.
    pub pid: i32,
    /// Zero.
    pub pad2: u32,
}
const _: () = assert!(size_of::<FLock>() == 32);
