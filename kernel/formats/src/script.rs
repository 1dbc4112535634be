//! The `#!` line of a script: execve(2), "Interpreter scripts"; the rules of Linux's `fs/binfmt_script.c`. Only the first
//! 256 bytes count; behind the interpreter follows at most one argument, blanks inside it kept, blanks at its end cut.

/// How many bytes of the file are looked at (`BINPRM_BUF_SIZE`).
pub const HEAD_LEN: usize = 256;

/// What the line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// Path of the interpreter.
    pub interpreter: &'a [u8],
    /// Its one argument.
    pub argument: Option<&'a [u8]>,
}

/// The line names no interpreter, or is so long that the path may be cut: execve fails with `ENOEXEC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadScript;

impl core::fmt::Display for BadScript {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the #! line names no interpreter or is too long")
    }
}

impl core::error::Error for BadScript {}

impl<'a> Script<'a> {
    /// Reads the start of a file; `None` if it is no script. `head` is the file's first 256 bytes, fewer only if the
    /// file is shorter.
    pub fn parse(head: &'a [u8]) -> Result<Option<Script<'a>>, BadScript> {
        let head = &head[..head.len().min(HEAD_LEN)];
        let Some(line) = head.strip_prefix(b"#!") else {
            return Ok(None);
        };
        // A NUL ends the text, as in C. Text without an end is whole if the file ends with it; else it is cut, and the
        // last byte is lost to the NUL that Linux puts there.
        let end = line.iter().position(|&byte| byte == b'\n' || byte == 0);
        let is_cut = end.is_none() && head.len() == HEAD_LEN;
        let line = &line[..end.unwrap_or(line.len() - is_cut as usize)];
        let text = trim_end(trim_start(line));
        let name_end = text.iter().position(|&byte| is_blank(byte));
        if text.is_empty()
            || (is_cut && name_end.is_none() && !line.last().is_some_and(|&byte| is_blank(byte)))
        {
            return Err(BadScript);
        }
        let (interpreter, rest) = text.split_at(name_end.unwrap_or(text.len()));
        let argument = trim_start(rest);
        Ok(Some(Script {
            interpreter,
            argument: (!argument.is_empty()).then_some(argument),
        }))
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .position(|&byte| !is_blank(byte))
        .unwrap_or(text.len());
    &text[start..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let end = text
        .iter()
        .rposition(|&byte| !is_blank(byte))
        .map_or(0, |last| last + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &[u8]) -> Result<Option<(&[u8], Option<&[u8]>)>, BadScript> {
        Script::parse(head).map(|script| script.map(|script| (script.interpreter, script.argument)))
    }

    #[test]
    fn one_argument_with_its_blanks() {
        assert_eq!(parse(b"#!/bin/sh\necho"), Ok(Some((b"/bin/sh", None))));
        assert_eq!(
            parse(b"#! \t/bin/awk -f  x \t\n"),
            Ok(Some((b"/bin/awk", Some(b"-f  x"))))
        );
        assert_eq!(
            parse(b"#!/bin/sh"),
            Ok(Some((b"/bin/sh", None))),
            "the file ends without a line end"
        );
        assert_eq!(
            parse(b"#!/bin/sh -x\0junk\n"),
            Ok(Some((b"/bin/sh", Some(b"-x"))))
        );
    }

    #[test]
    fn what_is_no_script() {
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"#"), Ok(None));
        assert_eq!(parse(b"\x7fELF"), Ok(None));
        assert_eq!(parse(b"#!"), Err(BadScript));
        assert_eq!(parse(b"#! \t \n/bin/sh"), Err(BadScript));
    }

    #[test]
    fn a_path_that_may_be_cut_is_refused_an_argument_is_cut() {
        let mut head = [b'a'; HEAD_LEN];
        head[..2].copy_from_slice(b"#!");
        assert_eq!(parse(&head), Err(BadScript));
        head[100] = b' ';
        let (interpreter, argument) = parse(&head).unwrap().unwrap();
        assert_eq!((interpreter.len(), argument.unwrap().len()), (98, 154));
        head[255] = b'\n';
        head[100] = b'a';
        assert_eq!(parse(&head).unwrap().unwrap().0.len(), 253);
    }
}
