//! Files that tell of events: `linux/inotify.h`, `linux/eventpoll.h`, `linux/timerfd.h`, `linux/signalfd.h` and, as no header of the kernel's has them, glibc's `sys/eventfd.h`.

use crate::signal::info::{SI_KERNEL, SI_TIMER};
use crate::signal::{SigInfo, Signal};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

flags! {
    /// eventfd2(2).
    pub struct EventFdFlags: u32 {
        /// eventfd2: a read takes one.
        const EFD_SEMAPHORE = 1;
        /// eventfd2: `O_NONBLOCK`.
        const EFD_NONBLOCK = 0o4000;
        /// eventfd2: close at execve.
        const EFD_CLOEXEC = 0o2000000;
    }
}

flags! {
    /// epoll_create1(2).
    pub struct EpollCreateFlags: u32 {
        /// epoll_create1: close at execve.
        const EPOLL_CLOEXEC = 0o2000000;
    }
}

flags! {
    /// What of a file is waited for, or has come: epoll_ctl(2), epoll_wait(2).
    pub struct EpollEvents: u32 {
        /// There is data to read.
        const EPOLLIN = 0x0001;
        /// There is urgent data.
        const EPOLLPRI = 0x0002;
        /// Writing will not block.
        const EPOLLOUT = 0x0004;
        /// An error has happened.
        const EPOLLERR = 0x0008;
        /// The other side hung up.
        const EPOLLHUP = 0x0010;
        /// As `EPOLLIN`.
        const EPOLLRDNORM = 0x0040;
        /// Priority data can be read.
        const EPOLLRDBAND = 0x0080;
        /// As `EPOLLOUT`.
        const EPOLLWRNORM = 0x0100;
        /// Priority data can be written.
        const EPOLLWRBAND = 0x0200;
        /// Never told.
        const EPOLLMSG = 0x0400;
        /// The other side writes no more.
        const EPOLLRDHUP = 0x2000;
        /// One of several epolls is woken.
        const EPOLLEXCLUSIVE = 1 << 28;
        /// The machine is not suspended before the event is dealt with.
        const EPOLLWAKEUP = 1 << 29;
        /// Told once, then the file waits for `EPOLL_CTL_MOD`.
        const EPOLLONESHOT = 1 << 30;
        /// Told when something comes, not as long as it is there.
        const EPOLLET = 1 << 31;
    }
}

/// A file is watched from now on.
pub const EPOLL_CTL_ADD: u32 = 1;
/// It is watched no more.
pub const EPOLL_CTL_DEL: u32 = 2;
/// Something else of it is waited for.
pub const EPOLL_CTL_MOD: u32 = 3;

/// `struct epoll_event`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EpollEvent {
    /// What is waited for, or has come.
    pub events: EpollEvents,
    /// As C aligns it.
    pub padding: u32,
    /// The program's own.
    pub data: u64,
}
const _: () = assert!(size_of::<EpollEvent>() == 16);

flags! {
    /// timerfd_create(2).
    pub struct TimerFdCreateFlags: u32 {
        /// timerfd_create: `O_NONBLOCK`.
        const TFD_NONBLOCK = 0o4000;
        /// timerfd_create: close at execve.
        const TFD_CLOEXEC = 0o2000000;
    }
}

flags! {
    /// timerfd_settime(2).
    pub struct TimerFdFlags: u32 {
        /// The time is when, not how long.
        const TFD_TIMER_ABSTIME = 1 << 0;
        /// Settings of the clock end it.
        const TFD_TIMER_CANCEL_ON_SET = 1 << 1;
    }
}

flags! {
    /// signalfd4(2): `linux/signalfd.h`.
    pub struct SignalFdFlags: u32 {
        /// signalfd4: `O_NONBLOCK`.
        const SFD_NONBLOCK = 0o4000;
        /// signalfd4: close at execve.
        const SFD_CLOEXEC = 0o2000000;
    }
}

/// `struct signalfd_siginfo`: a signal as it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SignalFdInfo {
    /// The signal's number.
    pub signo: u32,
    /// An error number, mostly 0.
    pub errno: i32,
    /// Why it was sent.
    pub code: i32,
    /// Who sent it, or which child has changed.
    pub pid: u32,
    /// The user of that one.
    pub uid: u32,
    /// The descriptor that is ready.
    pub fd: i32,
    /// The id of the timer.
    pub tid: u32,
    /// What is ready.
    pub band: u32,
    /// How many periods the timer's signal is late.
    pub overrun: u32,
    /// Not used.
    pub trapno: u32,
    /// How the child ended.
    pub status: i32,
    /// The value that was sent along, as a number.
    pub int: i32,
    /// The same, as a pointer.
    pub ptr: u64,
    /// Time that the child has used.
    pub utime: u64,
    /// The same, in the kernel.
    pub stime: u64,
    /// Where an instruction failed.
    pub addr: u64,
    /// Zeros.
    pub rest: [u64; 6],
}
const _: () = assert!(size_of::<SignalFdInfo>() == 128);
const _: () = assert!(core::mem::offset_of!(SignalFdInfo, ptr) == 48);

impl From<&SigInfo> for SignalFdInfo {
    /// Which fields there are is known by signal and code, as `siginfo_layout` of Linux has it.
    fn from(info: &SigInfo) -> SignalFdInfo {
        let [first, second, third, fourth, ..] = info.fields;
        let plain = SignalFdInfo {
            signo: info.signo as u32,
            errno: info.errno,
            code: info.code,
            ..SignalFdInfo::default()
        };
        let sent = SignalFdInfo {
            pid: first as u32,
            uid: (first >> 32) as u32,
            ..plain
        };
        let is_of_kernel = (1..SI_KERNEL).contains(&info.code);
        let signal = Signal::new(info.signo as u64);
        match signal {
            Some(Signal::SIGILL | Signal::SIGFPE | Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGTRAP)
                if is_of_kernel =>
            {
                SignalFdInfo { addr: first, ..plain }
            }
            Some(Signal::SIGCHLD) if is_of_kernel => SignalFdInfo {
                status: second as i32,
                utime: third,
                stime: fourth,
                ..sent
            },
            _ if is_of_kernel => SignalFdInfo {
                band: first as u32,
                fd: second as i32,
                ..plain
            },
            _ if info.code == SI_TIMER => SignalFdInfo {
                tid: first as u32,
                overrun: (first >> 32) as u32,
                int: second as i32,
                ptr: second,
                ..plain
            },
            _ if info.code < 0 => SignalFdInfo {
                int: second as i32,
                ptr: second,
                ..sent
            },
            _ => sent,
        }
    }
}

flags! {
    /// inotify_init1(2).
    pub struct InotifyInitFlags: u32 {
        /// inotify_init1: `O_NONBLOCK`.
        const IN_NONBLOCK = 0o4000;
        /// inotify_init1: close at execve.
        const IN_CLOEXEC = 0o2000000;
    }
}

flags! {
    /// What happens to a file that is watched, and how it is watched: inotify(7).
    pub struct InotifyEvents: u32 {
        /// It was read.
        const IN_ACCESS = 0x0001;
        /// It was written, or its size changed.
        const IN_MODIFY = 0x0002;
        /// Its attributes changed.
        const IN_ATTRIB = 0x0004;
        /// It was closed by who could write it.
        const IN_CLOSE_WRITE = 0x0008;
        /// It was closed by who could not.
        const IN_CLOSE_NOWRITE = 0x0010;
        /// It was opened.
        const IN_OPEN = 0x0020;
        /// An entry of the directory got another name or directory: the old one.
        const IN_MOVED_FROM = 0x0040;
        /// The same: the new one.
        const IN_MOVED_TO = 0x0080;
        /// The directory has a new entry.
        const IN_CREATE = 0x0100;
        /// An entry of the directory is gone.
        const IN_DELETE = 0x0200;
        /// The file itself is gone.
        const IN_DELETE_SELF = 0x0400;
        /// The file itself got another name or directory.
        const IN_MOVE_SELF = 0x0800;
        /// Its file system is gone.
        const IN_UNMOUNT = 0x2000;
        /// More happened than the queue holds.
        const IN_Q_OVERFLOW = 0x4000;
        /// It is watched no more.
        const IN_IGNORED = 0x8000;
        /// Watch it only if it is a directory.
        const IN_ONLYDIR = 0x0100_0000;
        /// Watch a symbolic link itself.
        const IN_DONT_FOLLOW = 0x0200_0000;
        /// Tell nothing of entries that have lost their name.
        const IN_EXCL_UNLINK = 0x0400_0000;
        /// Watch it only if it is not watched.
        const IN_MASK_CREATE = 0x1000_0000;
        /// Watch for more than before.
        const IN_MASK_ADD = 0x2000_0000;
        /// It happened to a directory.
        const IN_ISDIR = 0x4000_0000;
        /// Tell of one event, then watch no more.
        const IN_ONESHOT = 0x8000_0000;
    }
}

impl InotifyEvents {
    /// What can be waited for.
    pub const ALL_EVENTS: Self = Self::from_bits_retain(0x0fff);
}

/// `struct inotify_event`, before the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InotifyEvent {
    /// The number of the watch; -1: of none.
    pub watch: i32,
    /// What happened.
    pub mask: InotifyEvents,
    /// The same in both halves of a move.
    pub cookie: u32,
    /// Bytes of the name, with the zeros behind it.
    pub name_len: u32,
}
