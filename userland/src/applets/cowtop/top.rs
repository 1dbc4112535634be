//! What is looked at, and what keys do to it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Options;
use super::canvas::Canvas;
use super::demo::{self, Demo, Step};
use super::look::{self, Kinds, Process};
use super::rates::Counters;
use super::view::View;
use crate::applets::keyboard::Key;
use crate::compressed::SwapArea;
use crate::runtime::{Errno, Result, file, time};

/// Pages of a cell at most: those of one table.
const MOST_ZOOM: usize = 512;

/// By what processes are sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Pid,
    Pages,
    Faults,
}

/// What goes on after a key.
#[derive(PartialEq, Eq)]
pub enum Next {
    More,
    /// Nobody knows what the screen shows: it is to be drawn anew.
    Anew,
    Quit,
}

/// The state of the program.
pub struct Top {
    kinds: Kinds,
    demo: Option<Demo>,
    /// Who is shown; `None`: those of the demo.
    named: Option<Vec<i32>>,
    shows_all: bool,
    order: Order,
    processes: Vec<Process>,
    /// The process with the cursor, and the page under it.
    selected: i32,
    cursor: usize,
    zoom: usize,
    top: usize,
    counters: (u64, Counters),
    rates: Counters,
    message: String,
    is_help: bool,
    /// Swap space that was made for a step. The demo's processes have ended when it goes.
    swap: Option<SwapArea>,
}

/// Pages of that.
const SWAP_PAGES: usize = 256;

/// Whether there is any.
fn has_swap_space() -> bool {
    file::read_text("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}

impl Drop for Top {
    fn drop(&mut self) {
        self.demo = None;
        if let Some(Err(error)) = self.swap.take().map(SwapArea::end) {
            eprintln!("cowtop: swapoff: {error}");
        }
    }
}

impl Top {
    /// Looks for the first time. Without processes to look at a demo begins.
    pub fn new(options: &Options) -> Result<Top> {
        let is_demo = options.pids.is_empty() && !options.shows_all && !options.is_once;
        let demo = is_demo.then(Demo::start).transpose()?;
        let mut top = Top {
            kinds: Kinds::new()?,
            cursor: demo.as_ref().map_or(0, Demo::first_page),
            demo,
            named: (!options.pids.is_empty()).then(|| options.pids.clone()),
            shows_all: options.shows_all || (options.is_once && options.pids.is_empty()),
            order: Order::Pid,
            processes: Vec::new(),
            selected: 0,
            zoom: 1,
            top: 0,
            counters: (time::monotonic()?, Counters::now()),
            rates: Counters::default(),
            message: String::new(),
            is_help: false,
            swap: None,
        };
        top.rates = top.counters.1.since(&top.counters.1);
        top.look();
        if top.demo.is_none() {
            top.go_to_start();
        }
        Ok(top)
    }

    /// Looks at the processes anew.
    pub fn look(&mut self) {
        let pids = match (&self.named, &self.demo) {
            _ if self.shows_all => look::all(),
            (Some(named), _) => named.clone(),
            (None, Some(demo)) => demo.pids().collect(),
            (None, None) => Vec::new(),
        };
        self.processes = pids.into_iter().filter_map(Process::of).collect();
        match self.order {
            Order::Pid => self.processes.sort_by_key(|process| process.pid),
            Order::Pages => self.processes.sort_by_key(|process| u64::MAX - process.resident),
            Order::Faults => self.processes.sort_by_key(|process| u64::MAX - process.faults),
        }
        if self.place().is_none() {
            self.selected = self.processes.first().map_or(0, |first| first.pid);
        }
    }

    /// The rates of the time that has passed since the last call.
    pub fn tick(&mut self) -> Result<()> {
        let now = (time::monotonic()?, Counters::now());
        self.rates = now.1.since(&self.counters.1).a_second(now.0 - self.counters.0);
        self.counters = now;
        Ok(())
    }

    fn place(&self) -> Option<usize> {
        self.processes
            .iter()
            .position(|process| process.pid == self.selected)
    }

    fn view(&self, rates: String) -> View<'_> {
        View {
            processes: &self.processes,
            selected: self.place().unwrap_or(0),
            cursor: self.cursor,
            zoom: self.zoom,
            rates,
            message: &self.message,
            is_help: self.is_help,
        }
    }

    /// The screen as it is to be.
    pub fn screen(&mut self, rows: usize, columns: usize) -> Canvas {
        let mut kinds = core::mem::take(&mut self.kinds);
        let mut top = self.top;
        let canvas = self
            .view(self.rates.text("/s"))
            .screen(&mut kinds, &mut top, rows, columns);
        (self.kinds, self.top) = (kinds, top);
        canvas
    }

    /// All of it as text, with what was counted since boot.
    pub fn text(&mut self, columns: usize) -> String {
        let mut kinds = core::mem::take(&mut self.kinds);
        let text = self.view(self.counters.1.text("")).text(&mut kinds, columns);
        self.kinds = kinds;
        text
    }

    /// Does what a key says, on a terminal of that size.
    pub fn press(&mut self, key: Key, rows: usize, columns: usize) -> Next {
        self.message.clear();
        if core::mem::take(&mut self.is_help) {
            return Next::More;
        }
        let layout = self.view(String::new()).layout(columns);
        let (row, cells) = (layout.pages_of_row(), layout.zoom);
        let at = layout.row_of(self.cursor);
        let column = self.cursor % row;
        let screenful = rows.saturating_sub(8).max(1);
        let go = |to: usize| {
            layout
                .first_page(to.min(layout.rows().saturating_sub(1)))
                .unwrap_or(0)
                + column
        };
        match key {
            Key::Up => self.cursor = go(at.saturating_sub(1)),
            Key::Down => self.cursor = go(at + 1),
            Key::PageUp => self.cursor = go(at.saturating_sub(screenful)),
            Key::PageDown => self.cursor = go(at + screenful),
            Key::Home => self.cursor = go(0),
            Key::End => self.cursor = go(usize::MAX),
            Key::Left => self.cursor = self.cursor.saturating_sub(cells).max(self.cursor - column),
            Key::Right => self.cursor = (self.cursor + cells).min(self.cursor - column + row - cells),
            Key::Escape => {}
            Key::Letter(letter) => return self.letter(letter),
        }
        Next::More
    }

    fn letter(&mut self, letter: char) -> Next {
        match letter {
            'q' | 'Q' | '\x03' => return Next::Quit,
            '?' | 'h' => self.is_help = true,
            '\t' => self.choose_next(),
            '+' | '=' => self.zoom = (self.zoom / 2).max(1),
            '-' => self.zoom = (self.zoom * 2).min(MOST_ZOOM),
            's' => self.sort(),
            'a' => {
                self.shows_all = !self.shows_all;
                self.look();
            }
            'd' => self.start_demo(),
            'f' => self.fork(),
            'w' => self.touch(Step::Write, "stored to"),
            'r' => self.touch(Step::Read, "read"),
            'o' => return self.swap_out(),
            '\x0c' => return Next::Anew,
            'x' => self.step(Step::Exit, "exited"),
            ' ' | '\r' | '\n' => {}
            _ => self.message = String::from("no such key: ? says which there are"),
        }
        Next::More
    }

    fn choose_next(&mut self) {
        let next = self.place().map_or(0, |place| (place + 1) % self.processes.len());
        if let Some(process) = self.processes.get(next) {
            self.selected = process.pid;
        }
    }

    fn sort(&mut self) {
        let (order, name) = match self.order {
            Order::Pid => (Order::Pages, "pages, most first"),
            Order::Pages => (Order::Faults, "faults, most first"),
            Order::Faults => (Order::Pid, "pid"),
        };
        self.order = order;
        self.message = format!("sorted by {name}");
        self.look();
    }

    fn go_to_start(&mut self) {
        let place = self.place().unwrap_or(0);
        let first = self
            .processes
            .get(place)
            .and_then(|process| process.ranges().next());
        self.cursor = first.map_or(0, |range| range.start);
    }

    fn start_demo(&mut self) {
        if self
            .demo
            .as_ref()
            .is_some_and(|demo| demo.pids().next().is_some())
        {
            self.message = String::from("there is one already: Tab chooses it, f forks it");
            return;
        }
        match Demo::start() {
            Ok(demo) => {
                self.cursor = demo.first_page();
                self.selected = demo.pids().next().unwrap_or(0);
                self.demo = Some(demo);
                (self.named, self.shows_all) = (None, false);
                self.look();
            }
            Err(error) => self.message = format!("fork: {error}"),
        }
    }

    /// The page under the cursor is touched by the selected process, and the cursor goes on.
    fn touch(&mut self, step: fn(usize) -> Step, verb: &str) {
        let page = self.demo.as_ref().and_then(|demo| demo.page(self.cursor));
        let Some(page) = page else {
            self.message = match &self.demo {
                Some(demo) => format!("the memory of the demo begins at page {:x}", demo.first_page()),
                None => String::from("only demo processes take steps: d starts one"),
            };
            return;
        };
        self.step(step(page), &format!("{verb} {:x}000", self.cursor));
        let demo = self.demo.as_ref();
        if demo.is_some_and(|demo| demo.page(self.cursor + 1).is_some()) {
            self.cursor += 1;
        }
    }

    /// Where there is no swap space, there is some from now on, until this program ends.
    fn swap_out(&mut self) -> Next {
        let is_missing = self.swap.is_none() && !has_swap_space();
        if is_missing {
            let Ok(Some(area)) = SwapArea::begin(SWAP_PAGES) else {
                self.message =
                    String::from("there is no swap space: it wants /dev/zram0, or a swapon by root");
                return Next::More;
            };
            self.swap = Some(area);
        }
        self.touch(Step::Out, "swapped out");
        // The kernel has told of new swap space, where its log is shown on this terminal.
        if is_missing { Next::Anew } else { Next::More }
    }

    fn fork(&mut self) {
        match self.demo.as_ref().and_then(Demo::free_place) {
            Some(place) => self.step(Step::Fork(place), &format!("forked {}", demo::name(place))),
            None if self.demo.is_some() => self.message = String::from("no more than six: x ends one"),
            None => self.message = String::from("only demo processes take steps: d starts one"),
        }
    }

    /// Lets the selected process take a step, and says what the kernel did for it.
    fn step(&mut self, step: Step, verb: &str) {
        let chosen = self
            .demo
            .as_mut()
            .and_then(|demo| Some((demo.place(self.selected)?, demo)));
        let Some((place, demo)) = chosen else {
            self.message = String::from("only demo processes take steps: Tab chooses one, d starts one");
            return;
        };
        let before = Counters::now();
        let taken = demo.step(place, step);
        let cost = Counters::now().since(&before).told();
        let name = demo::name(place);
        self.message = match taken {
            Ok(()) => format!("{name} {verb}{cost}"),
            Err(Errno::EPIPE | Errno::ETIMEDOUT) => format!("{name} does not answer any more"),
            Err(error) => format!("{name}: {error}"),
        };
        self.look();
    }
}
