//! What processes ask the kernel for: fork, exit, exec, mmap and its kin. Each is performed by the heart and by the shadow;
//! what the heart refuses must be what the shadow would refuse too, or want of memory with nothing changed.

use super::object::Object;
use super::shadow::Page;
use super::{Intrusion, Negligence, Space, World, bump};
use mm::{
    AddressSpace, AreaFlags, Backing, MapError, MapRequest, NoMemory, PageRange, PageSource, Placement,
    Portion, Protection, Purpose, Sharing, VirtAddr,
};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;

/// What a mapping shows.
#[derive(Clone)]
pub struct Mapping {
    /// Rights.
    pub protection: Protection,
    /// Private or shared.
    pub sharing: Sharing,
    /// The object and the first page of it; `None`: zeros.
    pub backing: Option<(Arc<Object>, u64)>,
    /// What for.
    pub purpose: Purpose,
}

impl Mapping {
    /// Private zeros.
    pub fn anonymous(protection: Protection) -> Mapping {
        Mapping {
            protection,
            sharing: Sharing::Private,
            backing: None,
            purpose: Purpose::Mapping,
        }
    }

    /// Pages of `object` from `first` on.
    pub fn of(object: &Arc<Object>, first: u64, protection: Protection, sharing: Sharing) -> Mapping {
        Mapping {
            protection,
            sharing,
            backing: Some((Arc::clone(object), first)),
            purpose: Purpose::Mapping,
        }
    }

    /// Its first page, as the shadow knows it.
    pub fn page(&self) -> Page {
        Page::new(self.protection, self.sharing, self.backing.clone(), self.purpose)
    }

    /// It as the heart is asked for it.
    pub fn request(&self, placement: Placement, len: u64) -> MapRequest {
        let backing = match &self.backing {
            None => Backing::Anonymous,
            Some((object, first)) => Backing::Source {
                source: Arc::clone(object) as Arc<dyn PageSource>,
                first: *first,
            },
        };
        MapRequest {
            placement,
            len,
            protection: self.protection,
            sharing: self.sharing,
            flags: AreaFlags::NONE,
            backing,
            purpose: self.purpose,
        }
    }
}

impl World {
    /// The heart refuses for want of memory.
    pub fn want_of_memory<T>(&self) -> Option<T> {
        self.verdict();
        bump(&self.statistics.refused);
        None
    }

    /// The heart refuses, and nobody knows why.
    pub fn unexpected(&self, what: &str, error: MapError) {
        self.mmu()
            .complain(|| format!("{what} is refused, {error:?}; the shadow sees no reason"));
        self.verdict();
    }

    /// fork(2): the child, or `None` for want of memory or of the lock.
    pub fn fork(&self, cpu: usize, parent: &Rc<Space>, stack_pointer: Option<VirtAddr>) -> Option<Rc<Space>> {
        self.mmu()
            .note(|| format!("fork of root {:?}, stack {stack_pointer:?}", parent.root));
        self.fork_by(cpu, parent, |inner| {
            let forked = inner.fork(&self.memory, stack_pointer)?;
            Ok(forked.beside(inner))
        })
    }

    /// fork(2) that copies all tables.
    pub fn fork_classic(&self, cpu: usize, parent: &Rc<Space>) -> Option<Rc<Space>> {
        self.mmu()
            .note(|| format!("classic fork of root {:?}", parent.root));
        self.fork_by(cpu, parent, |inner| {
            Ok(inner.fork_classic(&self.memory)?.beside(inner))
        })
    }

    fn fork_by(
        &self,
        cpu: usize,
        parent: &Rc<Space>,
        fork: impl FnOnce(&mut AddressSpace) -> Result<AddressSpace, NoMemory>,
    ) -> Option<Rc<Space>> {
        if self.is_locked(parent) {
            return None;
        }
        parent.intrusions.borrow_mut().clear();
        let child = self.with_space(cpu, parent, fork)?;
        let Ok(child) = child else {
            return self.want_of_memory();
        };
        let shadow = parent.shadow.borrow().clone();
        let child = self.adopt(child, shadow);
        child.shadow.borrow_mut().begin_generation();
        self.settle_intrusions(parent, &child);
        if self.is_walked(Negligence::ForgetsChildren) {
            // It is refused, and its parent begins anew later.
            self.exit(cpu, &child);
            return None;
        }
        let is_complete = self.drop_uninherited(cpu, &child);
        self.verdict();
        is_complete.then_some(child)
    }

    /// What other threads of the parent stored during the fork: there is a moment such that the child has all that was stored
    /// before it, and nothing that was stored later.
    fn settle_intrusions(&self, parent: &Space, child: &Space) {
        let mut shadow = child.shadow.borrow_mut();
        let is_private = |at| {
            shadow
                .page(at)
                .is_some_and(|page| page.sharing == Sharing::Private)
        };
        let all = parent.intrusions.take();
        let stores: Vec<Intrusion> = all.into_iter().filter(|store| is_private(store.page)).collect();
        let seen = |store: &Intrusion| {
            let there = self.mmu().truth(child.root, store.page)?;
            Some(self.mmu().read_probe(mm::Frame(there.frame), store.probe))
        };
        let moment = stores
            .iter()
            .rposition(|store| seen(store) == Some(store.value))
            .map_or(0, |last| last + 1);
        for (nth, store) in stores.iter().enumerate().rev() {
            let page = shadow.page_mut(store.page).expect("its sharing is known");
            if nth >= moment {
                page.store(store.probe, store.before);
            }
        }
        for store in &stores {
            let expected = shadow.page(store.page).map(|page| page.words()[store.probe]);
            let seen = seen(store);
            self.mmu().complain_if(seen != expected, || {
                format!(
                    "fork is not of one moment: the child has {seen:x?} at {:?}, but {expected:x?} belongs to what it has of \
                     the stores of others: {stores:x?}",
                    store.page
                )
            });
        }
    }

    /// A process ends; the space goes with the last one that lives in it. False when that must wait.
    pub fn exit(&self, cpu: usize, space: &Rc<Space>) -> bool {
        self.exit_in_pieces(cpu, space, || true)
    }

    /// As [`World::exit`]. `between` runs after each piece; when it says no, the release is dropped.
    pub fn exit_in_pieces(&self, cpu: usize, space: &Rc<Space>, mut between: impl FnMut() -> bool) -> bool {
        if space.users.get() > 1 {
            space.users.set(space.users.get() - 1);
            return true;
        }
        let is_at_work = |other: usize| {
            self.processors[other].is_in_kernel.get()
                && self.mmu().active(other).is_some_and(|(r, _)| r == space.root)
        };
        if self.is_locked(space) || (0..self.processors.len()).any(is_at_work) {
            return false;
        }
        for other in 0..self.processors.len() {
            if self
                .running(other)
                .is_some_and(|running| Rc::ptr_eq(&running, space))
            {
                self.idle(other);
            }
        }
        self.mmu().note(|| format!("release of root {:?}", space.root));
        let inner = space.inner.borrow_mut().take();
        self.spaces.borrow_mut().retain(|other| !Rc::ptr_eq(other, space));
        self.mmu().disown(space.root);
        if let Some(inner) = inner {
            // A sabotage may end this by a panic: then the rest stays, for a second panic would end the test.
            let release = ManuallyDrop::into_inner(inner).begin_release(&self.memory);
            let mut release = ManuallyDrop::new(release);
            while self.in_kernel(cpu, || release.release_some()) && between() {}
            self.in_kernel(cpu, || drop(ManuallyDrop::into_inner(release)));
        }
        self.verdict();
        true
    }

    /// vfork, CLONE_VM: one more process in the same space.
    pub fn share_space(&self, space: &Rc<Space>) {
        space.users.set(space.users.get() + 1);
    }

    /// execve: the process on `cpu` goes on in a new space.
    pub fn exec(&self, cpu: usize) -> Option<Rc<Space>> {
        let old = self.running(cpu)?;
        let new = self.spawn(cpu)?;
        if !self.run(cpu, &new) || !self.exit(cpu, &old) {
            self.mmu().note(|| "exec gives up".to_owned());
            self.idle(cpu);
            self.exit(cpu, &new);
            return None;
        }
        Some(new)
    }

    /// mmap(2).
    pub fn map(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        placement: Placement,
        pages: u64,
        mapping: &Mapping,
    ) -> Option<VirtAddr> {
        if self.is_locked(space) {
            return None;
        }
        let fixed = match placement {
            Placement::Fixed(at) | Placement::FixedNoReplace(at) => PageRange::new(at, pages << 12),
            Placement::Hint(_) => None,
        };
        self.mmu()
            .note(|| format!("map {placement:?} {pages} pages, root {:?}", space.root));
        let request = MapRequest {
            flags: space.shadow.borrow().future_flags,
            ..mapping.request(placement, pages << 12)
        };
        let start = match self.with_space(cpu, space, |inner| inner.map(&self.memory, request))? {
            Ok(start) => start,
            Err(MapError::NoMemory) => return self.want_of_memory(),
            Err(MapError::Exists) if fixed.is_some_and(|range| !space.shadow.borrow().is_free(range)) => {
                return None;
            }
            Err(error) => {
                self.unexpected("mmap", error);
                return None;
            }
        };
        let range = PageRange::new(start, pages << 12).expect("mmap returns a range of the user half");
        let mut shadow = space.shadow.borrow_mut();
        let must_be_free = !matches!(placement, Placement::Fixed(_));
        self.mmu()
            .complain_if(must_be_free && !shadow.is_free(range), || {
                format!("mmap takes used {range:?}")
            });
        self.mmu()
            .complain_if(fixed.is_some_and(|fixed| fixed != range), || {
                format!("mmap moved to {range:?}")
            });
        shadow.remove(range);
        let page = shadow.made_now(mapping.page());
        shadow.insert(range, &page);
        drop(shadow);
        self.verdict();
        Some(start)
    }

    /// munmap(2).
    pub fn unmap(&self, cpu: usize, space: &Rc<Space>, range: PageRange) -> Option<()> {
        if self.is_locked(space) {
            return None;
        }
        self.mmu()
            .note(|| format!("unmap {range:?}, root {:?}", space.root));
        match self.with_space(cpu, space, |inner| {
            inner.unmap(&self.memory, range.start(), range.len())
        })? {
            Ok(()) => {
                space.shadow.borrow_mut().remove(range);
                self.verdict();
                Some(())
            }
            Err(MapError::NoMemory) => self.want_of_memory(),
            Err(error) => {
                self.unexpected("munmap", error);
                None
            }
        }
    }

    /// madvise(2), MADV_DONTNEED.
    pub fn discard(&self, cpu: usize, space: &Rc<Space>, range: PageRange) -> Option<()> {
        if self.is_locked(space) {
            return None;
        }
        self.mmu()
            .note(|| format!("discard {range:?}, root {:?}", space.root));
        // A store of another thread in the middle may be dropped or not; no program can tell which came first.
        space.forming.set(Some(range));
        let result = self.with_space(cpu, space, |inner| {
            inner.discard(&self.memory, range.start(), range.len())
        });
        space.forming.set(None);
        let mut shadow = space.shadow.borrow_mut();
        match result? {
            Ok(()) => {
                let is_mapped = shadow.covers(range);
                self.mmu()
                    .complain_if(!is_mapped, || format!("madvise of {range:?}, which has a hole"));
                shadow.for_each_in(range, Page::discard);
                self.verdict();
                Some(())
            }
            Err(MapError::NoMemory) => self.want_of_memory(),
            Err(MapError::NotMapped) if !shadow.covers(range) => None,
            Err(error) => {
                self.unexpected("madvise", error);
                None
            }
        }
    }

    /// mprotect(2). `None` when it fails, which at a hole is after the pages before it have changed.
    pub fn protect(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        range: PageRange,
        protection: Protection,
    ) -> Option<()> {
        if self.is_locked(space) {
            return None;
        }
        self.mmu()
            .note(|| format!("protect {range:?} {protection:?}, root {:?}", space.root));
        let most = self.throw(|dice| dice.pick(&[Portion::LEAST, Portion::USUAL]));
        let mut at = range.start();
        while let Some(rest) = PageRange::between(at, range.end()).filter(|rest| !rest.is_empty()) {
            let reached = self.with_space(cpu, space, |inner| {
                inner.protect_some(&self.memory, rest, protection, most)
            })?;
            match reached {
                Ok(reached) => {
                    self.protected(space, PageRange::between(at, reached)?, protection);
                    at = reached;
                }
                Err(MapError::NoMemory) => return self.want_of_memory(),
                Err(MapError::NotMapped) if space.shadow.borrow().page(at).is_none() => return None,
                Err(error) => {
                    self.unexpected("mprotect", error);
                    return None;
                }
            }
        }
        Some(())
    }

    /// A part of the range that mprotect(2) changes.
    fn protected(&self, space: &Space, part: PageRange, protection: Protection) {
        let mut shadow = space.shadow.borrow_mut();
        self.mmu().complain_if(!shadow.covers(part), || {
            format!("mprotect of {part:?}, which has a hole")
        });
        shadow.for_each_in(part, |page| page.protection = protection);
        drop(shadow);
        self.verdict();
    }

    /// The kernel writes a page of a file (write(2)).
    pub fn write_file(&self, object: &Object, index: u64, probe: usize, value: u64) {
        let frame = object.frames()[index as usize];
        self.mmu()
            .note(|| format!("file write of {value:#x} to {frame:?}"));
        self.mmu().write_probe(frame, probe, value);
        self.memory.frames().note_kernel_write(frame);
        object.expect(index, probe, value);
    }
}
