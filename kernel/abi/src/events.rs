//! Files that tell of events: `linux/eventpoll.h` and, as no header of the kernel's has them, glibc's `sys/eventfd.h`.

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
