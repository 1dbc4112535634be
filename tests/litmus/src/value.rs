//! What registers and memory hold in a litmus test.

/// A name of the test's memory, by its place in [`crate::program::Program::symbols`].
pub type Symbol = u8;

/// A translation table entry, as far as the model knows it: where it leads, and what may be done there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Entry {
    /// The page that it leads to (`oa`).
    pub frame: Symbol,
    /// Bit 0 of the descriptor.
    pub is_valid: bool,
    /// Whether stores are allowed (`db`, the dirty bit: AP[2] is clear).
    pub is_writable: bool,
    /// The access flag (`af`).
    pub is_accessed: bool,
    /// Whether EL0 may use it (`el0`).
    pub is_user: bool,
}

impl Entry {
    /// What stands in a table where the test says nothing: all is allowed.
    pub fn of(frame: Symbol) -> Entry {
        Entry {
            frame,
            is_valid: true,
            is_writable: true,
            is_accessed: true,
            is_user: true,
        }
    }
}

/// What a register or a place holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Value {
    /// A number.
    Number(i64),
    /// The virtual address of a name.
    Address(Symbol),
    /// The address of the translation table entry of a name.
    EntryAddress(Symbol),
    /// The page number of a name's address: what TLBI takes.
    Page(Symbol),
    /// A translation table entry.
    Entry(Entry),
}

/// A place in memory, by physical address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// The word at a name.
    Data(Symbol),
    /// The translation table entry of a name.
    Entry(Symbol),
}
