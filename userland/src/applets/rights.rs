//! chmod, whoami.

use alloc::format;
use alloc::string::String;

use super::arguments::{Parsed, parse};
use crate::runtime::{directory, file, process};
use abi::file::{AtFlags, S_IFDIR, S_IFLNK, S_IFMT};

/// What a mode makes of the rights of a file; `None` if it is no mode. `u+x,go-w`, `a=rX` and octal numbers; without a
/// letter for whom, the mask does not count.
fn changed(mode: &str, old: u32, is_folder: bool) -> Option<u32> {
    if mode.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777);
    }
    let mut new = old & 0o7777;
    for clause in mode.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, mut rest) = clause.split_at(at);
        let mut whose = 0;
        for letter in who.chars() {
            whose |= match letter {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        if who.is_empty() {
            whose = 0o7777;
        }
        while let Some(operator) = rest.chars().next() {
            rest = &rest[1..];
            let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
            let bits = bits(&rest[..end], new, is_folder)? & whose;
            rest = &rest[end..];
            new = match operator {
                '+' => new | bits,
                '-' => new & !bits,
                _ => (new & !whose) | bits,
            };
        }
    }
    Some(new)
}

fn bits(letters: &str, old: u32, is_folder: bool) -> Option<u32> {
    let mut bits = 0;
    for letter in letters.chars() {
        bits |= match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            'X' if is_folder || old & 0o111 != 0 => 0o111,
            'X' => 0,
            's' => 0o6000,
            't' => 0o1000,
            _ => return None,
        };
    }
    Some(bits)
}

/// chmod [-R] mode files
pub fn change_mode(arguments: &[&str]) -> i32 {
    // A mode such as -w is no option.
    let is_mode = |word: &&&str| word.len() > 1 && word[1..].chars().all(|c| "rwxXst".contains(c));
    let minus = arguments
        .get(1)
        .filter(|word| word.starts_with('-'))
        .filter(is_mode);
    let parsed = match parse(
        if minus.is_some() {
            &arguments[1..]
        } else {
            arguments
        },
        "R",
    ) {
        Ok(parsed) => parsed,
        Err(_) if minus.is_none() => return 2,
        Err(status) => return status,
    };
    let [mode, names @ ..] = parsed.operands.as_slice() else {
        return parsed.usage("[-R] mode files");
    };
    if changed(mode, 0, false).is_none() {
        return parsed.fail(format!("invalid mode: '{mode}'"));
    }
    if names.is_empty() {
        return parsed.usage("[-R] mode files");
    }
    names
        .iter()
        .map(|name| change_one(&parsed, mode, name))
        .max()
        .unwrap_or(0)
}

fn change_one(parsed: &Parsed, mode: &str, name: &str) -> i32 {
    let stat = match file::status(name, AtFlags::empty()) {
        Ok(stat) => stat,
        Err(error) => return parsed.fail(format!("{name}: {error}")),
    };
    let is_folder = stat.mode & S_IFMT == S_IFDIR;
    let mut status = 0;
    if let Some(new) = changed(mode, stat.mode, is_folder)
        && let Err(error) = file::change_mode(name, new)
    {
        status = parsed.fail(format!("{name}: {error}"));
    }
    if !is_folder || !parsed.has('R') {
        return status;
    }
    match directory::names(name) {
        Ok(names) => {
            for entry in names {
                let path = format!("{name}/{entry}");
                let is_link = |path: &String| {
                    file::status(path, AtFlags::AT_SYMLINK_NOFOLLOW)
                        .is_ok_and(|stat| stat.mode & S_IFMT == S_IFLNK)
                };
                if !is_link(&path) {
                    status = status.max(change_one(parsed, mode, &path));
                }
            }
            status
        }
        Err(error) => parsed.fail(format!("{name}: {error}")),
    }
}

/// The name of a user, from /etc/passwd where there is one.
pub fn user_name(id: u32) -> Option<String> {
    let text = file::read_text("/etc/passwd").unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| String::from(name))
    });
    found.or_else(|| (id == 0).then(|| String::from("root")))
}

/// whoami
pub fn who_am_i(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let id = process::effective_user_id() as u32;
    match user_name(id) {
        Some(name) => {
            println!("{name}");
            0
        }
        None => parsed.fail(format!("cannot find name for user ID {id}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_posix() {
        assert_eq!(changed("644", 0o777, false), Some(0o644));
        assert_eq!(changed("u+x,go-w", 0o666, false), Some(0o744));
        assert_eq!(changed("a=r", 0o777, false), Some(0o444));
        assert_eq!(changed("+x", 0o644, false), Some(0o755));
        assert_eq!(changed("a+X", 0o644, false), Some(0o644));
        assert_eq!(changed("a+X", 0o644, true), Some(0o755));
        assert_eq!(changed("u+s,o+t", 0o755, true), Some(0o5755));
        assert_eq!(changed("g=u", 0o755, false), None);
        assert_eq!(changed("999", 0, false), None);
    }
}
