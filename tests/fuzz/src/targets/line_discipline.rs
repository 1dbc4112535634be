//! The line discipline: keys, settings, reads and writes in any order.

use abi::terminal::{ICANON, Termios};
use formats::line_discipline::Discipline;
use zerocopy::{FromBytes, IntoBytes};

pub const WORDS: &[&[u8]] = &[
    b"\x03", b"\x04", b"\x11", b"\x12", b"\x13", b"\x15", b"\x16", b"\x17", b"\x7f", b"\r", b"\n",
];

/// Bytes that wait to be read at most.
const CAPACITY: usize = 4096;
/// Behind this byte stands what else happens than a key: a letter, and what it needs.
const ESCAPE: u8 = 0xff;

/// A terminal, and what went through it.
struct Terminal {
    discipline: Discipline,
    typed: usize,
    read: usize,
    shown: usize,
}

impl Terminal {
    fn new() -> Terminal {
        Terminal {
            discipline: Discipline::try_new().expect("memory for one terminal"),
            typed: 0,
            read: 0,
            shown: 0,
        }
    }

    fn key(&mut self, byte: u8) {
        self.typed += 1;
        let shown = &mut self.shown;
        self.discipline.receive(byte, &mut |bytes| *shown += bytes.len());
    }

    fn read(&mut self, len: usize) {
        let mut buffer = [0; 64];
        let has_line = self.discipline.has_line();
        let waiting = self.discipline.readable();
        let taken = self.discipline.take(&mut buffer[..len]);
        assert!(taken.len <= len);
        match self.discipline.is_canonical() {
            true => assert_eq!(taken.len > 0 || taken.is_end, has_line && len > 0),
            false => assert!(taken.len == waiting.min(len) && !taken.is_end),
        }
        self.read += taken.len;
    }

    /// What `letter` stands for; the bytes that it leaves.
    fn other<'a>(&mut self, letter: u8, rest: &'a [u8]) -> &'a [u8] {
        match letter {
            b's' => {
                let Ok((settings, rest)) = Termios::read_from_prefix(rest) else {
                    return &[];
                };
                self.discipline.set_termios(settings);
                return rest;
            }
            b'l' => {
                let mut settings = *self.discipline.termios();
                settings.lflag ^= ICANON;
                self.discipline.set_termios(settings);
            }
            b'f' => {
                self.discipline.flush_input();
                assert_eq!(self.discipline.readable(), 0);
            }
            b'w' => {
                let (written, rest) = rest.split_at(rest.len().min(16));
                let shown = &mut self.shown;
                self.discipline.write(written, &mut |bytes| *shown += bytes.len());
                return rest;
            }
            len => self.read(usize::from(len) % 65),
        }
        rest
    }

    fn check(&self) {
        let waiting = self.discipline.readable();
        assert!(waiting <= CAPACITY && waiting + self.read <= self.typed);
    }
}

pub fn run(mut bytes: &[u8]) -> bool {
    let mut terminal = Terminal::new();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = match (byte, rest) {
            (ESCAPE, &[letter, ref rest @ ..]) => terminal.other(letter, rest),
            _ => {
                terminal.key(byte);
                rest
            }
        };
        terminal.check();
    }
    terminal.typed > 0
}

pub fn seeds() -> Vec<Vec<u8>> {
    let raw = Termios {
        lflag: 0,
        iflag: 0,
        oflag: 0,
        ..Termios::default()
    };
    let settings = [b"abc\xffs", raw.as_bytes(), b"\x03\x04\xff\x02xyz\xff\x40"].concat();
    vec![
        b"ls -l\x7f\x7fa\n\xff\x40echo \x16\x03 word\x17two\x15three\x04\xff\x40\x04\xff\x40".to_vec(),
        b"stop\x13more\x11\x12\xffwout\tput\nline two..\x1c\x1a\x03\n".to_vec(),
        b"typed\xfflnow raw\xff\x05\xffl\xff\x40".to_vec(),
        settings,
    ]
}
