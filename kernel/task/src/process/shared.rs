//! What a thread holds and may hold together with others: open files, directories, signal actions. Fork hands on a copy,
//! which is made by whoever of the two changes it first; clone(2) with `CLONE_FILES`, `CLONE_FS` or `CLONE_SIGHAND` hands on
//! the thing itself, so that each sees what the other changes.

use abi::Errno;
use alloc::sync::Arc;
use lock::{Mutex, rank};
use memory::fallible::{self, TryClone};

/// A thread's reference to a `T` that fork copies or shares.
pub struct Shared<T>(Mutex<Reference<T>, { rank::SHARED }>);

/// What is referred to.
enum Reference<T> {
    /// Given up: reads as empty.
    Nothing,
    /// Its own. The value may be that of others as well, until one of them changes it.
    Own(Arc<T>),
    /// One with others, who see every change.
    Common(Arc<Mutex<Arc<T>, { rank::DESCRIPTORS }>>),
}

impl<T: TryClone + Default> Shared<T> {
    /// A reference to a value of its own.
    pub const fn new(value: Arc<T>) -> Shared<T> {
        Shared(Mutex::new(Reference::Own(value)))
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
            Reference::Own(value) => Ok(value.clone()),
            Reference::Common(common) => Ok(common.lock().clone()),
        }
    }

    /// What is held now, if nobody holds it together with others: the holder alone changes it.
    pub fn own(&self) -> Option<Arc<T>> {
        match &*self.0.lock() {
            Reference::Own(value) => Some(value.clone()),
            Reference::Nothing | Reference::Common(_) => None,
        }
    }

    /// Looks at it. `look` takes no lock.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        match &*self.0.lock() {
            Reference::Nothing => look(&T::default()),
            Reference::Own(value) => look(value),
            Reference::Common(common) => look(&common.lock()),
        }
    }

    /// Changes it, for all who hold it in common. `change` takes no lock.
    ///
    /// # Errors
    /// `ENOMEM`, nothing changed, where it would have to be copied first.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, Errno> {
        match &mut *self.0.lock() {
            Reference::Nothing => Ok(change(&mut T::default())),
            Reference::Own(value) => Ok(change(fallible::make_mut(value)?)),
            Reference::Common(common) => Ok(change(fallible::make_mut(&mut *common.lock())?)),
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
            Reference::Own(value) => fallible::arc(Mutex::new(value.clone()))?,
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
            Reference::Nothing | Reference::Own(_) => 1,
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
            Reference::Nothing | Reference::Own(_) => None,
        }
    }

    /// From now on the value is the holder's own: what others change is not seen here any more, nor the other way round.
    pub fn separate(&self) {
        if let Ok(own) = self.snapshot() {
            let old = core::mem::replace(&mut *self.0.lock(), Reference::Own(own));
            drop(old);
        }
    }

    /// As [`Shared::separate`], and nobody holds a copy of the value any more: the holder's next changes allocate nothing.
    ///
    /// # Errors
    /// `ENOMEM`, nothing changed.
    pub fn make_own(&self) -> Result<(), Errno> {
        let mut own = self.snapshot()?;
        if Arc::strong_count(&own) > 2 || matches!(&*self.0.lock(), Reference::Common(_)) {
            own = fallible::arc(own.try_clone()?)?;
        } else {
            return Ok(());
        }
        let old = core::mem::replace(&mut *self.0.lock(), Reference::Own(own));
        drop(old);
        Ok(())
    }

    /// Gives it up. `Some` for the last who held it; others may still hold copies.
    pub fn give_up(&self) -> Option<Arc<T>> {
        let old = core::mem::replace(&mut *self.0.lock(), Reference::Nothing);
        match old {
            Reference::Nothing => None,
            Reference::Own(value) => Some(value),
            Reference::Common(common) => Arc::into_inner(common).map(Mutex::into_inner),
        }
    }
}
