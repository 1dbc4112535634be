//! The synchronisation that the heart uses, in one place so that loom can stand in for the atomics.

#[cfg(loom)]
pub use loom::sync::atomic::{Ordering, fence};

#[cfg(loom)]
pub use explored::{AtomicU32, AtomicU64, AtomicUsize};

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(not(loom))]
pub use spin::Mutex;

/// Loom's lock with the face of `spin::Mutex`.
#[cfg(loom)]
#[derive(Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

#[cfg(loom)]
impl<T> Mutex<T> {
    /// An open lock.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    /// Takes it.
    pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().expect("a model that panics has failed already")
    }
}

/// Loom's atomics with every access explored. Loom 0.7 remembers one access of each atomic: a thread that loads and then stores hides
/// the load of another between the two, and whole interleavings are never run (tokio-rs/loom#166, #392). Here each access first
/// exchanges a second atomic, which races with all others for it; relaxed, so that it orders nothing.
#[cfg(loom)]
mod explored {
    use super::Ordering;
    use loom::sync::atomic;

    macro_rules! explored {
        ($($name:ident: $value:ty),*) => {$(
            #[doc = "One word."]
            #[derive(Debug, Default)]
            pub struct $name {
                word: atomic::$name,
                accesses: atomic::AtomicUsize,
            }

            impl $name {
                /// A word that holds `value`.
                pub fn new(value: $value) -> $name {
                    $name {
                        word: atomic::$name::new(value),
                        accesses: atomic::AtomicUsize::new(0),
                    }
                }

                fn word(&self) -> &atomic::$name {
                    self.accesses.fetch_add(1, Ordering::Relaxed);
                    &self.word
                }

                pub fn load(&self, order: Ordering) -> $value {
                    self.word().load(order)
                }

                pub fn store(&self, value: $value, order: Ordering) {
                    self.word().store(value, order);
                }

                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    self.word().swap(value, order)
                }

                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    self.word().fetch_add(value, order)
                }

                pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    self.word().fetch_sub(value, order)
                }

                pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    self.word().fetch_or(value, order)
                }

                pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    self.word().fetch_max(value, order)
                }

                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.word().compare_exchange(current, new, success, failure)
                }

                pub fn fetch_update(
                    &self,
                    set: Ordering,
                    fetch: Ordering,
                    update: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    self.word().fetch_update(set, fetch, update)
                }
            }
        )*};
    }

    explored!(AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);
}
