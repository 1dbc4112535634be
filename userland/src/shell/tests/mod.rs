//! Tests of what needs no kernel: the parser, and the line editor on a terminal that the tests imitate.

mod editor;
mod parser;
