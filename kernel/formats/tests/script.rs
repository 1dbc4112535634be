//! Scripts, against a plain rendering of Linux's own code.

use formats::script::{BadScript, HEAD_LEN, Script};
use proptest::prelude::*;

/// `load_script` of `fs/binfmt_script.c`, with indexes in place of pointers: interpreter and argument; `None` where it
/// returns `ENOEXEC`, or would go on to open the empty path.
fn linux(head: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let mut buf = [0u8; HEAD_LEN];
    let len = head.len().min(HEAD_LEN);
    buf[..len].copy_from_slice(&head[..len]);
    let spacetab = |byte: u8| byte == b' ' || byte == b'\t';
    let next_non_spacetab = |first: usize, last: usize| (first..=last).find(|&i| !spacetab(buf[i]));
    let next_terminator =
        |first: usize, last: usize| (first..=last).find(|&i| spacetab(buf[i]) || buf[i] == 0);
    let c_string = |start: usize, end: usize| {
        let bytes = &buf[start..end];
        bytes[..bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len())].to_vec()
    };
    if !buf.starts_with(b"#!") {
        return None;
    }
    let buf_end = HEAD_LEN - 1;
    let nul = buf.iter().position(|&byte| byte == 0).unwrap_or(HEAD_LEN);
    let mut end = match buf[..nul].iter().position(|&byte| byte == b'\n') {
        Some(newline) => newline,
        None => {
            let name = next_non_spacetab(2, buf_end)?;
            next_terminator(name, buf_end)?;
            buf_end
        }
    };
    while spacetab(buf[end - 1]) {
        end -= 1;
    }
    let name = next_non_spacetab(2, end).filter(|&name| name != end)?;
    let separator = next_terminator(name, end);
    let argument = separator
        .filter(|&at| buf[at] != 0)
        .and_then(|at| next_non_spacetab(at, end));
    let interpreter = c_string(name, separator.unwrap_or(end).min(end));
    let argument = argument
        .map(|at| c_string(at, end))
        .filter(|argument| !argument.is_empty());
    (!interpreter.is_empty()).then_some((interpreter, argument))
}

type Parsed<'a> = Result<Option<(&'a str, Option<&'a str>)>, BadScript>;

fn parse(head: &str) -> Parsed<'_> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    let script = Script::parse(head.as_bytes())?;
    Ok(script.map(|script| (text(script.interpreter), script.argument.map(text))))
}

#[test]
fn one_argument_with_its_blanks() {
    assert_eq!(parse("#!/bin/sh\necho"), Ok(Some(("/bin/sh", None))));
    assert_eq!(
        parse("#! \t/bin/awk -f  x \t\n"),
        Ok(Some(("/bin/awk", Some("-f  x"))))
    );
    assert_eq!(
        parse("#!/bin/sh"),
        Ok(Some(("/bin/sh", None))),
        "the file ends without a line end"
    );
    assert_eq!(parse("#!/bin/sh -x\0junk\n"), Ok(Some(("/bin/sh", Some("-x")))));
}

#[test]
fn what_is_no_script() {
    assert_eq!(parse(""), Ok(None));
    assert_eq!(parse("#"), Ok(None));
    assert_eq!(parse("\x7fELF"), Ok(None));
    assert_eq!(parse("#!"), Ok(Some(("", None))));
    assert_eq!(parse("#! \t"), Ok(Some(("", None))));
    assert_eq!(parse("#!\n"), Err(BadScript));
    assert_eq!(parse("#! \t \n/bin/sh"), Err(BadScript));
}

#[test]
fn a_path_that_may_be_cut_is_refused_an_argument_is_cut() {
    let head = format!("#!{}", "a".repeat(300));
    assert_eq!(parse(&head), Err(BadScript));
    let with_argument = format!("#!{} {}", "a".repeat(98), "b".repeat(300));
    let (interpreter, argument) = parse(&with_argument).unwrap().unwrap();
    assert_eq!((interpreter.len(), argument.unwrap().len()), (98, 154));
    let whole = format!("#!{}\n", "a".repeat(253));
    assert_eq!(parse(&whole).unwrap().unwrap().0.len(), 253);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn the_same_as_linux(text in "[ \t]{0,3}[a/ \t]{0,20}[a-c]{0,260}[ \ta]{0,20}(\n.{0,5})?") {
        // That a bare `#!` is no permission, exec says.
        prop_assume!(!text.trim_matches([' ', '\t']).is_empty());
        let head = format!("#!{text}");
        let ours = Script::parse(head.as_bytes()).ok().flatten();
        let ours = ours.map(|script| (script.interpreter.to_vec(), script.argument.map(<[u8]>::to_vec)));
        let mut linux = linux(head.as_bytes());
        // A file that ends without a line end keeps its last blanks in Linux.
        if let Some((_, argument)) = &mut linux {
            *argument = argument.take().map(|argument| argument.trim_ascii_end().to_vec()).filter(|a| !a.is_empty());
        }
        prop_assert_eq!(ours, linux);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Script::parse(&bytes);
        let _ = Script::parse(&[b"#!", &bytes[..]].concat());
    }
}
