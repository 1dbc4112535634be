//! Memory that moves or changes its length: mremap(2) and brk(2), by the heart and by the shadow.

use super::operations::Mapping;
use super::shadow::Shadow;
use super::{Negligence, Space, World};
use mm::{
    AreaFlags, MapError, Move, PageRange, Placement, Portion, Protection, Purpose, RemapPlacement, Remapped,
    VirtAddr,
};
use std::rc::Rc;

impl World {
    /// mremap(2) of `from`, which is not empty, to `pages` pages.
    pub fn remap(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        from: PageRange,
        pages: u64,
        placement: RemapPlacement,
    ) -> Option<VirtAddr> {
        self.remap_by(cpu, space, from, (pages, placement), Portion::USUAL)
    }

    /// [`World::remap`] in pieces of that size.
    pub fn remap_by(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        from: PageRange,
        (pages, placement): (u64, RemapPlacement),
        most: Portion,
    ) -> Option<VirtAddr> {
        if self.is_locked(space) || self.is_walked(Negligence::LetsMove) {
            return None;
        }
        let target = match placement {
            RemapPlacement::Fixed(at) | RemapPlacement::Leaving(Placement::Fixed(at)) => {
                PageRange::new(at, pages << 12)
            }
            _ => None,
        };
        let is_left = matches!(placement, RemapPlacement::Leaving(_));
        self.mmu().note(|| {
            format!(
                "remap {from:?} to {pages} pages {placement:?}, root {:?}",
                space.root
            )
        });
        space.forming.set(target);
        let begun = self.with_space(cpu, space, |inner| {
            inner.begin_remap(
                &self.memory,
                from.start(),
                from.len(),
                pages << 12,
                placement,
                most,
            )
        });
        space.forming.set(None);
        match begun? {
            Ok(Remapped::Done(start)) => {
                let to = PageRange::new(start, pages << 12)?;
                self.remapped(space, from, to, target, is_left)
            }
            Ok(Remapped::Moving(moving)) => {
                let to = PageRange::new(moving.target(), pages << 12)?;
                space.shadow.borrow_mut().remove(to);
                space.forming.set(Some(to));
                let moved = self.move_pieces(cpu, space, (from, to), moving, (most, is_left));
                space.forming.set(None);
                moved
            }
            Err(error) => self.not_remapped(space, from, target, placement, error),
        }
    }

    /// The move of `from` to `to`, which is reserved, piece by piece; others see each page at one of the two places.
    fn move_pieces(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        (from, to): (PageRange, PageRange),
        mut moving: Move,
        (most, is_left): (Portion, bool),
    ) -> Option<VirtAddr> {
        let last = space
            .shadow
            .borrow()
            .page(VirtAddr(from.end().0 - 4096))
            .cloned()?;
        loop {
            let at = moving.reached();
            let moved = self.with_space(cpu, space, |inner| {
                inner.move_some(&self.memory, &mut moving, most)
            });
            if let Some(part) = PageRange::between(at, moving.reached()) {
                self.piece_has_moved(space, part, (from, to), is_left);
            }
            match moved? {
                Ok(false) => {}
                Ok(true) => break,
                Err(_) => {
                    // The kernel ends somebody, and tries again.
                    self.with_space(cpu, space, |inner| inner.give_up_move(moving));
                    space.users.set(1);
                    self.exit(cpu, space);
                    return self.want_of_memory();
                }
            }
        }
        let mut shadow = space.shadow.borrow_mut();
        if let Some(tail) = PageRange::between(VirtAddr(from.start().0 + to.len()), from.end()) {
            shadow.remove(tail);
        }
        if let Some(more) = PageRange::between(VirtAddr(to.start().0 + from.len()), to.end()) {
            shadow.insert(more, &last.further(1));
        }
        drop(shadow);
        self.verdict();
        Some(to.start())
    }

    fn piece_has_moved(
        &self,
        space: &Space,
        part: PageRange,
        (from, to): (PageRange, PageRange),
        is_left: bool,
    ) {
        let target = VirtAddr(to.start().0 + (part.start().0 - from.start().0));
        let there = PageRange::new(target, part.len()).expect("it fits");
        let mut shadow = space.shadow.borrow_mut();
        let left = shadow.page(part.start()).cloned().filter(|_| is_left);
        shadow.relocate(part, there);
        if let Some(mut left) = left {
            left.flags = left.flags.without(AreaFlags::LOCK);
            shadow.insert(part, &left);
        }
    }

    fn remapped(
        &self,
        space: &Space,
        from: PageRange,
        to: PageRange,
        target: Option<PageRange>,
        is_left: bool,
    ) -> Option<VirtAddr> {
        let mut shadow = space.shadow.borrow_mut();
        self.mmu()
            .complain_if(shadow.area_end(from.start()) < from.end(), || {
                format!("mremap of {from:?}, which is not of one area")
            });
        if let Some(target) = target {
            self.mmu()
                .complain_if(to != target, || format!("mremap to {to:?} instead of {target:?}"));
            shadow.remove(target);
        }
        if to.start() == from.start() {
            resize(&mut shadow, from, to);
        } else {
            self.mmu()
                .complain_if(!shadow.is_free(to), || format!("mremap takes used {to:?}"));
            let left = shadow.page(from.start()).cloned().filter(|_| is_left);
            shadow.relocate(from, to);
            if let Some(mut left) = left {
                left.flags = left.flags.without(AreaFlags::LOCK);
                shadow.insert(from, &left);
            }
        }
        drop(shadow);
        self.verdict();
        Some(to.start())
    }

    fn not_remapped(
        &self,
        space: &Space,
        from: PageRange,
        target: Option<PageRange>,
        placement: RemapPlacement,
        error: MapError,
    ) -> Option<VirtAddr> {
        let mut shadow = space.shadow.borrow_mut();
        let one_area = shadow.area_end(from.start()) >= from.end();
        match error {
            MapError::NotMapped if !one_area || are_several_stacks(space, from) => None,
            MapError::Invalid if target.is_none_or(|to| to.overlaps(from)) => None,
            MapError::NoMemory if placement == RemapPlacement::InPlace => None,
            MapError::NoMemory => {
                // As on Linux the target of MREMAP_FIXED may be gone already.
                let is_gone = |to: &PageRange| {
                    let guard = space.inner.borrow();
                    guard.as_ref().is_some_and(|inner| inner.areas().is_free(*to))
                };
                if let Some(gone) = target.filter(is_gone) {
                    shadow.remove(gone);
                }
                drop(shadow);
                self.want_of_memory()
            }
            error => {
                self.unexpected("mremap", error);
                None
            }
        }
    }

    /// Gives the process a break that begins at `start`.
    pub fn start_break(&self, cpu: usize, space: &Rc<Space>, start: VirtAddr) {
        if self
            .with_space(cpu, space, |inner| inner.start_break(start))
            .is_some()
        {
            space.shadow.borrow_mut().heap = Some((start, start));
        }
    }

    /// brk(2): where the break is then.
    pub fn set_break(&self, cpu: usize, space: &Rc<Space>, end: VirtAddr) -> Option<VirtAddr> {
        if self.is_locked(space) {
            return None;
        }
        let (start, old) = space.shadow.borrow().heap?;
        let flags = space.shadow.borrow().future_flags;
        self.mmu().note(|| format!("brk {end:?}, root {:?}", space.root));
        let now = self.with_space(cpu, space, |inner| inner.set_break(&self.memory, end, flags))?;
        if now == end && now != old {
            let up = |at: VirtAddr| VirtAddr(at.0.next_multiple_of(4096));
            let mut shadow = space.shadow.borrow_mut();
            if let Some(more) = PageRange::between(up(old), up(end)) {
                self.mmu()
                    .complain_if(!shadow.is_free(more), || format!("brk takes used {more:?}"));
                let heap = Mapping {
                    purpose: Purpose::Heap,
                    ..Mapping::anonymous(Protection::READ_WRITE)
                };
                let page = shadow.made_now(heap.page());
                shadow.insert(more, &page);
            } else if let Some(less) = PageRange::between(up(end), up(old)) {
                shadow.remove(less);
            }
            shadow.heap = Some((start, end));
        } else {
            self.mmu()
                .complain_if(now != old, || format!("brk {end:?} gives {now:?} after {old:?}"));
        }
        self.verdict();
        Some(now)
    }
}

/// mremap in place.
fn resize(shadow: &mut Shadow, from: PageRange, to: PageRange) {
    if let Some(tail) = PageRange::between(to.end(), from.end()) {
        shadow.remove(tail);
    } else if let (Some(more), Some(first)) = (
        PageRange::between(from.end(), to.end()),
        shadow.page(from.start()).cloned(),
    ) {
        shadow.insert(more, &first.further(from.pages()));
    }
}

/// Stacks that have grown down to each other stay several areas, as on Linux; the shadow does not tell them apart.
fn are_several_stacks(space: &Space, range: PageRange) -> bool {
    let guard = space.inner.borrow();
    guard.as_ref().is_some_and(|inner| {
        let areas: Vec<_> = inner.areas().overlapping(range).collect();
        areas.len() > 1 && areas.iter().all(|area| area.purpose == Purpose::Stack)
    })
}
