//! Which crate may use which.

/// A crate, its folder, and the crates of this workspace that it may use.
pub struct Floor {
    /// Folder from the root.
    pub folder: &'static str,
    /// By name.
    pub uses: &'static [&'static str],
}

/// From the lowest floor up; host tools and tests last.
pub const FLOORS: &[Floor] = &[
    Floor {
        folder: "kernel/abi",
        uses: &[],
    },
    Floor {
        folder: "kernel/formats",
        uses: &["abi"],
    },
    Floor {
        folder: "kernel/mm",
        uses: &["abi", "formats", "machine"],
    },
    Floor {
        folder: "platform",
        uses: &["abi", "formats", "mm"],
    },
    Floor {
        folder: "kernel/lock",
        uses: &["platform"],
    },
    Floor {
        folder: "kernel/memory",
        uses: &["abi", "mm", "platform"],
    },
    Floor {
        folder: "kernel/sched",
        uses: &["abi", "formats", "mm", "platform", "lock", "memory"],
    },
    Floor {
        folder: "kernel/klog",
        uses: &["abi", "formats", "mm", "platform", "lock", "memory", "sched"],
    },
    Floor {
        folder: "kernel/block",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog",
        ],
    },
    Floor {
        folder: "kernel/ext4",
        uses: &["abi", "formats", "memory", "block"],
    },
    Floor {
        folder: "kernel/fat",
        uses: &["abi", "memory", "block"],
    },
    Floor {
        folder: "kernel/uaccess",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog",
        ],
    },
    Floor {
        folder: "kernel/vfs",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess",
        ],
    },
    Floor {
        folder: "kernel/fs",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs",
        ],
    },
    Floor {
        folder: "kernel/net",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs",
        ],
    },
    Floor {
        folder: "kernel/inet",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs", "net",
        ],
    },
    Floor {
        folder: "kernel/ipc",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs", "fs",
        ],
    },
    Floor {
        folder: "kernel/devices",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs",
        ],
    },
    Floor {
        folder: "kernel/events",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs",
        ],
    },
    Floor {
        folder: "kernel/pagecache",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "block", "uaccess", "vfs",
        ],
    },
    Floor {
        folder: "kernel/diskfs",
        uses: &[
            "abi",
            "formats",
            "mm",
            "platform",
            "lock",
            "memory",
            "sched",
            "klog",
            "block",
            "ext4",
            "fat",
            "uaccess",
            "vfs",
            "fs",
            "pagecache",
        ],
    },
    Floor {
        folder: "kernel/swap",
        uses: &[
            "abi",
            "mm",
            "platform",
            "lock",
            "memory",
            "sched",
            "klog",
            "block",
            "pagecache",
        ],
    },
    Floor {
        folder: "kernel/task",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs", "fs",
            "ipc", "devices", "events",
        ],
    },
    Floor {
        folder: "kernel/tty",
        uses: &[
            "abi", "formats", "mm", "platform", "lock", "memory", "sched", "klog", "uaccess", "vfs", "fs",
            "devices", "events", "task",
        ],
    },
    Floor {
        folder: "kernel/trace",
        uses: &[
            "abi", "mm", "platform", "lock", "memory", "sched", "uaccess", "task", "swap",
        ],
    },
    Floor {
        folder: "kernel/procfs",
        uses: &[
            "abi",
            "formats",
            "mm",
            "platform",
            "lock",
            "memory",
            "sched",
            "klog",
            "uaccess",
            "vfs",
            "fs",
            "net",
            "inet",
            "ipc",
            "devices",
            "events",
            "task",
            "trace",
            "tty",
            "block",
            "pagecache",
            "swap",
        ],
    },
    Floor {
        folder: "kernel/syscall",
        uses: &[
            "abi",
            "formats",
            "mm",
            "platform",
            "lock",
            "memory",
            "sched",
            "klog",
            "uaccess",
            "vfs",
            "fs",
            "net",
            "ipc",
            "devices",
            "events",
            "task",
            "trace",
            "tty",
            "procfs",
            "block",
            "pagecache",
            "swap",
        ],
    },
    Floor {
        folder: "kernel",
        uses: &[
            "abi",
            "formats",
            "mm",
            "platform",
            "lock",
            "memory",
            "sched",
            "klog",
            "uaccess",
            "vfs",
            "fs",
            "net",
            "inet",
            "ipc",
            "devices",
            "events",
            "task",
            "trace",
            "tty",
            "procfs",
            "syscall",
            "block",
            "diskfs",
            "pagecache",
            "swap",
        ],
    },
    Floor {
        folder: "userland",
        uses: &["abi"],
    },
    Floor {
        folder: "platform/image",
        uses: &[],
    },
    Floor {
        folder: "tests",
        uses: &[
            "image",
            "abi",
            "formats",
            "mm",
            "fuzz",
            "checker",
            "litmus",
            "misses",
            "playground",
        ],
    },
    Floor {
        folder: "tests/checker",
        uses: &["misses"],
    },
    Floor {
        folder: "tests/misses",
        uses: &[],
    },
    Floor {
        folder: "tests/fuzz",
        uses: &["image", "abi", "formats", "mm", "userland"],
    },
    Floor {
        folder: "tests/litmus",
        uses: &[],
    },
    // The machine that the heart is proven on; the heart's tests use it, the heart does not.
    Floor {
        folder: "tests/machine",
        uses: &["mm"],
    },
    Floor {
        folder: "tests/playground",
        uses: &["mm", "machine"],
    },
];

/// The crates of this workspace by name.
pub const CRATES: &[&str] = &[
    "abi",
    "formats",
    "mm",
    "platform",
    "lock",
    "memory",
    "sched",
    "klog",
    "block",
    "ext4",
    "fat",
    "uaccess",
    "vfs",
    "fs",
    "net",
    "inet",
    "ipc",
    "devices",
    "events",
    "task",
    "trace",
    "tty",
    "procfs",
    "syscall",
    "kernel",
    "userland",
    "image",
    "tests",
    "fuzz",
    "checker",
    "litmus",
    "machine",
    "misses",
    "playground",
];
