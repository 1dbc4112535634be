//! Text to script.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::shell::lexer::ParseError;
use crate::shell::parser::{is_name, parse};
use crate::shell::syntax::{
    Absent, Command, Compound, Connective, Extent, List, Operation, Part, Quoting, RedirectionKind, Simple,
    Variable, Word,
};

/// The only command of a script, which must be a simple one.
fn simple(text: &str) -> Simple {
    match only_command(text) {
        Command::Simple(simple) => simple,
        other => panic!("{text}: {other:?}"),
    }
}

fn only_command(text: &str) -> Command {
    let list = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(list.len(), 1, "{text}");
    assert_eq!(list[0].first.commands.len(), 1, "{text}");
    list[0].first.commands[0].clone()
}

fn compound(text: &str) -> Compound {
    match only_command(text) {
        Command::Compound(compound, _) => *compound,
        other => panic!("{text}: {other:?}"),
    }
}

fn word(text: &str) -> Word {
    Word([Part::Text(text.to_string())].into())
}

fn words(list: &List) -> Vec<String> {
    let simple = |command: &Command| match command {
        Command::Simple(simple) => simple
            .words
            .iter()
            .filter_map(Word::literal)
            .collect::<Vec<_>>()
            .join(" "),
        other => panic!("{other:?}"),
    };
    list.iter().map(|item| simple(&item.first.commands[0])).collect()
}

fn variable(name: &str, operation: Operation, quoting: Quoting) -> Part {
    Part::Variable(
        Variable {
            name: name.to_string(),
            operation,
        }
        .into(),
        quoting,
    )
}

#[test]
fn words_are_parted_by_blanks_and_comments_are_none() {
    assert_eq!(simple("a  bc\td # e f").words, [word("a"), word("bc"), word("d")]);
    assert_eq!(simple("a#b").words, [word("a#b")]);
    assert!(parse("# nothing\n\n  \n").unwrap().is_empty());
}

#[test]
fn a_form_feed_is_no_blank() {
    assert_eq!(simple("a\x0cb \x0c").words, [word("a\x0cb"), word("\x0c")]);
}

#[test]
fn quotes_keep_text_together() {
    assert_eq!(simple("'a b'\"c d\"e\\ f").words.len(), 1);
    assert_eq!(simple("'a $b'").words[0].literal().as_deref(), Some("a $b"));
    assert_eq!(
        simple("\"a \\$b \\x\"").words[0].literal().as_deref(),
        Some("a $b \\x")
    );
    assert_eq!(simple("echo \"\"").words.len(), 2);
    assert_eq!(simple("a\\\nb").words[0].literal().as_deref(), Some("ab"));
}

#[test]
fn lists_know_their_connectives_and_their_text() {
    let list = parse("a && b || c; d & e").unwrap();
    assert_eq!(list.len(), 3);
    let connectives: Vec<Connective> = list[0].rest.iter().map(|(connective, _)| *connective).collect();
    assert_eq!(connectives, [Connective::And, Connective::Or]);
    assert_eq!(
        list.iter().map(|item| item.is_background).collect::<Vec<_>>(),
        [false, true, false]
    );
    assert_eq!(
        list.iter().map(|item| item.text.as_str()).collect::<Vec<_>>(),
        ["a && b || c", "d", "e"]
    );
}

#[test]
fn pipelines_may_be_negated_and_measured() {
    let list = parse("! faults a | b |\n c").unwrap();
    let pipeline = &list[0].first;
    assert!(pipeline.is_negated && pipeline.is_measured);
    assert_eq!(pipeline.commands.len(), 3);
    assert_eq!(simple("echo faults !").words.len(), 3);
}

#[test]
fn redirections_have_descriptors() {
    let redirections = simple("a <in >>out 2>&1 10>x 3<&-").redirections;
    let found: Vec<_> = redirections
        .iter()
        .map(|r| (r.descriptor, r.kind, r.target.literal().unwrap()))
        .collect();
    let expected = [
        (0, RedirectionKind::Read, "in"),
        (1, RedirectionKind::Append, "out"),
        (2, RedirectionKind::Duplicate, "1"),
        (10, RedirectionKind::Write, "x"),
        (3, RedirectionKind::Duplicate, "-"),
    ];
    assert_eq!(
        found,
        expected.map(|(descriptor, kind, target)| (descriptor, kind, target.to_string()))
    );
    // A number that is not next to the operator is an argument.
    assert_eq!(simple("echo 2 >x").words.len(), 2);
}

#[test]
fn here_documents_begin_on_the_next_line() {
    let list = parse("cat <<A <<'B'; echo x\none $v\nA\ntwo $v\nB\necho y\n").unwrap();
    assert_eq!(words(&list), ["cat", "echo x", "echo y"]);
    let Command::Simple(cat) = &list[0].first.commands[0] else {
        panic!()
    };
    assert_eq!(cat.redirections[0].target.literal(), None, "$v is expanded");
    assert_eq!(cat.redirections[1].target, Word::quoted("two $v\n"));
    let tabs = simple("cat <<-E\n\t\tx\n\tE\n");
    assert_eq!(tabs.redirections[0].target.literal().as_deref(), Some("x\n"));
    assert_eq!(parse("cat <<E\nx\n"), Err(ParseError::Incomplete));
}

#[test]
fn assignments_stand_before_the_command() {
    let command = simple("a=1 b= c d=2");
    assert_eq!(
        command.assignments,
        [("a".to_string(), word("1")), ("b".to_string(), Word::default())]
    );
    assert_eq!(command.words, [word("c"), word("d=2")]);
    assert_eq!(simple("1a=2").words, [word("1a=2")]);
    assert_eq!(simple("'a'=2").assignments, []);
}

#[test]
fn parameters_have_operations() {
    let part = |text: &str| simple(text).words[0].0[0].clone();
    assert_eq!(part("$ab-c"), variable("ab", Operation::Value, Quoting::Unquoted));
    assert_eq!(
        part("${#ab}"),
        variable("ab", Operation::Length, Quoting::Unquoted)
    );
    assert_eq!(part("$12"), variable("1", Operation::Value, Quoting::Unquoted));
    assert_eq!(part("${12}"), variable("12", Operation::Value, Quoting::Unquoted));
    assert_eq!(part("$#"), variable("#", Operation::Value, Quoting::Unquoted));
    assert_eq!(part("${#}"), variable("#", Operation::Value, Quoting::Unquoted));
    let default = Operation::Default(Absent::UnsetOrEmpty, word("b"));
    assert_eq!(part("${a:-b}"), variable("a", default, Quoting::Unquoted));
    assert_eq!(
        part("${a##*/}"),
        variable(
            "a",
            Operation::CutPrefix(Extent::Longest, word("*/")),
            Quoting::Unquoted
        )
    );
    assert_eq!(
        part("${a%.c}"),
        variable(
            "a",
            Operation::CutSuffix(Extent::Shortest, word(".c")),
            Quoting::Unquoted
        )
    );
    assert!(parse("${a!b}").is_err() && parse("${}").is_err());
}

#[test]
fn commands_nest_within_words() {
    let Part::Command(list, Quoting::Double) = &simple("\"$(echo $(ls) ')')\"").words[0].0[1] else {
        panic!()
    };
    assert_eq!(list.len(), 1);
    let Part::Command(list, Quoting::Unquoted) = &simple("`echo \\`ls\\``").words[0].0[0] else {
        panic!()
    };
    assert_eq!(list.len(), 1);
    let Part::Arithmetic(inner, _) = &simple("$((1 + (2)))").words[0].0[0] else {
        panic!()
    };
    assert_eq!(inner.literal().as_deref(), Some("1 + (2)"));
}

#[test]
fn compound_commands_are_recognised() {
    assert!(matches!(compound("(a; b)"), Compound::Subshell(list) if list.len() == 2));
    assert!(matches!(compound("{ a; b; }"), Compound::Group(list) if list.len() == 2));
    assert!(
        matches!(compound("if a; then b; elif c; then d; else e; fi"), Compound::If(branches, otherwise)
        if branches.len() == 2 && otherwise.len() == 1)
    );
    assert!(matches!(compound("while a; do b; done"), Compound::While(..)));
    assert!(matches!(compound("until a\ndo b\ndone"), Compound::Until(..)));
    assert!(
        matches!(compound("for x in 1 2; do b; done"), Compound::For(name, Some(words), _)
        if name == "x" && words.len() == 2)
    );
    assert!(matches!(compound("for x; do b; done"), Compound::For(_, None, _)));
    assert!(
        matches!(compound("case $x in a|b) c;; (*) d; esac"), Compound::Case(_, arms)
        if arms.len() == 2 && arms[0].0.len() == 2)
    );
    assert!(matches!(only_command("f() { a; }"), Command::Function(name, _) if name == "f"));
    // Reserved words are words elsewhere.
    assert_eq!(simple("echo if done }").words.len(), 4);
}

#[test]
fn what_is_not_finished_is_incomplete() {
    let open = [
        "'a",
        "\"a",
        "a &&",
        "a |",
        "(a",
        "{ a;",
        "if a; then",
        "while a; do b;",
        "for x in a; do",
        "case x in",
        "$(a",
        "${a",
        "$((1",
        "`a",
        "a\\",
        "cat <<E\n",
    ];
    for text in open {
        assert_eq!(parse(text), Err(ParseError::Incomplete), "{text}");
    }
}

#[test]
fn what_can_never_be_finished_is_an_error() {
    for text in [
        ")",
        "a )",
        ";",
        "a ;; b",
        "fi",
        "a && ;",
        "if ; then a; fi",
        "for 1 in a; do b; done",
        "a >",
        "a > ;",
        "| a",
    ] {
        let result = parse(text);
        // A redirection at the end of the text waits for its word.
        let is_expected = matches!(result, Err(ParseError::Syntax(_))) || (text == "a >" && result.is_err());
        assert!(is_expected, "{text}: {result:?}");
    }
    let Err(ParseError::Syntax(message)) = parse("a; )") else {
        panic!()
    };
    assert_eq!(message, "syntax error near unexpected token `)'");
}

#[test]
fn nesting_is_limited() {
    for (open, close) in [("(", ")"), ("$(", ")"), ("{ ", ";}"), ("if ", "")] {
        let text = open.repeat(100_000) + "a" + &close.repeat(100_000);
        assert!(matches!(parse(&text), Err(ParseError::Syntax(_))), "{open}");
    }
    assert!(parse(&("(".repeat(50) + "a" + &")".repeat(50))).is_ok());
}

#[test]
fn any_text_is_parsed_without_a_panic() {
    // Every text of up to five of these pieces.
    let pieces = [
        "a", " ", "\n", "'", "\"", "$", "(", ")", "{", "}", "`", "\\", "<<", "2>", "&", "|", ";", "if ", "#",
        "ä",
    ];
    let mut texts = Vec::from([String::new()]);
    for _ in 0..4 {
        texts = texts
            .iter()
            .flat_map(|text| pieces.map(|piece| text.clone() + piece))
            .collect();
        for text in &texts {
            let _ = parse(text);
        }
    }
}

#[test]
fn names_are_names() {
    assert!(is_name("a_1") && is_name("_"));
    assert!(!is_name("") && !is_name("1a") && !is_name("a-b") && !is_name("ä"));
}

#[test]
fn conditions_are_no_words() {
    for text in [
        "[[ a ]]",
        "[[ -f a && ! b == c* || ( x < y ) ]]",
        "[[ \"$a b\" != \"\" ]] && c",
        "[[ -n $a\n]]",
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
    }
    for text in ["[[ a b ]]", "[[ ]]", "[[ a =~ b ]]", "[[ a && ]]"] {
        assert!(
            matches!(parse(text), Err(ParseError::Syntax(_))),
            "{text}: {:?}",
            parse(text)
        );
    }
    assert_eq!(parse("[[ a"), Err(ParseError::Incomplete));
}

#[test]
fn parts_and_replacements_stand_in_braces() {
    for text in [
        "${a:1}",
        "${a:1:2}",
        "${a: -1}",
        "${a:$((1)):2}",
        "${a/b}",
        "${a/b/c}",
        "${a//b/c}",
        "\"${a:1:2}\"",
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
    }
    assert_eq!(parse("${a:1"), Err(ParseError::Incomplete));
}
