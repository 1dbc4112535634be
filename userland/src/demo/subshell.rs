//! Q13: a shell line with a subshell in it, looked at while the subshell is in the middle of its write(2).

use abi::file::{AtFlags, OpenFlags, S_IFIFO};
use abi::signal::Signal;
use abi::time::TimeSpec;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::sibling::pause_command;
use super::story::Story;
use crate::pages::{Area, PageMap, Translation, areas};
use crate::runtime::file::{self, File};
use crate::runtime::memory::PAGE;
use crate::runtime::process::{self, Fork, WaitStatus};
use crate::runtime::{Errno, Result, directory, environment, signal, time};

/// The subshell's file: a pipe with a name that is full at first, so that a write waits.
const FILE: &str = "/tmp/.cow-q13";

/// Pages of a process, compared with its parent's at the same addresses.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Pages {
    /// Both have one frame.
    shared: usize,
    /// Each has a frame of its own.
    copied: usize,
    /// The parent has not used it so far: a page of their program's file, or one that the child added.
    new: usize,
}

impl Pages {
    fn sum(self) -> usize {
        self.shared + self.copied + self.new
    }

    fn add(&mut self, other: Pages) {
        self.shared += other.shared;
        self.copied += other.copied;
        self.new += other.new;
    }
}

/// Q13
pub fn subshell_cost(story: &mut Story) -> Result<()> {
    let _ = file::unlink(FILE, AtFlags::empty());
    file::make_node(FILE, S_IFIFO | 0o600, 0)?;
    let told = run_line(story);
    file::unlink(FILE, AtFlags::empty())?;
    told
}

fn run_line(story: &mut Story) -> Result<()> {
    let pipe = File::open(
        FILE,
        OpenFlags::O_RDWR | OpenFlags::O_NONBLOCK | OpenFlags::O_CLOEXEC,
        0,
    )?;
    let filled = fill(&pipe)?;
    let (program, arguments, _) = pause_command();
    let line = format!("true; (echo 1234 > {FILE}) & {program} {}", arguments[1]);
    story.say(
        "/bin/sh runs such a line. `bar` is a program that waits, and the file is a full pipe: so the subshell stands \
         still in its write, and we can look at both.",
    );
    story.row(&format!("sh -c '{line}'"));
    let (input, hold) = file::pipe()?;
    let shell = start_shell(&line, &input)?;
    drop(input);
    let subshell = child_asleep(shell, "sh").and_then(|subshell| {
        child_asleep(shell, "cow")?;
        Ok(subshell)
    });
    let shown = subshell.and_then(|subshell| compare(story, shell, subshell));
    if shown.is_err() {
        signal::send(shell, Signal::SIGKILL)?;
    }
    let text = drain(&pipe, filled + 5);
    drop(hold);
    let status = process::wait_for_end(shell)?.status;
    shown?;
    story.check(text? == "1234\n", "what it wrote is in the file");
    story.check(
        status == WaitStatus::Exited(0),
        "the shell went on and ended well",
    );
    story.say("For any command, at the prompt of this shell: faults (echo 1234 > file)");
    Ok(())
}

/// Writes until there is no room for another byte; how many bytes fitted.
fn fill(pipe: &File) -> Result<usize> {
    let mut filled = 0;
    for piece in [&[0; PAGE][..], &[0]] {
        loop {
            match pipe.write(piece) {
                Ok(()) => filled += piece.len(),
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(filled)
}

/// Reads `length` bytes, waiting for the last of them; those that are not zero, as text.
fn drain(pipe: &File, length: usize) -> Result<String> {
    let mut text = Vec::new();
    let mut done = 0;
    let mut buffer = [0; PAGE];
    for _ in 0..PATIENCE {
        match pipe.read(&mut buffer) {
            Ok(count) => {
                done += count;
                text.extend(buffer[..count].iter().filter(|byte| **byte != 0));
            }
            Err(Errno::EAGAIN) if done < length => time::sleep(MILLISECOND)?,
            Err(Errno::EAGAIN) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// `sh -c line` with its input from a pipe.
fn start_shell(line: &str, input: &File) -> Result<i32> {
    match process::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            let variables: Vec<&str> = environment().collect();
            if file::duplicate(input.descriptor(), 0).is_ok() {
                process::execute("/bin/sh", &["sh", "-c", line], &variables);
            }
            process::exit_now(127)
        }
    }
}

/// How often something is looked for, a millisecond apart.
const PATIENCE: usize = 5000;
const MILLISECOND: TimeSpec = TimeSpec::from_nanoseconds(1_000_000);

/// The child of a process that runs the program of that name and sleeps; waited for.
fn child_asleep(parent: i32, name: &str) -> Result<i32> {
    for _ in 0..PATIENCE {
        for entry in directory::names("/proc")? {
            let (Ok(pid), Some((found, fields))) = (entry.parse(), status(&entry)) else {
                continue;
            };
            if found == name && fields[0] == "S" && fields[1] == parent.to_string() {
                return Ok(pid);
            }
        }
        time::sleep(MILLISECOND)?;
    }
    Err(Errno::ETIME)
}

/// The name, and what follows it in /proc/pid/stat: state, parent, ... (proc_pid_stat(5)). `None` if it has ended.
fn status(process: &str) -> Option<(String, Vec<String>)> {
    let text = file::read_text(&format!("/proc/{process}/stat")).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(") ")?;
    let fields: Vec<String> = rest.split_whitespace().map(String::from).collect();
    (fields.len() > MINOR_FAULTS).then(|| (name.to_string(), fields))
}

/// The place of `minflt` among these fields.
const MINOR_FAULTS: usize = 7;

fn compare(story: &mut Story, shell: i32, subshell: i32) -> Result<()> {
    let (shell, subshell) = (shell.to_string(), subshell.to_string());
    let (ours, theirs) = (PageMap::open(&shell)?, PageMap::open(&subshell)?);
    let mut all = Pages::default();
    story.row("of the subshell       pages  shared with the shell  copied  not in the shell");
    for area in areas(&subshell)? {
        let pages = compare_area(&area, &ours, &theirs)?;
        all.add(pages);
        if pages.sum() > 0 {
            show(story, &format!("{} {}", area.rights, area.name), pages);
        }
    }
    show(story, "all", all);
    story.check(
        all.shared > all.copied + all.new,
        "most pages are the shell's own: nobody has copied them",
    );
    story.check(
        (1..=MOST_COPIED).contains(&all.copied),
        "copied are those few that one of the two has stored to since",
    );
    let [resident, private] = kibibytes(&subshell)?;
    story.row(&format!(
        "its smaps: Rss {resident} kB, of it private {private} kB: what ending it would give back"
    ));
    let least = all.copied * PAGE / 1024;
    let most = least + all.new * PAGE / 1024;
    story.check(
        (least..=most).contains(&private),
        "private are all copies, and what else no other process uses",
    );
    compare_tables(story, &shell, &subshell);
    let faults = status(&subshell).map_or("?".to_string(), |(_, fields)| fields[MINOR_FAULTS].clone());
    story.row(&format!("its minor faults up to here: {faults}"));
    story.say(&format!(
        "So of {} pages the subshell has cost {} copies, and the tables above them; the others are the shell's, or its \
         program's file's.",
        all.sum(),
        all.copied
    ));
    Ok(())
}

/// More than a subshell that echoes a word stores to: its stack, heap, and variables are a few pages.
const MOST_COPIED: usize = 16;

fn compare_area(area: &Area, ours: &PageMap, theirs: &PageMap) -> Result<Pages> {
    let mut pages = Pages::default();
    for address in (area.start..area.end).step_by(PAGE) {
        match (ours.page(address)?.frame(), theirs.page(address)?.frame()) {
            (_, None) => {}
            (None, Some(_)) => pages.new += 1,
            (Some(our), Some(their)) if our == their => pages.shared += 1,
            (Some(_), Some(_)) => pages.copied += 1,
        }
    }
    Ok(pages)
}

fn show(story: &Story, title: &str, pages: Pages) {
    story.row(&format!(
        "{title:<20} {:>6} {:>22} {:>7} {:>17}",
        pages.sum(),
        pages.shared,
        pages.copied,
        pages.new
    ));
}

/// Of a process: resident memory, and that part of it which no other process has.
fn kibibytes(process: &str) -> Result<[usize; 2]> {
    let text = file::read_text(&format!("/proc/{process}/smaps"))?;
    let sum = |name: &str| {
        let values = text.lines().filter_map(|line| line.strip_prefix(name));
        let numbers = values.filter_map(|value| value.split_whitespace().next()?.parse::<usize>().ok());
        numbers.sum::<usize>()
    };
    Ok([sum("Rss:"), sum("Private_Clean:") + sum("Private_Dirty:")])
}

/// Which translation tables the two have in common, where the kernel shows them.
fn compare_tables(story: &mut Story, shell: &str, subshell: &str) {
    let (Ok(ours), Ok(theirs)) = (Translation::of(shell), Translation::of(subshell)) else {
        story.not_here("the translation tables are not shown");
        return;
    };
    let (our_tables, their_tables) = (tables(&ours), tables(&theirs));
    let common = their_tables.intersection(&our_tables).count();
    story.row(&format!(
        "its translation tables: {}, of them shared {common}, its own {}",
        their_tables.len(),
        their_tables.len() - common
    ));
    story.check(
        ours.root != theirs.root,
        "the root is its own: that one fork copies",
    );
}

/// The frames of all tables.
fn tables(translation: &Translation) -> BTreeSet<u64> {
    let below = translation.entries.iter().filter(|entry| entry.level < 3);
    below.map(|entry| entry.frame).chain([translation.root]).collect()
}
