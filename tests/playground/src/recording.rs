//! The recording of a real run, as `cowtrace -r` writes it: what /proc showed of a process before it, what came to the kernel, and what
//! /proc showed of all that were left.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use mm::{Access, Protection, Sharing};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Before.
    pub begin: Vec<Shown>,
    /// What happened to memory, in its order.
    pub records: Vec<Record>,
    /// Behind.
    pub end: Vec<Shown>,
}

/// What /proc showed of a process.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Its number.
    pub pid: u32,
    /// The lines of maps.
    pub areas: Vec<AreaLine>,
    /// The root, and how many references it has.
    pub root: (u64, u32),
    /// The other lines of translation.
    pub entries: Vec<EntryLine>,
}

/// A line of maps.
#[derive(Clone, Debug)]
pub struct AreaLine {
    /// From here,
    pub start: u64,
    /// up to there.
    pub end: u64,
    /// What may be done.
    pub rights: Protection,
    /// Private or shared.
    pub sharing: Sharing,
    /// The first page of the file.
    pub first: u64,
    /// The file, as device and inode; empty for none.
    pub file: String,
    /// What stands at the end of the line.
    pub name: String,
}

/// A line of translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryLine {
    /// 1 to 3.
    pub level: u8,
    /// What it translates first.
    pub address: u64,
    /// The descriptor.
    pub descriptor: u64,
    /// The frame that it points to.
    pub frame: u64,
    /// References to that.
    pub references: u32,
}

/// A record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose it is.
    pub pid: u32,
    /// What is to be done again.
    pub what: What,
    /// What was counted for it.
    pub counts: BTreeMap<String, u64>,
    /// From the event on, as the kernel wrote it.
    pub line: String,
}

/// What came to the kernel.
#[derive(Clone, Debug)]
pub enum What {
    /// A fault.
    Fault(u64, Access),
    /// A fork with its child, and the stack pointer of who forks.
    Fork(u32, u64),
    /// brk(2), with its result.
    Brk(u64),
    /// munmap(2).
    Unmap(u64, u64),
    /// madvise(2), MADV_DONTNEED.
    Discard(u64, u64),
    /// The end.
    Exit,
}

impl Recording {
    /// Reads it.
    ///
    /// # Errors
    /// It is none, or has what cannot be done again.
    pub fn parse(text: &str) -> Result<Recording, String> {
        let mut lines = text.lines();
        if lines.next() != Some("@recording 1") {
            return Err("no recording: `cowtrace -r FILE` writes one".to_string());
        }
        let (mut recording, mut part, mut is_end) = (Recording::default(), "", false);
        for line in lines.filter(|line| !line.is_empty()) {
            let trouble = || format!("not understood: {line}");
            if let Some(head) = line.strip_prefix('@') {
                let (word, number) = head.split_once(' ').unwrap_or((head, ""));
                if let Ok(pid) = number.parse() {
                    is_end = word == "end";
                    let list = if is_end {
                        &mut recording.end
                    } else {
                        &mut recording.begin
                    };
                    list.push(Shown {
                        pid,
                        ..Shown::default()
                    });
                }
                part = word;
                continue;
            }
            let list = if is_end {
                &mut recording.end
            } else {
                &mut recording.begin
            };
            match (part, list.last_mut()) {
                ("maps", Some(shown)) => shown.areas.push(area(line).ok_or_else(trouble)?),
                ("translation", Some(shown)) => translation(line, shown).ok_or_else(trouble)?,
                ("records", _) => recording.records.extend(record(line)?),
                _ => return Err(trouble()),
            }
        }
        recording.put_forks_first()?;
        Ok(recording)
    }

    /// A fork is written down when its parent goes on: its child may have been faster.
    fn put_forks_first(&mut self) -> Result<(), String> {
        let mut known: Vec<u32> = self.begin.iter().map(|shown| shown.pid).collect();
        let mut at = 0;
        while let Some(record) = self.records.get(at) {
            if !known.contains(&record.pid) {
                let makes = |record: &Record| matches!(record.what, What::Fork(child, _) if child == self.records[at].pid);
                let fork = self.records.iter().position(makes);
                let fork = fork.filter(|fork| *fork > at);
                let fork = fork.ok_or_else(|| format!("nobody forks process {}", record.pid))?;
                let fork = self.records.remove(fork);
                self.records.insert(at, fork);
                continue;
            }
            if let What::Fork(child, _) = record.what {
                known.push(child);
            }
            at += 1;
        }
        Ok(())
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

fn area(line: &str) -> Option<AreaLine> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    let offset = words.next()?;
    let (device, inode) = (words.next()?, words.next()?);
    let name = words.next().unwrap_or("").to_string();
    let is_of_file = inode != "0" || name == "[vdso]" || name == "[vvar]";
    Some(AreaLine {
        start: hex(start)?,
        end: hex(end)?,
        rights: Protection {
            read: rights.contains('r'),
            write: rights.contains('w'),
            execute: rights.contains('x'),
        },
        sharing: if rights.ends_with('s') {
            Sharing::Shared
        } else {
            Sharing::Private
        },
        first: hex(offset)? >> 12,
        file: if is_of_file {
            format!("{device} {inode} {name}")
        } else {
            String::new()
        },
        name,
    })
}

fn translation(line: &str, shown: &mut Shown) -> Option<()> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["asid", _] => {}
        ["root", frame, "references", count] => shown.root = (hex(frame)?, count.parse().ok()?),
        [level, _, address, descriptor, "->", frame, "references", count] => shown.entries.push(EntryLine {
            level: level.strip_prefix('L')?.parse().ok()?,
            address: hex(address)?,
            descriptor: hex(descriptor)?,
            frame: hex(frame)?,
            references: count.parse().ok()?,
        }),
        _ => return None,
    }
    Some(())
}

/// `None`: it changes no memory.
fn record(line: &str) -> Result<Option<Record>, String> {
    let trouble = || format!("not understood: {line}");
    let (head, rest) = line.split_once(") [").ok_or_else(trouble)?;
    let (_, pid) = head.rsplit_once('(').ok_or_else(trouble)?;
    let pid = pid.trim().parse().map_err(|_| trouble())?;
    let (_, told) = rest.split_once(": ").ok_or_else(trouble)?;
    let (event, about) = told.split_once(':').ok_or_else(trouble)?;
    let value = |name: &str| about.split(' ').find_map(|word| word.strip_prefix(name));
    let number = |name: &str| value(name).and_then(hex).ok_or_else(trouble);
    let what = match event {
        "fault" => {
            let access = match value("access=") {
                Some("read") => Access::Read,
                Some("write") => Access::Write,
                Some("execute") => Access::Execute,
                _ => return Err(trouble()),
            };
            What::Fault(number("address=")?, access)
        }
        "exit" => What::Exit,
        "call" => match call(about, number("sp=")).ok_or_else(trouble)? {
            Some(what) => what,
            None => return Ok(None),
        },
        "exec" | "swap" | "access" => return Err(format!("cannot be done again here: {told}")),
        _ => return Ok(None),
    };
    let counts = about.split(' ').filter_map(|word| word.split_once('='));
    let counts = counts.filter_map(|(name, count)| Some((name.to_string(), count.parse().ok()?)));
    Ok(Some(Record {
        pid,
        what,
        counts: counts.collect(),
        line: told.to_string(),
    }))
}

/// `Some(None)`: it changes no memory. `None`: it does, in a way that is not known here.
fn call(about: &str, stack: Result<u64, String>) -> Option<Option<What>> {
    let (name, rest) = about.trim_start().split_once('(')?;
    let (arguments, result) = rest.split_once(") = ")?;
    let arguments: Vec<u64> = arguments.split(", ").map(hex).collect::<Option<_>>()?;
    let result = result.split(' ').next()?;
    if result.starts_with('-') {
        return Some(None);
    }
    let &[first, second, third] = arguments.as_slice() else {
        return None;
    };
    const DONTNEED: u64 = 4;
    const SHARES_MEMORY: u64 = 0x100;
    Some(Some(match name {
        "clone" if first & SHARES_MEMORY == 0 => What::Fork(hex(result)? as u32, stack.ok()?),
        "brk" => What::Brk(hex(result)?),
        "munmap" => What::Unmap(first, second),
        "madvise" if third == DONTNEED => What::Discard(first, second),
        "read" | "write" | "wait4" | "exit" | "exit_group" => return Some(None),
        _ => return None,
    }))
}
