//! Advice about fork, and a child that does not inherit all of its parent.

use super::{Space, World};
use mm::{AreaFlags, MapError, PageRange, VirtAddr};
use std::rc::Rc;

impl World {
    /// madvise(2) with what fork looks at, or with nothing any more, about each area in the range.
    pub fn advise(&self, cpu: usize, space: &Rc<Space>, range: PageRange) {
        let flags = self.throw(|dice| {
            dice.pick(&[
                AreaFlags::NONE,
                AreaFlags::DONT_FORK,
                AreaFlags::WIPE_ON_FORK,
                AreaFlags::WIPE_ON_FORK.with(AreaFlags::LOCKED),
            ])
        });
        self.mmu()
            .note(|| format!("advise {range:?} {flags:?}, root {:?}", space.root));
        let mut at = range.start();
        while let Some((part, old)) = self.next_part(space, at, range.end()) {
            let flags = old.without(old.without_generation()).with(flags);
            let said = self.with_space(cpu, space, |inner| inner.set_flags(&self.memory, part, flags));
            match said {
                Some(Ok(())) => {
                    let mut shadow = space.shadow.borrow_mut();
                    shadow.for_each_in(part, |page| page.flags = flags);
                }
                Some(Err(MapError::NoMemory)) => return self.want_of_memory::<()>().unwrap_or_default(),
                Some(Err(error)) => return self.unexpected("madvise", error),
                None => return,
            }
            at = part.end();
        }
        self.verdict();
    }

    /// The first part of `at..end` that is of one area, and what is said about it.
    fn next_part(&self, space: &Space, at: VirtAddr, end: VirtAddr) -> Option<(PageRange, AreaFlags)> {
        let guard = space.inner.try_borrow().ok()?;
        let rest = PageRange::between(at, end)?;
        let area = guard.as_ref()?.areas().overlapping(rest).next()?;
        Some((area.range().intersection(rest), area.flags))
    }

    /// What fork does before anybody runs the child; false if the child had to be given up.
    pub fn drop_uninherited(&self, cpu: usize, child: &Rc<Space>) -> bool {
        let has_advice = |space: &Space| {
            let guard = space.inner.borrow();
            guard.as_ref().is_some_and(|inner| inner.has_fork_advice())
        };
        let mut next = has_advice(child).then_some(VirtAddr(0));
        while let Some(from) = next.filter(|_| !self.forgets_advice) {
            let dropped = self.with_space(cpu, child, |inner| inner.drop_uninherited(&self.memory, from));
            match dropped {
                Some(Ok(reached)) => next = reached,
                Some(Err(MapError::NoMemory)) => {
                    self.mmu().note(|| "the child is given up".to_owned());
                    self.exit(cpu, child);
                    return self.want_of_memory::<()>().is_some();
                }
                Some(Err(error)) => self.unexpected("fork", error),
                None => return false,
            }
        }
        child.shadow.borrow_mut().drop_uninherited();
        true
    }
}
