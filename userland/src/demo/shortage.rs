//! Q15: memory runs out in the middle of a copy.

use abi::file::{AccessFlags, OpenFlags};
use abi::signal::Signal;
use abi::time::TimeSpec;
use alloc::format;
use alloc::string::{String, ToString};

use super::sibling::Sibling;
use super::story::Story;
use crate::pages::memory_kib;
use crate::runtime::file::{self, File};
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use crate::runtime::process::WaitStatus;
use crate::runtime::{Errno, Result, system, time};

/// The parent has two sevenths of what is free. With two copies of it six are gone: the third copy ends half-way.
const PART: (usize, usize) = (2, 7);

/// Steps of a child: store to every page, or count those that do not hold what it stored.
const COPY: u64 = 0;
const VERIFY: u64 = 1;

/// What is in the pages: whose it is, and the number of the page.
const BY_PARENT: u64 = 0xaaaa << 32;
const BY_CHILD: [u64; 3] = [0xa << 32, 0xb << 32, 0xc << 32];
const NAMES: [&str; 3] = ["A", "B", "C"];

/// The memory that the parent has and its children copy, and how many pages each has stored to.
struct Pages {
    memory: Mapping,
    progress: Mapping,
}

/// Q15
pub fn memory_runs_out(story: &mut Story) -> Result<()> {
    if !is_alone_at_home() {
        story.not_here("it would fill all memory, of a machine that may have other work or much of it");
        return Ok(());
    }
    rehearse()?;
    let before = quiet_unheld_kib()?;
    let told = run_out(story, free_kib()?);
    let after = settled_unheld_kib(before)?;
    story.row(&format!(
        "memory that no program has, before: {before} kB, when all have ended: {after} kB"
    ));
    let is_exact = has_exact_counts().then_some(before == after);
    story.check_if_known(is_exact, "every frame is free again, or the kernel heap's");
    told
}

/// The same with a few pages and nobody watching: what it needs beside them is there from now on.
fn rehearse() -> Result<()> {
    let pages = Pages::of_parent(PAGE)?;
    let [a, b, c] = pages.children()?;
    c.step(COPY)?;
    c.end()?;
    last_message(a.id())?;
    settled_unheld_kib(unheld_kib()?)?;
    b.end()?;
    a.end().map(drop)
}

fn run_out(story: &mut Story, free: usize) -> Result<()> {
    let pages = Pages::of_parent(free / PART.1 * PART.0 * 1024)?;
    story.say(&format!(
        "A parent has {} pages, two sevenths of all free memory, and forks A, B and C. Each stores to every page. Fork \
         counts nothing: it promised each of them a copy, and there is room for two.",
        pages.memory.pages()
    ));
    let [a, b, c] = pages.children()?;
    for (index, child) in [&a, &b].into_iter().enumerate() {
        let is_done = child.step(COPY).is_ok();
        let free = free_kib()?;
        pages.show_progress(story, index, &format!("lives; {free} kB are still free"));
        story.check(is_done, "a frame was there for each of its copies");
    }
    let (is_done, pid) = (c.step(COPY).is_ok(), c.id());
    let copied = pages.show_progress(story, 2, if is_done { "lives" } else { "and is gone" });
    story.check(
        (1..pages.memory.pages() as u64).contains(&copied),
        "C came to a page for which there was no frame, in the middle",
    );
    let is_killed = c.end()?.status
        == WaitStatus::Signaled {
            signal: Signal::SIGKILL.number(),
            core: false,
        };
    story.check(
        is_killed,
        "C was ended by SIGKILL: a store has no error to return",
    );
    let message = last_message(pid)?;
    story.row(&format!(
        "the kernel's log: {}",
        message.as_deref().unwrap_or("nothing")
    ));
    story.check(message.is_some(), "and the kernel said so");
    let wrong = [pages.wrong(BY_PARENT), a.step(VERIFY)?, b.step(VERIFY)?];
    story.row(&format!(
        "pages that do not hold what they should: parent {}, A {}, B {}",
        wrong[0], wrong[1], wrong[2]
    ));
    story.check(
        wrong == [0; 3],
        "nobody else was harmed: all live, each with its own data",
    );
    // B holds the writing end of A's orders, so it ends first.
    b.end()?;
    a.end().map(drop)
}

impl Pages {
    /// So many bytes, each page stored to by the parent.
    fn of_parent(bytes: usize) -> Result<Pages> {
        let pages = Pages {
            memory: Mapping::anonymous(bytes, Sharing::Private)?,
            progress: Mapping::anonymous(PAGE, Sharing::Shared)?,
        };
        pages.fill(BY_PARENT, |_| ());
        Ok(pages)
    }

    fn children(&self) -> Result<[Sibling; 3]> {
        let start = |index| Sibling::start(&mut |step| self.step(step, index));
        Ok([start(0)?, start(1)?, start(2)?])
    }

    /// What a child does.
    fn step(&self, step: u64, index: usize) -> Result<u64> {
        if step == VERIFY {
            return Ok(self.wrong(BY_CHILD[index]));
        }
        if index == 2 {
            // Asked who is to end, the kernel takes this one, and nobody's shell.
            File::open(
                "/proc/self/oom_score_adj",
                OpenFlags::O_WRONLY | OpenFlags::O_CLOEXEC,
                0,
            )?
            .write(b"1000")?;
        }
        self.fill(BY_CHILD[index], |page| {
            self.progress.store(index * 8, page as u64 + 1);
        });
        Ok(0)
    }

    /// Stores to every page; `note` is told of each when it is done.
    fn fill(&self, owner: u64, note: impl Fn(usize)) {
        for page in 0..self.memory.pages() {
            self.memory.store(page * PAGE, owner + page as u64);
            note(page);
        }
    }

    /// How many pages do not hold what their owner stored.
    fn wrong(&self, owner: u64) -> u64 {
        let is_wrong = |page: &usize| self.memory.load(page * PAGE) != owner + *page as u64;
        (0..self.memory.pages()).filter(is_wrong).count() as u64
    }

    /// A row about a child; how many pages it stored to.
    fn show_progress(&self, story: &Story, index: usize, what_then: &str) -> u64 {
        let copied = self.progress.load(index * 8);
        story.row(&format!(
            "{} stored to {copied} of {} pages, {what_then}",
            NAMES[index],
            self.memory.pages()
        ));
        copied
    }
}

/// Whether all memory may be filled: on Holstein, and on a small machine without swap, as one starts for a test.
fn is_alone_at_home() -> bool {
    const SMALL: u64 = 2 << 20;
    let is_small =
        memory_kib("SwapTotal") == Some(0) && memory_kib("MemTotal").is_some_and(|all| all <= SMALL);
    has_exact_counts() || is_small
}

/// Whether the kernel counts every frame, as Holstein does: others have some at hand for each processor. Nothing is read:
/// what this program allocates for it would count.
pub(super) fn has_exact_counts() -> bool {
    file::access("/proc/self/translation", AccessFlags::F_OK).is_ok()
}

fn kib(name: &str) -> Result<usize> {
    memory_kib(name)
        .map(|kibibytes| kibibytes as usize)
        .ok_or(Errno::ENOENT)
}

fn free_kib() -> Result<usize> {
    kib("MemAvailable")
}

/// Free frames, all that the kernel's heap has, used or not, and the pages of files, which a disk's give back where memory is short: a
/// frame that is in none of them is a program's.
fn unheld_kib() -> Result<usize> {
    Ok(kib("MemFree")? + kib("Slab")? + kib("Cached")?)
}

/// That once it holds still, or after two seconds: others may be about to start, like those of a pipeline.
fn quiet_unheld_kib() -> Result<usize> {
    let (mut unheld, mut still) = (unheld_kib()?, 0);
    for _ in 0..200 {
        time::sleep(TimeSpec::from_nanoseconds(10_000_000))?;
        let now = unheld_kib()?;
        still = if now == unheld { still + 1 } else { 0 };
        unheld = now;
        if still == 10 {
            break;
        }
    }
    Ok(unheld)
}

/// That once it is what it was, or after a second: a child's last frames come back a moment after its end is told.
fn settled_unheld_kib(before: usize) -> Result<usize> {
    for _ in 0..100 {
        if unheld_kib()? == before {
            break;
        }
        time::sleep(TimeSpec::from_nanoseconds(10_000_000))?;
    }
    unheld_kib()
}

/// What the kernel's log says last of the end of a process.
fn last_message(pid: i32) -> Result<Option<String>> {
    let log = system::kernel_log()?;
    let wanted = format!("killed process {pid} ");
    let log = String::from_utf8_lossy(&log);
    let line = log
        .lines()
        .rev()
        .find(|line| line.to_lowercase().contains(&wanted));
    // `<3>` is the level.
    Ok(line.map(|line| line.split_once('>').map_or(line, |(_, text)| text).to_string()))
}
