//! Ways through the kernel that pass none of some instructions.

use super::{Code, Flow};
use std::collections::{BTreeMap, BTreeSet};

/// Which way a search goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To where the kernel is entered.
    Back,
    /// To where it is left.
    On,
}

/// A search for a way that passes none of some instructions.
pub(super) struct Search<'a> {
    pub(super) code: &'a Code,
    pub(super) passed: &'a BTreeSet<u64>,
    pub(super) way: Way,
    /// Of functions: whether one can be called and return without passing any.
    pub(super) summaries: BTreeMap<u64, bool>,
}

impl Search<'_> {
    /// Whether a way leads from `at` to where the kernel is entered, or left.
    pub(super) fn gets_out(&mut self, at: u64) -> bool {
        let mut seen = BTreeSet::from([at]);
        let mut open = vec![at];
        while let Some(address) = open.pop() {
            if self.is_out(address) {
                return true;
            }
            let further = match self.way {
                Way::Back => self
                    .before(address)
                    .into_iter()
                    .chain(self.callers(address))
                    .collect(),
                Way::On => self.behind(address),
            };
            open.extend(
                further
                    .into_iter()
                    .filter(|one| !self.passed.contains(one) && seen.insert(*one)),
            );
        }
        false
    }

    fn is_out(&self, address: u64) -> bool {
        let code = self.code;
        match self.way {
            Way::Back => code.roots.contains(&address),
            Way::On => match code.flow(address) {
                Some(Flow::Leave) => true,
                Some(Flow::Return) => code.roots.contains(&code.function(address)),
                _ => false,
            },
        }
    }

    /// Whence the function that begins at `entry` is called, or jumped to.
    fn callers(&self, entry: u64) -> Vec<u64> {
        let is_entry = self.code.entries.contains(&entry);
        let sources = self.code.sources.get(&entry).filter(|_| is_entry);
        sources.cloned().unwrap_or_default()
    }

    /// The instructions of the same function behind which `address` runs.
    fn before(&mut self, address: u64) -> Vec<u64> {
        let mut before = Vec::new();
        let code = self.code;
        match code.flow(address - 4) {
            Some(Flow::Next | Flow::Branch(_)) => before.push(address - 4),
            Some(Flow::Call(callee)) if self.can_return(callee) => before.push(address - 4),
            _ => {}
        }
        let function = code.function(address);
        if address != function {
            let sources = code.sources.get(&address).into_iter().flatten();
            before.extend(sources.filter(|&&source| code.function(source) == function));
            if before.is_empty() {
                // A table of the function leads there.
                before.extend(code.having(function, Flow::Register));
            }
        }
        before
    }

    /// The instructions that run behind `address`: also the caller's, where its function ends.
    pub(super) fn behind(&mut self, address: u64) -> Vec<u64> {
        let code = self.code;
        match code.flow(address) {
            Some(Flow::Next) => vec![address + 4],
            Some(Flow::Jump(to)) => vec![to],
            Some(Flow::Branch(to)) => vec![to, address + 4],
            Some(Flow::Call(callee)) if self.can_return(callee) => vec![address + 4],
            Some(Flow::Register) => {
                let function = code.function(address);
                let body: Vec<u64> = code.body(function).filter(|&one| one != function).collect();
                body.into_iter()
                    .filter(|&one| self.before(one).contains(&address))
                    .collect()
            }
            Some(Flow::Return) => {
                let mut behind = Vec::new();
                let mut functions = vec![code.function(address)];
                let mut seen = BTreeSet::new();
                while let Some(function) = functions.pop() {
                    for caller in self.callers(function) {
                        match code.flow(caller) {
                            Some(Flow::Call(_)) => behind.push(caller + 4),
                            // It returns to whoever called that one.
                            _ if seen.insert(caller) => functions.push(code.function(caller)),
                            _ => {}
                        }
                    }
                }
                behind
            }
            _ => Vec::new(),
        }
    }

    /// Whether a function that is called can return without passing any.
    fn can_return(&mut self, function: u64) -> bool {
        if let Some(&known) = self.summaries.get(&function) {
            return known;
        }
        // Who calls itself can, until it is known: then too many ways are found, not too few.
        self.summaries.insert(function, true);
        let code = self.code;
        let mut open = code.having(function, Flow::Return);
        open.extend(code.having(function, Flow::Register));
        for address in code.body(function) {
            if let Some(Flow::Jump(to)) = code.flow(address)
                && code.function(to) != function
                && self.can_return(code.function(to))
            {
                open.push(address);
            }
        }
        open.retain(|end| !self.passed.contains(end));
        let mut seen: BTreeSet<u64> = open.iter().copied().collect();
        let mut can = false;
        while let Some(address) = open.pop() {
            if address == function {
                can = true;
                break;
            }
            let before = self.before(address);
            open.extend(
                before
                    .into_iter()
                    .filter(|one| !self.passed.contains(one) && seen.insert(*one)),
            );
        }
        self.summaries.insert(function, can);
        can
    }
}
