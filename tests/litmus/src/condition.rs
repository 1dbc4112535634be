//! What a test asks for: a proposition about the end of an execution.

use crate::event::FaultKind;
use crate::instruction::Register;
use crate::program::Names;
use crate::value::{Place, Symbol, Value};
use anyhow::{Context, Result, bail, ensure};

/// A proposition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// A register of a processor holds that.
    Register(usize, Register, Value),
    /// A place holds that in the end.
    Place(Place, Value),
    /// The instruction at a label of a processor faulted; on an address and for a reason, if they are named.
    Fault(usize, String, Option<Symbol>, Option<FaultKind>),
    /// It does not hold.
    Not(Box<Condition>),
    /// Both hold.
    Both(Box<Condition>, Box<Condition>),
    /// One of them holds.
    Either(Box<Condition>, Box<Condition>),
    /// Always.
    True,
}

impl Condition {
    /// Whether it holds, as far as `atom` knows its parts.
    pub fn holds(&self, atom: &dyn Fn(&Condition) -> Option<bool>) -> Option<bool> {
        match self {
            Condition::True => Some(true),
            Condition::Not(inner) => inner.holds(atom).map(|holds| !holds),
            Condition::Both(one, other) => match (one.holds(atom), other.holds(atom)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Condition::Either(one, other) => match (one.holds(atom), other.holds(atom)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            part => atom(part),
        }
    }

    /// Reads one: atoms `0:X1=2`, `[x]=1`, `x=1`, `fault(P0:L0,x)`, joined by `/\`, `\/`, `not`, `~`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str, names: &mut Names) -> Result<Condition> {
        let mut parser = Parser {
            rest: text.trim(),
            names,
        };
        let condition = parser.either()?;
        ensure!(parser.rest.is_empty(), "behind the condition: {}", parser.rest);
        Ok(condition)
    }
}

struct Parser<'a> {
    rest: &'a str,
    names: &'a mut Names,
}

impl<'a> Parser<'a> {
    fn takes(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else {
            return false;
        };
        self.rest = rest.trim_start();
        true
    }

    fn upto(&mut self, ends: &[char]) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.trim()
    }

    fn either(&mut self) -> Result<Condition> {
        let mut left = self.both()?;
        while self.takes("\\/") {
            left = Condition::Either(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Condition> {
        let mut left = self.one()?;
        while self.takes("/\\") {
            left = Condition::Both(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Condition> {
        if self.takes("not") || self.takes("~") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.takes("(") {
            let inner = self.either()?;
            ensure!(self.takes(")"), "a bracket is open at: {}", self.rest);
            return Ok(inner);
        }
        if self.takes("true") {
            return Ok(Condition::True);
        }
        if self.takes("fault") || self.takes("Fault") {
            return self.fault();
        }
        self.equation()
    }

    fn fault(&mut self) -> Result<Condition> {
        ensure!(self.takes("("), "fault wants brackets");
        let inside = self.upto(&[')']);
        ensure!(self.takes(")"), "a bracket is open");
        let mut parts = inside.split(',').map(str::trim);
        let place = parts.next().context("fault of whom?")?;
        let (thread, label) = place
            .split_once(':')
            .with_context(|| format!("no label: {place}"))?;
        let thread = thread.trim_start_matches('P').parse().context("no processor")?;
        let symbol = parts.next().map(|name| self.names.symbol(name)).transpose()?;
        let kind = match parts.next().map(|kind| kind.trim_start_matches("MMU:")) {
            None => None,
            Some("Translation") => Some(FaultKind::Translation),
            Some("AccessFlag") => Some(FaultKind::AccessFlag),
            Some("Permission") => Some(FaultKind::Permission),
            Some(kind) => bail!("unknown fault: {kind}"),
        };
        Ok(Condition::Fault(thread, label.trim().to_owned(), symbol, kind))
    }

    fn equation(&mut self) -> Result<Condition> {
        let left = self.upto(&['=']);
        ensure!(self.takes("="), "no equation at: {left}");
        let right = if self.rest.starts_with('(') {
            let end = self.rest.find("))").map_or(self.rest.len(), |end| end + 2);
            let (taken, rest) = self.rest.split_at(end);
            self.rest = rest;
            taken
        } else {
            self.upto(&['/', '\\', ')', ' '])
        };
        self.rest = self.rest.trim_start();
        let value = self.names.value(right.trim())?;
        let left = left.trim();
        if let Some((thread, register)) = left.split_once(':') {
            let register = register.trim().trim_start_matches(['X', 'W']);
            let (Ok(thread), Ok(register)) = (thread.trim().parse(), register.parse()) else {
                bail!("no register: {left}");
            };
            return Ok(Condition::Register(thread, register, value));
        }
        let inside = left
            .strip_prefix('[')
            .and_then(|left| left.strip_suffix(']'))
            .unwrap_or(left);
        Ok(Condition::Place(self.names.place(inside.trim())?, value))
    }
}
