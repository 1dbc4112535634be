//! Translation table descriptors, 4 KiB granule, stage 1 (Arm ARM D8.3). Written from the manual, not from the kernel: what decides
//! whether the kernel is right must not share its mistakes.

/// Bytes of a page, and of a table.
pub const PAGE: u64 = 4096;
/// Entries of a table.
pub const ENTRIES: usize = 512;

const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Half of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// TTBR0: programs.
    User,
    /// TTBR1: the kernel.
    Kernel,
}

impl Half {
    /// The half that an address belongs to.
    pub fn of(address: u64) -> Half {
        if address >> 63 == 1 {
            Half::Kernel
        } else {
            Half::User
        }
    }
}

/// What may be done with a page: bits of [`Rights::READ`] and kin, for the half's own exception level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rights(pub u8);

impl Rights {
    /// Nothing.
    pub const NONE: Rights = Rights(0);
    /// Loads.
    pub const READ: Rights = Rights(1);
    /// Stores.
    pub const WRITE: Rights = Rights(2);
    /// Instructions.
    pub const EXECUTE: Rights = Rights(4);

    /// Whether nothing may be done.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` may be done.
    pub fn has(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    fn with(self, other: Rights, when: u64) -> Rights {
        Rights(self.0 | if when != 0 { other.0 } else { 0 })
    }

    /// As `rwx`.
    pub fn text(self) -> String {
        let letter = |right: Rights, letter| if self.has(right) { letter } else { '-' };
        [
            letter(Rights::READ, 'r'),
            letter(Rights::WRITE, 'w'),
            letter(Rights::EXECUTE, 'x'),
        ]
        .iter()
        .collect()
    }
}

/// What the tables above an entry take away: PXNTable, UXNTable, APTable (bits 0, 1, 2 and 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Limits(pub u8);

impl Limits {
    const PXN: u8 = 1;
    const UXN: u8 = 2;
    const NO_EL0: u8 = 4;
    const READ_ONLY: u8 = 8;

    /// These and those of one table more.
    #[must_use]
    pub fn and(self, other: Limits) -> Limits {
        Limits(self.0 | other.0)
    }

    /// Whether something is taken away that `other` leaves.
    pub fn exceed(self, other: Limits) -> bool {
        self.0 & !other.0 != 0
    }
}

/// One entry of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Entry(pub u64);

impl Entry {
    fn bit(self, bit: u32) -> u64 {
        self.0 >> bit & 1
    }

    /// Bit 0.
    pub fn is_valid(self) -> bool {
        self.bit(0) == 1
    }

    /// It points to a table of the next level.
    pub fn is_table(self, level: u8) -> bool {
        level < 3 && self.0 & 3 == 3
    }

    /// It maps a page or a block.
    pub fn is_leaf(self, level: u8) -> bool {
        match level {
            3 => self.0 & 3 == 3,
            1 | 2 => self.0 & 3 == 1,
            _ => false,
        }
    }

    /// Output address, or the next table's.
    pub fn address(self) -> u64 {
        self.0 & ADDRESS
    }

    /// What this table takes from everything below it.
    pub fn limits(self) -> Limits {
        Limits((self.0 >> 59 & 0xf) as u8)
    }

    /// Memory type, shareability and contiguous hint: what may only change by break-before-make.
    pub fn attributes(self) -> u8 {
        (self.0 >> 2 & 7 | (self.0 >> 8 & 3) << 3 | self.bit(52) << 5) as u8
    }

    /// The entry is for one ASID only.
    pub fn is_non_global(self) -> bool {
        self.bit(11) == 1
    }

    /// What the level that owns `half` may do by this leaf, under tables that take away `limits`.
    pub fn rights(self, half: Half, limits: Limits) -> Rights {
        if self.bit(10) == 0 {
            return Rights::NONE; // no access flag: faults
        }
        match half {
            Half::User => self.el0_rights(limits),
            Half::Kernel => self.el1_rights(limits),
        }
    }

    fn is_read_only(self, limits: Limits) -> bool {
        self.bit(7) == 1 || limits.0 & Limits::READ_ONLY != 0
    }

    /// What programs may do by this leaf.
    pub fn el0_rights(self, limits: Limits) -> Rights {
        if self.bit(6) == 0 || limits.0 & Limits::NO_EL0 != 0 {
            return Rights::NONE;
        }
        let may_execute = self.bit(54) == 0 && limits.0 & Limits::UXN == 0;
        Rights::READ
            .with(Rights::WRITE, u64::from(!self.is_read_only(limits)))
            .with(Rights::EXECUTE, u64::from(may_execute))
    }

    fn el1_rights(self, limits: Limits) -> Rights {
        let may_execute = self.bit(53) == 0 && limits.0 & Limits::PXN == 0;
        Rights::READ
            .with(Rights::WRITE, u64::from(!self.is_read_only(limits)))
            .with(Rights::EXECUTE, u64::from(may_execute))
    }
}

/// Which entry of a table of this level translates an address.
pub fn index(address: u64, level: u8) -> usize {
    (address >> shift(level)) as usize & (ENTRIES - 1)
}

/// The address bits below an entry of this level.
pub fn shift(level: u8) -> u32 {
    39 - 9 * u32::from(level)
}

/// Bytes that an entry of this level translates.
pub fn span(level: u8) -> u64 {
    1 << shift(level)
}

/// The page that an address is in.
pub fn page_of(address: u64) -> u64 {
    address & !(PAGE - 1)
}
