//! What became of the mutants, as lines and as a table.

use crate::play::Verdict;
use std::collections::BTreeMap;

/// One mutant.
pub struct Row {
    /// Its name.
    pub name: String,
    /// Who noticed it; none if no work executes the instruction.
    pub verdict: Option<Verdict>,
    /// Under which work.
    pub work: &'static str,
    /// Why nobody need notice it.
    pub reason: Option<&'static str>,
}

impl Row {
    /// Whether nobody noticed it, and nobody says why.
    pub fn has_failed(&self) -> bool {
        !self.is_noticed() && self.reason.is_none()
    }

    fn is_noticed(&self) -> bool {
        matches!(
            self.verdict,
            Some(Verdict::Checker(_) | Verdict::Test(_) | Verdict::Order(_) | Verdict::Kept(_))
        )
    }

    fn outcome(&self) -> String {
        match (&self.verdict, self.reason) {
            (Some(Verdict::Checker(rule)), _) => rule.clone(),
            (Some(Verdict::Test(what)), _) => format!("the test: {what}"),
            (Some(Verdict::Order(name)), _) => format!("the order {name}"),
            (Some(Verdict::Kept(reason)), _) => format!("the list of what is kept: {reason}"),
            (_, Some(reason)) => format!("nobody: {reason}"),
            (None, None) => "never executed".to_owned(),
            (Some(Verdict::Nobody), None) => "NOBODY".to_owned(),
        }
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let word = if self.has_failed() { "FAILED" } else { "ok    " };
        format!("{word} {:<70} {:<11} {}", self.name, self.work, self.outcome())
    }
}

/// How many were noticed by whom.
pub fn summary(rows: &[Row]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let key = match &row.verdict {
            Some(Verdict::Checker(_)) => "noticed by the checker",
            Some(Verdict::Test(_)) => "noticed by the test alone",
            Some(Verdict::Order(_)) => "noticed by an order of tests/litmus alone",
            Some(Verdict::Kept(_)) => "noticed by the list of what is kept alone",
            _ if row.reason.is_some() => "listed with a reason",
            _ => "not noticed",
        };
        *counts.entry(key.to_owned()).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(key, count)| format!("{count} {key}"))
        .collect();
    format!("{} mutants: {}", rows.len(), parts.join(", "))
}

/// All of them.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = "# Mutants of the finished kernel\n\nWritten by `make mutants`: one instruction of the Image is left out or made weaker at a time.\n\n".to_owned();
    text += &summary(rows);
    text += "\n\n| mutant | under | noticed by |\n|---|---|---|\n";
    for row in rows {
        text += &format!(
            "| {} | {} | {} |\n",
            row.name.replace('|', "\\|"),
            row.work,
            row.outcome()
        );
    }
    text
}
