//! How much of what this crate makes each user has, for limits that hold for all processes of a user together.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use lock::Mutex;
use memory::fallible;
use memory::fallible::map::Map;

/// Those who have something, each with how many know it by [`User`].
static USERS: Mutex<Map<u32, (Arc<Counts>, usize)>> = Mutex::new(Map::new());

/// What one user has.
#[derive(Default)]
pub struct Counts {
    /// Files watched by epoll(7).
    pub epoll_watches: UserCount,
    /// Instances of inotify(7).
    pub inotify_instances: UserCount,
    /// Files watched by those.
    pub inotify_watches: UserCount,
}

/// A number with a limit.
#[derive(Default)]
pub struct UserCount(AtomicU64);

/// A user, for as long as it has something.
pub struct User {
    uid: u32,
    counts: Arc<Counts>,
}

impl UserCount {
    /// Counts one more, if that is not beyond `limit`; whether it did.
    pub fn take_one(&self, limit: u64) -> bool {
        let one_more = |count: u64| (count < limit).then_some(count + 1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// How many there are.
    #[cfg(test)]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one less.
    pub fn give_back(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl User {
    /// The user of that number.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn of(uid: u32) -> Result<User, Errno> {
        let fresh = fallible::arc(Counts::default())?;
        let mut users = USERS.lock();
        if let Some((counts, known)) = users.get_mut(&uid) {
            *known += 1;
            let counts = counts.clone();
            drop(users);
            return Ok(User { uid, counts });
        }
        users.insert(uid, (fresh.clone(), 1))?;
        Ok(User { uid, counts: fresh })
    }

    /// What it has.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut users = USERS.lock();
        let Some((_, known)) = users.get_mut(&self.uid) else {
            return;
        };
        *known -= 1;
        let gone = if *known == 0 {
            users.remove(&self.uid)
        } else {
            None
        };
        drop(users);
        drop(gone);
    }
}
