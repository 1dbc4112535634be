//! Capabilities and secure bits: capabilities(7), capget(2), prctl(2); `linux/capability.h`, `linux/securebits.h`.

macro_rules! capabilities {
    ($($name:ident = $number:literal, $about:literal;)*) => {
        $(#[doc = $about] pub const $name: u32 = $number;)*
    };
}

capabilities! {
    CAP_CHOWN = 0, "Give files away.";
    CAP_DAC_OVERRIDE = 1, "Read, write and execute whatever the mode says.";
    CAP_DAC_READ_SEARCH = 2, "Read files and search directories whatever the mode says.";
    CAP_FOWNER = 3, "Do what the owner of a file may do.";
    CAP_FSETID = 4, "Keep set-ID bits where others lose them.";
    CAP_KILL = 5, "Signal everybody.";
    CAP_SETGID = 6, "Take any group.";
    CAP_SETUID = 7, "Become any user.";
    CAP_SETPCAP = 8, "Change secure bits, the bounding set, and the inheritable set beyond the permitted one.";
    CAP_LINUX_IMMUTABLE = 9, "Change immutable files.";
    CAP_NET_BIND_SERVICE = 10, "Have low ports.";
    CAP_NET_ADMIN = 12, "Administer the network.";
    CAP_NET_RAW = 13, "Send any packet.";
    CAP_IPC_LOCK = 14, "Lock memory beyond the limit.";
    CAP_IPC_OWNER = 15, "Use System V objects whatever their rights say.";
    CAP_SYS_CHROOT = 18, "Change the root directory.";
    CAP_SYS_PTRACE = 19, "Look into every process.";
    CAP_SYS_ADMIN = 21, "Administer the system.";
    CAP_SYS_BOOT = 22, "Restart the machine.";
    CAP_SYS_NICE = 23, "Prefer processes, one's own and others'.";
    CAP_SYS_RESOURCE = 24, "Go beyond limits.";
    CAP_SYS_TIME = 25, "Set the clock.";
    CAP_MKNOD = 27, "Make device nodes.";
    CAP_MAC_OVERRIDE = 32, "Override mandatory access control.";
    CAP_SYSLOG = 34, "Read and clear the kernel log.";
    CAP_WAKE_ALARM = 35, "Set timers that wake a suspended machine.";
    CAP_BLOCK_SUSPEND = 36, "Keep the machine from being suspended.";
    CAP_PERFMON = 38, "Measure all that the machine does.";
    CAP_LAST_CAP = 40, "The highest one.";
}

/// A set of capabilities: bit `number`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapSet(pub u64);

impl CapSet {
    /// None.
    pub const EMPTY: CapSet = CapSet(0);
    /// All that there are.
    pub const ALL: CapSet = CapSet((1 << (CAP_LAST_CAP + 1)) - 1);
    /// Those about files, which follow the user for access to files (`CAP_FS_SET`).
    pub const FILES: CapSet = CapSet::EMPTY
        .with(CAP_CHOWN)
        .with(CAP_MKNOD)
        .with(CAP_DAC_OVERRIDE)
        .with(CAP_DAC_READ_SEARCH)
        .with(CAP_FOWNER)
        .with(CAP_FSETID)
        .with(CAP_LINUX_IMMUTABLE)
        .with(CAP_MAC_OVERRIDE);

    /// The set and that capability.
    pub const fn with(self, capability: u32) -> CapSet {
        CapSet(self.0 | 1 << capability)
    }

    /// The set without that capability.
    pub const fn without(self, capability: u32) -> CapSet {
        CapSet(self.0 & !(1 << capability))
    }

    /// Whether the capability is in the set.
    pub const fn has(self, capability: u32) -> bool {
        self.0 >> capability & 1 != 0
    }

    /// What is in either.
    pub const fn union(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }

    /// What is in both.
    pub const fn intersection(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    /// What is in this set and not in the other.
    pub const fn difference(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }

    /// Whether all of this set is in the other.
    pub const fn is_within(self, other: CapSet) -> bool {
        self.0 & !other.0 == 0
    }
}

/// User 0 has no rights by being user 0.
pub const SECBIT_NOROOT: u32 = 1 << 0;
/// A change of the user changes no capabilities.
pub const SECBIT_NO_SETUID_FIXUP: u32 = 1 << 2;
/// Leaving user 0 keeps the permitted set.
pub const SECBIT_KEEP_CAPS: u32 = 1 << 4;
/// That bit cannot be changed.
pub const SECBIT_KEEP_CAPS_LOCKED: u32 = 1 << 5;
/// Nothing can be added to the ambient set.
pub const SECBIT_NO_CAP_AMBIENT_RAISE: u32 = 1 << 6;
/// All bits (`SECURE_ALL_BITS`).
pub const SECURE_ALL_BITS: u32 = 0x55;
/// The bits that lock them (`SECURE_ALL_LOCKS`).
pub const SECURE_ALL_LOCKS: u32 = 0xaa;

/// capget: one word for each set.
pub const _LINUX_CAPABILITY_VERSION_1: u32 = 0x1998_0330;
/// capget: two words for each set.
pub const _LINUX_CAPABILITY_VERSION_2: u32 = 0x2007_1026;
/// capget: the same, the newest.
pub const _LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
