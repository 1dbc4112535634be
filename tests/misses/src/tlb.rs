//! Translations that are remembered: first and second level of TLB, and the tables that walks came by.

/// A translation of 2 to the power of `order` pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number of the first page.
    pub page: u64,
    /// How many pages, as a power of two.
    pub order: u32,
    /// The address space; none if it holds in all.
    pub asid: Option<u64>,
    /// Number of the first frame; of a table that a walk came by, its own.
    pub frame: u64,
}

impl Entry {
    fn covers(&self, page: u64, asid: u64) -> bool {
        page >> self.order == self.page >> self.order && self.asid.is_none_or(|own| own == asid)
    }

    /// The part of it that holds this page and is no larger than 2 to the power of `order` pages.
    pub fn part(self, page: u64, order: u32) -> Entry {
        if order >= self.order {
            return self;
        }
        let offset = (page - self.page) >> order << order;
        Entry {
            page: self.page + offset,
            frame: self.frame + offset,
            order,
            ..self
        }
    }

    /// The frame of a page of it.
    pub fn frame_of(&self, page: u64) -> u64 {
        self.frame + (page - self.page)
    }
}

/// What a TLBI forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Everything.
    All,
    /// An address space.
    Space(u64),
    /// A page of an address space, and what holds in all.
    Page(u64, u64),
    /// A page of all spaces.
    PageOfAll(u64),
}

impl Forget {
    fn takes(self, entry: &Entry) -> bool {
        match self {
            Forget::All => true,
            Forget::Space(asid) => entry.asid == Some(asid),
            Forget::Page(page, asid) => entry.covers(page, asid),
            Forget::PageOfAll(page) => page >> entry.order == entry.page >> entry.order,
        }
    }
}

/// A TLB: sets of entries, of which that goes that was used longest ago.
pub struct Tlb {
    sets: Vec<Vec<(Entry, u64)>>,
    ways: usize,
    /// The sizes of entries that were taken in, as a bit each.
    orders: u64,
    now: u64,
}

impl Tlb {
    /// Of so many entries; with as many ways each may lie anywhere.
    pub fn new(entries: usize, ways: usize) -> Tlb {
        let sets = entries / ways;
        assert!(sets.is_power_of_two(), "{sets} sets");
        Tlb {
            sets: vec![Vec::with_capacity(ways); sets],
            ways,
            orders: 0,
            now: 0,
        }
    }

    fn index(&self, page: u64, order: u32) -> usize {
        (page >> order) as usize & (self.sets.len() - 1)
    }

    /// The smallest entry for a page.
    pub fn find(&mut self, page: u64, asid: u64) -> Option<Entry> {
        self.now += 1;
        let mut orders = self.orders;
        while orders != 0 {
            let order = orders.trailing_zeros();
            orders &= orders - 1;
            let index = self.index(page, order);
            let mut all = self.sets[index].iter_mut();
            let is_it = |entry: &Entry| entry.order == order && entry.covers(page, asid);
            if let Some((entry, used)) = all.find(|(entry, _)| is_it(entry)) {
                *used = self.now;
                return Some(*entry);
            }
        }
        None
    }

    /// Takes an entry in.
    pub fn insert(&mut self, entry: Entry) {
        self.now += 1;
        self.orders |= 1 << entry.order;
        let index = self.index(entry.page, entry.order);
        let set = &mut self.sets[index];
        if set.len() == self.ways {
            let oldest = (0..set.len()).min_by_key(|&way| set[way].1).unwrap_or_default();
            set.swap_remove(oldest);
        }
        set.push((entry, self.now));
    }

    /// Forgets some.
    pub fn forget(&mut self, what: Forget) {
        for set in &mut self.sets {
            set.retain(|(entry, _)| !what.takes(entry));
        }
    }
}
