//! The kernel command line.

use formats::bootargs::CommandLine;
use proptest::prelude::*;

fn arguments(text: &str) -> Vec<String> {
    CommandLine::parse(text)
        .init_arguments()
        .map(|argument| argument.to_string())
        .collect()
}

fn environment(text: &str) -> Vec<(&str, &str)> {
    CommandLine::parse(text).init_environment().collect()
}

#[test]
fn the_kernels_own_words() {
    let line =
        CommandLine::parse("console=ttyAMA0,115200 console=ttyS0 rdinit=/bin/sh panic=-1 loglevel=7 quiet\n");
    assert_eq!(line.rdinit(), Some("/bin/sh"));
    assert_eq!(line.init(), None);
    assert_eq!(line.consoles().collect::<Vec<_>>(), ["ttyAMA0,115200", "ttyS0"]);
    assert_eq!((line.panic(), line.loglevel()), (Some(-1), Some(4)));
    assert!(line.has_flag("quiet") && !line.has_flag("debug"));
    assert_eq!(
        CommandLine::parse("quiet loglevel=8").loglevel(),
        Some(8),
        "the last counts"
    );
    assert_eq!(CommandLine::parse("init=/a init=/b").init(), Some("/b"));
    assert_eq!(CommandLine::parse("panic=soon").panic(), None);
    assert!(line.init_arguments().next().is_none() && line.init_environment().next().is_none());
}

#[test]
fn the_unknown_goes_to_init() {
    let text = "before init=/bin/init single TERM=vt100 usbcore.x=1 mod.flag A=1 A=2 ro -- -a console=x \"b c\" k=\"v w\"";
    assert_eq!(arguments(text), ["single", "-a", "console=x", "b c", "k=v w"]);
    assert_eq!(environment(text), [("TERM", "vt100"), ("A", "2")]);
    assert_eq!(
        CommandLine::parse(text).consoles().count(),
        0,
        "behind -- nothing is the kernel's"
    );
    assert_eq!(arguments("demo"), ["demo"]);
}

#[test]
fn quotes_keep_blanks_together() {
    let line = CommandLine::parse("  a=\"x y\"\t\"b=p q\" c=\"\" d=");
    let words: Vec<_> = line.parameters().map(|p| (p.name, p.value)).collect();
    assert_eq!(
        words,
        [
            ("a", Some("x y")),
            ("b", Some("p q")),
            ("c", Some("")),
            ("d", Some(""))
        ]
    );
    assert_eq!(
        CommandLine::parse("x=\"open to the end").value("x"),
        Some("open to the end")
    );
}

#[test]
fn dashes_and_underscores_are_one_in_names() {
    assert_eq!(
        CommandLine::parse("log-level=1 a_b-c=2").value("a-b_c"),
        Some("2")
    );
    assert!(CommandLine::parse("ignore-loglevel").has_flag("ignore_loglevel"));
}

proptest! {
    #[test]
    fn any_text_is_a_command_line(text in "[ \ta-c=\"\\-.é]{0,60}", name in "[a-c]{1,2}") {
        let line = CommandLine::parse(&text);
        let _ = (line.loglevel(), line.panic(), line.value(&name), line.has_flag(&name));
        let _ = (line.consoles().count(), line.init_environment().count());
        prop_assert!(line.init_arguments().count() <= text.len());
    }

    #[test]
    fn plain_words_come_back(words in proptest::collection::vec("[a-z]{1,5}X(=[a-z]{0,5})?", 0..8)) {
        let line = words.join(" ");
        let back: Vec<_> = CommandLine::parse(&line).parameters().map(|p| p.to_string()).collect();
        prop_assert_eq!(back, words);
    }
}
