//! What can be done to an instruction: left out, made weaker, made to reach one processor only.

use crate::sites::{Kind, Site};
use checker::instruction::{self, Access, Accesses, Cache, Domain, Operation, Scope};

const NOP: u32 = 0xd503_201f;

/// A change of one instruction.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// How the instruction is written.
    pub name: String,
    /// What is done to it.
    pub change: &'static str,
    /// The word that takes its place.
    pub word: u32,
}

fn barrier_option(word: u32, option: u32) -> u32 {
    word & !0xf00 | option << 8
}

fn domain_name(domain: Domain) -> &'static str {
    match domain {
        Domain::Local => "NSH",
        Domain::Inner => "ISH",
        Domain::System => "SY",
    }
}

fn barrier_name(domain: Domain, accesses: Accesses) -> String {
    let suffix = match accesses {
        Accesses::Loads => "LD",
        Accesses::Stores => "ST",
        Accesses::All => "",
    };
    match (domain, suffix) {
        (Domain::System, "LD" | "ST") => suffix.to_owned(),
        _ => domain_name(domain).to_owned() + suffix,
    }
}

fn cache_name(cache: Cache) -> &'static str {
    match cache {
        Cache::Zero => "DC ZVA",
        Cache::CleanToUnification => "DC CVAU",
        Cache::Clean => "DC CVAC",
        Cache::CleanAndInvalidate => "DC CIVAC",
        Cache::Invalidate => "DC IVAC",
        Cache::InvalidateInstructions => "IC IVAU",
        Cache::InvalidateAllInstructions => "IC IALLU",
        Cache::BySetAndWay => "DC by set and way",
    }
}

fn tlbi_name(scope: Scope, domain: Domain) -> String {
    let scope = match scope {
        Scope::All => "VMALLE1",
        Scope::Asid => "ASIDE1",
        Scope::Address => "VAE1",
        Scope::Leaf => "VALE1",
        Scope::AddressAnyAsid => "VAAE1",
        Scope::LeafAnyAsid => "VAALE1",
    };
    let suffix = if domain == Domain::Local { "" } else { "IS" };
    format!("TLBI {scope}{suffix}")
}

/// LDAXRB, STLR and their kin.
fn ordered_name(word: u32) -> String {
    let is_load = word & 1 << 22 != 0;
    let size = match word >> 30 {
        0 => "B",
        1 => "H",
        _ => "",
    };
    match (is_load, is_exclusive(word)) {
        (true, true) => format!("LDAXR{size}"),
        (true, false) => format!("LDAR{size}"),
        (false, true) => format!("STLXR{size}"),
        (false, false) => format!("STLR{size}"),
    }
}

fn is_exclusive(word: u32) -> bool {
    instruction::access(word) == Access::Exclusive
}

/// The same without order: LDXR for LDAXR, LDR for LDAR.
fn relaxed(word: u32) -> u32 {
    if is_exclusive(word) {
        return word & !(1 << 15);
    }
    // LDR and STR with an offset of 0.
    word & 0xc040_03ff | 0x3900_0000
}

/// How the instruction is written.
pub fn name(site: &Site) -> String {
    let word = site.word;
    match site.kind {
        Kind::Break => "break".to_owned(),
        Kind::Acquire | Kind::Release => ordered_name(word),
        Kind::Followed(operation) => match operation {
            Operation::Isb => "ISB".to_owned(),
            Operation::Dmb(domain, accesses) => "DMB ".to_owned() + &barrier_name(domain, accesses),
            Operation::Dsb(domain, accesses) => "DSB ".to_owned() + &barrier_name(domain, accesses),
            Operation::Tlbi(scope, domain) => tlbi_name(scope, domain),
            Operation::Cache(cache) => cache_name(cache).to_owned(),
            _ => format!("{operation:?}"),
        },
    }
}

/// A mutant's name, which is the same for all copies of an inlined instruction.
pub fn line(site: &Site, mutation: &Mutation) -> String {
    format!(
        "{} #{} {} {}",
        site.place, site.number, mutation.name, mutation.change
    )
}

/// Everything that can be done to this instruction.
pub fn of(site: &Site) -> Vec<Mutation> {
    let word = site.word;
    if matches!(site.kind, Kind::Followed(Operation::Cache(Cache::Zero))) && site.number > 1 {
        return Vec::new(); // 64 in a row: one stands for all
    }
    let mut changes = match site.kind {
        Kind::Acquire | Kind::Release => vec![("relaxed", relaxed(word))],
        _ => vec![("left out", NOP)],
    };
    match site.kind {
        Kind::Followed(Operation::Dsb(domain, Accesses::All)) if domain >= Domain::Inner => {
            changes.push(("ISHST", barrier_option(word, 0xa)));
            changes.push(("NSH", barrier_option(word, 0x7)));
        }
        Kind::Followed(Operation::Tlbi(scope, Domain::Inner)) => {
            changes.push(("local", word & !0xf00 | 0x700));
            if scope == Scope::Address {
                changes.push(("leaf only", word | 4 << 5));
            }
        }
        _ => {}
    }
    let name = name(site);
    let mutation = |(change, word)| Mutation {
        name: name.clone(),
        change,
        word,
    };
    changes.into_iter().map(mutation).collect()
}
