//! Files that tell of events: `linux/eventpoll.h` and, as no header of the kernel's has them, glibc's `sys/eventfd.h`.

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
