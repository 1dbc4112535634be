//! Mutants of the finished kernel: each TLBI, DSB, DMB, ISB, DC, IC, break and lock of `platform`, `mm` and `sched` left out or made weaker in the
//! Image, one at a time, and played under the checker.
//!
//! `mutants --rules [RULE]` plays for each rule of the checker the mutant that only it notices ([`own`]); `mutants --bugs [PART]` a bug
//! in the source of each part of the kernel that deals with translation ([`bugs`]).
//! `mutants [--list] [--all] [--orders] [TEXT]` plays those with TEXT in their line; with `--orders` none, and only says which are noticed
//! without being played: by an order of `tests/litmus`, or by the list of what is kept ([`tests::kept`]); it begins with the deletions
//! that neither notices ([`tests::deletions`]). Without `--all` all copies of
//! what was inlined in many places are changed at once. What nobody notices must stand in [`tests::harmless`] with its reason. Ends with
//! `N passed, N failed`, and writes a table to `target/holstein`.

mod bugs;
mod own;
mod play;
mod table;

use anyhow::{Context, Result, ensure};
use litmus::order::Order;
use play::{Verdict, Work};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use table::Row;
use tests::barriers::{self, Barriers};
use tests::deletions;
use tests::files;
use tests::harmless;
use tests::kept::{self, Kept};
use tests::mutations::{self, Mutation, line};
use tests::sites::{self, Site};

/// Where the kernel is linked: the first byte of its Image.
const BASE: u64 = 0xffff_ffff_8000_0000;

/// The kernel, and what it executes under each work.
struct Original {
    image: Vec<u8>,
    folder: PathBuf,
    barriers: Barriers,
    orders: Vec<Order>,
    kept: Vec<Kept>,
    sites: Vec<Site>,
    executed: Vec<BTreeSet<u64>>,
}

impl Original {
    fn new(built: &Path, sites: Vec<Site>, works: &[Work]) -> Result<Original> {
        let folder = built.join("mutants");
        std::fs::create_dir_all(&folder)?;
        let from = built.join("kernel8.img");
        let image = std::fs::read(&from).with_context(|| from.display().to_string())?;
        std::fs::copy(built.join("kernel.elf"), folder.join("kernel.elf"))?;
        std::fs::write(folder.join("kernel8.img"), &image)?;
        let mut original = Original {
            barriers: Barriers::of(&folder.join("kernel.elf"))?,
            orders: barriers::orders()?,
            kept: kept::list()?,
            sites,
            image,
            folder,
            executed: Vec::new(),
        };
        let mut missing = original.barriers.missing(&original.orders);
        missing.extend(kept::missing(&original.kept, &original.sites));
        ensure!(
            missing.is_empty(),
            "the kernel is not of these orders: {}",
            missing.join("\n")
        );
        for work in works {
            let executed = original.executed_by(work)?;
            original.executed.push(executed);
        }
        Ok(original)
    }

    /// The instructions that are executed under a work; kept in a file, which is good for this Image only.
    fn executed_by(&self, work: &Work) -> Result<BTreeSet<u64>> {
        let mut hasher = std::hash::DefaultHasher::new();
        self.image.hash(&mut hasher);
        let file = self.folder.join(format!(
            "{:016x}-{}.txt",
            hasher.finish(),
            work.name.replace(' ', "-")
        ));
        if let Ok(text) = std::fs::read_to_string(&file) {
            return text.lines().map(|line| Ok(line.parse()?)).collect();
        }
        let executed = play::executed(&self.path(), work)?;
        println!(
            "{:<12} executes {} of the instructions that are followed",
            work.name,
            executed.len()
        );
        let lines: Vec<String> = executed.iter().map(u64::to_string).collect();
        std::fs::write(&file, lines.join("\n"))?;
        Ok(executed)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("kernel8.img")
    }

    /// The works that execute one of the instructions and may show what became of it.
    fn works(&self, mutant: &[(Site, Mutation)]) -> impl Iterator<Item = &'static Work> {
        let is_of_order = mutant.iter().all(|(site, _)| site.kind.is_of_order());
        let works = play::ALL.iter().zip(&self.executed);
        works
            .filter(move |(work, executed)| {
                work.watches_order == is_of_order
                    && mutant.iter().any(|(site, _)| executed.contains(&site.address))
            })
            .map(|(work, _)| work)
    }

    /// What the list of what is kept says of it.
    fn by_list(&self, mutant: &[(Site, Mutation)]) -> Option<Verdict> {
        let (site, _) = mutant.first()?;
        // A copy may go while the others stay.
        let is_whole = self.sites.iter().filter(|other| is_same(other, site)).count() == mutant.len();
        let reason = is_whole.then(|| kept::misses(&self.kept, &self.sites, site))??;
        Some(Verdict::Kept(reason.to_owned()))
    }

    /// What an order of `tests/litmus` says that rests on one of the instructions, in a function that has no other.
    fn by_orders(&self, mutant: &[(Site, Mutation)]) -> Option<Verdict> {
        let changed = mutant.iter().map(|(site, _)| site.address).collect();
        let missing = self.barriers.misses(&self.orders, &changed)?;
        missing
            .is_needed
            .then(|| Verdict::Order(missing.order.to_owned()))
    }

    /// What is noticed without playing it.
    fn by_looking(&self, mutant: &[(Site, Mutation)]) -> Option<Verdict> {
        self.by_orders(mutant).or_else(|| self.by_list(mutant))
    }

    /// Writes the Image with these instructions changed.
    fn mutate(&self, mutant: &[(Site, Mutation)]) -> Result<()> {
        let mut image = self.image.clone();
        for (site, mutation) in mutant {
            let at = (site.address - BASE) as usize;
            let place = image.get_mut(at..at + 4).context("beyond the Image")?;
            ensure!(
                place == site.word.to_le_bytes(),
                "the Image is not of this kernel.elf"
            );
            place.copy_from_slice(&mutation.word.to_le_bytes());
        }
        Ok(std::fs::write(self.path(), image)?)
    }
}

struct Choice {
    is_list_only: bool,
    is_all: bool,
    is_unplayed: bool,
    is_of_rules: bool,
    is_of_bugs: bool,
    text: String,
}

/// What becomes of mutants that stand in the list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Played,
    Skipped,
}

impl Choice {
    fn listed(&self) -> Listed {
        if self.is_all {
            Listed::Played
        } else {
            Listed::Skipped
        }
    }
}

fn choice() -> Choice {
    let mut choice = Choice {
        is_list_only: false,
        is_all: false,
        is_unplayed: false,
        is_of_rules: false,
        is_of_bugs: false,
        text: String::new(),
    };
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--list" => choice.is_list_only = true,
            "--all" => choice.is_all = true,
            "--orders" => choice.is_unplayed = true,
            "--rules" => choice.is_of_rules = true,
            "--bugs" => choice.is_of_bugs = true,
            _ => choice.text = word,
        }
    }
    choice
}

/// What is to be played: each instruction with each mutation.
fn mutants(sites: &[Site], text: &str) -> Vec<(Site, Mutation)> {
    let all = sites.iter().flat_map(|site| {
        mutations::of(site)
            .into_iter()
            .map(|mutation| (site.clone(), mutation))
    });
    all.filter(|(site, mutation)| line(site, mutation).contains(text))
        .collect()
}

/// Whether it is a copy of what was written once.
fn is_same(one: &Site, other: &Site) -> bool {
    one.place == other.place && one.number == other.number && mutations::name(one) == mutations::name(other)
}

/// What was written once and inlined in many places is one mutant; with `--all` each copy is one.
fn together(
    original: &Original,
    mut changes: Vec<(Site, Mutation)>,
    is_all: bool,
) -> Vec<Vec<(Site, Mutation)>> {
    let rank = |address: u64| {
        let is_executed = |executed: &BTreeSet<u64>| executed.contains(&address);
        original
            .executed
            .iter()
            .position(is_executed)
            .unwrap_or(usize::MAX)
    };
    changes.sort_by_key(|(site, mutation)| (line(site, mutation), rank(site.address)));
    let mut mutants: Vec<Vec<(Site, Mutation)>> = Vec::new();
    for (site, mutation) in changes {
        let name = line(&site, &mutation);
        match mutants.last_mut() {
            Some(last) if !is_all && line(&last[0].0, &last[0].1) == name => {
                last.push((site, mutation));
            }
            _ => mutants.push(vec![(site, mutation)]),
        }
    }
    mutants
}

/// Plays one mutant, unless it is known why nobody notices it.
fn judge(original: &Original, mutant: &[(Site, Mutation)], listed: Listed) -> Result<Row> {
    let (site, mutation) = mutant.first().context("a mutant changes something")?;
    let name = line(site, mutation);
    let row = |verdict, work| Row {
        name: name.clone(),
        verdict,
        work,
        reason: harmless::reason(&name),
    };
    if listed == Listed::Skipped && harmless::reason(&name).is_some() {
        return Ok(row(original.by_looking(mutant), ""));
    }
    // The handshakes of the scheduler have their orders, and are never alone: no work misses one.
    if listed == Listed::Skipped
        && site.place.starts_with("sched/")
        && let Some(verdict) = original.by_looking(mutant)
    {
        return Ok(row(Some(verdict), ""));
    }
    original.mutate(mutant)?;
    let mut last = (None, "");
    for work in original.works(mutant) {
        last = (Some(play::play(&original.path(), work)?), work.name);
        if last.0 != Some(Verdict::Nobody) {
            break;
        }
    }
    if matches!(last.0, None | Some(Verdict::Nobody)) {
        last.0 = original.by_looking(mutant).or(last.0);
    }
    Ok(row(last.0, last.1))
}

/// Prints lines, for as long as somebody reads them.
fn print(lines: impl Iterator<Item = impl Display>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(())
}

fn run() -> Result<bool> {
    let choice = choice();
    if choice.is_of_rules {
        return own::run(&choice.text);
    }
    if choice.is_of_bugs {
        return bugs::run(&choice.text);
    }
    let built = files::built();
    let sites = sites::find(&built.join("kernel.elf"))?;
    let mutants = mutants(&sites, &choice.text);
    ensure!(!mutants.is_empty(), "no mutant's line contains {:?}", choice.text);
    if choice.is_list_only {
        let lines = mutants
            .iter()
            .map(|(site, mutation)| format!("{:#x} {}", site.address, line(site, mutation)));
        return print(lines).map(|()| true);
    }
    if choice.is_unplayed {
        let tried = deletions::try_all(
            &Barriers::of(&built.join("kernel.elf"))?,
            &barriers::orders()?,
            &kept::list()?,
            &sites,
        );
        print(tried.unnoticed.iter())?;
        println!(
            "{} of {} deletions are noticed by nobody without a boot",
            tried.unnoticed.len(),
            tried.count
        );
    }
    let works = if choice.is_unplayed { &[] } else { &play::ALL[..] };
    let original = Original::new(&built, sites, works)?;
    let mutants = together(&original, mutants, choice.is_all);
    let mut rows = Vec::new();
    for mutant in &mutants {
        let row = judge(&original, mutant, choice.listed())?;
        println!("{}", row.text());
        rows.push(row);
    }
    std::fs::write(built.join("mutants.md"), table::markdown(&rows))?;
    let failed = rows.iter().filter(|row| row.has_failed()).count();
    println!("{}", table::summary(&rows));
    println!("{} passed, {failed} failed", rows.len() - failed);
    Ok(failed == 0)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error:#}");
            ExitCode::FAILURE
        }
    }
}
