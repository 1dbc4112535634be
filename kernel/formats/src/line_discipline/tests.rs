//! Typing at a line discipline, and what a program and the screen get of it.

use abi::signal::Signal;
use abi::terminal::{
    ECHO, ECHOCTL, ECHOE, ECHOKE, ECHOPRT, ICANON, IEXTEN, ISIG, IUTF8, IXON, NOFLSH, TOSTOP, VEOL, VMIN,
    VTIME,
};
use alloc::vec;
use alloc::vec::Vec;

use super::{CAPACITY, Discipline, Effect, Taken};

struct Terminal {
    discipline: Discipline,
    screen: Vec<u8>,
}

impl Terminal {
    fn new() -> Self {
        Terminal {
            discipline: Discipline::try_new().expect("memory for a line"),
            screen: Vec::new(),
        }
    }

    fn with(lflag: impl Fn(u32) -> u32) -> Self {
        let mut terminal = Terminal::new();
        let mut termios = *terminal.discipline.termios();
        termios.lflag = lflag(termios.lflag);
        termios.iflag |= IUTF8;
        terminal.discipline.set_termios(termios);
        terminal
    }

    fn type_in(&mut self, keys: &[u8]) -> Vec<Effect> {
        let screen = &mut self.screen;
        keys.iter()
            .map(|key| {
                self.discipline
                    .receive(*key, &mut |bytes| screen.extend_from_slice(bytes))
            })
            .collect()
    }

    fn read(&mut self, len: usize) -> Vec<u8> {
        let mut buffer = vec![0; len];
        let taken = self.discipline.take(&mut buffer);
        buffer.truncate(taken.len);
        buffer
    }
}

#[test]
fn a_line_is_read_whole_and_echoed() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"ls");
    assert!(!terminal.discipline.has_line());
    let effects = terminal.type_in(b" -l\r");
    assert!(effects.last().unwrap().is_input);
    assert_eq!(terminal.screen, b"ls -l\r\n");
    assert_eq!(terminal.discipline.readable(), 6);
    assert_eq!(terminal.read(100), b"ls -l\n");
    assert!(!terminal.discipline.has_line());
}

#[test]
fn a_read_takes_one_line_and_a_short_one_leaves_the_rest() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"one\ntwo\n");
    assert_eq!(terminal.read(2), b"on");
    assert_eq!(terminal.read(100), b"e\n");
    assert_eq!(terminal.read(100), b"two\n");
}

#[test]
fn erasing_shows() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"ab\x7f\x7f\x7fc\n");
    assert_eq!(terminal.screen, b"ab\x08 \x08\x08 \x08c\r\n");
    assert_eq!(terminal.read(100), b"c\n");
}

#[test]
fn erasing_a_control_character_takes_two_columns() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"\x01\x7f");
    assert_eq!(terminal.screen, b"^A\x08 \x08\x08 \x08");
}

#[test]
fn erasing_a_tab_goes_back_to_where_it_began() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"abc\t\x7fd\n");
    assert_eq!(terminal.screen, b"abc\t\x08\x08\x08\x08\x08d\r\n");
    assert_eq!(terminal.read(100), b"abcd\n");
}

#[test]
fn erasing_takes_whole_utf8_characters() {
    let mut terminal = Terminal::with(|lflag| lflag);
    terminal.type_in("aü\x7fb\n".as_bytes());
    assert_eq!(terminal.screen, "aü\x08 \x08b\r\n".as_bytes());
    assert_eq!(terminal.read(100), b"ab\n");
}

#[test]
fn a_word_is_erased_with_the_blanks_behind_it() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"ls /bin  \x17\n");
    assert_eq!(terminal.read(100), b"ls /\n");
}

#[test]
fn a_line_is_killed() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"xy\x15\n");
    assert_eq!(terminal.screen, b"xy\x08 \x08\x08 \x08\r\n");
    assert_eq!(terminal.read(100), b"\n");
    let mut plain = Terminal::with(|lflag| lflag & !ECHOKE);
    plain.type_in(b"xy\x15z\n");
    assert_eq!(plain.screen, b"xy^U\r\nz\r\n");
    assert_eq!(plain.read(100), b"z\n");
}

#[test]
fn erased_characters_may_be_printed() {
    let mut terminal = Terminal::with(|lflag| (lflag | ECHOPRT) & !ECHOE);
    terminal.type_in(b"abc\x7f\x7fd\n");
    assert_eq!(terminal.screen, b"abc\\cb/d\r\n");
}

#[test]
fn end_of_file_ends_a_read_without_a_byte() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"\x04");
    assert!(terminal.discipline.has_line());
    assert_eq!(terminal.discipline.readable(), 0);
    let mut buffer = [0; 10];
    assert_eq!(
        terminal.discipline.take(&mut buffer),
        Taken { len: 0, is_end: true }
    );
    terminal.type_in(b"abc\x04");
    assert_eq!(terminal.screen, b"abc", "it is not echoed");
    assert_eq!(terminal.read(3), b"abc");
    assert!(
        !terminal.discipline.has_line(),
        "a full buffer takes the end of file with it"
    );
}

#[test]
fn keys_send_signals_and_drop_what_was_typed() {
    let mut terminal = Terminal::new();
    let effects = terminal.type_in(b"abc\x03");
    assert_eq!(effects[3].signal, Some(Signal::SIGINT));
    assert_eq!(terminal.screen, b"abc^C");
    terminal.type_in(b"d\n");
    assert_eq!(terminal.read(100), b"d\n");
    assert_eq!(
        terminal
            .type_in(b"\x1c\x1a")
            .iter()
            .map(|effect| effect.signal)
            .collect::<Vec<_>>(),
        [Some(Signal::SIGQUIT), Some(Signal::SIGTSTP)]
    );
    let mut keeping = Terminal::with(|lflag| lflag | NOFLSH);
    keeping.type_in(b"abc\x03\n");
    assert_eq!(keeping.read(100), b"abc\n");
}

#[test]
fn a_literal_next_takes_away_the_meaning() {
    let mut terminal = Terminal::new();
    let effects = terminal.type_in(b"\x16\x03\n");
    assert!(effects.iter().all(|effect| effect.signal.is_none()));
    assert_eq!(terminal.screen, b"^\x08^C\r\n");
    assert_eq!(terminal.read(100), b"\x03\n");
}

#[test]
fn the_line_is_shown_again() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"ab\x12c\n");
    assert_eq!(terminal.screen, b"ab^R\r\nabc\r\n");
}

#[test]
fn raw_bytes_are_readable_at_once() {
    let mut terminal = Terminal::with(|lflag| lflag & !(ICANON | ECHO | ISIG | IEXTEN));
    let effects = terminal.type_in(b"\x03\x7f");
    assert!(
        effects
            .iter()
            .all(|effect| effect.is_input && effect.signal.is_none())
    );
    assert_eq!(terminal.discipline.readable(), 2);
    assert_eq!(terminal.read(100), b"\x03\x7f");
    assert_eq!(terminal.screen, b"");
}

#[test]
fn what_waits_survives_a_change_of_mode() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"one\ntw");
    let mut raw = *terminal.discipline.termios();
    raw.lflag &= !ICANON;
    terminal.discipline.set_termios(raw);
    assert_eq!(terminal.read(5), b"one\nt");
    raw.lflag |= ICANON;
    terminal.discipline.set_termios(raw);
    assert_eq!(terminal.read(5), b"w", "what was typed becomes a line");
}

#[test]
fn output_stops_and_goes_on() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"\x13");
    assert!(terminal.discipline.is_stopped());
    assert!(terminal.type_in(b"\x11")[0].is_restart);
    assert!(!terminal.discipline.is_stopped());
    assert_eq!(terminal.discipline.readable(), 0);
}

#[test]
fn a_full_line_still_takes_its_end() {
    let mut terminal = Terminal::new();
    terminal.type_in(&[b'x'; 2 * CAPACITY]);
    terminal.type_in(b"\n");
    assert_eq!(terminal.read(2 * CAPACITY).len(), CAPACITY);
}

#[test]
fn further_line_ends_and_echo_of_controls() {
    let mut terminal = Terminal::with(|lflag| (lflag & !ECHOCTL) | TOSTOP);
    let mut termios = *terminal.discipline.termios();
    termios.cc[VEOL] = b';';
    terminal.discipline.set_termios(termios);
    terminal.type_in(b"a\x01;");
    assert_eq!(terminal.screen, b"a\x01;");
    assert_eq!(terminal.read(100), b"a\x01;");
}

#[test]
fn a_key_that_sends_a_signal_drops_what_was_not_sent() {
    let mut terminal = Terminal::new();
    assert!(terminal.type_in(b"\x03")[0].drops_output);
    assert!(!terminal.type_in(b"x")[0].drops_output);
    let mut terminal = Terminal::with(|lflag| lflag | NOFLSH);
    let effect = terminal.type_in(b"\x03")[0];
    assert_eq!(
        (effect.signal, effect.drops_output),
        (Some(Signal::SIGINT), false)
    );
}

#[test]
fn a_key_that_sends_a_signal_lets_output_go_on_only_where_keys_stop_it() {
    let mut terminal = Terminal::new();
    terminal.type_in(b"\x13");
    assert!(terminal.discipline.is_stopped());
    assert!(terminal.type_in(b"\x03")[0].is_restart && !terminal.discipline.is_stopped());
    let mut termios = *terminal.discipline.termios();
    termios.iflag &= !IXON;
    terminal.discipline.set_termios(termios);
    terminal.discipline.stop();
    assert!(!terminal.type_in(b"\x03")[0].is_restart && terminal.discipline.is_stopped());
    termios.iflag |= IXON;
    terminal.discipline.set_termios(termios);
    terminal.type_in(b"\x11");
    assert!(terminal.discipline.is_stopped(), "a program has stopped it");
}

#[test]
fn without_lines_poll_waits_for_vmin_bytes_unless_there_is_a_time() {
    let mut terminal = Terminal::with(|lflag| lflag & !ICANON);
    let mut termios = *terminal.discipline.termios();
    termios.cc[VMIN] = 3;
    terminal.discipline.set_termios(termios);
    terminal.type_in(b"ab");
    assert!(!terminal.discipline.is_readable());
    termios.cc[VTIME] = 1;
    terminal.discipline.set_termios(termios);
    assert!(terminal.discipline.is_readable());
    termios.cc[VTIME] = 0;
    terminal.discipline.set_termios(termios);
    terminal.type_in(b"c");
    assert!(terminal.discipline.is_readable());
}

proptest::proptest! {
    /// Whatever the settings are and whatever is typed: nothing is read that was not typed, and no more waits than there is room for.
    #[test]
    fn no_byte_is_invented(
        flags in proptest::array::uniform3(0u32..0x1_0000),
        keys in proptest::collection::vec(0u8.., 0..600),
        read_len in 1usize..64,
    ) {
        let mut terminal = Terminal::new();
        let mut termios = *terminal.discipline.termios();
        [termios.iflag, termios.oflag, termios.lflag] = flags;
        terminal.discipline.set_termios(termios);
        let mut read = 0;
        for (index, key) in keys.iter().enumerate() {
            terminal.type_in(&[*key]);
            let mut bytes = [0; 64];
            if index % 7 == 0 {
                read += terminal.discipline.take(&mut bytes[..read_len]).len;
            }
            assert!(read + terminal.discipline.readable() <= index + 1);
            assert!(terminal.discipline.readable() <= CAPACITY);
        }
    }
}
