//! Whom a call by a register may reach: functions whose address stands in a table of the kernel's data, of the name that the source
//! has at that line, and at that place of the table. What is not found so is told by [`STATED`].

use super::code::{Call, Functions, Target};
use addr2line::Loader;
use anyhow::{Result, anyhow};
use object::{Object, ObjectSection, SectionKind};
use regex::Regex;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Calls whose name at the line is not the function's: a part of the file's path, one of the line, and of whom it calls.
const STATED: &[(&str, &str, &str)] = &[
    // What a thread's owner answers for it.
    ("sched/src/thread.rs", "answers", "Answers>::of"),
    // The table of calls.
    ("syscall/src/table.rs", "TABLE[", "CALLS::{closure"),
    // `Any::type_id` calls nobody.
    ("core/src/any.rs", "", ""),
    // Values that are shown.
    ("core/src/fmt", "", "fmt"),
];

/// The tables of functions in the kernel's data.
struct Tables {
    /// At each place of a table.
    at: BTreeMap<u64, BTreeSet<u64>>,
    /// With what drops the object first.
    drops: Vec<(u64, Vec<u64>)>,
    taken: BTreeSet<u64>,
}

fn words(file: &object::File<'_>) -> Result<Vec<Vec<u64>>> {
    let mut all = Vec::new();
    for section in file.sections() {
        if matches!(
            section.kind(),
            SectionKind::ReadOnlyData | SectionKind::ReadOnlyString | SectionKind::Data
        ) {
            let bytes = section.data()?.chunks_exact(8);
            all.push(
                bytes
                    .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
                    .collect(),
            );
        }
    }
    Ok(all)
}

impl Tables {
    fn new(file: &object::File<'_>, functions: &Functions) -> Result<Tables> {
        let mut tables = Tables {
            at: BTreeMap::new(),
            drops: Vec::new(),
            taken: BTreeSet::new(),
        };
        for words in words(file)? {
            let is_function =
                |index: usize| words.get(index).is_some_and(|word| functions.contains_key(word));
            tables
                .taken
                .extend(words.iter().filter(|word| functions.contains_key(word)));
            // What drops it or nothing, size, alignment, the methods.
            let begins = |index: usize| {
                let is_drop = is_function(index) || words.get(index) == Some(&0);
                let size = words.get(index + 1).copied().unwrap_or(u64::MAX);
                let alignment = words.get(index + 2).copied().unwrap_or_default();
                is_drop
                    && alignment.is_power_of_two()
                    && alignment <= 4096
                    && size < 1 << 20
                    && size.is_multiple_of(alignment)
                    && is_function(index + 3)
            };
            let mut index = 0;
            while index < words.len() {
                if !begins(index) {
                    index += 1;
                    continue;
                }
                let first = index;
                index += 3;
                while is_function(index) && !(index > first + 3 && begins(index)) {
                    index += 1;
                }
                tables.add(&words[first..index]);
            }
        }
        Ok(tables)
    }

    fn add(&mut self, table: &[u64]) {
        for (place, &function) in table.iter().enumerate() {
            if self.taken.contains(&function) && (place == 0 || place > 2) {
                self.at.entry(place as u64).or_default().insert(function);
            }
        }
        if table[0] != 0 {
            self.drops.push((table[0], table[3..].to_vec()));
        }
    }
}

/// The last word of a function's path, without types.
fn method(name: &str) -> &str {
    let mut depth = 0;
    let mut end = name.len();
    for (at, letter) in name.char_indices().rev() {
        match letter {
            '>' => depth += 1,
            '<' => {
                depth -= 1;
                if depth == 0 && at + 1 < end && name[at..].ends_with('>') {
                    end = at;
                }
            }
            ':' if depth == 0 => return &name[at + 1..end],
            _ => {}
        }
    }
    &name[..end]
}

/// Where a call stands: the function that it was written in, however deep inlined, file and line.
struct Place {
    chain: Vec<String>,
    file: String,
    line: u32,
}

/// Whom calls by registers reach.
pub struct Indirect<'a> {
    functions: &'a Functions,
    tables: Tables,
    loader: Loader,
    by_method: HashMap<String, BTreeSet<u64>>,
    called: Regex,
    of_trait: Regex,
    sources: RefCell<HashMap<String, Vec<String>>>,
}

impl<'a> Indirect<'a> {
    /// Of this kernel.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(elf: &Path, file: &object::File<'_>, functions: &'a Functions) -> Result<Indirect<'a>> {
        let tables = Tables::new(file, functions)?;
        let mut by_method: HashMap<String, BTreeSet<u64>> = HashMap::new();
        for &address in &tables.taken {
            let name = method(&functions[&address].name).to_owned();
            by_method.entry(name).or_default().insert(address);
        }
        Ok(Indirect {
            functions,
            tables,
            loader: Loader::new(elf).map_err(|error| anyhow!("{}: {error}", elf.display()))?,
            by_method,
            called: Regex::new(r"\b([a-z_][a-z_0-9]*)\(")?,
            of_trait: Regex::new(r"dyn ([\w:]+)")?,
            sources: RefCell::default(),
        })
    }

    fn place(&self, address: u64) -> Place {
        let mut place = Place {
            chain: Vec::new(),
            file: String::new(),
            line: 0,
        };
        let Ok(mut frames) = self.loader.find_frames(address) else {
            return place;
        };
        while let Ok(Some(frame)) = frames.next() {
            if place.chain.is_empty()
                && let Some(location) = &frame.location
            {
                place.file = location.file.unwrap_or_default().to_owned();
                place.line = location.line.unwrap_or_default();
            }
            let name = frame.function.as_ref().and_then(|name| name.demangle().ok());
            place.chain.push(name.map(String::from).unwrap_or_default());
        }
        place
    }

    fn line(&self, place: &Place) -> String {
        let mut sources = self.sources.borrow_mut();
        let lines = sources.entry(place.file.clone()).or_insert_with(|| {
            let text = std::fs::read_to_string(&place.file).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        });
        lines
            .get((place.line as usize).wrapping_sub(1))
            .cloned()
            .unwrap_or_default()
    }

    /// Whoever drops an object behind a trait that the place names.
    fn drops(&self, place: &Place) -> BTreeSet<u64> {
        let chain = place.chain.join(" ");
        let wanted = self.of_trait.captures(&chain).map(|found| {
            let path = found[1].trim_end_matches(':');
            path.rsplit("::").next().unwrap_or(path).to_owned()
        });
        let is_of = |methods: &[u64]| {
            wanted.as_ref().is_none_or(|wanted| {
                methods
                    .iter()
                    .any(|method| self.functions[method].name.contains(wanted))
            })
        };
        let drops = self.tables.drops.iter();
        drops
            .filter(|(_, methods)| is_of(methods))
            .map(|(drop, _)| *drop)
            .collect()
    }

    /// Whom the call reaches; `Err` with what stands there if nobody can tell.
    ///
    /// # Errors
    /// See above.
    pub fn reached(&self, call: &Call) -> Result<BTreeSet<u64>, String> {
        let Target::Register(slot) = call.to else {
            return Ok(BTreeSet::new());
        };
        let place = self.place(call.at);
        let line = self.line(&place);
        for (file, part, callee) in STATED {
            if place.file.contains(file) && line.contains(part) {
                let is_it = |name: &str| !callee.is_empty() && name.contains(callee);
                let taken = self.tables.taken.iter().copied();
                return Ok(taken
                    .filter(|function| is_it(&self.functions[function].name))
                    .collect());
            }
        }
        let innermost = place.chain.first().map(String::as_str).unwrap_or_default();
        if slot == Some(0) || slot.is_none() && innermost.contains("drop_in_place") {
            return Ok(self.drops(&place));
        }
        let mut names: Vec<&str> = self
            .called
            .captures_iter(&line)
            .filter_map(|found| found.get(1))
            .map(|name| name.as_str())
            .collect();
        names.push(method(innermost));
        let named = names
            .iter()
            .filter_map(|name| self.by_method.get(*name))
            .flatten()
            .copied();
        let at = slot
            .filter(|&slot| slot < 64)
            .and_then(|slot| self.tables.at.get(&slot));
        let mut found: BTreeSet<u64> = named
            .filter(|function| at.is_none_or(|at| at.contains(function)))
            .collect();
        if place.file.contains("platform/src/") {
            // Platform calls nobody above it but closures that it was given.
            found.retain(|function| {
                let name = &self.functions[function].name;
                ["platform::", "{closure", "fmt"]
                    .iter()
                    .any(|part| name.contains(part))
            });
        }
        if found.is_empty() {
            let file = place
                .file
                .rsplit_once("/src/")
                .map_or(place.file.as_str(), |(_, file)| file);
            return Err(format!("{file}:{} {}", place.line, line.trim()));
        }
        Ok(found)
    }
}
