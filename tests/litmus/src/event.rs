//! What an execution consists of.

use crate::instruction::Accesses;
use crate::value::{Place, Symbol, Value};

/// Why a translation failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// The entry is invalid.
    Translation,
    /// Its access flag is clear.
    AccessFlag,
    /// It forbids the access.
    Permission,
}

/// What an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A place is read.
    Read,
    /// A place is written.
    Write,
    /// A translation failed: an exception is taken.
    Fault(FaultKind),
    /// DMB.
    DataMemoryBarrier(Accesses),
    /// DSB.
    DataSynchronisationBarrier(Accesses),
    /// ISB, SVC, ERET.
    ContextSynchronisation,
    /// TLBI, of a page or of all.
    InvalidateTlb {
        /// Which page.
        page: Option<Symbol>,
        /// Whether other processors hear of it.
        is_broadcast: bool,
    },
}

/// Something that an instruction does.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// The number of its instruction in the order of its processor's execution.
    pub step: usize,
    /// Where, if it reads or writes; where it would have been, if it is a fault.
    pub place: Option<Place>,
    /// What is read or written.
    pub value: Value,
    /// Whether a translation does it.
    pub is_implicit: bool,
    /// Load-acquire.
    pub is_acquire: bool,
    /// Load-acquirePC.
    pub is_acquire_pc: bool,
    /// Store-release.
    pub is_release: bool,
    /// The load of an atomic whose result goes nowhere.
    pub has_no_result: bool,
    /// The name in the virtual address by which an access was made.
    pub page: Option<Symbol>,
}

impl Event {
    /// An event of that kind, which has nothing to do with memory.
    pub fn new(kind: Kind, step: usize) -> Event {
        Event {
            kind,
            step,
            place: None,
            value: Value::Number(0),
            is_implicit: false,
            is_acquire: false,
            is_acquire_pc: false,
            is_release: false,
            has_no_result: false,
            page: None,
        }
    }

    /// Whether it reads or writes memory.
    pub fn is_access(&self) -> bool {
        matches!(self.kind, Kind::Read | Kind::Write)
    }

    /// Whether an instruction itself reads or writes.
    pub fn is_explicit(&self) -> bool {
        self.is_access() && !self.is_implicit
    }

    /// Whether it is a read by an instruction.
    pub fn is_explicit_read(&self) -> bool {
        self.kind == Kind::Read && !self.is_implicit
    }

    /// Whether it writes.
    pub fn is_write(&self) -> bool {
        self.kind == Kind::Write
    }

    /// Whether a translation reads an entry.
    pub fn is_walk(&self) -> bool {
        self.kind == Kind::Read && self.is_implicit
    }

    /// Whether it is a fault.
    pub fn is_fault(&self) -> bool {
        matches!(self.kind, Kind::Fault(_))
    }

    /// Whether it is a fault by an entry that no TLB may keep.
    pub fn is_uncacheable_fault(&self) -> bool {
        matches!(
            self.kind,
            Kind::Fault(FaultKind::Translation | FaultKind::AccessFlag)
        )
    }

    /// Whether what is behind it is fetched and translated anew.
    pub fn synchronises_context(&self) -> bool {
        self.kind == Kind::ContextSynchronisation || self.is_fault()
    }
}
