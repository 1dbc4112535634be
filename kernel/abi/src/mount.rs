//! mount(2), umount2(2); `linux/mount.h`, `include/linux/fs.h`.

/// Read only.
pub const MS_RDONLY: u32 = 1;
/// Ignore set-user-id bits.
pub const MS_NOSUID: u32 = 2;
/// No device files.
pub const MS_NODEV: u32 = 4;
/// No programs.
pub const MS_NOEXEC: u32 = 8;
/// Writes wait for the disk.
pub const MS_SYNCHRONOUS: u32 = 16;
/// Change the flags of a mount.
pub const MS_REMOUNT: u32 = 32;
/// Do not update access times.
pub const MS_NOATIME: u32 = 1024;
/// Do not update access times of directories.
pub const MS_NODIRATIME: u32 = 2048;
/// Show a part of the tree at a second place.
pub const MS_BIND: u32 = 4096;
/// Move a mount.
pub const MS_MOVE: u32 = 8192;
/// The mounts below, too.
pub const MS_REC: u32 = 16384;
/// No messages.
pub const MS_SILENT: u32 = 32768;
/// No copies of the mount are made.
pub const MS_UNBINDABLE: u32 = 1 << 17;
/// Changes are not seen by copies of the mount.
pub const MS_PRIVATE: u32 = 1 << 18;
/// Changes of a copy are seen, but not the other way.
pub const MS_SLAVE: u32 = 1 << 19;
/// Changes are seen by copies of the mount.
pub const MS_SHARED: u32 = 1 << 20;
/// Update access times now and then.
pub const MS_RELATIME: u32 = 1 << 21;

/// umount2: even if it is in use.
pub const MNT_FORCE: u32 = 1;
/// umount2: now out of sight, gone when no longer in use.
pub const MNT_DETACH: u32 = 2;
/// umount2: unless it was used since the last call.
pub const MNT_EXPIRE: u32 = 4;
/// umount2: do not follow a symbolic link at the end of the path.
pub const UMOUNT_NOFOLLOW: u32 = 8;
