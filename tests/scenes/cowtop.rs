//! `cowtop` on the serial line: what a terminal shows that is sent what it sends is what /proc says.

use crate::boot::power_off;
use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::Duration;
use tests::{Scene, Session, Stage};

pub const SCENES: &[Scene] = &[
    Scene::holstein("cowtop.screen_is_proc", screen_is_proc),
    Scene::holstein("cowtop.terminal", terminal),
    Scene::holstein("cowtop.plain", plain),
];

/// Rows and columns of the terminal: it does not say, so that these are taken.
const SIZE: (u16, u16) = (24, 80);
/// The first and the last row of the map.
const MAP: std::ops::Range<u16> = 4..21;
/// The program's last line, where it has nothing to say.
const IDLE: &str = "r read x exit";
/// What it says of the cursor.
const DRAWN: &str = "tables: root [0-9a-f]";
/// The prompt where it was before, on the other screen.
const LEFT: &str = r"\x1b\[\?1049lholstein:\S*# ";
/// How it leaves the terminal.
const LEAVES: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal at the other end of the line.
struct Terminal(vt100::Parser);

impl Terminal {
    fn new() -> Result<Terminal> {
        let (rows, columns) = (NonZero::new(SIZE.0), NonZero::new(SIZE.1));
        let size = rows.zip(columns).context("a terminal without a size")?;
        Ok(Terminal(vt100::Parser::new(size.0, size.1, 0)))
    }

    /// Until it shows that; only what differs is sent, so that what is sent does not say it.
    fn wait(&mut self, shell: &mut Session, pattern: &str) -> Result<()> {
        let wanted = Regex::new(pattern)?;
        loop {
            let sent = shell
                .expect("(?s).+")
                .with_context(|| self.0.screen().contents())?;
            self.0.process(sent.as_bytes());
            if wanted.is_match(&self.0.screen().contents()) {
                return Ok(());
            }
        }
    }

    /// Stops the program; what it showed when it left.
    fn stop(&mut self, shell: &mut Session) -> Result<vt100::Screen> {
        // Behind its answer a process of the demo still goes to sleep, which may take a page: it is shown at the next look.
        std::thread::sleep(Duration::from_millis(1200));
        shell.type_keys("\x1a")?;
        let sent = shell.expect_prompt()?;
        let (shown, behind) = sent.split_once(LEAVES).context("it did not leave the screen")?;
        self.0.process(shown.as_bytes());
        let screen = self.0.screen().clone();
        self.0.process(LEAVES.as_bytes());
        self.0.process(behind.as_bytes());
        Ok(screen)
    }
}

fn line(screen: &vt100::Screen, row: u16) -> String {
    screen.contents_between(row, 0, row, SIZE.1)
}

/// The pages of a process that are not absent, by `pagemap`, each with its letter; and its areas.
struct Pages {
    letters: BTreeMap<u64, char>,
    areas: Vec<std::ops::Range<u64>>,
    /// For each 2 MiB that have a table, whether it is shared.
    tables: BTreeMap<u64, bool>,
}

const PAGE: u64 = 4096;

impl Pages {
    fn of(shell: &mut Session, pid: u64) -> Result<Pages> {
        let mut pages = Pages {
            letters: BTreeMap::new(),
            areas: Vec::new(),
            tables: BTreeMap::new(),
        };
        for line in shell.run(&format!("pagemap {pid}"))?.lines().skip(1) {
            pages.add(line).with_context(|| line.to_owned())?;
        }
        let mut above = 0;
        for line in shell.run(&format!("cat /proc/{pid}/translation"))?.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let references = words.last().context("no references")?.parse::<u64>();
            match words[0] {
                "L1" => above = references?,
                "L2" => {
                    let address = u64::from_str_radix(words[2], 16)?;
                    pages
                        .tables
                        .insert(address / PAGE / 512, above.max(references?) > 1);
                }
                _ => {}
            }
        }
        Ok(pages)
    }

    fn add(&mut self, line: &str) -> Result<()> {
        let hex = |text: &str| u64::from_str_radix(text, 16).map(|address| address / PAGE);
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            let (start, end) = words[0].split_once('-').context("an area")?;
            self.areas.push(hex(start)?..hex(end)?);
            return Ok(());
        }
        if line.contains("not there") {
            return Ok(());
        }
        if line.contains("swapped out") {
            let first = hex(words[0])?;
            self.letters
                .extend((first..first + words[1].parse::<u64>()?).map(|page| (page, 's')));
            return Ok(());
        }
        let letter = match (words[4], words[3]) {
            ("zero", _) => 'z',
            ("own", _) => 'o',
            ("file", _) => 'f',
            ("shared", times) if times.len() == 1 => times.chars().next().context("a count")?,
            _ => '+',
        };
        let first = hex(words[0])?;
        self.letters
            .extend((first..first + words[1].parse::<u64>()?).map(|page| (page, letter)));
        Ok(())
    }

    fn letter(&self, page: u64) -> char {
        let is_in_area = self.areas.iter().any(|area| area.contains(&page));
        let absent = if is_in_area { '.' } else { ' ' };
        self.letters.get(&page).copied().unwrap_or(absent)
    }

    fn table(&self, page: u64) -> char {
        self.tables
            .get(&(page / 512))
            .map_or(' ', |is_shared| if *is_shared { 't' } else { 'T' })
    }
}

/// The processes that a screen shows: their numbers, and where their cells begin.
fn shown(screen: &vt100::Screen) -> Vec<(u64, usize)> {
    let titles = line(screen, 2);
    let places = titles.match_indices(" demo-").filter_map(|(end, _)| {
        let start = titles[..end].rfind(' ')? + 1;
        Some((titles[start..end].parse().ok()?, start + 1))
    });
    places.collect()
}

/// Every cell of the map is what /proc says. Returns the letters that stand there.
fn compare(shell: &mut Session, screen: &vt100::Screen, cells: usize) -> Result<String> {
    let mut seen = String::new();
    let processes = shown(screen);
    ensure!(
        !processes.is_empty(),
        "no process is shown:\n{}",
        screen.contents()
    );
    for (pid, column) in processes {
        let pages = Pages::of(shell, pid)?;
        let mut compared = 0;
        for row in MAP {
            let text = format!("{:<80}", line(screen, row));
            let Ok(first) = u64::from_str_radix(text[..7].trim(), 16) else {
                continue;
            };
            let expected: String = std::iter::once(pages.table(first))
                .chain((0..cells as u64).map(|cell| pages.letter(first + cell)))
                .collect();
            let found = &text[column - 1..column + cells];
            ensure!(
                found == expected,
                "process {pid}, page {first:x}: the screen has\n{found:?}, /proc says\n{expected:?}\n{}",
                screen.contents()
            );
            compared += expected.chars().skip(1).filter(|letter| *letter != ' ').count();
            seen += &expected;
        }
        let all: u64 = pages.areas.iter().map(|area| area.end - area.start).sum();
        // Half as many cells in a row are more rows than there is room for.
        let is_all = compared as u64 == all;
        ensure!(is_all || cells < 32, "{compared} of {all} pages are shown");
    }
    Ok(seen)
}

fn screen_is_proc(stage: &mut Stage) -> Result<()> {
    let mut shell = stage.boot_virt(&stage.load())?;
    let mut terminal = Terminal::new()?;
    shell.expect_prompt()?;
    shell.type_line("cowtop -d 0.5")?;
    terminal.wait(&mut shell, IDLE)?;
    let screen = terminal.stop(&mut shell)?;
    let letters = compare(&mut shell, &screen, 64)?;
    ensure!(
        ['o', 'z', 'f', '.', 'T']
            .iter()
            .all(|letter| letters.contains(*letter))
    );

    // Right behind a fork tables are shared; after a store one page and its table are not.
    for (keys, told, cells, wanted) in [
        ("f", "demo-A forked demo-B: .*forks 1", 32, "t2"),
        (
            "\tw",
            "demo-B stored to [0-9a-f]+000: faults 1, copied 1, tables copied 2",
            32,
            "o2",
        ),
        ("o", "demo-B swapped out [0-9a-f]+000", 32, "s"),
        ("f", "demo-B forked demo-C", 16, "3s"),
        ("x", "demo-B exited", 32, "2"),
    ] {
        shell.type_line("fg")?;
        terminal.wait(&mut shell, DRAWN)?;
        shell.type_keys(keys)?;
        terminal.wait(&mut shell, told)?;
        let screen = terminal.stop(&mut shell)?;
        let letters = compare(&mut shell, &screen, cells)?;
        for letter in wanted.chars() {
            ensure!(letters.contains(letter), "no {letter} after {keys:?}: {letters}");
        }
    }
    shell.type_line("fg")?;
    terminal.wait(&mut shell, DRAWN)?;
    // Nothing changes: nothing is sent, once the rates have come to rest.
    std::thread::sleep(Duration::from_secs(4));
    let before = stage.transcript().len();
    std::thread::sleep(Duration::from_secs(4));
    let text = stage.transcript();
    ensure!(text.len() == before, "it says {:?}", &text[before..]);
    shell.type_keys("q")?;
    shell.expect(LEFT)?;
    let left = shell.run("sleep 0.2; ps")?;
    ensure!(!left.contains("cowtop"), "somebody is left: {left}");
    shell.check("cat /proc/swaps /sys/block/zram0/disksize", "^Filename.*\n0\n$")?;
    power_off(&mut shell)
}

/// However it ends, the terminal is as it was; another size is another picture.
fn terminal(stage: &mut Stage) -> Result<()> {
    let mut shell = stage.boot_virt(&stage.load())?;
    shell.expect_prompt()?;
    shell.run("stty rows 24 cols 80")?;
    let before = shell.run("stty -a")?;
    for end in ["q", "\x03"] {
        let mut terminal = Terminal::new()?;
        shell.type_line("cowtop -a")?;
        terminal.wait(&mut shell, "page 1 init")?;
        shell.type_keys("?")?;
        terminal.wait(&mut shell, "any key leaves this page")?;
        shell.type_keys("--f")?;
        terminal.wait(&mut shell, "only demo processes take steps")?;
        shell.type_keys(end)?;
        shell.expect(LEFT)?;
        let after = shell.run("stty -a")?;
        ensure!(after == before, "{after}");
    }
    shell.type_line("(sleep 4; stty rows 30 cols 120) & cowtop 1")?;
    shell.expect(r"\x1b\[2J")?;
    shell.expect(r"\x1b\[2J")?;
    shell.expect(r"\x1b\[30;1H")?;
    shell.type_keys("q")?;
    shell.expect_prompt()?;
    shell.run("stty rows 0 cols 0")?;
    power_off(&mut shell)
}

/// Without a screen, and with wrong arguments.
fn plain(stage: &mut Stage) -> Result<()> {
    let mut shell = stage.boot_virt(&stage.load())?;
    shell.expect_prompt()?;
    let once = shell.check("cowtop -1 1", "^   page 1 init$")?;
    ensure!(!once.contains('\x1b'), "{once:?}");
    shell.check("cowtop -1 | grep -c init", "^1$")?;
    shell.check("cowtop 999999; echo $?", "^cowtop: 999999: no such process.*\n1$")?;
    shell.check("cowtop -d 0 1; echo $?", "^usage: cowtop .*\n2$")?;
    shell.check("cowtop nosuch; echo $?", "^usage: cowtop .*\n2$")?;
    shell.type_line("TERM=dumb cowtop -d 0.2 1")?;
    let text = shell.expect("^7ffffc0 T .*o$")?;
    ensure!(!text.contains('\x1b'), "{text:?}");
    shell.type_keys("\x03")?;
    shell.expect_prompt()?;
    power_off(&mut shell)
}
