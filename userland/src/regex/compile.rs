//! From a pattern's tree to a program for the machine of [`super::search`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Reading;
use super::class::Class;
use super::parser::{Look, Node, Parsed};

/// Longest program: what repeats much is repeated in it.
const MOST_STEPS: usize = 200_000;

/// One step of a program.
#[derive(Debug)]
pub enum Step {
    /// Takes a letter of this set.
    Take(usize),
    /// Goes on at both places; the first is preferred.
    Split(usize, usize),
    Jump(usize),
    /// Notes the place: of group n the beginning is 2n, the end 2n + 1.
    Save(usize),
    Look(Look),
    /// Takes what the group has taken.
    Again(usize),
    Match,
}

/// A compiled pattern.
pub struct Program {
    pub steps: Vec<Step>,
    pub classes: Vec<Class>,
    pub groups: usize,
    /// Groups that are referred to in the pattern.
    pub referred: Vec<usize>,
    /// `^` and `$` stand at every line.
    pub has_lines: bool,
    pub ignores_case: bool,
    /// Bytes that a match may begin with; `None` if it may begin with anything, or be empty.
    pub first: Option<[bool; 256]>,
}

/// Compiles a pattern; an error for people if it is too big.
pub fn compile(parsed: &Parsed, reading: Reading) -> Result<Program, String> {
    let mut program = Program {
        steps: Vec::new(),
        classes: Vec::new(),
        groups: parsed.groups,
        referred: Vec::new(),
        has_lines: reading.has_lines,
        ignores_case: reading.ignores_case,
        first: None,
    };
    program.add(&parsed.root)?;
    program.push(Step::Match)?;
    program.referred.sort_unstable();
    program.referred.dedup();
    program.first = program.first_bytes();
    Ok(program)
}

impl Program {
    fn push(&mut self, step: Step) -> Result<usize, String> {
        if self.steps.len() >= MOST_STEPS {
            return Err("Regular expression too big".to_string());
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn add(&mut self, node: &Node) -> Result<(), String> {
        match node {
            Node::Empty => {}
            Node::Set(class) => {
                let class = self.class(class);
                self.push(Step::Take(class))?;
            }
            Node::Look(look) => {
                self.push(Step::Look(*look))?;
            }
            Node::Again(group) => {
                self.referred.push(*group);
                self.push(Step::Again(*group))?;
            }
            Node::Group(number, inner) => {
                self.push(Step::Save(2 * number))?;
                self.add(inner)?;
                self.push(Step::Save(2 * number + 1))?;
            }
            Node::All(parts) => parts.iter().try_for_each(|part| self.add(part))?,
            Node::Any(branches) => self.add_any(branches)?,
            Node::Repeat(inner, least, most) => self.add_repeat(inner, *least, *most)?,
        }
        Ok(())
    }

    /// The number of a set; copies of a repeated part share theirs.
    fn class(&mut self, class: &Class) -> usize {
        let found = self.classes.iter().rposition(|other| other == class);
        found.unwrap_or_else(|| {
            self.classes.push(class.clone());
            self.classes.len() - 1
        })
    }

    fn add_any(&mut self, branches: &[Node]) -> Result<(), String> {
        let mut ends = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            if index + 1 == branches.len() {
                self.add(branch)?;
                break;
            }
            let split = self.push(Step::Split(self.steps.len() + 1, 0))?;
            self.add(branch)?;
            ends.push(self.push(Step::Jump(0))?);
            self.steps[split] = Step::Split(split + 1, self.steps.len());
        }
        let end = self.steps.len();
        ends.iter().for_each(|jump| self.steps[*jump] = Step::Jump(end));
        Ok(())
    }

    fn add_repeat(&mut self, inner: &Node, least: u32, most: Option<u32>) -> Result<(), String> {
        let Some(most) = most else {
            return self.add_endless(inner, least);
        };
        (0..least).try_for_each(|_| self.add(inner))?;
        let mut splits = Vec::new();
        for _ in least..most {
            splits.push(self.push(Step::Split(self.steps.len() + 1, 0))?);
            self.add(inner)?;
        }
        let end = self.steps.len();
        let ends = |split: &usize| self.steps[*split] = Step::Split(split + 1, end);
        splits.iter().for_each(ends);
        Ok(())
    }

    fn add_endless(&mut self, inner: &Node, least: u32) -> Result<(), String> {
        (1..least).try_for_each(|_| self.add(inner))?;
        if least > 0 {
            let start = self.steps.len();
            self.add(inner)?;
            self.push(Step::Split(start, self.steps.len() + 1))?;
            return Ok(());
        }
        let split = self.push(Step::Split(self.steps.len() + 1, 0))?;
        self.add(inner)?;
        self.push(Step::Jump(split))?;
        self.steps[split] = Step::Split(split + 1, self.steps.len());
        Ok(())
    }

    /// See [`Program::first`].
    fn first_bytes(&self) -> Option<[bool; 256]> {
        let mut first = [false; 256];
        let mut seen = alloc::vec![false; self.steps.len()];
        let mut open = Vec::from([0]);
        while let Some(at) = open.pop() {
            if core::mem::replace(&mut seen[at], true) {
                continue;
            }
            match &self.steps[at] {
                Step::Take(class) => {
                    let class = &self.classes[*class];
                    (0..=255u8).for_each(|byte| first[usize::from(byte)] |= class.may_begin(byte));
                }
                Step::Split(one, other) => open.extend([*one, *other]),
                Step::Jump(to) => open.push(*to),
                Step::Save(_) | Step::Look(_) => open.push(at + 1),
                Step::Again(_) | Step::Match => return None,
            }
        }
        Some(first)
    }
}
