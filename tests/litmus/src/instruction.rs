//! The instructions that litmus tests are made of.

/// A general register; 31 is the zero register.
pub type Register = u8;

/// The register that reads as zero.
pub const ZERO: Register = 31;

/// How an access or an atomic instruction is ordered by itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ordering {
    /// Load-acquire (`A`).
    pub is_acquire: bool,
    /// Load-acquirePC (`Q`).
    pub is_acquire_pc: bool,
    /// Store-release (`L`).
    pub is_release: bool,
}

/// What a barrier orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accesses {
    /// All.
    Full,
    /// Loads before, all behind.
    Loads,
    /// Stores before and behind.
    Stores,
}

/// A second operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// A register.
    Register(Register),
    /// A number.
    Number(i64),
}

/// What is computed of two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// The sum.
    Add,
    /// The difference.
    Subtract,
    /// All bits of either.
    Or,
    /// The bits of both.
    And,
    /// The bits of one alone.
    ExclusiveOr,
    /// The first without the bits of the second.
    Clear,
    /// The first, shifted to the right; of an address by 12: its page number.
    ShiftRight,
    /// The second.
    Second,
}

/// When a branch is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Always.
    Always,
    /// A register is zero.
    Zero(Register),
    /// A register is not zero.
    NotZero(Register),
    /// The comparison before found both equal.
    Equal,
    /// It did not.
    NotEqual,
}

/// An instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Instruction {
    /// A load; `is_exclusive` opens the monitor.
    Load {
        /// Where the value goes.
        to: Register,
        /// Holds the address.
        at: Register,
        /// Its own ordering.
        ordering: Ordering,
        /// LDXR and kin.
        is_exclusive: bool,
    },
    /// A store.
    Store {
        /// What is stored.
        from: Register,
        /// Holds the address.
        at: Register,
        /// Its own ordering.
        ordering: Ordering,
    },
    /// A store-exclusive: 0 to `status` if it was done.
    StoreExclusive {
        /// Where it is told.
        status: Register,
        /// What is stored.
        from: Register,
        /// Holds the address.
        at: Register,
        /// Its own ordering.
        ordering: Ordering,
    },
    /// A single-instruction atomic: reads, stores `operation` of what was read and `from`.
    Atomic {
        /// What becomes of both.
        operation: Operation,
        /// The operand.
        from: Register,
        /// Where what was read goes.
        to: Register,
        /// Holds the address.
        at: Register,
        /// Its own ordering.
        ordering: Ordering,
        /// Whether what was read goes nowhere (`STADD`): no barrier orders such a load.
        has_no_result: bool,
    },
    /// CAS: stores `new` if `expected` was read, and puts there what was.
    CompareAndSwap {
        /// What is expected, and where what was read goes.
        expected: Register,
        /// What is stored.
        new: Register,
        /// Holds the address.
        at: Register,
        /// Its own ordering.
        ordering: Ordering,
    },
    /// A computation.
    Compute {
        /// Where the result goes.
        to: Register,
        /// What.
        operation: Operation,
        /// The first operand.
        first: Register,
        /// The second.
        second: Operand,
    },
    /// A comparison, for the next conditional branch.
    Compare(Register, Operand),
    /// A branch.
    Branch(When, String),
    /// A data memory barrier.
    DataMemoryBarrier(Accesses),
    /// A data synchronisation barrier.
    DataSynchronisationBarrier(Accesses),
    /// ISB: what is behind is fetched and translated anew.
    InstructionBarrier,
    /// SVC: to the handler, if there is one.
    ExceptionCall,
    /// ERET: from the handler to what was interrupted.
    ExceptionReturn,
    /// A TLB invalidation, of the page in a register or of all; to all processors or this one.
    InvalidateTlb {
        /// Holds the page's number.
        page: Option<Register>,
        /// Whether other processors do so too (`IS`, `OS`).
        is_broadcast: bool,
    },
    /// Nothing.
    Nothing,
}
