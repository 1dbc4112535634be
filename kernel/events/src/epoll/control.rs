//! What is watched, and how that changes: epoll_ctl(2).

use super::item::{Item, ItemKey};
use super::{Epoll, most_watches, nesting};
use abi::Errno;
use abi::events::{EpollEvent, EpollEvents};
use alloc::sync::Arc;
use memory::fallible;
use sched::wait::{WatchKind, Watcher};
use vfs::OpenFile;

/// What is told whether anybody asks for it or not.
const ALWAYS: EpollEvents = EpollEvents::EPOLLERR.union(EpollEvents::EPOLLHUP);

/// What may be asked for together with `EPOLLEXCLUSIVE`.
const EXCLUSIVE_OK: EpollEvents = EpollEvents::EPOLLIN
    .union(EpollEvents::EPOLLOUT)
    .union(ALWAYS)
    .union(EpollEvents::EPOLLWAKEUP)
    .union(EpollEvents::EPOLLET)
    .union(EpollEvents::EPOLLEXCLUSIVE);

impl ItemKey {
    fn of(file: &Arc<OpenFile>, descriptor: i32) -> ItemKey {
        ItemKey {
            file: Arc::as_ptr(file).addr(),
            descriptor,
        }
    }

    /// The next key that may be.
    pub fn behind(self) -> ItemKey {
        match self.descriptor {
            i32::MAX => ItemKey {
                file: self.file + 1,
                descriptor: i32::MIN,
            },
            descriptor => ItemKey {
                file: self.file,
                descriptor: descriptor + 1,
            },
        }
    }
}

impl Epoll {
    /// `EPOLL_CTL_ADD`: `file`, which `descriptor` names, is watched from now on.
    ///
    /// # Errors
    /// `EEXIST`: it is by that name. `EINVAL`: what `EPOLLEXCLUSIVE` does not go with. `ELOOP`: epolls would watch each other in
    /// a circle, or too deep. `ENOSPC`: the user watches as much as it may. `ENOMEM`; `EINTR`: the process is to end.
    pub fn add(&self, file: &Arc<OpenFile>, descriptor: i32, mut event: EpollEvent) -> Result<(), Errno> {
        let inner = file.ops_as::<Epoll>();
        let is_exclusive = event.events.contains(EpollEvents::EPOLLEXCLUSIVE);
        if is_exclusive && (inner.is_some() || !EXCLUSIVE_OK.contains(event.events)) {
            return Err(Errno::EINVAL);
        }
        event.events |= ALWAYS;
        let key = ItemKey::of(file, descriptor);
        let _changing = self.lists.changing.lock()?;
        if self.lists.get(key).is_some() {
            return Err(Errno::EEXIST);
        }
        if let Some(inner) = inner {
            nesting::add(self.lists.address(), inner.lists.address(), key)?;
        }
        let kind = if is_exclusive {
            WatchKind::Exclusive
        } else {
            WatchKind::Shared
        };
        self.insert(file, key, kind, event)
            .inspect_err(|_| nesting::remove(self.lists.address(), key))
    }

    fn insert(
        &self,
        file: &Arc<OpenFile>,
        key: ItemKey,
        kind: WatchKind,
        event: EpollEvent,
    ) -> Result<(), Errno> {
        let user = self.user.counts();
        if !user.epoll_watches.take_one(most_watches()) {
            return Err(Errno::ENOSPC);
        }
        // From here on the item gives back what its user was charged.
        let made = fallible::arc_with(|| Item::new(self.lists.clone(), file, key, kind, user.clone()));
        let item = made.inspect_err(|_| user.epoll_watches.give_back())?;
        self.lists.change(|| item.set(event));
        self.lists.insert(&item)?;
        let watched = file
            .watch(item.clone())
            .and_then(|()| item.enter_first_queues(file, event.events));
        watched.inspect_err(|_| item.leave())?;
        item.look();
        Ok(())
    }

    /// `EPOLL_CTL_MOD`: something else is asked for.
    ///
    /// # Errors
    /// `ENOENT`: the file is not watched by that name. `EINVAL`: `EPOLLEXCLUSIVE`, asked for now or before. `ENOMEM`; `EINTR`: the
    /// process is to end.
    pub fn modify(&self, file: &Arc<OpenFile>, descriptor: i32, mut event: EpollEvent) -> Result<(), Errno> {
        if event.events.contains(EpollEvents::EPOLLEXCLUSIVE) {
            return Err(Errno::EINVAL);
        }
        event.events |= ALWAYS;
        let _changing = self.lists.changing.lock()?;
        let item = self
            .lists
            .get(ItemKey::of(file, descriptor))
            .ok_or(Errno::ENOENT)?;
        if item.kind() == WatchKind::Exclusive {
            return Err(Errno::EINVAL);
        }
        item.enter_queues(file, event.events)?;
        self.lists.change(|| {
            item.set(event);
            item.add_note();
        });
        item.look();
        Ok(())
    }

    /// `EPOLL_CTL_DEL`: the file is watched no more.
    ///
    /// # Errors
    /// `ENOENT`: it is not by that name. `EINTR`: the process is to end.
    pub fn delete(&self, file: &Arc<OpenFile>, descriptor: i32) -> Result<(), Errno> {
        let _changing = self.lists.changing.lock()?;
        let item = self
            .lists
            .get(ItemKey::of(file, descriptor))
            .ok_or(Errno::ENOENT)?;
        item.leave();
        Ok(())
    }
}

impl Item {
    /// Of a new item, which stands in no queue yet: it stands in those of the file's that tell of `events`. `ENOMEM`: in some of them.
    fn enter_first_queues(self: &Arc<Self>, file: &OpenFile, events: EpollEvents) -> Result<(), Errno> {
        let queues = file.queues_to_wait_in()?;
        let ways = Item::ways(&queues, events);
        for (place, queue) in queues.iter().enumerate().filter(|&(place, _)| ways[place]) {
            queue.map_or(Ok(()), |queue| queue.watch(self.clone(), place))?;
        }
        Ok(())
    }

    /// Stands in those of the file's queues that tell of `events`, and in no other. `ENOMEM`: it stands where it stood, too.
    fn enter_queues(self: &Arc<Self>, file: &OpenFile, events: EpollEvents) -> Result<(), Errno> {
        let queues = file.queues_to_wait_in()?;
        let ways = Item::ways(&queues, events);
        for (place, queue) in queues.iter().enumerate() {
            let Some(queue) = queue else { continue };
            if ways[place] {
                queue.rewatch(self.clone(), place)?;
            } else {
                queue.unwatch(&**self, place);
            }
        }
        Ok(())
    }

    /// What is ready already is noted, and who waits is woken.
    fn look(self: &Arc<Self>) {
        if !self.ready(self.events()).is_empty() {
            self.lists.note(self);
            self.lists.waiters.wake_one();
        }
    }

    /// The file is watched no more. Whoever closes it meanwhile does the same.
    pub fn leave(self: &Arc<Self>) {
        if let Some(file) = self.file.upgrade() {
            file.unwatch(&**self);
            self.leave_queues(&file.queues());
        }
        self.lists.forget(self);
    }
}
