//! How a file is opened: open(2). The flags are arm64's (`asm/fcntl.h`): four of them differ from x86's.

flags! {
    /// How a file is opened, and what is kept of that: open(2), fcntl(2).
    pub struct OpenFlags: u32 {
        /// The bits of the open flags that hold the access mode.
        const O_ACCMODE = 0o3;
        /// Open for reading.
        const O_RDONLY = 0o0;
        /// Open for writing.
        const O_WRONLY = 0o1;
        /// Open for reading and writing.
        const O_RDWR = 0o2;
        /// Make the file if it is not there.
        const O_CREAT = 0o100;
        /// With `O_CREAT`: fail if it is there.
        const O_EXCL = 0o200;
        /// Do not take the terminal as controlling terminal.
        const O_NOCTTY = 0o400;
        /// Cut to length 0.
        const O_TRUNC = 0o1000;
        /// Each write goes to the end.
        const O_APPEND = 0o2000;
        /// Do not wait.
        const O_NONBLOCK = 0o4000;
        /// A signal tells the owner what can be read or written.
        const O_ASYNC = 0o20000;
        /// Writes wait for the data to be on the disk.
        const O_DSYNC = 0o10000;
        /// Must be a directory (arm64's value).
        const O_DIRECTORY = 0o40000;
        /// Do not follow a symbolic link at the end of the path (arm64's value).
        const O_NOFOLLOW = 0o100000;
        /// Around the page cache (arm64's value).
        const O_DIRECT = 0o200000;
        /// No meaning on 64 bit (arm64's value).
        const O_LARGEFILE = 0o400000;
        /// Do not update the access time.
        const O_NOATIME = 0o1000000;
        /// Close at execve.
        const O_CLOEXEC = 0o2000000;
        /// Writes wait for data and attributes to be on the disk.
        const O_SYNC = 0o4010000;
        /// A place in the tree, not an open file.
        const O_PATH = 0o10000000;
        /// A file without a name in that directory (arm64's value).
        const O_TMPFILE = 0o20040000;
    }
}

/// What an open file may be used for: the bits `O_ACCMODE` of the open flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessMode {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
    /// Both bits: of files no use at all.
    Neither,
}

impl OpenFlags {
    /// What the file may be used for.
    #[inline]
    pub const fn access(self) -> AccessMode {
        match self.intersection(OpenFlags::O_ACCMODE).bits() {
            0 => AccessMode::Read,
            1 => AccessMode::Write,
            2 => AccessMode::ReadWrite,
            _ => AccessMode::Neither,
        }
    }
}

impl AccessMode {
    /// Whether bytes may be read.
    #[inline]
    pub const fn reads(self) -> bool {
        matches!(self, AccessMode::Read | AccessMode::ReadWrite)
    }

    /// Whether bytes may be written.
    #[inline]
    pub const fn writes(self) -> bool {
        matches!(self, AccessMode::Write | AccessMode::ReadWrite)
    }
}
