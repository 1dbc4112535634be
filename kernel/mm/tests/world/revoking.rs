//! Files that lose pages while they are mapped, truncate(2) and punched holes: the pages are taken from every space, while others go on.

use super::object::{Object, Role};
use super::shadow::Page;
use super::{OBJECT_PAGES, Space, World, bump};
use mm::{PageRange, PageSource, Revocation, Revoked, USER_END, VirtAddr};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Areas looked at under one hold of a space's lock: few, so that others come in between.
const AREAS: usize = 1;

/// What a kernel might forget when it takes pages from everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Negligence {
    /// A child that was forked meanwhile is not asked.
    ForgetsChildren,
    /// Pages may be moved where the walk has been already.
    LetsMove,
    /// Spaces that reach the pages by shared tables are not asked.
    SkipsSharedTables,
    /// Private copies behind the end stay.
    KeepsCopies,
}

/// What others do between the pieces of a walk over a space.
pub(super) type Others<'a> = &'a mut dyn FnMut(&Rc<Space>);

/// Pages that are being taken.
#[derive(Clone)]
pub(super) struct Limbo {
    pages: Range<u64>,
    takes_copies: bool,
}

impl Limbo {
    fn holds(&self, page: &Page) -> bool {
        let is_among = page
            .index_in(Role::Data)
            .is_some_and(|index| self.pages.contains(&index));
        is_among && (self.takes_copies || !page.is_own())
    }
}

impl World {
    /// Whether it cannot be said what the page is now.
    pub fn is_in_limbo(&self, page: &Page) -> bool {
        self.limbo
            .borrow()
            .as_ref()
            .is_some_and(|limbo| limbo.holds(page))
    }

    /// Whether nobody may copy a space or move pages.
    pub fn is_walked(&self, lets: Negligence) -> bool {
        self.limbo.borrow().is_some() && self.negligence != Some(lets)
    }

    /// The object loses a page, or becomes shorter, or longer again, as the dice say; `others` act between the pieces.
    pub fn resize(&self, cpu: usize, object: &Arc<Object>, others: Others<'_>) {
        if self.is_busy() || self.limbo.borrow().is_some() {
            return;
        }
        let (end, is_hole) =
            self.throw(|dice| (dice.below(OBJECT_PAGES as usize + 1) as u64, dice.one_in(3)));
        if end < object.pages() && is_hole {
            self.punch(cpu, object, end, others);
        } else if end < object.pages() {
            self.shorten(cpu, object, end, others);
        }
        while object.pages() < end && object.lengthen(&self.memory) {}
        self.verdict();
    }

    /// Cuts the object off at `end` pages. Out of memory it has its old end again.
    pub fn shorten(&self, cpu: usize, object: &Arc<Object>, end: u64, others: Others<'_>) {
        let old = object.pages();
        self.mmu().note(|| format!("shorten from {old} to {end} pages"));
        object.set_end(end);
        if self.revoke(cpu, object, end..u64::MAX, true, others) {
            object.give_back(&self.memory);
        } else {
            object.set_end(old);
        }
    }

    /// Makes page `index` a hole. The old frame is held until nobody maps it any more.
    fn punch(&self, cpu: usize, object: &Arc<Object>, index: u64, others: Others<'_>) {
        let frames = self.memory.frames();
        let Some(old) = object.punch(&self.memory, index) else {
            return;
        };
        self.mmu()
            .note(|| format!("page {index} is a hole, {old:?} goes"));
        // The kernel ends somebody and tries again.
        while !self.revoke(cpu, object, index..index + 1, false, others) {
            self.release_held(usize::MAX);
            match self.spaces().first() {
                Some(space) => {
                    space.users.set(1);
                    self.exit(cpu, space);
                }
                None => break,
            }
        }
        frames.release(self.mmu(), old);
    }

    /// Takes the pages from every space that there is; `others` act between the pieces. False for want of memory.
    fn revoke(
        &self,
        cpu: usize,
        object: &Arc<Object>,
        pages: Range<u64>,
        takes_copies: bool,
        others: Others<'_>,
    ) -> bool {
        *self.limbo.borrow_mut() = Some(Limbo {
            pages: pages.clone(),
            takes_copies,
        });
        let what = Revocation {
            object: object.object(),
            pages,
            takes_copies: takes_copies && self.negligence != Some(Negligence::KeepsCopies),
        };
        let spaces = self.spaces();
        let is_done = spaces
            .iter()
            .all(|space| self.revoke_in(cpu, space, &what, others));
        *self.limbo.borrow_mut() = None;
        if !is_done {
            bump(&self.statistics.refused);
        }
        is_done
    }

    /// False for want of memory.
    fn revoke_in(&self, cpu: usize, space: &Rc<Space>, what: &Revocation, others: Others<'_>) -> bool {
        let mut at = VirtAddr(0);
        loop {
            let is_skipped =
                self.negligence == Some(Negligence::SkipsSharedTables) && self.has_shared_table(space);
            let piece = self.with_space(cpu, space, |inner| match is_skipped {
                true => Ok(Revoked::All),
                false => inner.revoke(&self.memory, what, at, AREAS),
            });
            let (next, is_last) = match piece {
                // It has ended.
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(Revoked::All)) => (VirtAddr(USER_END), true),
                Some(Ok(Revoked::UpTo(next))) => (next, false),
            };
            self.lose(space, at, next);
            if is_last {
                return true;
            }
            at = next;
            for _ in 0..self.throw(|dice| dice.below(5)) {
                others(space);
            }
        }
    }

    /// What is in limbo in that part of the space is gone.
    fn lose(&self, space: &Space, from: VirtAddr, to: VirtAddr) {
        if let Some(range) = PageRange::between(from, to) {
            space.shadow.borrow_mut().for_each_in(range, |page| {
                if self.is_in_limbo(page) {
                    page.discard();
                }
            });
        }
    }

    fn has_shared_table(&self, space: &Space) -> bool {
        let shadow = space.shadow.borrow();
        let mut limbo = shadow.pages().filter(|(_, page)| self.is_in_limbo(page));
        limbo.any(|(at, _)| self.mapped(space, at).is_some_and(|page| page.path_sharers > 1))
    }
}
