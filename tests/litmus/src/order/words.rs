//! Which words the named accesses of an order touch, and what the kernel calls them.

use super::Order;
use std::collections::{BTreeMap, BTreeSet};

/// A named access to a location of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touch<'a> {
    /// The processor that does it.
    pub processor: &'a str,
    /// The function of the kernel, as in [`super::Anchor`].
    pub place: &'a str,
    /// What the line of its source has, if the access is found by that.
    pub text: Option<&'a str>,
}

/// A location, and what the kernel has there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word<'a> {
    /// As the order calls it.
    pub location: &'a str,
    /// As the kernel's source does: fields, statics, or functions that do nothing but load or store one.
    pub names: &'a [String],
    /// Who touches it.
    pub touches: Vec<Touch<'a>>,
}

impl Word<'_> {
    /// Whether named accesses of several processors meet there.
    pub fn is_shared(&self) -> bool {
        let processors: BTreeSet<&str> = self.touches.iter().map(|touch| touch.processor).collect();
        processors.len() > 1
    }
}

impl Order {
    /// The locations that named accesses touch.
    pub fn touched(&self) -> Vec<Word<'_>> {
        let mut touched: BTreeMap<&str, Vec<Touch>> = BTreeMap::new();
        for (processor, lines) in &self.processors {
            let number = processor.trim_start_matches('P');
            for line in lines {
                let location = register(&line.text).and_then(|register| self.location(number, register));
                let (Some(tag), Some(location)) = (line.name(), location) else {
                    continue;
                };
                let at = |place, text| Touch {
                    processor,
                    place,
                    text,
                };
                let anchors = self.code.iter().filter(|anchor| anchor.tag == tag);
                let accesses = self.accesses.iter().filter(|access| access.tag == tag);
                let touches = touched.entry(location).or_default();
                touches.extend(anchors.map(|anchor| at(&anchor.place, None)));
                touches.extend(accesses.map(|access| at(&access.place, Some(&access.text))));
            }
        }
        let named = |location| self.words.iter().find(|(named, _)| named == location);
        let words = touched.into_iter().map(|(location, touches)| Word {
            location,
            names: named(location).map_or(&[], |(_, names)| names),
            touches,
        });
        words.filter(|word| !word.touches.is_empty()).collect()
    }

    /// Where a register of a processor points at first.
    fn location(&self, number: &str, register: &str) -> Option<&str> {
        let wanted = format!("{number}:{register}=");
        let mut initial = self.initial.iter();
        initial.find_map(|one| {
            one.split_whitespace()
                .find_map(|part| part.strip_prefix(wanted.as_str()))
        })
    }
}

/// The register whose address an instruction accesses.
fn register(instruction: &str) -> Option<&str> {
    let (_, behind) = instruction.split_once('[')?;
    behind.split([',', ']']).next()
}
