//! The parts of the kernel that need no machine, compiled for the host with their own unit tests: the text of paths, descriptors,
//! record locks, the ring of the log, the map, timers in order.
#![expect(
    dead_code,
    reason = "the kernel uses more of these modules than their tests do"
)]

#[macro_use]
extern crate alloc;

mod fallible;
#[cfg(test)]
mod time;

#[path = "../../kernel/src/fs"]
mod fs {
    mod file_table;
    mod mount_flags;
    mod path;
    mod record_locks;
    #[path = "tmpfs/seals.rs"]
    mod seals;
}

#[path = "../../kernel/src/log"]
mod log {
    mod ring;
}

mod sync {
    /// A lock that tells where it would be waited for, or taken twice.
    #[derive(Default)]
    pub struct Mutex<T>(core::cell::RefCell<T>);

    impl<T> Mutex<T> {
        pub const fn new(value: T) -> Mutex<T> {
            Mutex(core::cell::RefCell::new(value))
        }

        pub fn lock(&self) -> core::cell::RefMut<'_, T> {
            self.0.borrow_mut()
        }
    }
}
