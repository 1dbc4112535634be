//! Scripts by hand and by chance, compared with the host's sed.

use super::machine::{Machine, Outcome, World};
use super::parse::parse;
use crate::regex::{Chance, Syntax};
use std::io::Write;
use std::process::{Command, Stdio};
use std::vec::Vec;

/// Text in, text out; what is written to files goes there as well, after the file's number.
struct Text<'a> {
    input: std::vec::IntoIter<&'a [u8]>,
    out: Vec<u8>,
}

impl World for Text<'_> {
    fn line(&mut self) -> Option<Vec<u8>> {
        self.input.next().map(<[u8]>::to_vec)
    }

    fn print(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn write(&mut self, _: usize, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn content(&mut self, name: &str) -> Vec<u8> {
        std::fs::read(name).unwrap_or_default()
    }

    fn complain(&mut self, _: &str) {}
}

/// What is printed, and the exit status; `None` if the script is none.
fn by_us(script: &str, options: &str, input: &[u8]) -> Option<(Vec<u8>, i32)> {
    let syntax = if options.contains('E') {
        Syntax::Extended
    } else {
        Syntax::Basic
    };
    let script = parse(script, syntax).ok()?;
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let mut world = Text {
        input: lines.into_iter(),
        out: Vec::new(),
    };
    let outcome = Machine::new(&script, options.contains('n'), 70).run(&mut world);
    let status = match outcome {
        Outcome::Quit(status) => status,
        Outcome::InputEnded => 0,
    };
    Some((world.out, status))
}

/// The same of the host's; `Err` if there is none.
fn by_the_host(script: &str, options: &str, input: &[u8]) -> std::io::Result<Option<(Vec<u8>, i32)>> {
    let mut child = Command::new("sed")
        .args(["-s", options, "-e", script])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    // It may quit before it has read all.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output()?;
    let status = output.status.code().unwrap_or(-1);
    Ok((!matches!(status, 1 | 4)).then_some((output.stdout, status)))
}

fn compare(script: &str, options: &str, input: &str) {
    let Ok(wanted) = by_the_host(script, options, input.as_bytes()) else {
        return;
    };
    let found = by_us(script, options, input.as_bytes());
    let text = |found: &Option<(Vec<u8>, i32)>| {
        found
            .as_ref()
            .map(|(out, status)| (String::from_utf8_lossy(out).into_owned(), *status))
    };
    let is_same = text(&found) == text(&wanted);
    assert!(
        is_same,
        "sed {options} {script:?} on {input:?}: {:?}, not {:?}",
        text(&found),
        text(&wanted)
    );
}

#[test]
fn scripts_do_what_those_of_the_host_do() {
    let inputs = [
        "",
        "a",
        "a\nb\n",
        "one two\nthree\n\nfour/five\nsix a\tb\\",
        "x\nx\nab\naab\nx\nend\n",
        "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n",
    ];
    let scripts = [
        "p",
        "2d",
        "$d",
        "2,4d",
        "2,+1d",
        "3,~4d",
        "/a/,/x/d",
        "0,/x/d",
        "1,/x/d",
        "2,1p",
        "1~2d",
        "0~3d",
        "2~0p",
        "/a/!d",
        "$!N;P;D",
        "N;N;s/\\n/+/g",
        "$!{N;D}",
        ":a;N;$!ba;s/\\n/,/g",
        "n;d",
        "=",
        "l",
        "l 5",
        "s/.*/&&/;l 20",
        "1!G;h;$!d",
        "x;p;x",
        "H;$!d;x;s/\\n/-/g",
        "G;G",
        "s/a/b/2",
        "s/[ab]/<&>/2g",
        "s/x*/-/g",
        "s/\\(.\\)\\(.\\)/\\2\\1/g",
        "s/o/0/gp",
        "s/\\bt/T/g",
        "s/./\\u&/",
        "s/\\(.*\\) \\(.*\\)/\\U\\1\\E \\u\\2/",
        "y/abc/xyz/",
        "y/\\n\\//  /",
        "s|/|\\||",
        "s,a\\,b,x,",
        "a\\\nnew line",
        "a new\\\nmore",
        "i\\\n  kept",
        "1i first",
        "c changed",
        "2,3c changed",
        "2,3!c other",
        "$a end",
        "a\\  lead",
        "2q",
        "2q5",
        "2Q",
        "3Q7",
        "/x/{s//y/;s/$/!/}",
        "s/a/b/;t;s/$/ none/",
        "s/a/b/;T;s/$/ some/",
        "s/a/b/;tx;s/$/ none/;:x;s/^/>/",
        "/a/{n;p}",
        "/one/{N;N;s/\\n/ /g}",
        "b e;d;:e",
        "2{p;p}",
        "{p};p",
        "2!{s/^/-/}",
        "#n\np",
        "p # comment",
        "1d;;2d",
        "z;s/^$/empty/",
        "w /dev/stdout",
        "s/a/b/w /dev/stdout",
        "r /etc/passwd_none",
        "1r /etc/hostname",
        "\\xaxd",
        "\\,/,d",
        "/A/Id",
        "s/A/z/I",
        "s/^/>/mg",
        "N;s/^/>/mg",
        "N;s/a$/</Mg",
        "s/[/]/x/",
        "s/[]/]/x/g",
        "s/a\\|b/x/g",
        "s/a\\{2\\}/x/",
        "s/\\(a*\\)*/x/",
        "s/\\(.\\)\\1/<\\1>/",
        "s/\\n/x/",
        "s/\\t/T/",
        "s/a/\\n/",
        "s/a/x\\\ny/",
        "W /dev/stdout",
        "$=",
        "y/ab/\\n\\\\/",
        "}",
        "{p",
        "s/a",
        "s/a/b/k",
        "k",
        "1,p",
        "3,2",
        ":",
        "b nowhere",
        "s/(/x/",
        "s/\\(/x/",
        "s/a/\\1/",
        "y/a/bc/",
        "a",
        "0p",
        "1!!d",
        "pp",
        "r",
        "s/a/b/0",
        "1,2=",
    ];
    for script in scripts {
        for (index, input) in inputs.iter().enumerate() {
            for options in ["-s", "-n"] {
                if index < 4 || options == "-s" {
                    compare(script, options, input);
                }
            }
        }
    }
    for script in [
        "s/(a|b)+/<&>/g",
        "s/(.)(.)?/\\2\\1/",
        "/^(x|end)$/d",
        "s/a{2}|x/=/",
        "s/a|b/x/2;ta;s/^/-/;:a",
        "s/\\(/x/",
        "s/x+?/y/",
    ] {
        inputs.iter().for_each(|input| compare(script, "-E", input));
    }
}

#[test]
fn an_empty_expression_needs_another_before_it() {
    assert!(parse("//p", Syntax::Basic).is_err() && parse("/a/!s//x/", Syntax::Basic).is_ok());
}

fn address(chance: &mut Chance) -> &'static str {
    chance.of(&["1", "2", "4", "$", "/a/", "/b$/", "/^$/", "2~2", "0~3", "/a.*b/"])
}

fn addresses(chance: &mut Chance) -> String {
    let end = |chance: &mut Chance| chance.of(&["1", "3", "$", "/b/", "/a$/"]);
    match chance.below(4) {
        0 => String::new(),
        1 => address(chance).into(),
        2 => format!("{}!", address(chance)),
        _ => format!("{},{}", address(chance), end(chance)),
    }
}

fn script(chance: &mut Chance, depth: usize) -> String {
    let mut lines = Vec::new();
    for _ in 0..1 + chance.below(4) {
        let command = match chance.below(16) {
            0 if depth > 0 => format!("{{\n{}\n}}", script(chance, depth - 1)),
            1 => "a after".into(),
            2 => "i before".into(),
            3 => "c instead".into(),
            4 => "s/a*b/[&]/g".into(),
            5 => "s/\\(a\\)\\(b*\\)/\\2\\1/2".into(),
            6 => "s/\\n/;/;t".into(),
            other => chance
                .of(&[
                    "p", "P", "n", "N", "d", "g", "G", "h", "H", "x", "=", "l 9", "y/ab/ba/", "s/$/./",
                    "$!N", "s//X/;T",
                ])
                .to_string()
                .repeat(usize::from(other > 0)),
        };
        lines.push(addresses(chance) + if command.is_empty() { "p" } else { &command });
    }
    // No `D`: behind a `G` it is for ever.
    lines.join("\n")
}

#[test]
fn scripts_made_by_chance_do_what_those_of_the_host_do() {
    let mut chance = Chance(11);
    for _ in 0..600 {
        let script = "/nothing/d\n".to_string() + &script(&mut chance, 1);
        let lines = chance.below(7);
        let mut input: String = (0..lines)
            .map(|_| chance.of(&["a\n", "b\n", "ab\n", "aab b\n", "\n", "ba\n", "xabbabx\n"]))
            .collect();
        if chance.below(3) == 0 {
            input.pop();
        }
        compare(&script, chance.of(&["-n", "-s"]), &input);
    }
}
