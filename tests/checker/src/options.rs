//! What stands behind the plugin's name on QEMU's command line: `ram=FILE,base=ADDRESS,size=BYTES,log=FILE`, and
//! `frames=FIRST-END` for each range of instructions that store to a frame which nobody else has yet; `sites=FILE`: what is known of
//! single instructions, a word and an address on each line; `one-asid=on`: all spaces have one ASID, and each processor forgets
//! everything when it enters one.

use crate::machine::Machine;
use crate::ram::{Ram, Store};
use crate::report::Report;
use crate::rules::{Role, TakesFrame};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::ops::Range;

/// The options.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    ram: String,
    base: u64,
    size: u64,
    log: String,
    frames: Vec<Range<u64>>,
    has_one_asid: bool,
    references: HashSet<u64>,
    roles: HashMap<u64, Role>,
}

/// A number in decimal or, behind 0x, in hexadecimal digits.
///
/// # Errors
/// What is wrong with it.
pub fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("{text}: {error}"))
}

impl Options {
    /// From words like `base=0x40000000`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Options, String> {
        let mut options = Options::default();
        for word in words {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{word}: NAME=VALUE is wanted"))?;
            match name {
                "ram" => options.ram = value.to_owned(),
                "base" => options.base = number(value)?,
                "size" => options.size = number(value)?,
                "log" => options.log = value.to_owned(),
                "frames" => {
                    let (first, end) = value.split_once('-').ok_or("frames=FIRST-END is wanted")?;
                    options.frames.push(number(first)?..number(end)?);
                }
                "sites" => options.read_sites(value)?,
                "one-asid" => options.has_one_asid = value == "on",
                _ => return Err(format!("{name}: no such option")),
            }
        }
        Ok(options)
    }

    fn read_sites(&mut self, file: &str) -> Result<(), String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("data", address)) => drop(self.roles.insert(number(address)?, Role::Data)),
                Some(("relaxed", address)) => drop(self.roles.insert(number(address)?, Role::Relaxed)),
                Some(("reference", address)) => drop(self.references.insert(number(address)?)),
                _ => return Err(format!("{file}: {line:?}")),
            }
        }
        Ok(())
    }

    /// Whether the order between processors is looked at.
    pub fn has_roles(&self) -> bool {
        !self.roles.is_empty()
    }

    /// What the instruction at `pc` is to the order between processors.
    pub fn role(&self, pc: u64) -> Role {
        self.roles.get(&pc).copied().unwrap_or(Role::Unknown)
    }

    /// Whether the instruction at `pc` takes a reference to something that is counted away.
    pub fn drops_reference(&self, pc: u64) -> bool {
        self.references.contains(&pc)
    }

    /// Whether the instruction at `pc` takes a frame.
    pub fn takes_frame(&self, pc: u64) -> TakesFrame {
        if self.frames.iter().any(|range| range.contains(&pc)) {
            TakesFrame::Yes
        } else {
            TakesFrame::No
        }
    }

    /// The machine that they describe.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn machine(&self) -> Result<Machine, String> {
        let ram = File::open(&self.ram).map_err(|error| format!("{}: {error}", self.ram))?;
        let log = File::create(&self.log).map_err(|error| format!("{}: {error}", self.log))?;
        let ram = Ram::new(self.base, self.size, Store::File(ram));
        let mut machine = Machine::new(ram, Report::new(Box::new(log)));
        machine.has_one_asid = self.has_one_asid;
        machine.has_order = self.has_roles();
        Ok(machine)
    }
}

#[test]
fn options_are_read_or_refused() {
    let words = [
        "ram=/r",
        "base=0x40000000",
        "size=4096",
        "log=l",
        "frames=0x10-0x20",
    ];
    let options = Options::parse(words.into_iter()).expect("options");
    assert_eq!((options.base, options.size), (0x4000_0000, 4096));
    assert_eq!(options.takes_frame(0x1f), TakesFrame::Yes);
    assert_eq!(options.takes_frame(0x20), TakesFrame::No);
    for wrong in ["base", "base=x", "frames=1", "colour=red"] {
        assert!(Options::parse([wrong].into_iter()).is_err(), "{wrong}");
    }
}
