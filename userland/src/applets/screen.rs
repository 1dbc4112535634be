//! stty, resize: the terminal's settings and its size.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::arguments::parse;
use crate::runtime::terminal::{self, Termios, WinSize};
use crate::runtime::{Errno, Result, file};
use abi::file::{POLLIN, PollFd};
use abi::terminal::{
    ECHO, ECHOE, ECHOK, ICANON, ICRNL, IEXTEN, ISIG, IXON, NOFLSH, ONLCR, OPOST, TOSTOP, VEOF, VERASE, VINTR,
    VKILL, VMIN, VQUIT, VSUSP, VTIME,
};
use abi::time::TimeSpec;

/// A flag's name, whether it is one of input, output or the line discipline, and its bit.
const FLAGS: [(&str, char, u32); 11] = [
    ("icrnl", 'i', ICRNL),
    ("ixon", 'i', IXON),
    ("opost", 'o', OPOST),
    ("onlcr", 'o', ONLCR),
    ("isig", 'l', ISIG),
    ("icanon", 'l', ICANON),
    ("iexten", 'l', IEXTEN),
    ("echo", 'l', ECHO),
    ("echoe", 'l', ECHOE),
    ("echok", 'l', ECHOK),
    ("tostop", 'l', TOSTOP),
];

const KEYS: [(&str, usize); 6] = [
    ("intr", VINTR),
    ("quit", VQUIT),
    ("erase", VERASE),
    ("kill", VKILL),
    ("eof", VEOF),
    ("susp", VSUSP),
];

fn word(termios: &mut Termios, kind: char) -> &mut u32 {
    match kind {
        'i' => &mut termios.iflag,
        'o' => &mut termios.oflag,
        _ => &mut termios.lflag,
    }
}

/// Changes what a setting names; false if it is none.
fn change(termios: &mut Termios, setting: &str) -> bool {
    let (name, is_on) = match setting.strip_prefix('-') {
        Some(name) => (name, false),
        None => (setting, true),
    };
    if let Some((_, kind, bit)) = FLAGS.iter().find(|(found, ..)| *found == name) {
        let flags = word(termios, *kind);
        *flags = if is_on { *flags | bit } else { *flags & !bit };
        return true;
    }
    match (name, is_on) {
        ("sane", true) | ("raw", false) | ("cooked", true) => {
            termios.iflag |= ICRNL | IXON;
            termios.oflag |= OPOST | ONLCR;
            termios.lflag |= ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK;
            termios.lflag &= !(NOFLSH | TOSTOP);
            let keys = [
                (VINTR, 3),
                (VQUIT, 0x1c),
                (VERASE, 0x7f),
                (VKILL, 0x15),
                (VEOF, 4),
                (VSUSP, 0x1a),
            ];
            keys.iter().for_each(|(place, key)| termios.cc[*place] = *key);
        }
        ("raw", true) | ("cooked", false) => {
            termios.iflag &= !(ICRNL | IXON);
            termios.oflag &= !OPOST;
            termios.lflag &= !(ISIG | ICANON | IEXTEN);
            (termios.cc[VMIN], termios.cc[VTIME]) = (1, 0);
        }
        ("cbreak", _) => return change(termios, if is_on { "-icanon" } else { "icanon" }),
        _ => return false,
    }
    true
}

/// `^C`, as people write it.
fn key(byte: u8) -> String {
    match byte {
        0 => "<undef>".into(),
        0x7f => "^?".into(),
        1..=0x1f => format!("^{}", char::from(byte + 0x40)),
        byte => char::from(byte).into(),
    }
}

fn show(termios: &mut Termios, size: WinSize) {
    let keys: Vec<String> = KEYS
        .iter()
        .map(|(name, place)| format!("{name} = {}", key(termios.cc[*place])))
        .collect();
    let flags: Vec<String> = FLAGS
        .iter()
        .map(|(name, kind, bit)| {
            format!(
                "{}{name}",
                if *word(termios, *kind) & bit == 0 { "-" } else { "" }
            )
        })
        .collect();
    println!(
        "rows {}; columns {};\n{};\n{}",
        size.row,
        size.col,
        keys.join("; "),
        flags.join(" ")
    );
}

/// stty [-a | size | settings]: of standard input.
pub fn settings(arguments: &[&str]) -> i32 {
    let fail = |message: String| {
        eprintln!("stty: {message}");
        1
    };
    let (mut termios, mut size) =
        match terminal::settings(0).and_then(|termios| Ok((termios, terminal::size(0)?))) {
            Ok(found) => found,
            Err(error) => return fail(format!("standard input: {error}")),
        };
    let before = (termios, size.row, size.col);
    let mut words = arguments[1..].iter();
    if words.as_slice().is_empty() || words.as_slice() == ["-a"] {
        show(&mut termios, size);
        return 0;
    }
    while let Some(setting) = words.next() {
        match *setting {
            "size" => println!("{} {}", size.row, size.col),
            "rows" | "columns" | "cols" => {
                let Some(number) = words.next().and_then(|number| number.parse().ok()) else {
                    return fail(format!("{setting}: a number is needed"));
                };
                *(if *setting == "rows" {
                    &mut size.row
                } else {
                    &mut size.col
                }) = number;
            }
            setting if change(&mut termios, setting) => {}
            setting => return fail(format!("invalid argument '{setting}'")),
        }
    }
    let set = || -> Result<()> {
        if termios != before.0 {
            terminal::set(0, &termios)?;
        }
        if (size.row, size.col) != (before.1, before.2) {
            terminal::set_size(0, size)?;
        }
        Ok(())
    };
    set().map_or_else(|error| fail(format!("standard input: {error}")), |()| 0)
}

/// How long a terminal may take to answer.
const PATIENCE: TimeSpec = TimeSpec { sec: 1, nsec: 0 };

/// resize: moves the cursor as far as it goes, asks where it is, and puts it back.
pub fn resize(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    match ask(0, 2).and_then(|size| terminal::set_size(0, size).map(|()| size)) {
        Ok(size) => {
            println!("{} rows, {} columns", size.row, size.col);
            0
        }
        Err(Errno::ETIMEDOUT) => parsed.fail("the terminal does not answer"),
        Err(error) => parsed.fail(format!("standard input: {error}")),
    }
}

/// The size of the terminal that the two descriptors are, as it answers. `ETIMEDOUT` if it does not.
pub fn ask(keyboard: i32, screen: i32) -> Result<WinSize> {
    let settings = terminal::settings(keyboard)?;
    terminal::set(keyboard, &terminal::raw(&settings))?;
    let answer = file::write_all(screen, b"\x1b7\x1b[r\x1b[999;999H\x1b[6n").and_then(|()| answer(keyboard));
    let restored = file::write_all(screen, b"\x1b8");
    terminal::set(keyboard, &settings)?;
    restored?;
    size_of(&answer?).ok_or(Errno::ETIMEDOUT)
}

/// What the terminal says, up to the `R` that ends it.
fn answer(keyboard: i32) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    while answer.last() != Some(&b'R') && answer.len() < 32 {
        let mut waiting = [PollFd {
            fd: keyboard,
            events: POLLIN,
            revents: 0,
        }];
        if file::poll(&mut waiting, Some(PATIENCE))? == 0 {
            return Err(Errno::ETIMEDOUT);
        }
        let mut byte = [0];
        if file::read(keyboard, &mut byte)? == 0 {
            return Err(Errno::ETIMEDOUT);
        }
        answer.push(byte[0]);
    }
    Ok(answer)
}

/// `ESC [ rows ; columns R`
fn size_of(answer: &[u8]) -> Option<WinSize> {
    let text = core::str::from_utf8(answer).ok()?;
    let (rows, columns) = text.rsplit_once("\x1b[")?.1.strip_suffix('R')?.split_once(';')?;
    Some(WinSize {
        row: rows.parse().ok()?,
        col: columns.parse().ok()?,
        ..WinSize::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_changed_and_shown() {
        let mut termios = Termios::default();
        assert!(change(&mut termios, "sane") && termios.lflag & ECHO != 0 && termios.cc[VINTR] == 3);
        assert!(change(&mut termios, "-echo") && termios.lflag & ECHO == 0);
        assert!(change(&mut termios, "raw") && termios.lflag & ICANON == 0 && termios.oflag & OPOST == 0);
        assert!(!change(&mut termios, "nosuch") && !change(&mut termios, "-sane"));
        assert_eq!(
            [key(3), key(0x7f), key(0), key(b'x')],
            ["^C", "^?", "<undef>", "x"]
        );
    }

    #[test]
    fn the_answer_holds_rows_and_columns() {
        let size = size_of(b"x\x1b[24;132R").expect("a size");
        assert_eq!((size.row, size.col), (24, 132));
        assert!(size_of(b"\x1b[24R").is_none() && size_of(b"24;80R").is_none());
    }
}
