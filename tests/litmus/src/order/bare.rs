//! An order that rests on nothing but what was found in the kernel: whatever no `code` line names is left without any order of its own.

use super::Order;
use super::line::{Line, mnemonic};
use std::collections::BTreeMap;

/// Ordered instructions, and what they are without it.
const PLAIN: [(&str, &str); 14] = [
    ("LDAXR", "LDXR"),
    ("STLXR", "STXR"),
    ("LDAPR", "LDR"),
    ("LDAR", "LDR"),
    ("STLR", "STR"),
    ("SWPAL", "SWP"),
    ("SWPA", "SWP"),
    ("SWPL", "SWP"),
    ("LDADDAL", "LDADD"),
    ("LDADDA", "LDADD"),
    ("LDADDL", "LDADD"),
    ("LDSETAL", "LDSET"),
    ("LDCLRAL", "LDCLR"),
    ("CASAL", "CAS"),
];

/// An instruction without the order that it makes, if it does anything else.
pub fn plain(instruction: &str) -> Option<&str> {
    let is_barrier = ["ISB", "DMB", "DSB", "TLBI"]
        .iter()
        .any(|word| instruction.starts_with(word));
    let found = PLAIN.iter().find(|(ordered, _)| *ordered == instruction);
    (!is_barrier).then(|| found.map_or(instruction, |(_, plain)| plain))
}

impl Order {
    /// The instructions that `code` lines name, by tag, as they are written, without registers.
    pub fn named(&self) -> BTreeMap<&str, String> {
        let tags = self.code.iter().map(|anchor| &anchor.tag);
        let tags: Vec<&String> = tags
            .chain(self.accesses.iter().map(|access| &access.tag))
            .collect();
        let lines = self.processors.iter().flat_map(|(_, lines)| lines);
        let named = lines.filter_map(|line| Some((line.name()?, mnemonic(labelled(&line.text).1))));
        named
            .filter(|(tag, _)| tags.iter().any(|named| named == tag))
            .collect()
    }

    /// The order as herd7 reads it: each instruction that has a name as the kernel has it (`found`, by tag), the others as they are
    /// written, or, if they are `bare`, without order. What programs do at EL0 is theirs.
    pub fn made_of(&self, found: &BTreeMap<&str, String>, bare: bool) -> String {
        let mut made = self.clone();
        for (name, lines) in &mut made.processors {
            let is_users = self.users.split(',').any(|user| user.trim() == name);
            for line in lines.iter_mut() {
                let named = line.name().and_then(|tag| found.get(tag));
                line.text = match named {
                    Some(instruction) => with_mnemonic(&line.text, instruction),
                    None if bare && !is_users => without_order(line),
                    None => continue,
                };
            }
            lines.retain(|line| !line.text.is_empty());
        }
        made.litmus(None)
    }
}

/// Its label, and the rest.
fn labelled(text: &str) -> (&str, &str) {
    match text.find(": ") {
        Some(end) => text.split_at(end + 2),
        None => ("", text),
    }
}

fn with_mnemonic(text: &str, instruction: &str) -> String {
    let (label, text) = labelled(text);
    format!("{label}{instruction}{}", &text[mnemonic(text).len()..])
}

/// The line without the order that its instruction makes; nothing, if it does nothing else.
fn without_order(line: &Line) -> String {
    let own = mnemonic(labelled(&line.text).1);
    plain(&own).map_or_else(String::new, |plain| with_mnemonic(&line.text, plain))
}
