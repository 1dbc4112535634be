//! The view over texts in memory.

use super::source::{Bytes, Source};
use super::view::{Place, Style, View};
use crate::regex::{Expression, Reading, Syntax};
use crate::runtime::Result;

/// Text that can be asked for again, or comes once, a few bytes at a time.
struct Text {
    bytes: Vec<u8>,
    is_file: bool,
    most: usize,
    /// The furthest byte that was asked for.
    reached: u64,
}

impl Bytes for Text {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = &self.bytes[(offset as usize).min(self.bytes.len())..];
        let len = rest.len().min(buffer.len()).min(self.most);
        buffer[..len].copy_from_slice(&rest[..len]);
        self.reached = self.reached.max(offset + len as u64);
        Ok(len)
    }

    fn is_file(&self) -> bool {
        self.is_file
    }
}

fn text(bytes: &str, is_file: bool) -> Text {
    Text {
        bytes: bytes.as_bytes().to_vec(),
        is_file,
        most: 100,
        reached: 0,
    }
}

fn view(text: &mut Text) -> View<'_> {
    View {
        source: Source::new(text),
        top: Place::default(),
        rows: 4,
        columns: 10,
        style: Style::default(),
        wanted: None,
    }
}

fn numbers(count: usize) -> String {
    (0..count).map(|number| format!("line {number}\n")).collect()
}

#[test]
fn pages_go_down_and_up_and_stop_at_the_ends() {
    for is_file in [true, false] {
        let mut text = text(&numbers(2000), is_file);
        let mut view = view(&mut text);
        assert_eq!(view.screen().unwrap(), ["line 0", "line 1", "line 2", "line 3"]);
        view.down(4).unwrap();
        assert_eq!(view.screen().unwrap()[0], "line 4");
        view.up(7).unwrap();
        assert_eq!(view.screen().unwrap()[0], "line 0");
        view.go(1500).unwrap();
        assert_eq!(view.screen().unwrap()[0], "line 1500");
        view.go_to_end().unwrap();
        assert_eq!(
            view.screen().unwrap(),
            ["line 1996", "line 1997", "line 1998", "line 1999"]
        );
        view.down(3).unwrap();
        assert!(view.is_at_end().unwrap() && view.top.line == 1996);
        view.go(9999).unwrap();
        assert_eq!(view.top.line, 1996);
    }
}

#[test]
fn a_stream_is_read_no_further_than_is_shown() {
    let mut text = text(&numbers(100_000), false);
    view(&mut text).screen().unwrap();
    assert!(text.reached <= 200, "{}", text.reached);
}

#[test]
fn long_lines_go_on_or_are_cut() {
    let mut text = text("0123456789abcdefghij\tx\nend\n", true);
    let mut view = view(&mut text);
    assert_eq!(
        view.screen().unwrap(),
        ["0123456789", "abcdefghij", "    x", "end"]
    );
    view.rows = 2;
    view.down(1).unwrap();
    assert_eq!(view.screen().unwrap(), ["abcdefghij", "    x"]);
    view.style.is_cut = true;
    view.top = Place::default();
    assert_eq!(view.screen().unwrap(), ["0123456789", "end"]);
}

#[test]
fn what_is_found_is_shown_and_marked() {
    let mut text = text(&(numbers(50) + "a\x01\x1b[31mb\n\u{fc}\n"), true);
    let mut view = view(&mut text);
    let reading = Reading {
        syntax: Syntax::Extended,
        ignores_case: false,
        has_lines: false,
        has_escapes: false,
    };
    view.wanted = Expression::new("4[0-9]", reading).ok();
    assert!(view.find(false).unwrap());
    assert_eq!(view.screen().unwrap()[0], "line \x1b[7m40\x1b[27m");
    assert!(!view.find(true).unwrap() && view.top.line == 40);
    view.style.has_numbers = true;
    view.columns = 40;
    view.wanted = None;
    view.go(50).unwrap();
    let screen = view.screen().unwrap();
    assert_eq!(screen[2..], ["     51 a^A^[[31mb", "     52 \u{fc}"]);
    view.style.is_raw = true;
    assert_eq!(view.screen().unwrap()[2], "     51 a^A\x1b[31mb\x1b[0m");
}
