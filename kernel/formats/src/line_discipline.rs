//! The line discipline: what a terminal does to what is typed, as Linux's `drivers/tty/n_tty.c` and termios(3) have it.
//! Pure: bytes go in, effects come out; the screen is a closure.

mod editing;
mod flow;
mod output;

use alloc::collections::{TryReserveError, VecDeque};

use abi::signal::Signal;
use abi::terminal::{
    ECHO, ECHOCTL, ECHONL, ICANON, ICRNL, IEXTEN, IGNCR, IMAXBEL, INLCR, ISIG, ISTRIP, IUCLC, IXANY, IXON,
    NOFLSH, Termios, VEOF, VEOL, VEOL2, VINTR, VMIN, VQUIT, VSUSP, VTIME,
};

use flow::Flow;
use output::Output;

pub use output::push_within_capacity;

/// Bytes that wait to be read at most: `N_TTY_BUF_SIZE`.
const CAPACITY: usize = 4096;
const BELL: &[u8] = b"\x07";

/// A byte that waits to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cell {
    byte: u8,
    mark: Mark,
}

/// Whether a line ends with a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    None,
    /// It does.
    LineEnd,
    /// It does, and the byte itself is not read: VEOF.
    EndOfFile,
}

/// What receiving a byte leads to, beside what is echoed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Effect {
    /// A signal for the foreground group.
    pub signal: Option<Signal>,
    /// There may be something new to read.
    pub is_input: bool,
    /// Output goes on.
    pub is_restart: bool,
    /// Output that was not sent before this byte is dropped.
    pub drops_output: bool,
}

/// One piece of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Bytes put into the buffer.
    pub len: usize,
    /// A canonical read ends here, at a line's end.
    pub is_end: bool,
}

/// A line discipline with its settings.
pub struct Discipline {
    termios: Termios,
    output: Output,
    cells: VecDeque<Cell>,
    /// Cells of whole lines; the rest is the line being typed. Without meaning outside canonical mode.
    complete: usize,
    /// The column in which the echo of the line being typed began.
    line_column: usize,
    /// The next byte has no special meaning (VLNEXT).
    is_literal_next: bool,
    /// Erased characters are being printed (ECHOPRT).
    is_erasing: bool,
    flow: Flow,
}

type Screen<'a> = &'a mut dyn FnMut(&[u8]);

impl Discipline {
    /// A line discipline with the usual settings, and with room for all that may wait to be read.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn try_new() -> Result<Discipline, TryReserveError> {
        let mut cells = VecDeque::new();
        cells.try_reserve_exact(CAPACITY)?;
        Ok(Discipline {
            termios: Termios::default(),
            output: Output::default(),
            cells,
            complete: 0,
            line_column: 0,
            is_literal_next: false,
            is_erasing: false,
            flow: Flow::default(),
        })
    }

    /// The settings.
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Changes the settings. What waits stays: in canonical mode it becomes a line, else its lines lose their ends.
    pub fn set_termios(&mut self, termios: Termios) {
        let is_switched = (self.termios.lflag ^ termios.lflag) & ICANON != 0;
        let had_flow_keys = self.has_input(IXON);
        self.termios = termios;
        if is_switched {
            self.cells.iter_mut().for_each(|cell| cell.mark = Mark::None);
            self.complete = 0;
            self.is_literal_next = false;
            self.is_erasing = false;
            if self.is_canonical() && !self.cells.is_empty() {
                self.complete = self.cells.len();
                if let Some(last) = self.cells.back_mut() {
                    last.mark = Mark::LineEnd;
                }
            }
        }
        if had_flow_keys && !self.has_input(IXON) {
            self.flow.start();
        }
    }

    /// Whether input comes in lines.
    pub fn is_canonical(&self) -> bool {
        self.has_local(ICANON)
    }

    /// Sends a program's bytes to the screen.
    pub fn write(&mut self, bytes: &[u8], screen: Screen<'_>) {
        self.output.write(&self.termios, bytes, screen);
    }

    /// Bytes that a read could get now: `FIONREAD`.
    pub fn readable(&self) -> usize {
        if !self.is_canonical() {
            return self.cells.len();
        }
        self.cells
            .iter()
            .take(self.complete)
            .filter(|cell| cell.mark != Mark::EndOfFile)
            .count()
    }

    /// Bytes that may still come before they are refused.
    pub fn input_room(&self) -> usize {
        CAPACITY - self.cells.len()
    }

    /// Whether poll(2) says that there is something to read: a line; without lines a byte, or VMIN of them if VTIME is 0.
    pub fn is_readable(&self) -> bool {
        let cc = &self.termios.cc;
        let least = if cc[VTIME] == 0 { cc[VMIN].max(1) } else { 1 };
        match self.is_canonical() {
            true => self.has_line(),
            false => self.cells.len() >= usize::from(least),
        }
    }

    /// Whether a read in canonical mode has a line, or end of file, to give.
    pub fn has_line(&self) -> bool {
        self.complete > 0
    }

    /// Drops all input: `TCIFLUSH`.
    pub fn flush_input(&mut self) {
        self.cells.clear();
        self.complete = 0;
        self.is_literal_next = false;
        self.is_erasing = false;
    }

    /// Takes bytes for a read, in canonical mode up to the end of the line.
    pub fn take(&mut self, into: &mut [u8]) -> Taken {
        let mut len = 0;
        let is_canonical = self.is_canonical();
        while len < into.len() && (!is_canonical || self.complete > 0) {
            let Some(cell) = self.cells.pop_front() else { break };
            self.complete = self.complete.saturating_sub(1);
            if cell.mark != Mark::EndOfFile {
                into[len] = cell.byte;
                len += 1;
            }
            if is_canonical && cell.mark != Mark::None {
                return Taken { len, is_end: true };
            }
        }
        // An end of file right behind a full buffer belongs to this read, else the next one would be empty.
        let is_end_next = self
            .cells
            .front()
            .is_some_and(|cell| cell.mark == Mark::EndOfFile);
        if is_canonical && self.complete > 0 && is_end_next && len > 0 {
            self.cells.pop_front();
            self.complete -= 1;
            return Taken { len, is_end: true };
        }
        Taken { len, is_end: false }
    }

    /// A byte was typed.
    pub fn receive(&mut self, byte: u8, screen: Screen<'_>) -> Effect {
        let mut byte = byte;
        if self.has_input(ISTRIP) {
            byte &= 0x7f;
        }
        if self.has_input(IUCLC) && self.has_local(IEXTEN) {
            byte = byte.to_ascii_lowercase();
        }
        if core::mem::take(&mut self.is_literal_next) {
            return self.receive_plain(byte, screen);
        }
        if let Some(effect) = self.receive_flow(byte) {
            return effect;
        }
        let mut effect = Effect::default();
        if self.is_stopped() && self.has_input(IXON) && self.has_input(IXANY) {
            effect.is_restart = self.flow.start();
        }
        if let Some(signal) = self.signal_of(byte) {
            return self.receive_signal(byte, signal, screen);
        }
        match byte {
            b'\r' if self.has_input(IGNCR) => return effect,
            b'\r' if self.has_input(ICRNL) => byte = b'\n',
            b'\n' if self.has_input(INLCR) => byte = b'\r',
            _ => {}
        }
        let rest = if self.is_canonical() && self.edit(byte, screen) {
            Effect::default()
        } else if let Some(mark) = self.line_end(byte) {
            self.receive_line_end(byte, mark, screen)
        } else {
            self.receive_plain(byte, screen)
        };
        Effect {
            is_restart: effect.is_restart,
            ..rest
        }
    }

    fn signal_of(&self, byte: u8) -> Option<Signal> {
        if !self.has_local(ISIG) {
            return None;
        }
        let keys = [
            (VINTR, Signal::SIGINT),
            (VQUIT, Signal::SIGQUIT),
            (VSUSP, Signal::SIGTSTP),
        ];
        keys.into_iter()
            .find(|(key, _)| self.is_control(*key, byte))
            .map(|(_, signal)| signal)
    }

    fn receive_signal(&mut self, byte: u8, signal: Signal, screen: Screen<'_>) -> Effect {
        let is_flush = !self.has_local(NOFLSH);
        if is_flush {
            self.flush_input();
        }
        let is_restart = self.has_input(IXON) && self.flow.start();
        if self.has_local(ECHO) {
            self.echo(byte, screen);
        }
        Effect {
            signal: Some(signal),
            is_input: false,
            is_restart,
            drops_output: is_flush,
        }
    }

    /// Whether, and how, the byte ends a line.
    fn line_end(&self, byte: u8) -> Option<Mark> {
        if !self.is_canonical() {
            return None;
        }
        if byte == b'\n' {
            return Some(Mark::LineEnd);
        }
        if self.is_control(VEOF, byte) {
            return Some(Mark::EndOfFile);
        }
        let is_second = self.has_local(IEXTEN) && self.is_control(VEOL2, byte);
        (is_second || self.is_control(VEOL, byte)).then_some(Mark::LineEnd)
    }

    fn receive_line_end(&mut self, byte: u8, mark: Mark, screen: Screen<'_>) -> Effect {
        if self.cells.len() >= CAPACITY {
            return self.refuse(screen);
        }
        self.finish_erasing(screen);
        if byte == b'\n' && self.has_local(ECHO | ECHONL) {
            self.write(b"\n", screen);
        } else if mark == Mark::LineEnd && self.has_local(ECHO) {
            self.echo(byte, screen);
        }
        let byte = if mark == Mark::EndOfFile { 0 } else { byte };
        push_within_capacity(&mut self.cells, Cell { byte, mark });
        self.complete = self.cells.len();
        Effect {
            is_input: true,
            ..Effect::default()
        }
    }

    /// A byte without special meaning. One place is kept for the end of the line.
    fn receive_plain(&mut self, byte: u8, screen: Screen<'_>) -> Effect {
        if self.cells.len() >= CAPACITY - 1 {
            return self.refuse(screen);
        }
        if self.has_local(ECHO) {
            self.finish_erasing(screen);
            if self.pending() == 0 {
                self.line_column = self.output.column;
            }
            if byte == b'\n' {
                self.write(b"\n", screen)
            } else {
                self.echo(byte, screen)
            }
        }
        let mark = Mark::None;
        push_within_capacity(&mut self.cells, Cell { byte, mark });
        Effect {
            is_input: !self.is_canonical(),
            ..Effect::default()
        }
    }

    fn refuse(&mut self, screen: Screen<'_>) -> Effect {
        if self.has_input(IMAXBEL) {
            screen(BELL);
        }
        Effect {
            is_input: true,
            ..Effect::default()
        }
    }

    /// Cells of the line being typed.
    fn pending(&self) -> usize {
        self.cells.len() - self.complete
    }

    /// Echoes one byte; a control character other than tab as `^X` (ECHOCTL).
    fn echo(&mut self, byte: u8, screen: Screen<'_>) {
        if byte.is_ascii_control() && byte != b'\t' && self.has_local(ECHOCTL) {
            screen(&[b'^', byte ^ 0x40]);
            self.output.column += 2;
        } else {
            self.write(&[byte], screen);
        }
    }

    /// Whether the byte is that control character. 0 stands for none.
    fn is_control(&self, key: usize, byte: u8) -> bool {
        byte != 0 && self.termios.cc[key] == byte
    }

    fn has_input(&self, flag: u32) -> bool {
        self.termios.iflag & flag != 0
    }

    /// Whether any of the local flags is set.
    fn has_local(&self, flags: u32) -> bool {
        self.termios.lflag & flags != 0
    }

    fn has_all_local(&self, flags: u32) -> bool {
        self.termios.lflag & flags == flags
    }
}

#[cfg(test)]
mod tests;
