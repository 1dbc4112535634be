//! A trace of tracefs as a picture: a lane for each thread, a box for each record, numbered; below them what each was.

use crate::{Clock, Machine, Stage, Virt};
use anyhow::{Context, Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use regex::Regex;
use std::path::Path;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Whose it is.
    pub thread: String,
    /// When it began, in nanoseconds. The trace has microseconds: on one processor each is behind the end of the one before.
    pub begin: u64,
    /// How long the kernel worked for it; `None`: the thread slept meanwhile, or nothing is said.
    pub length: Option<u64>,
    /// The call with its result, or the fault with its address.
    pub title: String,
    /// What was counted for it.
    pub counts: Vec<(String, u64)>,
}

impl Moment {
    fn count(&self, name: &str) -> u64 {
        let mut counts = self.counts.iter();
        counts
            .find(|(found, _)| found == name)
            .map_or(0, |(_, count)| *count)
    }

    fn end(&self) -> u64 {
        self.begin + self.length.unwrap_or(0)
    }

    /// What the heart did for it, in a few words.
    pub fn told(&self) -> String {
        const WORDS: [(&str, &str); 9] = [
            ("cow_copied", "page copied"),
            ("cow_tables_copied", "table copied"),
            ("cow_regained", "page reused"),
            ("cow_tables_regained", "table reused"),
            ("zero_filled", "page of zeros"),
            ("zero_shared", "the zero frame"),
            ("file_mapped", "page of a file"),
            ("file_mapped_around", "neighbour of it"),
            ("tlbi_asid", "TLBI of a space"),
        ];
        let told = WORDS.iter().filter_map(|(name, word)| match self.count(name) {
            0 => None,
            1 => Some((*word).to_owned()),
            count => Some(format!("{count} x {word}")),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    fn color(&self) -> RGBColor {
        match () {
            () if self.count("cow_copied") > 0 => RGBColor(230, 159, 0),
            () if self.count("cow_regained") > 0 => RGBColor(0, 158, 115),
            () if self.count("zero_filled") + self.count("zero_shared") > 0 => RGBColor(86, 180, 233),
            () if self.count("file_mapped") > 0 => RGBColor(150, 150, 150),
            () => RGBColor(0, 90, 181),
        }
    }
}

/// A shell that forks a child, which does nothing, and waits for it.
pub const FORK: &str = "sh -c '(:)'";

/// The trace of a command, as cowtrace writes it, of one processor on which an instruction is a nanosecond.
///
/// # Errors
/// The command fails, or nothing can be booted.
pub fn record(stage: &mut Stage, command: &str) -> Result<String> {
    let board = Machine::Virt(Virt {
        cpus: 1,
        clock: Clock::Instructions,
        ..Virt::default()
    });
    let load = stage.load();
    let mut shell = stage.boot(&board, &load)?;
    shell.expect_prompt()?;
    let said = shell.run(&format!("cowtrace -o /tmp/trace {command}; echo \"status $?\""))?;
    ensure!(said.ends_with("status 0\n"), "{command}: {said}");
    shell.run("cat /tmp/trace")
}

/// The records of a text of tracefs, in its order.
///
/// # Errors
/// A line is none, or records were lost.
pub fn parse(text: &str) -> Result<Vec<Moment>> {
    let line = Regex::new(
        r"^ *(\S+-[0-9]+) +\( *[0-9]+\) \[[0-9]+\] +([0-9]+)\.([0-9]{6}): (fault|call|access|exec|exit|switch|swap): ?(.*)$",
    )?;
    let (mut moments, mut last) = (Vec::<Moment>::new(), 0);
    for text in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = text.strip_prefix('#') {
            let lost = comment.strip_prefix(" records lost: ");
            ensure!(lost.is_none_or(|lost| lost == "0"), "records were lost:{comment}");
            continue;
        }
        let found = line.captures(text).with_context(|| text.to_owned())?;
        let micros = found[2].parse::<u64>()? * 1_000_000 + found[3].parse::<u64>()?;
        let about = &found[5];
        let words: Vec<&str> = about.split(' ').collect();
        let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let title = match &found[4] {
            "fault" => format!(
                "{} fault at {}",
                value("access=").unwrap_or("?"),
                value("address=").unwrap_or("?")
            ),
            "call" => {
                let (call, result) = about.split_once(" = ").with_context(|| about.to_owned())?;
                let (name, _) = call.split_once('(').with_context(|| about.to_owned())?;
                format!("{name} = {}", result.split(' ').next().unwrap_or(result))
            }
            "access" => format!("{} touches the program's memory", words[0]),
            "exec" => "another program begins".to_owned(),
            "switch" => "the processor".to_owned(),
            "swap" => format!("page {}", words[0]),
            _ => "the thread ends".to_owned(),
        };
        let count = |word: &&str| {
            let (name, number) = word.split_once('=')?;
            Some((name.to_owned(), number.parse().ok()?))
        };
        let counts: Vec<(String, u64)> = words.iter().filter_map(count).collect();
        let length = counts
            .iter()
            .find(|(name, _)| name == "ns")
            .map(|(_, length)| *length);
        let moment = Moment {
            thread: found[1].to_owned(),
            begin: last.max(micros * 1000),
            length,
            title,
            counts,
        };
        last = moment.end();
        moments.push(moment);
    }
    Ok(moments)
}

/// Those from the first fork on.
///
/// # Errors
/// There is none.
pub fn from_fork(moments: &[Moment]) -> Result<&[Moment]> {
    let first = moments
        .iter()
        .position(|moment| moment.title.starts_with("clone") && moment.count("forks") > 0);
    Ok(&moments[first.context("nobody forks in this trace")?..])
}

const WIDTH: u32 = 1000;
const MARGIN: i32 = 16;
/// Where lanes begin, at the right of their names.
const LANES: i32 = 110;
const LANE: i32 = 44;
const LINE: i32 = 18;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws them to an SVG file.
///
/// # Errors
/// There is nothing to be drawn; the file cannot be written.
pub fn draw(path: &Path, title: &str, moments: &[Moment]) -> Result<()> {
    let begin = moments.first().context("an empty trace")?.begin;
    let end = moments
        .iter()
        .map(Moment::end)
        .max()
        .unwrap_or(begin)
        .max(begin + 1);
    let mut threads: Vec<&str> = Vec::new();
    for moment in moments {
        if !threads.contains(&moment.thread.as_str()) {
            threads.push(&moment.thread);
        }
    }
    let axis = 2 * LINE + MARGIN + threads.len() as i32 * LANE;
    let height = axis + 3 * LINE + (moments.len() as i32 + 1) * LINE + MARGIN;
    let area = SVGBackend::new(path, (WIDTH, height as u32)).into_drawing_area();
    let picture = Picture {
        area: &area,
        begin,
        span: end - begin,
    };
    let drawn = picture.draw(title, &threads, moments, axis);
    drawn
        .and_then(|()| Ok(area.present()?))
        .map_err(|error| anyhow!("{}: {error}", path.display()))
}

struct Picture<'a, 'b> {
    area: &'a Area<'b>,
    begin: u64,
    span: u64,
}

impl Picture<'_, '_> {
    fn x(&self, time: u64) -> i32 {
        let room = (WIDTH as i32 - LANES - MARGIN) as u64;
        LANES + ((time - self.begin) * room / self.span) as i32
    }

    fn text(&self, text: impl Into<String>, at: (i32, i32), size: u32) -> Result<()> {
        let text = Text::new(text.into(), at, ("sans-serif", size).into_font());
        Ok(self.area.draw(&text)?)
    }

    fn draw(&self, title: &str, threads: &[&str], moments: &[Moment], axis: i32) -> Result<()> {
        self.area.fill(&WHITE)?;
        self.text(title, (MARGIN, MARGIN), 18)?;
        let top = 2 * LINE + MARGIN;
        for (lane, thread) in threads.iter().enumerate() {
            let y = top + lane as i32 * LANE;
            self.text(*thread, (MARGIN, y + 12), 14)?;
            let ground = [(LANES, y + 30), (WIDTH as i32 - MARGIN, y + 30)];
            self.area.draw(&PathElement::new(ground, BLACK.mix(0.3)))?;
        }
        for (nth, moment) in moments.iter().enumerate() {
            let lane = threads
                .iter()
                .position(|thread| *thread == moment.thread)
                .unwrap_or(0);
            let y = top + lane as i32 * LANE;
            let (from, to) = (self.x(moment.begin), self.x(moment.end()));
            let corners = [(from, y + 14), (to.max(from + 2), y + 30)];
            self.area
                .draw(&Rectangle::new(corners, moment.color().filled()))?;
            self.text(format!("{}", nth + 1), (from, y), 11)?;
        }
        self.axis(axis)?;
        for (nth, moment) in moments.iter().enumerate() {
            self.line(nth, moment, axis + 3 * LINE + nth as i32 * LINE)?;
        }
        Ok(())
    }

    /// Microseconds, in steps of 1, 2 or 5 times a power of ten.
    fn axis(&self, y: i32) -> Result<()> {
        let steps = (0..12).flat_map(|power| [1, 2, 5].map(|step| step * 10u64.pow(power)));
        let step = steps
            .into_iter()
            .find(|step| self.span / step <= 12)
            .unwrap_or(self.span);
        for time in (0..=self.span).step_by(step as usize) {
            let x = self.x(self.begin + time);
            self.area.draw(&PathElement::new([(x, y), (x, y + 5)], BLACK))?;
            self.text(format!("{}", time as f64 / 1000.0), (x - 6, y + 8), 11)?;
        }
        self.text("microseconds", (MARGIN, y + 8), 11)
    }

    fn line(&self, nth: usize, moment: &Moment, y: i32) -> Result<()> {
        let square = [(MARGIN, y + 2), (MARGIN + 10, y + 12)];
        self.area.draw(&Rectangle::new(square, moment.color().filled()))?;
        let length = match moment.length {
            Some(length) => format!("{:.1} µs", length as f64 / 1000.0),
            None => "-".to_owned(),
        };
        let columns = [
            (34, format!("{}", nth + 1)),
            (64, format!("{:.1}", (moment.begin - self.begin) as f64 / 1000.0)),
            (120, moment.thread.clone()),
            (220, moment.title.clone()),
            (470, length),
            (540, moment.told()),
        ];
        columns
            .into_iter()
            .try_for_each(|(x, text)| self.text(text, (x, y), 13))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "# tracer: nop\n# records lost: 0\n\
        \x20             sh-4       (      4) [000]     0.018128: fault: address=0x4ca010 access=write ns=2624 zero_filled=1\n\
        \x20             sh-4       (      4) [000]     0.018131: call: clone(0x11, 0x0, 0x0) = 0x5 ns=9360 cow_tables_copied=2 forks=1 tlbi_asid=1\n\
        \x20             sh-4       (      4) [000]     0.018140: fault: address=0x4c8048 access=write ns=15808 cow_copied=1 cow_tables_copied=2\n\
        \x20             sh-5       (      5) [000]     0.018185: exit:\n\
        \x20             sh-4       (      4) [000]     0.018200: call: wait4(0xffffffffffffffff, 0x7fffffe280, 0x2) = 0x5 (slept)\n";

    #[test]
    fn records_are_read() {
        let moments = parse(TRACE).unwrap();
        let story = from_fork(&moments).unwrap();
        let told: Vec<_> = story
            .iter()
            .map(|moment| (moment.thread.as_str(), moment.title.as_str(), moment.told()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "sh-4",
                    "clone = 0x5",
                    "2 x table copied, TLBI of a space".to_owned()
                ),
                (
                    "sh-4",
                    "write fault at 0x4c8048",
                    "page copied, 2 x table copied".to_owned()
                ),
                ("sh-5", "the thread ends", String::new()),
                ("sh-4", "wait4 = 0x5", String::new()),
            ]
        );
        // Within one microsecond, behind the call.
        assert_eq!(
            (story[0].begin, story[0].end(), story[1].begin),
            (18_131_000, 18_140_360, 18_140_360)
        );
        assert!(from_fork(&moments[..1]).is_err());
        assert!(parse("# records lost: 3\n").is_err() && parse("nonsense\n").is_err());
    }

    #[test]
    fn each_record_is_in_the_picture() {
        let path = std::env::temp_dir().join(format!("timeline-{}.svg", std::process::id()));
        let moments = parse(TRACE).unwrap();
        draw(&path, "a trace", &moments).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for text in [
            "write fault at 0x4ca010",
            "clone = 0x5",
            "wait4 = 0x5",
            "microseconds",
            "sh-5",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(draw(&path, "none", &[]).is_err());
    }
}
