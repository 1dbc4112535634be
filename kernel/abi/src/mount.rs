//! mount(2), umount2(2); `linux/mount.h`, `include/linux/fs.h`.

flags! {
    /// How a file system is mounted, and what is to be done: mount(2).
    pub struct MountFlags: u32 {
        /// Read only.
        const MS_RDONLY = 1;
        /// Ignore set-user-id bits.
        const MS_NOSUID = 2;
        /// No device files.
        const MS_NODEV = 4;
        /// No programs.
        const MS_NOEXEC = 8;
        /// Writes wait for the disk.
        const MS_SYNCHRONOUS = 16;
        /// Change the flags of a mount.
        const MS_REMOUNT = 32;
        /// Do not update access times.
        const MS_NOATIME = 1024;
        /// Do not update access times of directories.
        const MS_NODIRATIME = 2048;
        /// Show a part of the tree at a second place.
        const MS_BIND = 4096;
        /// Move a mount.
        const MS_MOVE = 8192;
        /// The mounts below, too.
        const MS_REC = 16384;
        /// No messages.
        const MS_SILENT = 32768;
        /// No copies of the mount are made.
        const MS_UNBINDABLE = 1 << 17;
        /// Changes are not seen by copies of the mount.
        const MS_PRIVATE = 1 << 18;
        /// Changes of a copy are seen, but not the other way.
        const MS_SLAVE = 1 << 19;
        /// Changes are seen by copies of the mount.
        const MS_SHARED = 1 << 20;
        /// Update access times now and then.
        const MS_RELATIME = 1 << 21;
    }
}

flags! {
    /// How a mount is taken away: umount2(2).
    pub struct UmountFlags: u32 {
        /// Even if it is in use.
        const MNT_FORCE = 1;
        /// Now out of sight, gone when no longer in use.
        const MNT_DETACH = 2;
        /// Unless it was used since the last call.
        const MNT_EXPIRE = 4;
        /// Do not follow a symbolic link at the end of the path.
        const UMOUNT_NOFOLLOW = 8;
    }
}
