//! How deep the kernel's stacks are used at most, added up along the calls of the finished kernel ([`code`]). A call by a register
//! reaches whoever may be meant ([`indirect`]). Two things cannot be added up, and are stated: recursion goes round once, and no more
//! than [`NESTED`] calls by registers stand on each other. A panic is the end, and not counted.

mod code;
mod indirect;

use anyhow::{Context, Result, ensure};
use code::{Functions, Target};
use indirect::Indirect;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Calls by registers that stand on each other.
pub const NESTED: usize = 2;

/// Less than that is too little to be true.
pub const LEAST: u64 = 4 << 10;

/// Whose callers are at their end.
const END: [&str; 8] = [
    "core::panicking::",
    "::slice_error_fail",
    "::expect_failed",
    "::unwrap_failed",
    "handle_alloc_error",
    "rust_begin_unwind",
    "slice_index_fail",
    "platform::crash::",
];

/// A call from a function to another: how deep the caller is, who is called, whether by a register.
#[derive(Clone, Copy)]
struct Edge {
    depth: u64,
    to: u64,
    is_indirect: bool,
}

/// What was found.
pub struct Stacks {
    functions: Functions,
    edges: HashMap<u64, Vec<Edge>>,
    /// Calls of which nobody knows where they lead, as the source has them.
    pub unknown: BTreeSet<String>,
}

/// The deepest way from a function: bytes, and the functions with their own frames.
pub struct Way {
    /// Bytes.
    pub bytes: u64,
    /// Lines for a reader.
    pub lines: Vec<String>,
}

/// What has been found for a function with so many nested calls left: bytes, and the next function with what is left there.
type Found = HashMap<(u64, usize), (u64, Option<(u64, usize)>)>;

impl Stacks {
    /// Of the kernel in this file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(elf: &Path) -> Result<Stacks> {
        let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
        let file = object::File::parse(&*data)?;
        let functions = code::functions(&file)?;
        ensure!(functions.len() > 1000, "{} functions", functions.len());
        let indirect = Indirect::new(elf, &file, &functions)?;
        let is_end = |address: u64| END.iter().any(|end| functions[&address].name.contains(end));
        let mut edges: HashMap<u64, Vec<Edge>> = HashMap::new();
        let mut unknown = BTreeSet::new();
        for (&from, function) in functions.iter().filter(|(from, _)| !is_end(**from)) {
            let edges = edges.entry(from).or_default();
            for call in &function.calls {
                let reached = match call.to {
                    Target::Known(to) => functions
                        .range(..=to)
                        .next_back()
                        .map(|(&to, _)| to)
                        .into_iter()
                        .collect(),
                    Target::Register(_) => indirect.reached(call).unwrap_or_else(|text| {
                        unknown.insert(text);
                        BTreeSet::new()
                    }),
                };
                edges.extend(reached.into_iter().filter(|&to| !is_end(to)).map(|to| Edge {
                    depth: call.depth,
                    to,
                    is_indirect: matches!(call.to, Target::Register(_)),
                }));
            }
        }
        Ok(Stacks {
            functions,
            edges,
            unknown,
        })
    }

    fn find(&self, name: &str) -> Result<u64> {
        let mut found = self
            .functions
            .iter()
            .filter(|(_, function)| function.name == name);
        found
            .next()
            .map(|(&address, _)| address)
            .with_context(|| format!("no function {name}"))
    }

    /// The deepest way from `name`, without what lies behind calls of `cut`.
    ///
    /// # Errors
    /// There is no such function.
    pub fn deepest(&self, name: &str, cut: &[&str]) -> Result<Way> {
        let from = self.find(name)?;
        let cut = cut
            .iter()
            .map(|name| self.find(name))
            .collect::<Result<BTreeSet<u64>>>()?;
        let mut found = Found::new();
        let bytes = self.search((from, NESTED), &cut, &mut BTreeSet::new(), &mut found);
        let mut lines = Vec::new();
        let mut next = Some((from, NESTED));
        while let Some(at) = next {
            let (bytes, after) = found.get(&at).copied().unwrap_or_default();
            let function = &self.functions[&at.0];
            let mark = if after.is_some_and(|after| after.1 < at.1) {
                " ->"
            } else {
                ""
            };
            lines.push(format!("{bytes:6} {:6} {}{mark}", function.frame, function.name));
            next = after;
        }
        Ok(Way { bytes, lines })
    }

    fn search(
        &self,
        at: (u64, usize),
        cut: &BTreeSet<u64>,
        open: &mut BTreeSet<(u64, usize)>,
        found: &mut Found,
    ) -> u64 {
        if let Some((bytes, _)) = found.get(&at) {
            return *bytes;
        }
        if cut.contains(&at.0) || !open.insert(at) {
            return 0;
        }
        let mut best = (self.functions[&at.0].frame, None);
        for edge in self.edges.get(&at.0).into_iter().flatten() {
            let Some(left) = at.1.checked_sub(usize::from(edge.is_indirect)) else {
                continue;
            };
            let below = self.search((edge.to, left), cut, open, found);
            if edge.depth + below > best.0 {
                best = (edge.depth + below, Some((edge.to, left)));
            }
        }
        open.remove(&at);
        found.insert(at, best);
        best.0
    }

    /// The largest frames: bytes, and whose.
    pub fn largest(&self, count: usize) -> Vec<(u64, &str)> {
        let mut all: Vec<(u64, &str)> = self
            .functions
            .values()
            .map(|function| (function.frame, function.name.as_str()))
            .collect();
        all.sort_by_key(|(frame, name)| (std::cmp::Reverse(*frame), *name));
        all.truncate(count);
        all
    }
}
