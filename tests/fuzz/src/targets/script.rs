//! The `#!` line of a script.

use formats::script::{HEAD_LEN, Script};

pub const WORDS: &[&[u8]] = &[b"#!", b" ", b"\t", b"\n", b"\0", b"/bin/sh"];

pub fn run(bytes: &[u8]) -> bool {
    let Ok(Some(script)) = Script::parse(bytes) else {
        assert!(!bytes.starts_with(b"#!/bin/sh\n"));
        return false;
    };
    let line = bytes[2..]
        .split(|&byte| byte == b'\n' || byte == 0)
        .next()
        .unwrap_or_default();
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    assert!(!script.interpreter.iter().any(is_blank) && script.interpreter.len() < HEAD_LEN);
    // Linux' own reading: the first word, and all that follows it.
    let text = line.trim_ascii_start();
    assert!(text.starts_with(script.interpreter) || line.iter().any(|byte| byte.is_ascii_control()));
    if let Some(argument) = script.argument {
        assert!(!argument.is_empty() && argument.len() < HEAD_LEN);
        assert!(argument.first().is_some_and(|byte| !is_blank(byte)));
        assert!(argument.last().is_some_and(|byte| !is_blank(byte)));
        assert!(line.windows(argument.len()).any(|part| part == argument));
    }
    true
}

pub fn seeds() -> Vec<Vec<u8>> {
    let long = [b"#!/usr/bin/env ", &[b'x'; 300][..]].concat();
    vec![
        b"#!/bin/sh\necho\n".to_vec(),
        b"#! \t/usr/bin/perl -w -T \t\nprint 1;\n".to_vec(),
        b"#!/bin/sh".to_vec(),
        long,
    ]
}
