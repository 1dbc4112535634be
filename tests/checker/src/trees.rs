//! The translation trees that some processor walks now, with a copy of each of their tables as it was last seen.

use crate::descriptor::{ENTRIES, Entry, Half, Limits, PAGE, Rights, index, page_of, shift, span};
use crate::ram::Ram;
use std::collections::HashMap;

/// A tree's number; never used twice.
pub type TreeId = u64;

/// Where a table stands in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The tree.
    pub tree: TreeId,
    /// The table's level, 0 to 3.
    pub level: u8,
    /// First address that it translates.
    pub base: u64,
}

struct Table {
    entries: Box<[u64; ENTRIES]>,
    positions: Vec<Position>,
}

/// What has run in a tree since processors walk it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Nothing.
    Nothing,
    /// A program that has only begun: its registers are all 0 still.
    Begun,
    /// A program.
    Program,
}

/// A tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Its root's page.
    pub root: u64,
    /// Which half it translates.
    pub half: Half,
    /// The level of its root.
    pub start: u8,
    /// Address bits that it translates.
    pub bits: u32,
    runs: Runs,
    users: u32,
    tables: HashMap<u64, (u8, u64)>,
}

/// What came into a tree when a table was linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// A table of this level that was in no tree.
    Table(u64, u8),
    /// A page, by a table that was in no tree.
    Page(u64),
    /// A table that is no RAM.
    Outside(u64),
}

/// A leaf as a walk finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Physical address of the byte that was asked for.
    pub address: u64,
    /// What the half's own level may do.
    pub rights: Rights,
    /// See [`Entry::attributes`].
    pub attributes: u8,
}

/// A walk, level by level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    /// What was found, if the address is mapped.
    pub leaf: Option<Leaf>,
    /// The level at which it ended.
    pub level: u8,
    /// The table that was read at each level; 0 where none was.
    pub tables: [u64; 4],
    /// What the tables above each level take away.
    pub limits: [Limits; 4],
    /// What was read at each level.
    pub entries: [Entry; 4],
}

/// All live trees.
pub struct Trees {
    next: TreeId,
    by_root: HashMap<(u64, Half), TreeId>,
    trees: HashMap<TreeId, Tree>,
    tables: HashMap<u64, Table>,
    /// One for each frame of RAM: whether it is a table of a live tree.
    is_table: Vec<bool>,
    base: u64,
}

impl Trees {
    /// No tree yet, over this RAM.
    pub fn new(base: u64, size: u64) -> Trees {
        Trees {
            next: 1,
            by_root: HashMap::new(),
            trees: HashMap::new(),
            tables: HashMap::new(),
            is_table: vec![false; (size / PAGE) as usize],
            base,
        }
    }

    fn flag(&mut self, page: u64) -> Option<&mut bool> {
        self.is_table
            .get_mut((page.wrapping_sub(self.base) / PAGE) as usize)
    }

    /// Whether the page at this address is a table of a live tree.
    pub fn is_table(&self, page: u64) -> bool {
        let frame = (page.wrapping_sub(self.base) / PAGE) as usize;
        self.is_table.get(frame).copied().unwrap_or(false)
    }

    /// The tree of this number, if it is live.
    pub fn tree(&self, id: TreeId) -> Option<&Tree> {
        self.trees.get(&id)
    }

    /// What has run in the tree of this number, if it is live.
    pub fn runs(&mut self, id: TreeId) -> Option<&mut Runs> {
        self.trees.get_mut(&id).map(|tree| &mut tree.runs)
    }

    /// The pages of the tree's tables.
    pub fn pages_of(&self, id: TreeId) -> Vec<u64> {
        let tree = self.trees.get(&id);
        tree.map_or_else(Vec::new, |tree| tree.tables.keys().copied().collect())
    }

    /// Whether a leaf of the tree is good under every ASID.
    pub fn has_global(&self, id: TreeId) -> bool {
        let Some(tree) = self.trees.get(&id) else {
            return false;
        };
        tree.tables.iter().any(|(page, &(level, _))| {
            let table = self.tables.get(page);
            table.is_some_and(|table| {
                let entries = table.entries.iter().copied().map(Entry);
                entries
                    .into_iter()
                    .any(|entry| entry.is_leaf(level) && !entry.is_non_global())
            })
        })
    }

    /// Where the table at `page` stands.
    pub fn positions(&self, page: u64) -> Vec<Position> {
        self.tables
            .get(&page)
            .map_or_else(Vec::new, |table| table.positions.clone())
    }

    /// The entry at this physical address as it was last seen, if it is one of a live table.
    pub fn entry_at(&self, address: u64) -> Option<Entry> {
        let table = self.tables.get(&page_of(address))?;
        Some(Entry(table.entries[(address % PAGE / 8) as usize]))
    }

    /// One processor more walks from this root. What has become reachable by that is added to `linked`.
    pub fn enter(&mut self, root: u64, half: Half, bits: u32, ram: &Ram, linked: &mut Vec<Linked>) -> TreeId {
        if let Some(&id) = self.by_root.get(&(root, half)) {
            if let Some(tree) = self.trees.get_mut(&id) {
                tree.users += 1;
            }
            return id;
        }
        let id = self.next;
        self.next += 1;
        let start = 4 - (bits - 12).div_ceil(9) as u8;
        let tree = Tree {
            root,
            half,
            start,
            bits,
            runs: Runs::Nothing,
            users: 1,
            tables: HashMap::new(),
        };
        self.trees.insert(id, tree);
        self.by_root.insert((root, half), id);
        let base = if half == Half::Kernel {
            !((1 << bits) - 1)
        } else {
            0
        };
        let position = Position {
            tree: id,
            level: start,
            base,
        };
        self.link(root, position, ram, linked);
        id
    }

    /// One processor less walks this tree; the last one's leaving forgets it.
    pub fn leave(&mut self, id: TreeId) {
        let Some(tree) = self.trees.get_mut(&id) else {
            return;
        };
        tree.users -= 1;
        if tree.users > 0 {
            return;
        }
        let tables: Vec<u64> = tree.tables.keys().copied().collect();
        self.by_root.remove(&(tree.root, tree.half));
        self.trees.remove(&id);
        for page in tables {
            self.forget(page, id);
        }
    }

    /// Puts the table at `page`, and all below it, into a tree.
    pub fn link(&mut self, page: u64, at: Position, ram: &Ram, linked: &mut Vec<Linked>) {
        if !ram.holds(page) {
            linked.push(Linked::Outside(page));
            return;
        }
        let Some(tree) = self.trees.get_mut(&at.tree) else {
            return;
        };
        if tree.tables.insert(page, (at.level, at.base)) == Some((at.level, at.base)) {
            return;
        }
        let is_new = !self.tables.contains_key(&page);
        let table = self.tables.entry(page).or_insert_with(|| Table {
            entries: ram.page(page),
            positions: Vec::new(),
        });
        table.positions.push(at);
        let entries = table.entries.clone();
        if let Some(flag) = self.flag(page) {
            *flag = true;
        }
        if is_new {
            linked.push(Linked::Table(page, at.level));
        }
        for (slot, entry) in entries.iter().copied().map(Entry).enumerate() {
            if entry.is_table(at.level) {
                let below = below(at, slot);
                self.link(entry.address(), below, ram, linked);
            } else if is_new && at.level == 3 && entry.is_leaf(3) {
                linked.push(Linked::Page(entry.address()));
            }
        }
    }

    /// Takes the table at `page`, and all below it, out of a tree.
    pub fn unlink(&mut self, page: u64, id: TreeId) {
        let Some((level, _)) = self.trees.get_mut(&id).and_then(|tree| tree.tables.remove(&page)) else {
            return;
        };
        let entries = self.tables.get(&page).map(|table| table.entries.clone());
        self.forget(page, id);
        for entry in entries
            .iter()
            .flat_map(|entries| entries.iter().copied().map(Entry))
        {
            if entry.is_table(level) {
                self.unlink(entry.address(), id);
            }
        }
    }

    fn forget(&mut self, page: u64, id: TreeId) {
        let Some(table) = self.tables.get_mut(&page) else {
            return;
        };
        table.positions.retain(|position| position.tree != id);
        if table.positions.is_empty() {
            self.tables.remove(&page);
            if let Some(flag) = self.flag(page) {
                *flag = false;
            }
        }
    }

    /// A store to a live table: the copy follows.
    pub fn set(&mut self, address: u64, value: Entry) {
        if let Some(table) = self.tables.get_mut(&page_of(address)) {
            table.entries[(address % PAGE / 8) as usize] = value.0;
        }
    }

    /// What the tables say about an address.
    pub fn walk(&self, id: TreeId, address: u64) -> Walk {
        let mut walk = Walk::default();
        let Some(tree) = self.trees.get(&id) else {
            return walk;
        };
        let (mut page, mut limits) = (tree.root, Limits::default());
        let address = address & ((1 << tree.bits) - 1);
        for level in tree.start..=3 {
            let at = usize::from(level);
            let Some(table) = self.tables.get(&page) else {
                return walk;
            };
            let entry = Entry(table.entries[index(address, level)]);
            walk.level = level;
            walk.tables[at] = page;
            walk.limits[at] = limits;
            walk.entries[at] = entry;
            if entry.is_table(level) {
                limits = limits.and(entry.limits());
                page = entry.address();
                continue;
            }
            if entry.is_leaf(level) {
                let below = span(level) - 1;
                walk.leaf = Some(Leaf {
                    address: entry.address() & !below | address & below,
                    rights: entry.rights(tree.half, limits),
                    attributes: entry.attributes(),
                });
            }
            return walk;
        }
        walk
    }

    /// Whether RAM holds something else than the copies on the way to `address`: a store of another processor that has happened
    /// and was not told yet.
    pub fn is_unsettled(&self, id: TreeId, address: u64, ram: &Ram) -> bool {
        let Some(tree) = self.trees.get(&id) else {
            return true;
        };
        let walk = self.walk(id, address);
        let address = address & ((1 << tree.bits) - 1);
        (tree.start..=walk.level).any(|level| {
            let at = usize::from(level);
            let place = walk.tables[at] + 8 * index(address, level) as u64;
            ram.word(place) != walk.entries[at].0
        })
    }
}

/// Where the table stands that entry `slot` of a table points to.
pub fn below(at: Position, slot: usize) -> Position {
    Position {
        tree: at.tree,
        level: at.level + 1,
        base: at.base + ((slot as u64) << shift(at.level)),
    }
}
