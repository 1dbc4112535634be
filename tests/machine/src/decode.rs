//! The hardware's reading of a stage-1 descriptor, written from the Arm ARM (D8.3 "Translation table descriptor formats",
//! D8.4 "Memory access control") with literal bit numbers. It shares nothing with `mm::Descriptor`: a wrong bit there
//! must not be excused by the same wrong bit here.

/// What EL0 may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Load.
    pub read: bool,
    /// Store.
    pub write: bool,
    /// Fetch.
    pub execute: bool,
}

impl Rights {
    /// Nothing.
    pub const NONE: Rights = Rights {
        read: false,
        write: false,
        execute: false,
    };

    /// Whether everything that `self` grants is granted by `other` too.
    pub fn is_within(self, other: Rights) -> bool {
        (!self.read || other.read) && (!self.write || other.write) && (!self.execute || other.execute)
    }
}

/// The hierarchical controls gathered from table descriptors (bits 62:60).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// APTable\[1\]: no writes below.
    pub no_write: bool,
    /// APTable\[0\]: no EL0 data access below.
    pub no_el0: bool,
    /// UXNTable: no EL0 execution below.
    pub no_execute: bool,
}

impl Limits {
    /// The limits of both.
    pub fn and(self, other: Limits) -> Limits {
        Limits {
            no_write: self.no_write | other.no_write,
            no_el0: self.no_el0 | other.no_el0,
            no_execute: self.no_execute | other.no_execute,
        }
    }
}

/// What a descriptor says to the walker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// Bit 0 clear: a translation fault.
    Invalid,
    /// The next table, by frame number, and the limits on everything below.
    Table(u32, Limits),
    /// A page, by frame number, and the rights of its own bits.
    Page(u32, Rights),
    /// A descriptor that no user tree may hold.
    Wrong(&'static str),
}

/// Frame number in bits 47:12.
pub fn output(raw: u64) -> u32 {
    ((raw >> 12) & 0xf_ffff_ffff) as u32
}

/// Reads `raw` as the walker would at `level` (1, 2 or 3).
pub fn decode(level: u8, raw: u64) -> Meaning {
    if raw & 1 == 0 {
        return Meaning::Invalid;
    }
    if raw >> 48 & 0x7 != 0 {
        return Meaning::Wrong("bits 50:48 are set: an address beyond 48 bits or a guarded page");
    }
    if level < 3 { table(raw) } else { page(raw) }
}

fn table(raw: u64) -> Meaning {
    if raw & 2 == 0 {
        return Meaning::Wrong("a block: this kernel makes none for users");
    }
    if raw >> 63 & 1 != 0 {
        return Meaning::Wrong("NSTable is set");
    }
    let limits = Limits {
        no_write: raw >> 62 & 1 != 0,
        no_el0: raw >> 61 & 1 != 0,
        no_execute: raw >> 60 & 1 != 0,
    };
    Meaning::Table(output(raw), limits)
}

fn page(raw: u64) -> Meaning {
    let wrong = |why| Meaning::Wrong(why);
    match () {
        () if raw & 2 == 0 => wrong("bit 1 is clear at level 3: a reserved encoding"),
        () if raw >> 10 & 1 == 0 => wrong("AF is 0: each first use would fault"),
        () if raw >> 11 & 1 == 0 => wrong("nG is 0: a user page for every address space"),
        () if raw >> 53 & 1 == 0 => wrong("PXN is 0: EL1 could execute a user page"),
        () if raw >> 52 & 1 != 0 => wrong("Contiguous is set on copy-on-write memory"),
        () if raw >> 51 & 1 != 0 => wrong("DBM is set: this core has no hardware dirty state"),
        () if raw >> 2 & 7 != 1 => wrong("AttrIndx is not 1 (Normal write-back)"),
        () if raw >> 8 & 3 != 3 => wrong("SH is not Inner Shareable"),
        () => Meaning::Page(output(raw), page_rights(raw)),
    }
}

/// AP\[2:1\] and UXN (Arm ARM D8.4.1): execution does not depend on AP, so AP\[1\] = 0 with UXN = 0 is execute-only.
fn page_rights(raw: u64) -> Rights {
    let el0 = raw >> 6 & 1 != 0;
    let read_only = raw >> 7 & 1 != 0;
    Rights {
        read: el0,
        write: el0 && !read_only,
        execute: raw >> 54 & 1 == 0,
    }
}

/// The rights of a page's own bits under the limits of the tables above it.
pub fn effective(own: Rights, limits: Limits) -> Rights {
    Rights {
        read: own.read && !limits.no_el0,
        write: own.write && !limits.no_el0 && !limits.no_write,
        execute: own.execute && !limits.no_execute,
    }
}
