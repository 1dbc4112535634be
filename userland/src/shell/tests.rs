//! Tests of the parser and the line editor.
