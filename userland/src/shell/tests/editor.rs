//! Keys to a line, and what a terminal shows of it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::shell::editor::{Action, Editor, width};

/// A terminal of one row: enough to see what the editor draws.
struct Screen {
    cells: Vec<char>,
    column: usize,
}

impl Screen {
    fn new() -> Screen {
        Screen {
            cells: Vec::new(),
            column: 0,
        }
    }

    fn write(&mut self, text: &str) {
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => *self = Screen::new(),
                '\x1b' => self.sequence(&mut characters),
                c => {
                    self.cells.resize(self.cells.len().max(self.column + 1), ' ');
                    self.cells[self.column] = c;
                    self.column += 1;
                }
            }
        }
    }

    fn sequence(&mut self, characters: &mut core::str::Chars) {
        assert_eq!(characters.next(), Some('['));
        let mut number = String::new();
        for c in characters.by_ref() {
            match c {
                '0'..='9' => number.push(c),
                'C' => return self.column += number.parse::<usize>().unwrap_or(1),
                'K' => return self.cells.truncate(self.column),
                'H' | 'J' => return *self = Screen::new(),
                other => panic!("ESC [ {other}"),
            }
        }
    }

    fn text(&self) -> String {
        self.cells.iter().collect()
    }
}

/// Types at a prompt; the editor and what is on the screen.
fn type_in(editor: &mut Editor, keys: &[u8]) -> (Vec<Action>, Screen) {
    let mut screen = Screen::new();
    editor.start("$ ", 40);
    let mut actions = Vec::new();
    for &key in keys {
        actions.push(editor.feed(key));
        screen.write(&editor.take_output());
        if actions.last() == Some(&Action::Continue) {
            // Whatever was typed: the screen shows the prompt and the line, as far as it fits.
            let line = editor.line();
            if line.chars().count() < 37 {
                assert_eq!(screen.text().trim_end(), (String::from("$ ") + &line).trim_end());
                assert_eq!(screen.column, 2 + editor.before_cursor().chars().count());
            }
        }
    }
    (actions, screen)
}

fn line_of(keys: &[u8]) -> String {
    let mut editor = Editor::new();
    type_in(&mut editor, keys);
    editor.line()
}

#[test]
fn plain_typing_is_echoed_and_nothing_more() {
    let mut editor = Editor::new();
    editor.start("$ ", 80);
    editor.feed(b'l');
    editor.feed(b's');
    assert_eq!(editor.take_output(), "$ ls");
    assert_eq!(editor.feed(b'\r'), Action::Accept);
    assert_eq!(editor.take_output(), "\n");
    assert_eq!(editor.line(), "ls");
}

#[test]
fn keys_move_and_delete() {
    assert_eq!(line_of(b"abc\x1b[D\x1b[DX"), "aXbc");
    assert_eq!(line_of(b"abc\x01X\x05Y"), "XabcY");
    assert_eq!(line_of(b"abc\x1b[HX\x1b[FY"), "XabcY");
    assert_eq!(line_of(b"abc\x1b[1~X\x1b[4~Y"), "XabcY");
    assert_eq!(line_of(b"abc\x1bOD\x1bOCX"), "abcX");
    assert_eq!(line_of(b"abc\x7f\x08"), "a");
    assert_eq!(line_of(b"abc\x01\x1b[3~\x04"), "c");
    assert_eq!(line_of(b"abc\x02\x0b"), "ab");
    assert_eq!(line_of(b"abc\x02\x15"), "c");
    assert_eq!(line_of(b"one two  three  \x17"), "one two  ");
    assert_eq!(line_of(b"a\x1b[D\x1b[D\x7f\x1b[Cb\x1b[C"), "ab");
}

#[test]
fn characters_of_several_bytes_are_one() {
    assert_eq!(line_of("häö\x7f".as_bytes()), "hä");
    assert_eq!(line_of("ä\x1b[Dx".as_bytes()), "xä");
    assert_eq!(line_of(b"a\xffb\xc3(c"), "abc");
    assert_eq!(width("日本".chars()), 4);
    assert_eq!(width("e\u{301}".chars()), 1);
}

#[test]
fn control_keys_end_the_line() {
    let last = |keys: &[u8]| type_in(&mut Editor::new(), keys).0.pop();
    assert_eq!(last(b"abc\x03"), Some(Action::Cancel));
    assert_eq!(last(b"\x04"), Some(Action::End));
    assert_eq!(last(b"a\x04"), Some(Action::Continue));
    assert_eq!(last(b"a\t"), Some(Action::Complete));
    assert_eq!(last(b"a\x1b[D\x1b[Z\n"), Some(Action::Accept));
}

#[test]
fn history_goes_up_and_down_and_keeps_the_draft() {
    let mut editor = Editor::new();
    for line in ["one", "two", "two", "  ", "three"] {
        editor.remember(line);
    }
    assert_eq!(editor.history(), ["one", "two", "three"]);
    type_in(&mut editor, b"draft\x1b[A\x1b[A");
    assert_eq!(editor.line(), "two");
    type_in(&mut editor, b"draft\x10\x10\x10\x10\x10");
    assert_eq!(editor.line(), "one");
    type_in(&mut editor, b"draft\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B");
    assert_eq!(editor.line(), "draft");
}

#[test]
fn long_lines_scroll_with_the_cursor() {
    let mut editor = Editor::new();
    let keys: Vec<u8> = (b'a'..=b'z').cycle().take(100).collect();
    let (_, screen) = type_in(&mut editor, &keys);
    assert!(screen.cells.len() < 40 && screen.column < 40);
    assert!(screen.text().starts_with("$ ") && screen.text().ends_with("tuv"));
    type_in(&mut editor, &[&keys[..], &[0x02; 60]].concat());
    assert_eq!(editor.before_cursor().len(), 40);
    let (_, screen) = type_in(&mut editor, &[&keys[..], b"\x01"].concat());
    assert!(screen.text().starts_with("$ abc") && screen.column == 2);
    assert_eq!(editor.line().len(), 100);
}

#[test]
fn completion_inserts_at_the_cursor() {
    let mut editor = Editor::new();
    type_in(&mut editor, b"ec x\x1b[D\x1b[D");
    editor.insert("ho");
    assert_eq!(
        (editor.line().as_str(), editor.before_cursor().as_str()),
        ("echo x", "echo")
    );
    editor.insert("a\nb\x1b");
    assert_eq!(editor.line(), "echoab x", "control characters are no text");
}

#[test]
fn words_are_moved_over_and_deleted() {
    let mut editor = Editor::new();
    type_in(&mut editor, b"one two three\x1bb\x1bbX");
    assert_eq!(editor.line(), "one Xtwo three");
    type_in(&mut editor, b"one two three\x01\x1bf\x1bfX");
    assert_eq!(editor.line(), "one twoX three");
    type_in(&mut editor, b"one two three\x01\x1b[1;5CX\x1bd");
    assert_eq!(editor.line(), "oneX three");
    type_in(&mut editor, b"one two\x1b[1;3DX\x1b\x7f");
    assert_eq!(editor.line(), "one two");
}

/// Types keys while the screen shows the search and not the line.
fn search(editor: &mut Editor, keys: &[u8]) -> (Option<Action>, Screen) {
    let mut screen = Screen::new();
    editor.start("$ ", 60);
    let last = keys.iter().map(|key| editor.feed(*key)).last();
    screen.write(&editor.take_output());
    (last, screen)
}

#[test]
fn the_history_is_searched() {
    let mut editor = Editor::new();
    for line in ["echo first", "ls", "echo second", "pwd"] {
        editor.remember(line);
    }
    let (last, _) = search(&mut editor, b"\x12echo\r");
    assert_eq!(last, Some(Action::Accept));
    assert_eq!(editor.line(), "echo second");
    let (_, screen) = search(&mut editor, b"\x12echo\x12");
    assert_eq!(screen.text(), "(reverse-i-search)`echo': echo first");
    search(&mut editor, b"\x12echo\x12\x05X");
    assert_eq!(editor.line(), "echo firstX");
    let (_, screen) = search(&mut editor, b"old\x12nosuch");
    assert_eq!(screen.text(), "(failed reverse-i-search)`nosuch': echo second");
    let (_, screen) = search(&mut editor, b"old\x12ls\x07");
    assert_eq!((editor.line().as_str(), screen.text().as_str()), ("old", "$ old"));
}
