//! What a thread holds and may hold together with others: open files, directories, signal actions. Fork hands on a copy,
//! which is made by whoever of the two changes it first; clone(2) with `CLONE_FILES`, `CLONE_FS` or `CLONE_SIGHAND` hands on
//! the thing itself, so that each sees what the other changes.

use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::{Mutex, rank};
use memory::fallible::{self, TryClone};

/// A thread's reference to a `T` that fork copies or shares.
pub struct Shared<T>(Mutex<Reference<T>, { rank::SHARED }>);

/// What is referred to.
enum Reference<T> {
    /// Given up: reads as empty.
    Nothing,
    /// Its own. The value may be that of others as well, until one of them changes it.
    Own(Arc<T>, ObjectId),
    /// One with others, who see every change.
    Common(Arc<Common<T>>),
}

/// What several hold together.
struct Common<T> {
    value: Mutex<Arc<T>, { rank::DESCRIPTORS }>,
    identity: ObjectId,
}

/// Which one it is among all, for as long as somebody holds it: a copy is another one, whatever its value. Nobody has asked yet
/// where it is 0.
#[derive(Default)]
struct ObjectId(AtomicU64);

/// The last one that was given.
static LAST_ID: AtomicU64 = AtomicU64::new(0);

impl ObjectId {
    fn if_any(&self) -> Option<u64> {
        let number = self.0.load(Ordering::Acquire);
        (number != 0).then_some(number)
    }

    fn get(&self) -> u64 {
        self.if_any().unwrap_or_else(|| {
            let fresh = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
            match self
                .0
                .compare_exchange(0, fresh, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => fresh,
                Err(given) => given,
            }
        })
    }

    /// This one from now on, and no longer the one it was taken from.
    fn take(&self) -> ObjectId {
        ObjectId(AtomicU64::new(self.0.swap(0, Ordering::AcqRel)))
    }
}

impl<T> Common<T> {
    /// Which one it is for a holder who leaves it: the same if nobody else stays.
    fn identity_for_one(self: &Arc<Self>) -> ObjectId {
        match Arc::strong_count(self) {
            1 => self.identity.take(),
            _ => ObjectId::default(),
        }
    }
}

impl<T: TryClone + Default> Shared<T> {
    /// A reference to a value of its own.
    pub const fn new(value: Arc<T>) -> Shared<T> {
        Shared(Mutex::new(Reference::Own(value, ObjectId(AtomicU64::new(0)))))
    }

    /// No reference yet.
    pub const fn nothing() -> Shared<T> {
        Shared(Mutex::new(Reference::Nothing))
    }

    /// Refers from now on to what `other` referred to.
    #[inline]
    pub fn take_over(&self, other: Shared<T>) {
        let old = core::mem::replace(&mut *self.0.lock(), other.0.into_inner());
        drop(old);
    }

    /// What is held now: later changes are not seen in it.
    ///
    /// # Errors
    /// `ESRCH`: it was given up.
    pub fn snapshot(&self) -> Result<Arc<T>, Errno> {
        match &*self.0.lock() {
            Reference::Nothing => Err(Errno::ESRCH),
            Reference::Own(value, _) => Ok(value.clone()),
            Reference::Common(common) => Ok(common.value.lock().clone()),
        }
    }

    /// What is held now, if nobody holds it together with others: the holder alone changes it.
    pub fn own(&self) -> Option<Arc<T>> {
        match &*self.0.lock() {
            Reference::Own(value, _) => Some(value.clone()),
            Reference::Nothing | Reference::Common(_) => None,
        }
    }

    /// Looks at it. `look` takes no lock.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        match &*self.0.lock() {
            Reference::Nothing => look(&T::default()),
            Reference::Own(value, _) => look(value),
            Reference::Common(common) => look(&common.value.lock()),
        }
    }

    /// Changes it, for all who hold it in common. `change` takes no lock.
    ///
    /// # Errors
    /// `ENOMEM`, nothing changed, where it would have to be copied first.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, Errno> {
        match &mut *self.0.lock() {
            Reference::Nothing => Ok(change(&mut T::default())),
            Reference::Own(value, _) => Ok(change(fallible::make_mut(value)?)),
            Reference::Common(common) => Ok(change(fallible::make_mut(&mut *common.value.lock())?)),
        }
    }

    /// [`Shared::change`] where `may` allows it, and which one it is if anybody has asked for that before: all under one hold of the lock.
    ///
    /// # Errors
    /// Those of `may`, nothing changed; of `change`. `ENOMEM`, nothing changed, where it would have to be copied first.
    #[inline]
    pub fn change_if<R>(
        &self,
        may: impl Fn(&T) -> Result<(), Errno>,
        change: impl FnOnce(&mut T) -> Result<R, Errno>,
    ) -> Result<(R, Option<u64>), Errno> {
        let change = |value: &mut Arc<T>, identity: &ObjectId| {
            may(value)?;
            Ok((change(fallible::make_mut(value)?)?, identity.if_any()))
        };
        match &mut *self.0.lock() {
            Reference::Nothing => {
                may(&T::default())?;
                Err(Errno::ESRCH)
            }
            Reference::Own(value, identity) => change(value, identity),
            Reference::Common(common) => change(&mut common.value.lock(), &common.identity),
        }
    }

    /// A reference to a copy: what fork hands on.
    ///
    /// # Errors
    /// `ESRCH`: it was given up.
    pub fn copy(&self) -> Result<Shared<T>, Errno> {
        self.snapshot().map(Shared::new)
    }

    /// A second reference to the same thing.
    ///
    /// # Errors
    /// `ESRCH`: it was given up. `ENOMEM`.
    pub fn share(&self) -> Result<Shared<T>, Errno> {
        let mut hold = self.0.lock();
        let common = match &*hold {
            Reference::Nothing => return Err(Errno::ESRCH),
            Reference::Own(value, identity) => {
                let common = fallible::arc(Common {
                    value: Mutex::new(value.clone()),
                    identity: ObjectId::default(),
                })?;
                common
                    .identity
                    .0
                    .store(identity.take().0.into_inner(), Ordering::Release);
                common
            }
            Reference::Common(common) => common.clone(),
        };
        let old = core::mem::replace(&mut *hold, Reference::Common(common.clone()));
        drop(hold);
        drop(old);
        Ok(Shared(Mutex::new(Reference::Common(common))))
    }

    /// How many hold it together, this one included.
    pub fn holders(&self) -> usize {
        match &*self.0.lock() {
            Reference::Common(common) => Arc::strong_count(common),
            Reference::Nothing | Reference::Own(..) => 1,
        }
    }

    /// Whether it is held together with `other`; also of one with itself.
    pub fn is_same(&self, other: &Shared<T>) -> bool {
        core::ptr::eq(self, other) || self.common().is_some_and(|common| other.common() == Some(common))
    }

    /// Where what is held with others lies.
    fn common(&self) -> Option<usize> {
        match &*self.0.lock() {
            Reference::Common(common) => Some(Arc::as_ptr(common).addr()),
            Reference::Nothing | Reference::Own(..) => None,
        }
    }

    /// Which one it is, among all: it stays that for as long as somebody holds it. 0 once it was given up.
    pub fn identity(&self) -> u64 {
        match &*self.0.lock() {
            Reference::Nothing => 0,
            Reference::Own(_, identity) => identity.get(),
            Reference::Common(common) => common.identity.get(),
        }
    }

    /// The same, if anybody has asked for it before.
    #[inline]
    pub fn identity_if_any(&self) -> Option<u64> {
        match &*self.0.lock() {
            Reference::Nothing => None,
            Reference::Own(_, identity) => identity.if_any(),
            Reference::Common(common) => common.identity.if_any(),
        }
    }

    /// From now on the value is the holder's own, and another than that which others hold: what they change is not seen here any more,
    /// nor the other way round. Who holds it alone keeps what it has.
    pub fn separate(&self) {
        let mut hold = self.0.lock();
        let own = match &*hold {
            Reference::Common(common) => {
                Reference::Own(common.value.lock().clone(), common.identity_for_one())
            }
            Reference::Nothing | Reference::Own(..) => return,
        };
        let old = core::mem::replace(&mut *hold, own);
        drop(hold);
        drop(old);
    }

    /// As [`Shared::separate`], with a copy that was made before, and maybe changed since.
    pub fn separate_as(&self, copy: Shared<T>) {
        let Some(value) = copy.own() else {
            return self.separate();
        };
        let mut hold = self.0.lock();
        let identity = match &*hold {
            Reference::Common(common) => common.identity_for_one(),
            Reference::Own(_, identity) => identity.take(),
            Reference::Nothing => ObjectId::default(),
        };
        let old = core::mem::replace(&mut *hold, Reference::Own(value, identity));
        drop(hold);
        drop(old);
    }

    /// The value is the holder's own, and nobody holds a copy of it any more: the holder's next changes allocate nothing. Only of who
    /// holds it alone.
    ///
    /// # Errors
    /// `ENOMEM`, nothing changed. `ESRCH`: it was given up.
    pub fn make_own(&self) -> Result<(), Errno> {
        let own = self.snapshot()?;
        let is_own = self.own().is_some();
        // The holder's and this one.
        if is_own && Arc::strong_count(&own) == 2 {
            return Ok(());
        }
        let own = fallible::arc(own.try_clone()?)?;
        let mut hold = self.0.lock();
        let identity = match &*hold {
            Reference::Own(_, identity) => identity.take(),
            Reference::Common(common) => common.identity_for_one(),
            Reference::Nothing => ObjectId::default(),
        };
        let old = core::mem::replace(&mut *hold, Reference::Own(own, identity));
        drop(hold);
        drop(old);
        Ok(())
    }

    /// Gives it up. `Some` for the last who held it, with which one it was, if anybody asked; others may still hold copies.
    #[inline]
    pub fn give_up(&self) -> Option<(Arc<T>, Option<u64>)> {
        let old = core::mem::replace(&mut *self.0.lock(), Reference::Nothing);
        match old {
            Reference::Nothing => None,
            Reference::Own(value, identity) => Some((value, identity.if_any())),
            Reference::Common(common) => {
                Arc::into_inner(common).map(|common| (common.value.into_inner(), common.identity.if_any()))
            }
        }
    }
}
