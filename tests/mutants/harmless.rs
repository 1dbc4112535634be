//! Mutants that nobody notices, each with the reason.

/// Words that the mutant's name contains, and why nobody notices it.
const REASONS: &[(&[&str], &str)] = &[];

/// Why nobody need notice the mutant of this name.
pub fn reason(name: &str) -> Option<&'static str> {
    let is_of = |words: &&[&str]| words.iter().all(|word| name.contains(word));
    REASONS
        .iter()
        .find(|(words, _)| is_of(words))
        .map(|(_, reason)| *reason)
}
