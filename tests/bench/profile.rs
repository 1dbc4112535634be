//! Where the instructions go: the machine prints the address of each instruction that it executes, and those between
//! the benchmark's marks are counted by function.

use crate::instructions::{Kind, Text};
use crate::machine::{self, Machine};
use ::tests::monitor::Monitor;
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSymbol};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::Receiver;

/// Short names for what is asked for most.
const SHORT: [(&str, &str); 6] = [
    ("fault", "demand_zero"),
    ("copy", "copy_sequential"),
    ("switch", "yield"),
    ("life", "fork_exit_wait"),
    ("exec", "fork_exec_wait"),
    ("mmap", "mmap_munmap"),
];
/// From then on the machine executes instructions one by one and writes each one's address to the log. It is some hundred times slower,
/// and so is told when it has come to what is to be looked at.
const TRACE: [&str; 2] = ["one-insn-per-tb on", "log exec,nochain"];
/// How many functions are listed.
const LISTED: usize = 40;

/// The kernel's half of the address space.
pub fn is_kernel(address: u64) -> bool {
    address >> 63 == 1
}

/// The words for the benchmark that do a row, `ROW` or `ROW/MIB`, between marks.
fn arguments(what: &str, words: &[String]) -> Vec<String> {
    let (what, size) = what.split_once('/').unwrap_or((what, ""));
    let row = SHORT
        .iter()
        .find(|(short, _)| *short == what)
        .map_or(what, |(_, row)| row);
    let mut arguments = vec!["marks".to_owned(), row.to_owned()];
    arguments.extend_from_slice(words);
    if !words.iter().any(|word| word.starts_with("sizes=")) {
        let usual = if ["work", "snapshot"].contains(&row) {
            "1024"
        } else {
            "0"
        };
        arguments.push(format!("sizes={}", if size.is_empty() { usual } else { size }));
    }
    arguments
}

/// Profiles a row, and prints the functions that cost most.
pub fn run(machine: &Machine, what: &str, words: &[String]) -> Result<()> {
    let (trace, row, operations) = trace(machine, what, words)?;
    let kernel = machine.built.join("kernel.elf");
    let functions = by_function(&trace.executed, &kernel)?;
    print!("{}", render(&row, operations, &trace, &functions));
    println!("{}", dear(&trace.executed, &Text::of(&kernel)?, operations));
    Ok(())
}

/// The kernel's addresses that a row comes by, in the order in which it first does.
pub fn first_executed(machine: &Machine, what: &str) -> Result<Vec<u64>> {
    let (trace, ..) = trace(machine, what, &[])?;
    Ok(trace
        .first
        .into_iter()
        .filter(|address| is_kernel(*address))
        .collect())
}

/// Boots, and traces a row; with its name and its number of operations.
fn trace(machine: &Machine, what: &str, words: &[String]) -> Result<(Trace, String, u64)> {
    let marks = Marks::of(&machine::programs(&machine.built).join("bench"))?;
    let mut command = machine.command(&arguments(what, words))?;
    let socket = format!("holstein-monitor-{}", std::process::id());
    let monitor = Monitor::new(std::env::temp_dir().join(socket));
    let mut child = command
        .args(monitor.arguments())
        .args(["-D", "/dev/stderr"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("qemu-system-aarch64")?;
    let console = machine::lines(child.stdout.take().context("no standard output")?);
    let input = child.stdin.take().context("no standard input")?;
    let log = child.stderr.take().context("no standard error")?;
    let mut trace = Trace::new(marks);
    let (announced, traced) = std::thread::scope(|scope| {
        let announced = scope.spawn(|| attend(console, &monitor, input));
        let traced = trace.read(BufReader::with_capacity(1 << 20, log));
        (announced.join(), traced)
    });
    machine::end(&mut child)?;
    traced?;
    let announced = announced.map_err(|_| anyhow::anyhow!("the console's thread panicked"))??;
    let (row, operations) = announced.with_context(|| format!("no row {what} can be profiled"))?;
    ensure!(trace.windows > 0, "{row} never passed its marks");
    Ok((trace, row, operations))
}

/// Waits until the benchmark announces what it will do between marks, turns the trace on, and lets it go on. Gives the row
/// and its number of operations; those of the first if there are several.
fn attend(
    console: Receiver<String>,
    monitor: &Monitor,
    mut input: impl Write,
) -> Result<Option<(String, u64)>> {
    let mut first = None;
    for line in console {
        if let Some(announced) = announced(&line) {
            let traced = monitor.order(&TRACE);
            // Without a trace it comes to its end too, which who reads the log waits for.
            input.write_all(b"\n")?;
            traced?;
            first.get_or_insert(announced);
        }
    }
    Ok(first)
}

/// The row and the number of operations of `bench-marked ROW OPERATIONS`.
pub fn announced(line: &str) -> Option<(String, u64)> {
    let (row, operations) = line.trim().strip_prefix("bench-marked\t")?.split_once('\t')?;
    Some((row.to_owned(), operations.parse().ok()?))
}

/// The addresses of the marks in the benchmark.
pub struct Marks {
    /// `mark_begin`
    pub begin: u64,
    /// `mark_end`
    pub end: u64,
    /// `mark_deed`
    pub deed: u64,
}

impl Marks {
    /// Of the benchmark's program.
    pub fn of(program: &Path) -> Result<Marks> {
        let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
        let elf = object::File::parse(bytes.as_slice())?;
        let address = |name| {
            let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
            symbol
                .map(|symbol| symbol.address())
                .with_context(|| format!("the benchmark has no {name}"))
        };
        Ok(Marks {
            begin: address("mark_begin")?,
            end: address("mark_end")?,
            deed: address("mark_deed")?,
        })
    }
}

/// How often each address was executed between the marks.
struct Trace {
    marks: Marks,
    is_between: bool,
    windows: u64,
    executed: HashMap<u64, u64>,
    /// These addresses in the order in which they were first executed.
    first: Vec<u64>,
}

impl Trace {
    fn new(marks: Marks) -> Trace {
        Trace {
            marks,
            is_between: false,
            windows: 0,
            executed: HashMap::new(),
            first: Vec::new(),
        }
    }

    fn read(&mut self, mut log: impl BufRead) -> Result<()> {
        let mut line = Vec::new();
        while log.read_until(b'\n', &mut line)? > 0 {
            if let Some(address) = address(&line) {
                self.execute(address);
            }
            line.clear();
        }
        Ok(())
    }

    fn execute(&mut self, address: u64) {
        if address == self.marks.begin {
            self.is_between = true;
            self.windows += 1;
        } else if address == self.marks.end {
            self.is_between = false;
        }
        if self.is_between {
            let count = self.executed.entry(address).or_default();
            *count += 1;
            if *count == 1 {
                self.first.push(address);
            }
        }
    }

    fn count(&self, is_counted: fn(u64) -> bool) -> u64 {
        let counted = self.executed.iter().filter(|(address, _)| is_counted(**address));
        counted.map(|(_, count)| count).sum()
    }
}

/// The program counter of a line `Trace 0: HOST [CS/PC/FLAGS/CFLAGS] NAME`.
fn address(line: &[u8]) -> Option<u64> {
    let rest = &line[line.iter().position(|&byte| byte == b'[')?..];
    let mut fields = rest.split(|&byte| byte == b'/');
    let counter = std::str::from_utf8(fields.nth(1)?).ok()?;
    u64::from_str_radix(counter, 16).ok()
}

/// Adds up the kernel's instructions by the function of our source that they were written in, inlined or not.
fn by_function(executed: &HashMap<u64, u64>, kernel: &Path) -> Result<Vec<(String, u64)>> {
    let loader =
        addr2line::Loader::new(kernel).map_err(|error| anyhow::anyhow!("{}: {error}", kernel.display()))?;
    let mut functions: HashMap<String, u64> = HashMap::new();
    for (&address, count) in executed.iter().filter(|(address, _)| is_kernel(**address)) {
        *functions.entry(function(&loader, address)).or_default() += count;
    }
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Ok(functions)
}

/// `file::function` of the innermost frame that is ours; of the standard library's own functions and of assembly, the
/// symbol.
pub fn function(loader: &addr2line::Loader, address: u64) -> String {
    let mut outermost = None;
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|name| name.demangle().ok());
            let file = frame.location.as_ref().and_then(|location| location.file);
            if let (Some(name), Some(file)) = (&name, file)
                && is_ours(file)
            {
                return format!("{}::{}", stem(file), plain(name));
            }
            outermost = name.map(|name| plain(&name).to_owned()).or(outermost);
        }
    }
    outermost
        .or_else(|| {
            loader
                .find_symbol(address)
                .map(|name| rustc_demangle::demangle(name).to_string())
        })
        .unwrap_or_else(|| format!("{address:#x}"))
}

/// A function's name without the types that it was made for.
pub fn plain(name: &str) -> &str {
    match name.find('<') {
        None | Some(0) => name,
        Some(end) => &name[..end],
    }
}

fn is_ours(file: &str) -> bool {
    !file.starts_with("/rustc/") && !file.contains("/registry/") && !file.contains("/rustlib/")
}

/// `mm/fault` of `/anywhere/kernel/mm/src/fault.rs`.
fn stem(file: &str) -> String {
    let file = file.strip_suffix(".rs").unwrap_or(file);
    let (folder, rest) = file.rsplit_once("/src/").unwrap_or(("", file));
    let rest = rest.strip_suffix("/mod").unwrap_or(rest);
    format!("{}/{rest}", folder.rsplit('/').next().unwrap_or_default())
}

fn render(row: &str, operations: u64, trace: &Trace, functions: &[(String, u64)]) -> String {
    let per = |count: u64| count as f64 / operations as f64;
    let kernel = trace.count(is_kernel);
    let user = trace.count(|address| !is_kernel(address));
    let mut text = format!(
        "{row}: {operations} operations; for each {:.1} instructions in the kernel, {:.1} in the program\n",
        per(kernel),
        per(user)
    );
    for (name, count) in functions.iter().take(LISTED) {
        let percent = *count as f64 * 100.0 / kernel.max(1) as f64;
        text += &format!("{:>12.1} {percent:>5.1}%  {name}\n", per(*count));
    }
    let rest: u64 = functions.iter().skip(LISTED).map(|(_, count)| count).sum();
    text + &format!(
        "{:>12.1}         in {} others\n",
        per(rest),
        functions.len().saturating_sub(LISTED)
    )
}

/// How many of the kernel's instructions, for each operation, are of the kinds that cost more than they count for.
fn dear(executed: &HashMap<u64, u64>, text: &Text, operations: u64) -> String {
    let mut counts: HashMap<Kind, u64> = HashMap::new();
    for (&address, count) in executed.iter().filter(|(address, _)| is_kernel(**address)) {
        if let Some(kind) = text.word(address).and_then(Kind::of) {
            *counts.entry(kind).or_default() += count;
        }
    }
    let kinds = Kind::ALL.iter().filter_map(|(kind, name)| {
        let count = *counts.get(kind)? as f64 / operations as f64;
        Some(format!("{name} {count:.2}"))
    });
    format!("of which, for each: {}", kinds.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_counts() {
        let line =
            |address: u64| format!("Trace 0: 0x7f317c [00004000/{address:016x}/00000521/ff022201] name\n");
        let counters = [
            0x4000,
            0x100,
            0xffff_ffff_8000_0000,
            0xffff_ffff_8000_0000,
            0x104,
            0x200,
            0x4000,
        ];
        let log: String = counters.into_iter().map(line).collect();
        let mut trace = Trace::new(Marks {
            begin: 0x100,
            end: 0x200,
            deed: 0x300,
        });
        trace
            .read(format!("{log}not a trace\n").as_bytes())
            .expect("a trace");
        assert_eq!((trace.windows, trace.count(is_kernel)), (1, 2));
        assert_eq!(trace.count(|address| !is_kernel(address)), 2);
        assert_eq!(trace.first, [0x100, 0xffff_ffff_8000_0000, 0x104]);
    }

    #[test]
    fn sizes_stand_behind_a_slash_or_by_themselves() {
        assert_eq!(arguments("copy", &[]), ["marks", "copy_sequential", "sizes=0"]);
        assert_eq!(arguments("fork/1024", &[]), ["marks", "fork", "sizes=1024"]);
        assert_eq!(arguments("snapshot", &[]), ["marks", "snapshot", "sizes=1024"]);
        let words = ["sizes=16".to_owned()];
        assert_eq!(arguments("work", &words), ["marks", "work", "sizes=16"]);
    }

    #[test]
    fn announcements_are_understood() {
        let found = announced("bench-marked\twork/16\t1\r");
        assert_eq!(found, Some(("work/16".to_owned(), 1)));
        // The self test of a board's UART sends a carriage return.
        assert!(announced("\rbench-marked\tfork/0\t1\r").is_some());
        assert_eq!(announced("bench\tfork/0\tns"), None);
    }

    #[test]
    fn names_lose_their_types() {
        assert_eq!(
            plain("handle_fault<platform::memory::mmu::BoardMmu>"),
            "handle_fault"
        );
        assert_eq!(plain("memcpy"), "memcpy");
    }

    #[test]
    fn files_are_named_by_crate_and_place() {
        assert_eq!(stem("/x/kernel/mm/src/fault.rs"), "mm/fault");
        assert_eq!(stem("/x/kernel/src/signal/mod.rs"), "kernel/signal");
        assert!(!is_ours("/rustc/abc/library/core/src/option.rs") && is_ours("/x/kernel/src/main.rs"));
    }
}
