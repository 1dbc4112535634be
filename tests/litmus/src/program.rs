//! A litmus test as herd7 reads it: initial state, a list of instructions for each processor, a proposition.

use crate::condition::Condition;
use crate::instruction::{Instruction, Register};
use crate::value::{Entry, Place, Symbol, Value};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// The names of a test's memory.
#[derive(Clone, Default, Debug)]
pub struct Names(Vec<String>);

impl Names {
    /// The number of a name; a new one if it was not there.
    ///
    /// # Errors
    /// It is no name, or there are too many.
    pub fn symbol(&mut self, name: &str) -> Result<Symbol> {
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
        ensure!(is_name, "no name: {name}");
        let found = self.0.iter().position(|known| known == name);
        let place = found.unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        Symbol::try_from(place).context("too many names")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn call<'a>(text: &'a str, function: &str) -> Option<&'a str> {
        let inside = text.strip_prefix(function)?.trim().strip_prefix('(')?;
        Some(inside.strip_suffix(')')?.trim())
    }

    /// Reads a place: a name, or `PTE(name)`.
    ///
    /// # Errors
    /// It is neither.
    pub fn place(&mut self, text: &str) -> Result<Place> {
        match Names::call(text, "PTE") {
            Some(name) => Ok(Place::Entry(self.symbol(name)?)),
            None => Ok(Place::Data(self.symbol(text)?)),
        }
    }

    /// Reads a value: a number, a name, `PTE(name)`, `(oa:PA(name),valid:0,...)`.
    ///
    /// # Errors
    /// It is none.
    pub fn value(&mut self, text: &str) -> Result<Value> {
        if let Ok(number) = text.parse() {
            return Ok(Value::Number(number));
        }
        if let Some(name) = Names::call(text, "PTE") {
            return Ok(Value::EntryAddress(self.symbol(name)?));
        }
        if let Some(inside) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            return self.entry(inside);
        }
        Ok(Value::Address(self.symbol(text)?))
    }

    fn entry(&mut self, text: &str) -> Result<Value> {
        let mut entry = None;
        let mut changes: Vec<(&str, bool)> = Vec::new();
        for field in text.split(',') {
            let (name, value) = field
                .split_once(':')
                .with_context(|| format!("no field: {field}"))?;
            match (name.trim(), value.trim()) {
                ("oa", frame) => {
                    let name = Names::call(frame, "PA").with_context(|| format!("no PA: {frame}"))?;
                    entry = Some(Entry::of(self.symbol(name)?));
                }
                (name, "0") => changes.push((name, false)),
                (name, "1") => changes.push((name, true)),
                (name, value) => bail!("no bit: {name}:{value}"),
            }
        }
        let mut entry = entry.context("an entry without oa")?;
        for (name, is_set) in changes {
            match name {
                "valid" => entry.is_valid = is_set,
                "db" => entry.is_writable = is_set,
                "af" => entry.is_accessed = is_set,
                "el0" => entry.is_user = is_set,
                "dbm" => ensure!(!is_set, "hardware management of dirty bits is not modelled"),
                _ => bail!("unknown bit of an entry: {name}"),
            }
        }
        Ok(Value::Entry(entry))
    }
}

/// One processor's program.
#[derive(Clone, Default, Debug)]
pub struct Thread {
    /// Its instructions.
    pub instructions: Vec<Instruction>,
    /// Where labels stand.
    pub labels: BTreeMap<String, usize>,
    /// What registers hold at first, if not 0.
    pub registers: BTreeMap<Register, Value>,
    /// Whether it runs at EL0.
    pub is_user: bool,
    /// Where its exception handler begins, behind its program; without one, an exception ends it.
    pub handler: Option<usize>,
}

/// A test.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// The names of its memory.
    pub names: Names,
    /// What memory holds at first, if not 0 or its own page.
    pub memory: BTreeMap<Place, Value>,
    /// The processors.
    pub threads: Vec<Thread>,
    /// What is asked for.
    pub condition: Condition,
    /// Whether accesses are translated (variant `vmsa`).
    pub is_translated: bool,
    /// Whether a translation fault is ordered as if it were no fault (FEAT_ETS2).
    pub has_ets2: bool,
}

impl Program {
    /// Reads a test from the text of a `.litmus` file.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(text: &str) -> Result<Program> {
        let text = without_comments(text)?;
        let (head, rest) = text.split_once('{').context("no initial state")?;
        let (init, rest) = rest.split_once('}').context("the initial state is open")?;
        let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().context("no first line")?;
        let name = first
            .strip_prefix("AArch64")
            .context("not for AArch64")?
            .trim()
            .to_owned();
        let mut program = Program {
            name,
            names: Names::default(),
            memory: BTreeMap::new(),
            threads: Vec::new(),
            condition: Condition::True,
            is_translated: false,
            has_ets2: false,
        };
        let mut users = Vec::new();
        for line in lines {
            match line.split_once('=') {
                Some(("Variant", names)) => {
                    for name in names.split(',').map(str::trim) {
                        match name.to_ascii_lowercase().as_str() {
                            "vmsa" => program.is_translated = true,
                            "ets2" => program.has_ets2 = true,
                            "fatal" => {}
                            _ => bail!("unknown variant: {name}"),
                        }
                    }
                }
                Some(("EL0", names)) => {
                    for name in names.split(',') {
                        let number = name.trim().trim_start_matches('P');
                        users.push(
                            number
                                .parse::<usize>()
                                .with_context(|| format!("no processor: {name}"))?,
                        );
                    }
                }
                _ => {}
            }
        }
        let mut registers = BTreeMap::new();
        for one in init.split(';').map(str::trim).filter(|one| !one.is_empty()) {
            program
                .initial(one, &mut registers)
                .with_context(|| format!("initial state: {one}"))?;
        }
        let end = ["exists", "~exists", "forall"]
            .iter()
            .filter_map(|word| rest.find(word))
            .min();
        let (code, condition) = rest.split_at(end.context("no condition")?);
        program.code(code)?;
        for ((thread, register), value) in registers {
            let thread = program.threads.get_mut(thread).context("a register of nobody")?;
            thread.registers.insert(register, value);
        }
        for user in users {
            program.threads.get_mut(user).context("EL0 of nobody")?.is_user = true;
        }
        let word = condition.trim().trim_start_matches('~');
        let proposition = word
            .strip_prefix("exists")
            .or(word.strip_prefix("forall"))
            .context("no condition")?;
        program.condition = Condition::parse(proposition, &mut program.names)?;
        Ok(program)
    }

    fn initial(&mut self, text: &str, registers: &mut BTreeMap<(usize, Register), Value>) -> Result<()> {
        let (left, right) = text
            .split_once('=')
            .map_or((text, None), |(left, right)| (left, Some(right.trim())));
        let left = left.trim();
        let left = if left.starts_with('[') {
            left
        } else {
            left.rsplit(char::is_whitespace).next().context("nothing")?
        };
        let value = match right {
            Some(right) => self.names.value(right)?,
            None => Value::Number(0),
        };
        if let Some((thread, register)) = left.split_once(':') {
            let register = register
                .trim_start_matches(['X', 'W'])
                .parse()
                .context("no register")?;
            registers.insert((thread.parse().context("no processor")?, register), value);
            return Ok(());
        }
        let inside = left
            .strip_prefix('[')
            .and_then(|left| left.strip_suffix(']'))
            .unwrap_or(left);
        let place = self.names.place(inside.trim())?;
        self.memory.insert(place, value);
        Ok(())
    }

    fn code(&mut self, text: &str) -> Result<()> {
        let mut rows = text.split(';').map(str::trim).filter(|row| !row.is_empty());
        let heads: Vec<&str> = rows
            .next()
            .context("no processors")?
            .split('|')
            .map(str::trim)
            .collect();
        let mut columns = vec![Thread::default(); heads.len()];
        for row in rows {
            let cells: Vec<&str> = row.split('|').collect();
            ensure!(cells.len() == columns.len(), "a row of other length: {row}");
            for (thread, cell) in columns.iter_mut().zip(cells) {
                thread.take(cell.trim())?;
            }
        }
        for (head, column) in heads.iter().zip(columns) {
            match head.strip_suffix(".F") {
                None => self.threads.push(column),
                Some(name) => {
                    let number: usize = name
                        .trim_start_matches('P')
                        .parse()
                        .context("a handler of nobody")?;
                    self.threads
                        .get_mut(number)
                        .context("a handler of nobody")?
                        .handle_by(column);
                }
            }
        }
        Ok(())
    }
}

impl Thread {
    /// Takes the program of its exception handler, which stands in a column of its own.
    fn handle_by(&mut self, handler: Thread) {
        let start = self.instructions.len();
        self.handler = Some(start);
        self.instructions.extend(handler.instructions);
        self.labels
            .extend(handler.labels.into_iter().map(|(label, at)| (label, at + start)));
    }

    /// Whether the program has ended: behind its last instruction, or that of the handler.
    pub fn is_end(&self, at: usize) -> bool {
        at >= self.instructions.len() || self.handler == Some(at)
    }

    /// Takes a line: labels, and an instruction behind them.
    fn take(&mut self, line: &str) -> Result<()> {
        let mut line = line;
        while let Some((label, rest)) = line.split_once(':') {
            self.labels
                .insert(label.trim().to_owned(), self.instructions.len());
            line = rest.trim();
        }
        if !line.is_empty() {
            self.instructions.push(Instruction::parse(line)?);
        }
        Ok(())
    }
}

fn without_comments(text: &str) -> Result<String> {
    let (mut clean, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("(*") {
        clean.push_str(before);
        rest = behind.split_once("*)").context("a comment is open")?.1;
    }
    clean.push_str(rest);
    // herd7 writes doc lines in quotes behind the first one.
    let lines = clean.lines().filter(|line| !line.trim_start().starts_with('"'));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
