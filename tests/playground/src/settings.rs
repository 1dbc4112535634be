//! What the machine and the kernel are like, which commands change.

use machine::Temper;
use machine::sabotage::Sabotage;
use serde::Serialize;

/// How a child is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ForkScheme {
    /// It shares the tables (`fork`).
    Shared,
    /// It gets tables of its own, which share the pages (`classic`).
    Classic,
}

/// Whether a fork gives the child its own copy of the page under the stack pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StackPage {
    /// At once, as the kernel does it.
    Copied,
    /// No: both sides fault on it.
    Shared,
}

/// All of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How a child is made.
    pub scheme: ForkScheme,
    /// What becomes of the page under the stack pointer.
    pub stack_page: StackPage,
    /// What the processors are like.
    pub temper: Temper,
    /// How the machine disobeys.
    pub sabotage: Option<Sabotage>,
}

impl Settings {
    /// As the kernel boots.
    pub const USUAL: Settings = Settings {
        scheme: ForkScheme::Shared,
        stack_page: StackPage::Copied,
        temper: Temper::Plain,
        sabotage: None,
    };
}
