//! The order in which locks are taken: from the top of this list to its end. A processor that holds a lock takes only locks
//! that stand below it here.
//!
//! What is not here takes no lock of the kernel while it is held, and is taken last of all: the locks of `platform` (heap,
//! RAM, stacks, console, interrupt controller, random numbers) and those of `mm` (frame stacks, the ASID pool).
//!
//! No lock is held across a sleep, nor while a fault on user memory is served: that takes [`SPACE`] and what follows it.

/// `vfs::dentry`: held while directories move or vanish, so that "lies below" stays true while it matters. Only one processor
/// holds it, so the holder may lock the entries of several directories in any order.
pub const RESHAPING: u8 = 0;
/// `vfs::mount`: the table of mounts.
pub const MOUNTS: u8 = 1;
/// `fs::tmpfs`: the entries of one directory. A second and third only under [`RESHAPING`].
pub const DIRECTORY: u8 = 2;
/// `vfs::dentry`: parent and name of one dentry; what is mounted on it.
pub const DENTRY: u8 = 3;
/// `task::process`: ids, groups, sessions, users.
pub const PROCESS_TABLE: u8 = 4;
/// `task::process`: the children of one process. A second only under [`PROCESS_TABLE`].
pub const CHILDREN: u8 = 5;
/// `task::signal`: whether one process is stopped.
pub const STOP: u8 = 6;
/// `task::process`: the threads of one process.
pub const THREADS: u8 = 7;
/// `task::signal`, `task::timers`: the timers of one process. `sched::time`: how fast the clock runs.
pub const INTERVAL_TIMER: u8 = 8;
/// `task::process`: which space one process has. `sched::space`: one address space, as a second under the first. A fault under it
/// may ask a file for a page.
pub const SPACE: u8 = 9;
/// `fs::tmpfs`, `fs::shared_zeros`: size and pages of one file, or of one piece of shared memory.
pub const PAGES: u8 = 10;
/// `pagecache`: which files have pages that are to be written, and which pages may be given back.
pub const PAGE_LISTS: u8 = 11;
/// `fs::pipe`: the ring of one pipe.
pub const PIPE: u8 = 12;
/// `net::unix`: state and queue of one socket. A second one only in the order of their addresses.
pub const SOCKET: u8 = 13;
/// `net::unix`: which descriptors are in messages, and in which.
pub const IN_FLIGHT: u8 = 14;
/// `tty::sessions`: which session has which terminal.
pub const SESSIONS: u8 = 15;
/// `tty`: settings, typed bytes, session and foreground group of one terminal.
pub const TERMINAL: u8 = 16;
/// `inet::receive`: the frame that has come by one device, while it is looked at.
pub const RECEIVED_FRAME: u8 = 17;
/// `inet::stream`: one connection, or what is to become one. `inet::dhcp`: who asks for an address.
pub const STREAM: u8 = 18;
/// `inet::stream`: all connections by their numbers.
pub const CONNECTIONS: u8 = 19;
/// `inet`: who is bound to which port; all raw sockets.
pub const PORTS: u8 = 20;
/// `inet::stream`: the connections that one listening socket has made.
pub const BACKLOG: u8 = 21;
/// `inet::datagram`: one socket of messages.
pub const DATAGRAM: u8 = 22;
/// `inet::netif`: what one interface knows of its neighbours, addresses and routes.
pub const NETIF: u8 = 23;
/// `inet::link`: the device of one interface.
pub const NETWORK_DEVICE: u8 = 24;
/// `block`: what one disk has to do.
pub const DISK: u8 = 25;
/// `task::futex`: the waiters of some futexes. Two buckets only in the order of their addresses.
pub const FUTEX: u8 = 26;
/// `task::futex`: who waits for which lock with priority inheritance.
pub const INHERITANCE: u8 = 27;
/// `ipc`: the values of one set of semaphores, or the messages of one queue.
pub const SEMAPHORES: u8 = 28;
/// `klog`: the kernel's log.
pub const LOG: u8 = 29;
/// `sched::wait`: the sleepers of one queue. Taken by wakers whatever else they hold.
pub const WAIT_QUEUE: u8 = 30;
/// `sched::time`: what is to happen when.
pub const TIMERS: u8 = 31;
/// `sched::scheduler`: who waits for one processor.
pub const RUN_QUEUE: u8 = 32;
/// `task::process`: one thread's reference to descriptors, directories, signal actions.
pub const SHARED: u8 = 33;
/// `task::process`: the same things where several threads hold them in common.
pub const DESCRIPTORS: u8 = 34;
/// `vfs::inode`: the attributes of one file.
pub const ATTRIBUTES: u8 = 35;
/// `ipc`: which segments, sets of semaphores, queues of messages there are.
pub const SEGMENTS: u8 = 36;
/// Everything else: a value that is copied in or out. Nothing is taken while it is held.
pub const LEAF: u8 = 37;

/// How many ranks there are.
pub const COUNT: usize = LEAF as usize + 1;

/// Their names, for the checker and /proc/lock_stat.
pub const NAMES: [&str; COUNT] = [
    "reshaping",
    "mounts",
    "directory",
    "dentry",
    "process-table",
    "children",
    "stop",
    "threads",
    "interval-timer",
    "space",
    "pages",
    "page-lists",
    "pipe",
    "socket",
    "in-flight",
    "sessions",
    "terminal",
    "received-frame",
    "stream",
    "connections",
    "ports",
    "backlog",
    "datagram",
    "netif",
    "network-device",
    "disk",
    "futex",
    "inheritance",
    "semaphores",
    "log",
    "wait-queue",
    "timers",
    "run-queue",
    "shared",
    "descriptors",
    "attributes",
    "segments",
    "leaf",
];

/// The name of a rank.
pub fn name(rank: u8) -> &'static str {
    NAMES.get(usize::from(rank)).copied().unwrap_or("unknown")
}
