//! `cowtop`: the pages of processes side by side, live, from /proc/PID/maps, pagemap and tables, kpagecount and vmstat; and processes
//! to step by hand, to see what a fork shares and a store copies.

mod canvas;
mod cells;
pub mod demo;
mod layout;
mod look;
mod rates;
mod top;
mod view;

use alloc::string::String;
use alloc::vec::Vec;

use super::arguments::{Parsed, parse};
use super::keyboard::Keyboard;
use crate::runtime::signal::{self, Disposition, Signal};
use crate::runtime::time::TimeSpec;
use crate::runtime::{Errno, Result, environment, output, process, terminal, time};
use canvas::Canvas;
use top::{Next, Top};

const USAGE: &str = "[-1a] [-d seconds] [pids]";

/// Signals that are noted while it runs.
const NOTED: [Signal; 5] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGTSTP,
    Signal::SIGWINCH,
    Signal::SIGCONT,
];

/// What was asked for.
struct Options {
    is_once: bool,
    shows_all: bool,
    interval: TimeSpec,
    pids: Vec<i32>,
}

/// `cowtop [-1a] [-d seconds] [pids]`
pub fn cowtop(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "1ad:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let Some(options) = options(&parsed) else {
        return parsed.usage(USAGE);
    };
    if let Some(pid) = options.pids.iter().find(|pid| look::Process::of(**pid).is_none()) {
        return parsed.fail(format_args!(
            "{pid}: no such process, or none with memory; `ps` lists them"
        ));
    }
    match run(&options) {
        Ok(()) => 0,
        Err(error) => parsed.fail(error),
    }
}

fn options(parsed: &Parsed) -> Option<Options> {
    let interval = match parsed.value('d') {
        Some(seconds) => nanoseconds(seconds)?,
        None => 1_000_000_000,
    };
    let pids = parsed.operands.iter().map(|word| word.parse().ok());
    Some(Options {
        is_once: parsed.has('1'),
        shows_all: parsed.has('a'),
        interval: TimeSpec::from_nanoseconds(interval),
        pids: pids.collect::<Option<_>>()?,
    })
}

/// Seconds with a fraction, from a tenth up.
fn nanoseconds(text: &str) -> Option<u64> {
    const LEAST: u64 = 100_000_000;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let seconds: u64 = if seconds.is_empty() {
        0
    } else {
        seconds.parse().ok()?
    };
    let sum = seconds
        .checked_mul(1_000_000_000)?
        .checked_add(digits.parse().ok()?)?;
    (sum >= LEAST && seconds < 1 << 20).then_some(sum)
}

fn run(options: &Options) -> Result<()> {
    let is_dumb = environment().any(|variable| variable == "TERM=dumb");
    let mut top = Top::new(options)?;
    if options.is_once {
        output::write_bytes(top.text(terminal::columns(1)).as_bytes());
        return Ok(());
    }
    if is_dumb || !terminal::is_terminal(1) {
        return print(&mut top, options);
    }
    NOTED
        .iter()
        .try_for_each(|noted| signal::set(*noted, Disposition::Note))?;
    show(&mut top, options)
}

/// Where there is no screen: the text, each time that it is another.
fn print(top: &mut Top, options: &Options) -> Result<()> {
    let mut shown = String::new();
    loop {
        let text = top.text(terminal::columns(1));
        if text != shown {
            output::write_bytes(text.as_bytes());
            output::write_bytes(b"\n");
            output::flush()?;
            shown = text;
        }
        time::sleep(options.interval)?;
        top.tick()?;
        top.look();
    }
}

/// The terminal, and what it shows.
struct Screen {
    keyboard: Keyboard,
    size: (usize, usize),
    shown: Canvas,
}

impl Screen {
    /// Takes the terminal, or takes it again: it shows nothing that is known.
    fn take(&mut self) -> Result<()> {
        self.keyboard.take()?;
        self.clear()
    }

    fn clear(&mut self) -> Result<()> {
        self.shown = Canvas::new(0, 0);
        self.keyboard.show("\x1b[?25l")
    }

    /// Sends what is new.
    fn show(&mut self, canvas: Canvas) -> Result<()> {
        let difference = canvas.difference(&self.shown);
        self.shown = canvas;
        if difference.is_empty() {
            return Ok(());
        }
        self.keyboard.show(&difference)
    }

    /// What signals have come. `Quit`: it is to end.
    fn signals(&mut self) -> Result<Next> {
        if signal::take(Signal::SIGINT) || signal::take(Signal::SIGTERM) {
            return Ok(Next::Quit);
        }
        if signal::take(Signal::SIGTSTP) {
            self.keyboard.leave();
            signal::send(process::id(), Signal::SIGSTOP)?;
        }
        if signal::take(Signal::SIGCONT) {
            self.take()?;
        }
        if signal::take(Signal::SIGWINCH) {
            self.size = self.keyboard.size();
            self.clear()?;
        }
        Ok(Next::More)
    }
}

/// Shows what changes and does what keys say, until one ends it.
fn show(top: &mut Top, options: &Options) -> Result<()> {
    let keyboard = Keyboard::open(true)?;
    let mut screen = Screen {
        size: keyboard.size(),
        keyboard,
        shown: Canvas::new(0, 0),
    };
    screen.clear()?;
    loop {
        let (rows, columns) = screen.size;
        screen.show(top.screen(rows, columns))?;
        let next = match screen.keyboard.has_key(options.interval) {
            Ok(false) => top.tick().map(|()| Next::More)?,
            Ok(true) => keys(top, &screen)?,
            Err(Errno::EINTR) => Next::More,
            Err(error) => return Err(error),
        };
        // A signal may have come at any moment, on a slow line most likely while the screen was being sent.
        if next == Next::Quit || screen.signals()? == Next::Quit {
            return Ok(());
        }
        if next == Next::Anew {
            screen.clear()?;
        }
        top.look();
    }
}

/// All keys that were pressed, before anything is shown.
fn keys(top: &mut Top, screen: &Screen) -> Result<Next> {
    const NOW: TimeSpec = TimeSpec::from_nanoseconds(0);
    let (rows, columns) = screen.size;
    let mut after = Next::More;
    loop {
        match screen.keyboard.key() {
            Ok(key) => match top.press(key, rows, columns) {
                Next::More => {}
                Next::Anew => after = Next::Anew,
                Next::Quit => return Ok(Next::Quit),
            },
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
        if !screen.keyboard.has_key(NOW).unwrap_or(false) {
            return Ok(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_have_a_fraction() {
        let cases = [
            ("1", Some(1_000_000_000)),
            ("0.25", Some(250_000_000)),
            (".5", Some(500_000_000)),
            ("0", None),
            ("0.01", None),
            ("x", None),
            ("1.x", None),
            ("99999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }
}
