//! Counters and epoll: eventfd(2), epoll(7).

use super::Result;
use super::file::File;
use super::raw::syscall;
use abi::events::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EpollCreateFlags, EpollEvent, EpollEvents, EventFdFlags};
use abi::nr;

/// A counter, closed at exec, that does not block.
pub fn counter() -> Result<File> {
    let flags = EventFdFlags::EFD_CLOEXEC | EventFdFlags::EFD_NONBLOCK;
    // SAFETY: touches no memory.
    let descriptor = unsafe { syscall(nr::EVENTFD2, [0, flags.bits() as usize]) }?;
    Ok(File::from_descriptor(descriptor as i32))
}

/// Waits for many files.
pub struct Epoll(File);

impl Epoll {
    /// One that watches nothing, closed at exec.
    pub fn new() -> Result<Epoll> {
        let flags = EpollCreateFlags::EPOLL_CLOEXEC;
        // SAFETY: touches no memory.
        let descriptor = unsafe { syscall(nr::EPOLL_CREATE1, [flags.bits() as usize]) }?;
        Ok(Epoll(File::from_descriptor(descriptor as i32)))
    }

    /// Watches a descriptor for input.
    pub fn add(&self, descriptor: i32) -> Result<()> {
        let event = EpollEvent {
            events: EpollEvents::EPOLLIN,
            padding: 0,
            data: descriptor as u64,
        };
        self.control(EPOLL_CTL_ADD, descriptor, &event)
    }

    /// Watches it no more.
    pub fn delete(&self, descriptor: i32) -> Result<()> {
        self.control(EPOLL_CTL_DEL, descriptor, &EpollEvent::default())
    }

    fn control(&self, operation: u32, descriptor: i32, event: &EpollEvent) -> Result<()> {
        let arguments = [
            self.0.descriptor() as usize,
            operation as usize,
            descriptor as usize,
            core::ptr::from_ref(event) as usize,
        ];
        // SAFETY: the kernel reads the event.
        unsafe { syscall(nr::EPOLL_CTL, arguments) }.map(drop)
    }

    /// What is ready now; how many there are.
    pub fn look(&self, events: &mut [EpollEvent]) -> Result<usize> {
        let arguments = [
            self.0.descriptor() as usize,
            events.as_mut_ptr() as usize,
            events.len(),
            0,
            0,
            0,
        ];
        // SAFETY: the kernel writes as many events as the slice has at most.
        unsafe { syscall(nr::EPOLL_PWAIT, arguments) }
    }
}
