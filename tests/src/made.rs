//! The litmus tests made of the finished kernel: each instruction that an order names is what the kernel has there, whichever the source
//! asked for, and what no order names makes no order. Arm's model must still say that what must never come never comes, though no
//! processor kept any dependency in order, which no compiler promises.

use crate::barriers;
use crate::paths::Paths;
use anyhow::{Context, Result, bail, ensure};
use litmus::execution::{Answer, answer, answer_without_dependencies};
use litmus::order::{Order, plain};
use litmus::program::Program;
use std::collections::{BTreeMap, BTreeSet};

/// Loads, stores and atomics, each with those that order more.
const FORMS: [&[&str]; 4] = [
    &["LDR", "LDAR"],
    &["STR", "STLR"],
    &["LDXR", "LDAXR"],
    &["STXR", "STLXR"],
];

/// How an access orders what is around it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ordering {
    acquires: bool,
    releases: bool,
}

/// LDAR, LDAPR, LDAXR, LDAXP; STLR, STLXR, STLXP (Arm ARM C4.1.94, exclusive and ordered ones).
fn ordering(word: u32) -> Ordering {
    let is_ordered = (word >> 24) & 0x3f == 0b00_1000 && word & (1 << 15) != 0;
    let is_load = word & (1 << 22) != 0;
    let is_ldapr = word & 0x3fff_fc00 == 0x38bf_c000;
    Ordering {
        acquires: is_ordered && is_load || is_ldapr,
        releases: is_ordered && !is_load,
    }
}

/// What the kernel's `word` is, for an instruction that the order writes as `own`.
fn found(own: &str, word: u32) -> Result<String> {
    if let Some(barrier) = barriers::name(word).filter(|name| !name.starts_with(['L', 'S'])) {
        let is_tlbi = barrier.starts_with("TLBI");
        ensure!(
            !is_tlbi || own.starts_with("TLBI") && own.ends_with("IS") == barrier.ends_with("IS"),
            "{barrier} stands where the order has {own}"
        );
        // The model has one address space: whichever reaches all processors, or this one.
        return Ok(if is_tlbi { own } else { barrier }.to_owned());
    }
    let own_plain = plain(own).context("an access stands where the order has a barrier")?;
    let Ordering { acquires, releases } = ordering(word);
    let Some([weak, strong]) = FORMS.iter().find(|form| form[0] == own_plain) else {
        // One instruction here, an exclusive load and store there: each has its half of the order.
        return Ok(if acquires || releases { own } else { own_plain }.to_owned());
    };
    Ok(if acquires || releases { strong } else { weak }.to_string())
}

/// What the kernel has for each named instruction of the order, each way that it was compiled.
fn forms(paths: &Paths, order: &Order) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut forms = BTreeMap::new();
    for (tag, own) in order.named() {
        let mut here = BTreeSet::new();
        for address in paths.sites(order, tag)? {
            let word = paths.code().word(address).context("beyond the code")?;
            here.insert(found(&own, word)?);
        }
        ensure!(!here.is_empty(), "nowhere has {tag}");
        forms.insert(tag.to_owned(), here);
    }
    Ok(forms)
}

/// So many ways to combine the forms of one order are tried.
const MOST: usize = 64;

/// Asks the model about one order.
fn try_one(paths: &Paths, order: &Order) -> Result<()> {
    let forms = forms(paths, order)?;
    let mut ways: Vec<BTreeMap<&str, String>> = vec![BTreeMap::new()];
    for (tag, all) in &forms {
        let longer = ways.iter().flat_map(|way| {
            all.iter().map(|form| {
                let mut way = way.clone();
                way.insert(tag, form.clone());
                way
            })
        });
        ways = longer.collect();
        ensure!(ways.len() <= MOST, "it was compiled in too many ways");
    }
    for way in ways {
        let program = Program::parse(&order.made_of(&way, order.unnamed.is_none()))?;
        let said = if order.depends.is_some() {
            answer(&program)?
        } else {
            answer_without_dependencies(&program)?
        };
        if said != Answer::Never {
            bail!("does not hold of what the kernel has: {way:?}: {}", order.must);
        }
    }
    Ok(())
}

/// Orders that do not hold of the kernel's own instructions, a line each; and how many were looked at.
pub fn wrong(paths: &Paths, orders: &[Order]) -> (Vec<String>, usize) {
    let named: Vec<&Order> = orders.iter().filter(|order| !order.code.is_empty()).collect();
    let tried = named.iter().filter_map(|order| {
        let error = try_one(paths, order).err()?;
        Some(format!("order {}: {error:#}", order.name))
    });
    (tried.collect(), named.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_are_what_they_are_compiled_to() {
        // LDR, LDAR, LDAPR, LDAXR, LDXR; STR, STLR, STLXR, STXR; a call.
        for (own, word, expected) in [
            ("LDAR", 0xf940_0020, "LDR"),
            ("LDR", 0x88df_fc20, "LDAR"),
            ("LDAR", 0xb8bf_c020, "LDAR"),
            ("LDAXR", 0x885f_fc20, "LDAXR"),
            ("LDAXR", 0x885f_7c20, "LDXR"),
            ("STLR", 0xf900_0020, "STR"),
            ("STR", 0x889f_fc20, "STLR"),
            ("STLXR", 0x8802_fc20, "STLXR"),
            ("STLXR", 0x8802_7c20, "STXR"),
            ("SWPAL", 0x8802_fc20, "SWPAL"),
            ("SWPAL", 0x8802_7c20, "SWP"),
            ("STLR", 0x9400_0001, "STR"),
        ] {
            assert_eq!(found(own, word).ok().as_deref(), Some(expected), "{own} {word:x}");
        }
    }

    #[test]
    fn a_barrier_is_taken_as_it_is() {
        assert_eq!(found("DSB ISH", 0xd503_3a9f).ok().as_deref(), Some("DSB ISHST"));
        assert_eq!(
            found("TLBI VAE1IS", 0xd508_8340).ok().as_deref(),
            Some("TLBI VAE1IS")
        );
        assert!(found("TLBI VAE1IS", 0xd508_8720).is_err(), "one processor only");
        assert!(found("DMB ISH", 0xf940_0020).is_err(), "a load is no barrier");
    }
}
