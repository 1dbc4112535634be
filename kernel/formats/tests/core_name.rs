//! Patterns for names of core files.

use formats::core_name::{Field, Piece, Pieces, without_slashes};
use proptest::prelude::*;

fn pieces(pattern: &[u8]) -> Vec<Piece<'_>> {
    Pieces::new(pattern).collect()
}

#[test]
fn text_and_fields_alternate() {
    assert_eq!(pieces(b"core"), [Piece::Text(b"core")]);
    assert_eq!(
        pieces(b"/var/%e.%p%I"),
        [
            Piece::Text(b"/var/"),
            Piece::Field(Field::ThreadName),
            Piece::Text(b"."),
            Piece::Field(Field::ProcessId),
            Piece::Field(Field::ThreadId),
        ]
    );
}

#[test]
fn percent_signs() {
    assert_eq!(pieces(b"%%p"), [Piece::Text(b"%"), Piece::Text(b"p")]);
    assert_eq!(pieces(b"a%"), [Piece::Text(b"a")], "nothing follows");
    assert_eq!(pieces(b"%z%"), [], "not known");
    assert_eq!(pieces(b"%\0%p"), [Piece::Field(Field::ProcessId)]);
    assert_eq!(pieces(b""), []);
}

#[test]
fn names_lead_nowhere() {
    assert!(without_slashes(b"/bin/sh").eq(*b"!bin!sh"));
}

proptest! {
    #[test]
    fn no_piece_is_empty_and_none_is_made_up(pattern in proptest::collection::vec(any::<u8>(), 0..130)) {
        let text: usize = pieces(&pattern).iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Field(_) => 2,
        }).sum();
        prop_assert!(text <= pattern.len());
        prop_assert!(!pieces(&pattern).contains(&Piece::Text(b"")));
    }
}
