//! The shell, by floors. Plain text in, value out, tested on the host: `syntax` (what a script is), `lexer` and
//! `parser` (text to script), `pattern`, `arithmetic`, and `editor` (the command line being typed). Above them, with
//! system calls: `state` (what a shell remembers), `expand` (words to arguments), `redirect`, `spawn` (processes),
//! `jobs`, `executor` (runs a script), `builtins`, `history` (kept in a file), `interactive` (prompt and completion).

pub mod arithmetic;
pub mod builtins;
mod condition;
pub mod editor;
pub mod executor;
mod expand;
mod history;
pub mod interactive;
pub mod jobs;
pub mod lexer;
pub mod parser;
pub mod pattern;
mod redirect;
mod simple;
mod spawn;
pub mod state;
pub mod syntax;
#[cfg(test)]
mod tests;
