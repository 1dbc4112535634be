//! What `[[ ]]` answers: words are not split, the right side of `==` and `!=` is a pattern.

use alloc::string::String;

use super::executor::Run;
use super::pattern;
use super::state::Shell;
use super::syntax::Condition;
use crate::applets::test;

/// True, false, or what is wrong, for people.
type Answer = Result<bool, String>;

impl Shell {
    /// `[[ condition ]]`: 0 if it is true, 1 if it is false, 2 if it is none.
    pub fn run_condition_command(&mut self, condition: &Condition) -> Run {
        self.status = match self.holds(condition) {
            Ok(holds) => i32::from(!holds),
            Err(message) => {
                self.complain(&alloc::format!("[[: {message}"));
                2
            }
        };
        Run::Continue(())
    }

    fn holds(&mut self, condition: &Condition) -> Answer {
        match condition {
            Condition::Not(condition) => self.holds(condition).map(|holds| !holds),
            Condition::And(left, right) => Ok(self.holds(left)? && self.holds(right)?),
            Condition::Or(left, right) => Ok(self.holds(left)? || self.holds(right)?),
            Condition::Word(word) => Ok(!self.expand_single(word)?.is_empty()),
            Condition::Unary(letter, word) => {
                let operand = self.expand_single(word)?;
                match letter.as_str() {
                    "v" => Ok(self.parameter(&operand).is_some()),
                    letter => test::unary(letter, &operand),
                }
            }
            Condition::Binary(left, operator, right) => {
                let left = self.expand_single(left)?;
                match operator.as_str() {
                    "=" | "==" => Ok(pattern::matches(&self.expand_pattern(right)?, &left)),
                    "!=" => Ok(!pattern::matches(&self.expand_pattern(right)?, &left)),
                    operator => test::compare(&left, operator, &self.expand_single(right)?),
                }
            }
        }
    }
}
