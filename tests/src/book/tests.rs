//! What of the book can be checked without booting anything, and that a wrong book is noticed.

use super::transcripts::{self, Figures, Place, difference_of_boots, find};
use super::{chapters, documents, links};

fn difference(recorded: &str, played: &str) -> Option<String> {
    transcripts::difference(recorded, played, Figures::Count)
}

#[test]
fn what_documents_link_to_is_there() {
    let documents = documents().expect("documents");
    let broken: Vec<String> = documents.iter().flat_map(links::broken).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_chapter_is_in_the_table_of_contents() {
    let chapters = chapters().expect("chapters");
    let contents = chapters.iter().find(|chapter| chapter.name == "SUMMARY.md");
    let contents = &contents.expect("SUMMARY.md").text;
    let lost = chapters.iter().map(|chapter| &chapter.name);
    let lost: Vec<_> = lost
        .filter(|name| *name != "SUMMARY.md" && !contents.contains(&format!("({name})")))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn commands_that_documents_name_exist() {
    let broken = links::unknown_commands().expect("documents");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_question_has_its_transcript() {
    let chapters = chapters().expect("chapters");
    let questions = chapters.iter().find(|chapter| chapter.name == "questions.md");
    let blocks = find(&questions.expect("questions.md").text);
    let typed = |command: &str| {
        blocks
            .iter()
            .any(|block| block.steps.iter().any(|step| step.0 == command))
    };
    let list = blocks
        .iter()
        .flat_map(|block| &block.steps)
        .find(|step| step.0 == "cow list");
    let (_, list) = list.expect("`cow list` is typed");
    let names = list.lines().filter_map(|line| line.trim().split_once(' '));
    let names: Vec<&str> = names
        .map(|(name, _)| name)
        .filter(|name| name.starts_with('q'))
        .collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        assert!(
            typed(&format!("cow {name}")),
            "`cow {name}` is not typed in questions.md"
        );
    }
}

#[test]
fn blocks_are_found_and_written() {
    let text = "a\n```console\nholstein:/# cow q1\nb\nc\nholstein:/# true\n```\n```sh\nmake run\n```\n```console boot\nup\nholstein:/# \n```\n";
    let blocks = find(text);
    assert_eq!(blocks.len(), 2);
    assert_eq!(
        (blocks[0].start, blocks[0].end, blocks[0].place),
        (2, 6, Place::Guest)
    );
    assert_eq!(blocks[0].steps[0], ("cow q1".to_owned(), "b\nc\n".to_owned()));
    assert_eq!(
        blocks[0].with("", &["d".to_owned(), String::new()]),
        "holstein:/# cow q1\nd\nholstein:/# true\n"
    );
    assert_eq!(
        (blocks[1].before.as_str(), blocks[1].place),
        ("up\n", Place::Boot)
    );
    assert_eq!(find("```console\n$ true\n```\n")[0].place, Place::Host);
}

#[test]
fn addresses_match_by_where_they_stand_again() {
    let shared = "parent frame 40bf0 mapped 2x\nchild  frame 40bf0 mapped 2x\n";
    let elsewhere = "parent frame 7fc46 mapped 2x\nchild frame 7fc46 mapped 2x\n";
    assert_eq!(difference(shared, elsewhere), None);
    let copied = "parent frame 7fc46 mapped 2x\nchild frame 7fc47 mapped 2x\n";
    let words = difference(shared, copied).expect("the child has another frame");
    assert!(
        words.contains("child  frame 40bf0") && words.contains("7fc47"),
        "{words}"
    );
    assert!(difference(shared, &elsewhere.replace("2x", "1x")).is_some());
}

#[test]
fn numbers_match_by_what_they_are() {
    assert_eq!(difference("17 us, 1028 pages", "3 us, 1026\npages"), None);
    assert!(difference("1028 pages", "5028 pages").is_some());
    assert!(difference("0 faults", "1 faults").is_some());
    assert!(difference("ok: a\nok: b", "ok: a").is_some());
    assert_eq!(
        difference("ok: a\n", "[    1.5] a line of the log\nok: a\n"),
        None
    );
    assert_eq!(
        difference_of_boots("[ 0.1] a\n[ 0.2] b 5 MHz", "[ 0.1] b 7 MHz\n[ 0.3] a"),
        None
    );
    assert!(difference_of_boots("[ 0.1] a", "[ 0.1] c").is_some());
    let roughly = |played: &str| transcripts::difference("copied 1, of 4", played, Figures::Vary);
    assert_eq!(roughly("copied 0, of 7"), None);
    assert!(roughly("lost 0, of 7").is_some() && roughly("copied 0").is_some());
    assert_eq!(
        find("```console roughly\n$ true\n```\n")[0].figures,
        Figures::Vary
    );
}
