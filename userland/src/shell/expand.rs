//! Words to arguments: POSIX Shell Command Language 2.6. Within this file a field is kept as a pattern, in which what
//! was quoted is escaped: so what a `*` means is known to the end.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::state::Shell;
use super::syntax::{Absent, Extent, Operation, Part, Quoting, Variable, Which, Word};
use super::{arithmetic, pattern};
use crate::runtime::directory;

/// What is wrong with an expansion, for people.
pub type Failure = String;

/// Fields being made.
struct Fields {
    done: Vec<String>,
    /// `None` between fields: an expansion to nothing makes no field, `""` does.
    current: Option<String>,
    /// Characters that part fields; empty where nothing is split.
    separators: String,
}

impl Fields {
    fn new(separators: &str) -> Self {
        Fields {
            done: Vec::new(),
            current: None,
            separators: separators.to_string(),
        }
    }

    fn field(&mut self) -> &mut String {
        self.current.get_or_insert_with(String::new)
    }

    fn end_field(&mut self) {
        self.done.extend(self.current.take());
    }

    /// Appends the result of an expansion.
    fn push_value(&mut self, text: &str, quoting: Quoting) {
        if quoting == Quoting::Double {
            self.field().push_str(&pattern::escape(text));
            return;
        }
        let mut is_after_blank = false;
        for c in text.chars() {
            if !self.separators.contains(c) {
                is_after_blank = false;
                let field = self.field();
                if c == '\\' {
                    field.push('\\');
                }
                field.push(c);
            } else if c.is_ascii_whitespace() {
                is_after_blank |= self.current.is_some();
                self.end_field();
            } else {
                // Such a separator ends a field even if the field is empty, unless blanks before it did.
                if !is_after_blank {
                    self.field();
                }
                is_after_blank = false;
                self.end_field();
            }
        }
    }

    fn finish(mut self) -> Vec<String> {
        self.end_field();
        self.done
    }
}

impl Shell {
    /// All expansions: each word becomes no, one or several arguments.
    pub fn expand_words(&mut self, words: &[Word]) -> Result<Vec<String>, Failure> {
        let mut arguments = Vec::new();
        for word in words {
            let mut fields = Fields::new(self.text("IFS"));
            self.expand_into(word, &mut fields)?;
            for field in fields.finish() {
                let mut paths = Vec::new();
                if pattern::is_pattern(&field) && !self.options.no_glob {
                    paths = pattern::paths(&field, &mut |name| directory::names(name).unwrap_or_default());
                }
                if paths.is_empty() {
                    paths.push(pattern::unescape(&field));
                }
                arguments.append(&mut paths);
            }
        }
        Ok(arguments)
    }

    /// Expansions without splitting and without file names: assignments, redirections, the word of `case`.
    pub fn expand_single(&mut self, word: &Word) -> Result<String, Failure> {
        self.expand_pattern(word)
            .map(|pattern| pattern::unescape(&pattern))
    }

    /// The same as a pattern, in which what was quoted means itself.
    pub fn expand_pattern(&mut self, word: &Word) -> Result<String, Failure> {
        let mut fields = Fields::new("");
        self.expand_into(word, &mut fields)?;
        Ok(fields.finish().join(" "))
    }

    fn expand_into(&mut self, word: &Word, fields: &mut Fields) -> Result<(), Failure> {
        for (index, part) in word.0.iter().enumerate() {
            match part {
                Part::Text(text) if index == 0 && text.starts_with('~') => self.push_home(text, fields),
                Part::Text(text) => fields.field().push_str(text),
                Part::Quoted(text) => fields.field().push_str(&pattern::escape(text)),
                Part::Variable(variable, quoting) => self.push_variable(variable, *quoting, fields)?,
                Part::Command(list, quoting) => {
                    let output = self.substitute_command(list)?;
                    fields.push_value(&output, *quoting);
                }
                Part::Arithmetic(expression, quoting) => {
                    let text = self.expand_single(expression)?;
                    let value =
                        arithmetic::evaluate(&text, self).map_err(|error| format!("$(({text})): {error}"))?;
                    fields.push_value(&value.to_string(), *quoting);
                }
            }
        }
        Ok(())
    }

    /// `~` and `~/...`: the home directory. `~name` stays: there is no table of users.
    fn push_home(&self, text: &str, fields: &mut Fields) {
        let rest = &text[1..];
        match self.variables.get("HOME") {
            Some(home) if rest.is_empty() || rest.starts_with('/') => {
                fields.field().push_str(&pattern::escape(&home.text));
                fields.field().push_str(rest);
            }
            _ => fields.field().push_str(text),
        }
    }

    fn push_variable(
        &mut self,
        variable: &Variable,
        quoting: Quoting,
        fields: &mut Fields,
    ) -> Result<(), Failure> {
        let name = variable.name.as_str();
        if matches!(name, "@" | "*") && variable.operation == Operation::Value {
            self.push_positional(name, quoting, fields);
            return Ok(());
        }
        let value = self.parameter(name);
        let has_value = |absent: &Absent| match absent {
            Absent::Unset => value.is_some(),
            Absent::UnsetOrEmpty => value.as_ref().is_some_and(|value| !value.is_empty()),
        };
        let unset = format!("{name}: parameter not set");
        match &variable.operation {
            Operation::Default(absent, word) if !has_value(absent) => return self.expand_into(word, fields),
            Operation::Alternative(absent, word) if has_value(absent) => {
                return self.expand_into(word, fields);
            }
            Operation::Alternative(..) => return Ok(()),
            Operation::Assign(absent, word) if !has_value(absent) => {
                let text = self.expand_single(word)?;
                if !self.assign(name, &text) {
                    return Err(format!("{name}: cannot be assigned"));
                }
                fields.push_value(&text, quoting);
                return Ok(());
            }
            Operation::Require(absent, word) if !has_value(absent) => {
                let message = self.expand_single(word)?;
                return Err(if message.is_empty() {
                    unset
                } else {
                    format!("{name}: {message}")
                });
            }
            _ => {}
        }
        let value = match value {
            Some(value) => value,
            None if self.options.no_unset => return Err(unset),
            None => String::new(),
        };
        let value = match &variable.operation {
            Operation::Length => value.chars().count().to_string(),
            Operation::CutSuffix(extent, word) => cut_suffix(&value, &self.expand_pattern(word)?, *extent),
            Operation::CutPrefix(extent, word) => cut_prefix(&value, &self.expand_pattern(word)?, *extent),
            Operation::Part(offset, length) => self.part(&value, offset, length.as_ref())?,
            Operation::Replace(which, searched, word) => {
                let (searched, word) = (self.expand_pattern(searched)?, self.expand_single(word)?);
                replaced(&value, &searched, &word, *which)
            }
            _ => value,
        };
        fields.push_value(&value, quoting);
        Ok(())
    }

    /// `length` characters from `offset` on; a negative offset counts from the end, a negative length says where to stop.
    fn part(&mut self, value: &str, offset: &Word, length: Option<&Word>) -> Result<String, Failure> {
        let count = value.chars().count() as i64;
        let offset = self.number(offset)?;
        let start = if offset < 0 {
            count.saturating_add(offset)
        } else {
            offset
        };
        if start < 0 || start > count {
            return Ok(String::new());
        }
        let length = match length {
            None => count,
            Some(word) => self.number(word)?,
        };
        let end = if length < 0 {
            count.saturating_add(length)
        } else {
            start.saturating_add(length).min(count)
        };
        if end < start {
            return Err(format!("{length}: substring expression < 0"));
        }
        let part = value.chars().skip(start as usize).take((end - start) as usize);
        Ok(part.collect())
    }

    /// The value of an arithmetic expression.
    fn number(&mut self, word: &Word) -> Result<i64, Failure> {
        let text = self.expand_single(word)?;
        arithmetic::evaluate(&text, self).map_err(|error| format!("{text}: {error}"))
    }

    /// `$@`, `$*`: each parameter a field; `"$*"`: one field, joined by the first character of IFS.
    fn push_positional(&self, name: &str, quoting: Quoting, fields: &mut Fields) {
        if name == "*" && quoting == Quoting::Double {
            let separator = self
                .text("IFS")
                .chars()
                .next()
                .map(String::from)
                .unwrap_or_default();
            fields.push_value(&self.positional.join(&separator), quoting);
            return;
        }
        for (index, value) in self.positional.iter().enumerate() {
            if index > 0 {
                fields.end_field();
            }
            fields.push_value(value, quoting);
        }
    }
}

/// Where a text may be cut, from its beginning to its end.
fn boundaries(text: &str) -> impl DoubleEndedIterator<Item = usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()])
}

fn cut_prefix(text: &str, pattern: &str, extent: Extent) -> String {
    let fits = |&at: &usize| pattern::matches(pattern, &text[..at]);
    let at = match extent {
        Extent::Shortest => boundaries(text).find(fits),
        Extent::Longest => boundaries(text).rev().find(fits),
    };
    text[at.unwrap_or(0)..].to_string()
}

fn cut_suffix(text: &str, pattern: &str, extent: Extent) -> String {
    let fits = |&at: &usize| pattern::matches(pattern, &text[at..]);
    let at = match extent {
        Extent::Shortest => boundaries(text).rev().find(fits),
        Extent::Longest => boundaries(text).find(fits),
    };
    text[..at.unwrap_or(text.len())].to_string()
}

/// The longest match of a pattern at its first place, or at every place, replaced.
fn replaced(value: &str, searched: &str, word: &str, which: Which) -> String {
    let mut text = String::new();
    let mut rest = value;
    while !rest.is_empty() {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let found = ends
            .into_iter()
            .find(|end| pattern::matches(searched, &rest[..*end]));
        match found {
            Some(end) => {
                text.push_str(word);
                rest = &rest[end..];
                if which == Which::First {
                    break;
                }
            }
            None => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                text.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    text + rest
}
