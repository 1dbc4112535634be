//! test and [: POSIX test(1), by recursive descent: `!`, `-a`, `-o` and parentheses.

use alloc::format;
use alloc::string::String;

use crate::runtime::{file, path, terminal};
use abi::file::{
    AccessFlags, AtFlags, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK,
};

/// `test expression`, `[ expression ]`: 0 if it is true, 1 if it is false, 2 if it is none.
pub fn test(arguments: &[&str]) -> i32 {
    let name = arguments.first().map_or("test", |name| path::base_name(name));
    let mut operands = &arguments[1..];
    if name == "[" {
        let Some(("]", before)) = operands.split_last().map(|(last, before)| (*last, before)) else {
            eprintln!("[: missing ]");
            return 2;
        };
        operands = before;
    }
    let mut expression = Expression { rest: operands };
    let value = if operands.is_empty() {
        Ok(false)
    } else {
        expression.either()
    };
    match value {
        Ok(value) if expression.rest.is_empty() => i32::from(!value),
        Ok(_) => {
            eprintln!("{name}: {}: unexpected argument", expression.rest[0]);
            2
        }
        Err(message) => {
            eprintln!("{name}: {message}");
            2
        }
    }
}

struct Expression<'a> {
    rest: &'a [&'a str],
}

type Answer = Result<bool, String>;

const BINARY: [&str; 13] = [
    "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot",
];

impl<'a> Expression<'a> {
    fn accept(&mut self, word: &str) -> bool {
        let is_there = self.rest.first() == Some(&word);
        self.rest = &self.rest[usize::from(is_there)..];
        is_there
    }

    fn next(&mut self) -> Result<&'a str, String> {
        let (first, rest) = self.rest.split_first().ok_or("an argument is missing")?;
        self.rest = rest;
        Ok(first)
    }

    fn either(&mut self) -> Answer {
        let mut value = self.both()?;
        while self.accept("-o") {
            value |= self.both()?;
        }
        Ok(value)
    }

    fn both(&mut self) -> Answer {
        let mut value = self.primary()?;
        while self.accept("-a") {
            value &= self.primary()?;
        }
        Ok(value)
    }

    fn primary(&mut self) -> Answer {
        if let [left, operator, right, ..] = self.rest
            && BINARY.contains(operator)
        {
            self.rest = &self.rest[3..];
            return compare(left, operator, right);
        }
        if self.rest.len() > 1 && self.accept("!") {
            return self.primary().map(|value| !value);
        }
        if self.rest.len() > 2 && self.accept("(") {
            let value = self.either()?;
            return if self.accept(")") {
                Ok(value)
            } else {
                Err("missing )".into())
            };
        }
        let word = self.next()?;
        match word.strip_prefix('-') {
            Some(letter) if letter.len() == 1 && !self.rest.is_empty() => {
                let operand = self.next()?;
                unary(letter, operand)
            }
            _ => Ok(!word.is_empty()),
        }
    }
}

/// `-f operand` and its like.
pub fn unary(letter: &str, operand: &str) -> Answer {
    let kind = |wanted: u32, flags: AtFlags| {
        file::status(operand, flags).is_ok_and(|stat| stat.mode & S_IFMT == wanted)
    };
    Ok(match letter {
        "n" => !operand.is_empty(),
        "z" => operand.is_empty(),
        "e" => file::status(operand, AtFlags::empty()).is_ok(),
        "f" => kind(S_IFREG, AtFlags::empty()),
        "d" => kind(S_IFDIR, AtFlags::empty()),
        "b" => kind(S_IFBLK, AtFlags::empty()),
        "c" => kind(S_IFCHR, AtFlags::empty()),
        "p" => kind(S_IFIFO, AtFlags::empty()),
        "S" => kind(S_IFSOCK, AtFlags::empty()),
        "h" | "L" => kind(S_IFLNK, AtFlags::AT_SYMLINK_NOFOLLOW),
        "s" => file::status(operand, AtFlags::empty()).is_ok_and(|stat| stat.size > 0),
        "r" => file::access(operand, AccessFlags::R_OK).is_ok(),
        "w" => file::access(operand, AccessFlags::W_OK).is_ok(),
        "x" => file::access(operand, AccessFlags::X_OK).is_ok(),
        "t" => terminal::is_terminal(integer(operand)? as i32),
        letter => return Err(format!("-{letter}: unknown test")),
    })
}

fn integer(text: &str) -> Result<i64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{text}: a number is needed"))
}

/// `left operator right`, by text, number or time of change.
pub fn compare(left: &str, operator: &str, right: &str) -> Answer {
    let numbers = || Ok::<_, String>((integer(left)?, integer(right)?));
    let times = || {
        file::status(left, AtFlags::empty())
            .ok()
            .map(|a| a.mtime)
            .zip(file::status(right, AtFlags::empty()).ok().map(|b| b.mtime))
    };
    Ok(match operator {
        "=" | "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "-eq" => numbers().map(|(a, b)| a == b)?,
        "-ne" => numbers().map(|(a, b)| a != b)?,
        "-lt" => numbers().map(|(a, b)| a < b)?,
        "-le" => numbers().map(|(a, b)| a <= b)?,
        "-gt" => numbers().map(|(a, b)| a > b)?,
        "-ge" => numbers().map(|(a, b)| a >= b)?,
        "-nt" => times().is_some_and(|(a, b)| a > b),
        _ => times().is_some_and(|(a, b)| a < b),
    })
}
