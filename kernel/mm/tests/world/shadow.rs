//! What a process should see: a deep copy of everything, page by page, with none of the heart's cleverness. Fork clones it.

use super::object::{Object, Role, Words};
use machine::PROBES;
use mm::{Access, AreaFlags, PageRange, Protection, Purpose, SegvCode, Sharing, VirtAddr};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One page that a process may talk about.
#[derive(Clone)]
pub struct Page {
    /// Its rights.
    pub protection: Protection,
    /// Whether others see its stores.
    pub sharing: Sharing,
    /// The object behind it, and which page of it.
    pub backing: Option<(Arc<Object>, u64)>,
    /// What it is for.
    pub purpose: Purpose,
    /// What was said about it.
    pub flags: AreaFlags,
    /// What the process itself has put there.
    own: Option<Words>,
}

impl Page {
    /// A page as mmap makes it.
    pub fn new(
        protection: Protection,
        sharing: Sharing,
        backing: Option<(Arc<Object>, u64)>,
        purpose: Purpose,
    ) -> Page {
        Page {
            protection,
            sharing,
            backing,
            purpose,
            flags: AreaFlags::NONE,
            own: None,
        }
    }

    /// What it holds.
    pub fn words(&self) -> Words {
        match (&self.own, &self.backing) {
            (Some(own), _) => *own,
            (None, Some((object, index))) => object.words(*index),
            (None, None) => [0; PROBES.len()],
        }
    }

    /// The process stores `value`.
    pub fn store(&mut self, probe: usize, value: u64) {
        match (&self.backing, self.sharing) {
            (Some((object, index)), Sharing::Shared) => object.expect(*index, probe, value),
            _ => {
                let mut words = self.words();
                words[probe] = value;
                self.own = Some(words);
            }
        }
    }

    /// The pages that the process made of it are dropped (MADV_DONTNEED).
    pub fn discard(&mut self) {
        self.own = None;
    }

    /// Whether the process has a copy of its own.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Which page of the object in `role` it shows.
    pub fn index_in(&self, role: Role) -> Option<u64> {
        let (object, index) = self.backing.as_ref()?;
        (object.role == role).then_some(*index)
    }

    /// Whether its object ends before it.
    pub fn is_beyond_end(&self) -> bool {
        self.backing
            .as_ref()
            .is_some_and(|(object, index)| *index >= object.pages())
    }

    /// The same kind of page, `pages` further on in its object.
    pub fn further(&self, pages: u64) -> Page {
        let backing = self
            .backing
            .as_ref()
            .map(|(object, index)| (Arc::clone(object), index + pages));
        Page {
            backing,
            own: None,
            ..self.clone()
        }
    }

    /// What its area's flags tell: of shared memory not the generation, for areas of several may become one.
    pub fn told_flags(&self) -> AreaFlags {
        told_flags(self.sharing, self.flags)
    }

    /// Whether `next`, on the next page, is more of the same.
    fn continues_with(&self, next: &Page) -> bool {
        let same_backing = match (&self.backing, &next.backing) {
            (None, None) => true,
            (Some((a, index)), Some((b, next_index))) => Arc::ptr_eq(a, b) && index + 1 == *next_index,
            _ => false,
        };
        same_backing
            && (self.protection, self.sharing) == (next.protection, next.sharing)
            && (self.purpose, self.told_flags()) == (next.purpose, next.told_flags())
    }
}

/// What the flags of an area tell, see [`Page::told_flags`].
pub fn told_flags(sharing: Sharing, flags: AreaFlags) -> AreaFlags {
    match sharing {
        Sharing::Private => flags,
        Sharing::Shared => flags.without_generation(),
    }
}

/// What should become of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It succeeds.
    Allowed,
    /// SIGSEGV.
    Segv(SegvCode),
    /// SIGBUS.
    Bus,
}

/// All pages of a process, by page number.
#[derive(Clone, Default)]
pub struct Shadow {
    pages: BTreeMap<u64, Page>,
    /// Where the break is.
    pub heap: Option<(VirtAddr, VirtAddr)>,
    /// Bytes that a stack may grow to.
    pub stack_limit: u64,
    /// What is said of areas to come: how many forks led here.
    pub future_flags: AreaFlags,
}

/// Pages that stay free below a growing stack.
const STACK_GUARD: u64 = 256;

impl Shadow {
    /// The page that holds `address`.
    pub fn page(&self, address: VirtAddr) -> Option<&Page> {
        self.pages.get(&(address.0 >> 12))
    }

    /// The page that holds `address`, to be changed.
    pub fn page_mut(&mut self, address: VirtAddr) -> Option<&mut Page> {
        self.pages.get_mut(&(address.0 >> 12))
    }

    /// Every page with its first address.
    pub fn pages(&self) -> impl DoubleEndedIterator<Item = (VirtAddr, &Page)> {
        self.pages
            .iter()
            .map(|(number, page)| (VirtAddr(number << 12), page))
    }

    /// The `nth` page, counted round.
    pub fn nth(&self, nth: usize) -> Option<VirtAddr> {
        let len = self.pages.len();
        self.pages
            .keys()
            .nth(nth.checked_rem(len)?)
            .map(|number| VirtAddr(number << 12))
    }

    /// The pages of `range` that exist.
    fn numbers(&self, range: PageRange) -> Vec<u64> {
        self.pages
            .range(range.start().0 >> 12..range.end().0 >> 12)
            .map(|(number, _)| *number)
            .collect()
    }

    /// Whether no page of `range` exists.
    pub fn is_free(&self, range: PageRange) -> bool {
        self.numbers(range).is_empty()
    }

    /// Whether every page of `range` exists.
    pub fn covers(&self, range: PageRange) -> bool {
        self.numbers(range).len() as u64 == range.pages()
    }

    /// Puts `first` and its continuation over `range`.
    pub fn insert(&mut self, range: PageRange, first: &Page) {
        for nth in 0..range.pages() {
            self.pages
                .insert((range.start().0 >> 12) + nth, first.further(nth));
        }
    }

    /// What is mapped after a fork is not what was inherited.
    pub fn begin_generation(&mut self) {
        self.future_flags = self.future_flags.of_next_generation();
    }

    /// The page as a mapping of now has it.
    pub fn made_now(&self, page: Page) -> Page {
        Page {
            flags: self.future_flags,
            ..page
        }
    }

    /// A child loses what its parent does not give it, and all locks.
    pub fn drop_uninherited(&mut self) {
        self.pages.retain(|_, page| !page.flags.has(AreaFlags::DONT_FORK));
        for page in self.pages.values_mut() {
            if page.flags.has(AreaFlags::WIPE_ON_FORK) {
                page.discard();
            }
            page.flags = page.flags.without(AreaFlags::LOCK);
        }
    }

    /// munmap.
    pub fn remove(&mut self, range: PageRange) -> Vec<(u64, Page)> {
        let numbers = self.numbers(range);
        numbers
            .into_iter()
            .filter_map(|number| self.pages.remove_entry(&number))
            .collect()
    }

    /// Changes every existing page of `range`.
    pub fn for_each_in(&mut self, range: PageRange, change: impl FnMut(&mut Page)) {
        let pages = self.pages.range_mut(range.start().0 >> 12..range.end().0 >> 12);
        pages.map(|(_, page)| page).for_each(change);
    }

    /// mremap's move: the pages of `from` go to `to`, which is free; what `to` has more continues them.
    pub fn relocate(&mut self, from: PageRange, to: PageRange) {
        let Some(first) = self.page(from.start()).cloned() else {
            return;
        };
        let moved = self.remove(from);
        self.insert(to, &first);
        for (number, page) in moved {
            let target = (to.start().0 >> 12) + number - (from.start().0 >> 12);
            if target < to.end().0 >> 12 {
                self.pages.insert(target, page);
            }
        }
    }

    /// How far, from `address` on, the pages are of one area; `address` itself if there is none.
    pub fn area_end(&self, address: VirtAddr) -> VirtAddr {
        let mut number = address.0 >> 12;
        let Some(mut page) = self.pages.get(&number) else {
            return address;
        };
        while let Some(next) = self
            .pages
            .get(&(number + 1))
            .filter(|next| page.continues_with(next))
        {
            (number, page) = (number + 1, next);
        }
        VirtAddr((number + 1) << 12)
    }

    /// What should become of `access` at `address`; a stack grows by being asked.
    pub fn judge(&mut self, address: VirtAddr, access: Access) -> Verdict {
        if self.page(address).is_none() {
            self.grow_stack(address);
        }
        self.judge_as_is(address, access)
    }

    /// What should become of `access` at `address` by somebody for whom no stack grows.
    pub fn judge_as_is(&self, address: VirtAddr, access: Access) -> Verdict {
        let Some(page) = self.page(address) else {
            return Verdict::Segv(SegvCode::MapErr);
        };
        let p = page.protection;
        let allowed = match access {
            Access::Read => p.read || p.write || p.execute,
            Access::Write => p.write,
            Access::Execute => p.execute,
        };
        match () {
            () if !allowed => Verdict::Segv(SegvCode::AccErr),
            () if page.is_beyond_end() => Verdict::Bus,
            () => Verdict::Allowed,
        }
    }

    fn grow_stack(&mut self, address: VirtAddr) {
        let number = address.0 >> 12;
        let Some((&start, stack)) = self.pages.range(number..).next() else {
            return;
        };
        let end = self.area_end(VirtAddr(start << 12)).0 >> 12;
        let below = self.pages.range(..number).next_back();
        let guarded =
            below.filter(|(_, page)| page.purpose != Purpose::Stack && page.protection != Protection::NONE);
        let free_from = guarded.map_or(0, |(below, _)| below + 1 + STACK_GUARD);
        let is_within = (end - number) << 12 <= self.stack_limit;
        if stack.purpose != Purpose::Stack || number < free_from || !is_within {
            return;
        }
        let page = stack.further(0);
        self.pages
            .extend((number..start).map(|number| (number, page.clone())));
    }
}
