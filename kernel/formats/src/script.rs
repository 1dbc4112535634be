//! The `#!` line of a script: execve(2), "Interpreter scripts"; the rules of Linux's `fs/binfmt_script.c`. Only the first
//! 256 bytes count; behind the interpreter follows at most one argument, blanks inside it kept, blanks at its end cut.

/// How many bytes of the file are looked at (`BINPRM_BUF_SIZE`).
pub const HEAD_LEN: usize = 256;

/// What the line says.
///
/// ```
/// use formats::script::Script;
///
/// let script = Script::parse(b"#! /usr/bin/env perl -w \n").unwrap().unwrap();
/// assert_eq!((script.interpreter, script.argument), (&b"/usr/bin/env"[..], Some(&b"perl -w"[..])));
/// assert_eq!(Script::parse(b"\x7fELF"), Ok(None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// Path of the interpreter. Empty where the file ends before it: on Linux that is the current directory, which nobody can
    /// execute.
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
    ///
    /// # Errors
    /// [`BadScript`]: `ENOEXEC`.
    pub fn parse(head: &'a [u8]) -> Result<Option<Script<'a>>, BadScript> {
        let head = &head[..head.len().min(HEAD_LEN)];
        let Some(line) = head.strip_prefix(b"#!") else {
            return Ok(None);
        };
        // A NUL ends the text, as in C. Text without an end is whole if the file ends with it; else it is cut, and
        // Linux puts a NUL over the last byte.
        let end = line.iter().position(|&byte| byte == b'\n' || byte == 0);
        let is_cut = end.is_none() && head.len() == HEAD_LEN;
        let text = trim_start(&line[..end.unwrap_or(line.len())]);
        let name_end = text.iter().position(|&byte| is_blank(byte));
        let has_newline = end.is_some_and(|end| line[end] == b'\n');
        if (text.is_empty() && (has_newline || is_cut)) || (is_cut && name_end.is_none()) {
            return Err(BadScript);
        }
        let (interpreter, rest) = text.split_at(name_end.unwrap_or(text.len()));
        let rest = if is_cut { &rest[..rest.len() - 1] } else { rest };
        let argument = trim_end(trim_start(rest));
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
