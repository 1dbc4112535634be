//! The finished kernel as a graph: which instruction runs behind which, through branches, calls and returns.

mod search;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use search::{Search, Way};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where an instruction goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// To the next one.
    Next,
    /// There, always.
    Jump(u64),
    /// There, or to the next one.
    Branch(u64),
    /// There, and back behind it.
    Call(u64),
    /// To whoever is in a register: of a table of its function, or another function.
    Register,
    /// Back to the caller.
    Return,
    /// Out of the kernel.
    Leave,
    /// Nowhere: the kernel stops.
    End,
}

/// What the word at `address` does (Arm ARM C4.1.66, branches and exception-generating instructions).
fn flow(address: u64, word: u32) -> Flow {
    let to = |bits: u32, shift: u32| {
        let offset = i64::from(((word >> shift) << (32 - bits)) as i32 >> (32 - bits)) * 4;
        address.wrapping_add_signed(offset)
    };
    match word {
        0xd69f_03e0 => Flow::Leave,
        0xd65f_03c0 => Flow::Return,
        _ if word & 0xfc00_0000 == 0x1400_0000 => Flow::Jump(to(26, 0)),
        _ if word & 0xfc00_0000 == 0x9400_0000 => Flow::Call(to(26, 0)),
        // B.cond, CBZ and CBNZ; TBZ and TBNZ.
        _ if word & 0xff00_0010 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 => {
            Flow::Branch(to(19, 5))
        }
        _ if word & 0x7e00_0000 == 0x3600_0000 => Flow::Branch(to(14, 5)),
        _ if word & 0xffff_fc1f == 0xd61f_0000 => Flow::Register,
        // BRK and UDF.
        _ if word & 0xffe0_001f == 0xd420_0000 || word >> 16 == 0 => Flow::End,
        _ => Flow::Next,
    }
}

/// The kernel's instructions.
pub struct Code {
    start: u64,
    words: Vec<u32>,
    flows: Vec<Flow>,
    /// Where functions begin.
    entries: BTreeSet<u64>,
    /// Those that are called through a pointer, or by nobody whom one can see.
    roots: BTreeSet<u64>,
    /// Whence an instruction is jumped to, or called.
    sources: BTreeMap<u64, Vec<u64>>,
}

impl Code {
    /// Reads a kernel.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(elf: &Path) -> Result<Code> {
        let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
        let file = object::File::parse(&*data)?;
        let text = file.section_by_name(".text").context("no .text")?;
        let words = words(text.data()?);
        let functions = file.symbols().filter(|symbol| {
            let is_code = matches!(
                symbol.kind(),
                SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown
            );
            // `$x` and its kin say where instructions begin.
            is_code && symbol.name().is_ok_and(|name| !name.starts_with('$'))
        });
        let entries = functions.map(|symbol| symbol.address()).collect();
        let pointers = file
            .sections()
            .filter(|section| section.address() != 0 && section.index() != text.index())
            .filter_map(|section| section.data().ok())
            .flat_map(|data| data.chunks_exact(8))
            .filter_map(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        Ok(Code::new(text.address(), &words, entries, &pointers.collect()))
    }

    /// Of these words at `start`; `pointers` are what other sections hold.
    fn new(start: u64, words: &[u32], entries: BTreeSet<u64>, pointers: &BTreeSet<u64>) -> Code {
        let address = |index: usize| start + 4 * index as u64;
        let flows: Vec<Flow> = words
            .iter()
            .enumerate()
            .map(|(index, &word)| flow(address(index), word))
            .collect();
        let mut sources: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (index, flow) in flows.iter().enumerate() {
            if let Flow::Jump(to) | Flow::Branch(to) | Flow::Call(to) = flow {
                sources.entry(*to).or_default().push(address(index));
            }
        }
        let is_fallen_into = |entry: u64| {
            let before = entry
                .checked_sub(start + 4)
                .and_then(|offset| flows.get(offset as usize / 4));
            matches!(before, Some(Flow::Next | Flow::Branch(_)))
        };
        // Its own loop may go back to where it begins.
        let is_within = |entry: u64, source: u64| entries.range(..=source).next_back() == Some(&entry);
        let is_called = |entry: u64| {
            let mut from = sources.get(&entry).into_iter().flatten();
            from.any(|&source| !is_within(entry, source))
        };
        let is_root =
            |entry: &&u64| pointers.contains(entry) || !is_called(**entry) && !is_fallen_into(**entry);
        let roots = entries.iter().filter(is_root).copied().collect();
        Code {
            start,
            words: words.to_vec(),
            flows,
            entries,
            roots,
            sources,
        }
    }

    /// The instruction that stands there.
    pub fn word(&self, address: u64) -> Option<u32> {
        let index = address.checked_sub(self.start)? / 4;
        self.words.get(index as usize).copied()
    }

    fn flow(&self, address: u64) -> Option<Flow> {
        let index = address.checked_sub(self.start)? / 4;
        self.flows.get(index as usize).copied()
    }

    /// The function that `address` lies in.
    fn function(&self, address: u64) -> u64 {
        let before = self.entries.range(..=address).next_back();
        before.copied().unwrap_or(self.start)
    }

    /// Its instructions.
    fn body(&self, function: u64) -> impl Iterator<Item = u64> {
        let end = self.start + 4 * self.flows.len() as u64;
        let next = self.entries.range(function + 4..).next();
        (function..next.copied().unwrap_or(end)).step_by(4)
    }

    /// Those of its instructions that do this.
    fn having(&self, function: u64, flow: Flow) -> Vec<u64> {
        self.body(function)
            .filter(|&one| self.flow(one) == Some(flow))
            .collect()
    }

    /// Of `first` and `then`, an instruction that runs without the other: one of `then` that can be come to behind none of `first`, and
    /// one of `first` behind which none of `then` need come. One of the two is enough to say that `then` follows `first`: an
    /// instruction may well stand elsewhere too, for another reason.
    pub fn apart(&self, first: &BTreeSet<u64>, then: &BTreeSet<u64>) -> Option<(u64, u64)> {
        if first == then {
            return self.alone(first);
        }
        let find = |way, passed: &BTreeSet<u64>, of: &BTreeSet<u64>| {
            let mut search = self.search(way, passed);
            of.iter().copied().find(|&at| search.gets_out(at))
        };
        find(Way::Back, first, then).zip(find(Way::On, then, first))
    }

    /// Whether one of `then` can come behind one of `first` before the function that has that, and those that called it, are left.
    pub fn can_follow(&self, first: &BTreeSet<u64>, then: &BTreeSet<u64>) -> bool {
        let none = BTreeSet::new();
        let mut search = self.search(Way::On, &none);
        let mut open: Vec<u64> = first.iter().flat_map(|&at| search.behind(at)).collect();
        let mut seen: BTreeSet<u64> = open.iter().copied().collect();
        while let Some(address) = open.pop() {
            if then.contains(&address) {
                return true;
            }
            let mut behind = search.behind(address);
            if let Some(Flow::Call(callee)) = self.flow(address) {
                behind.push(callee);
            }
            open.extend(behind.into_iter().filter(|one| seen.insert(*one)));
        }
        false
    }

    /// Of instructions of one kind, which are to follow each other: none that always comes behind another.
    fn alone(&self, all: &BTreeSet<u64>) -> Option<(u64, u64)> {
        let is_behind_another = |at: &u64| {
            let mut others = all.clone();
            others.remove(at);
            !self.search(Way::Back, &others).gets_out(*at)
        };
        let one = all.first().copied()?;
        (!all.iter().any(is_behind_another)).then_some((one, one))
    }

    fn search<'a>(&'a self, way: Way, passed: &'a BTreeSet<u64>) -> Search<'a> {
        Search {
            code: self,
            passed,
            way,
            summaries: BTreeMap::new(),
        }
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let words = bytes.chunks_exact(4);
    words
        .filter_map(|word| Some(u32::from_le_bytes(word.try_into().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 0x1000;
    const FIRST: u32 = 0xd503_3abf;
    const THEN: u32 = 0xd503_3b9f;
    const OTHER: u32 = 0xd503_201f;
    const RETURN: u32 = 0xd65f_03c0;

    const fn skip(words: u32) -> u32 {
        0xb400_0000 | (words + 1) << 5
    }

    const fn again(words: u32) -> u32 {
        0xb500_0000 | (words.wrapping_neg() & 0x7_ffff) << 5
    }

    const fn call(words: u32) -> u32 {
        0x9400_0000 | words
    }

    /// Whether, in functions that begin at these words, `THEN` follows `FIRST`; and whether it can.
    fn follows(words: &[u32], entries: &[usize]) -> (bool, bool) {
        let at = |index: usize| START + 4 * index as u64;
        let all = |wanted: u32| -> BTreeSet<u64> {
            let found = words.iter().enumerate().filter(|(_, word)| **word == wanted);
            found.map(|(index, _)| at(index)).collect()
        };
        let entries = entries.iter().map(|&index| at(index)).collect();
        let code = Code::new(START, words, entries, &BTreeSet::new());
        let (first, then) = (all(FIRST), all(THEN));
        (
            code.apart(&first, &then).is_none(),
            code.can_follow(&first, &then),
        )
    }

    #[test]
    fn what_stands_in_a_row_follows() {
        assert_eq!(follows(&[FIRST, OTHER, THEN, RETURN], &[0]), (true, true));
        assert_eq!(follows(&[THEN, OTHER, FIRST, RETURN], &[0]), (false, false));
    }

    #[test]
    fn one_of_the_two_may_stand_elsewhere_too() {
        assert_eq!(follows(&[skip(1), FIRST, THEN, RETURN], &[0]), (true, true));
        assert_eq!(follows(&[FIRST, skip(1), THEN, RETURN], &[0]), (true, true));
        assert_eq!(
            follows(&[skip(1), FIRST, skip(1), THEN, RETURN], &[0]),
            (false, true)
        );
    }

    #[test]
    fn a_loop_hides_no_change_of_places() {
        assert_eq!(follows(&[FIRST, THEN, again(2), RETURN], &[0]), (true, true));
        assert_eq!(follows(&[THEN, FIRST, again(2), RETURN], &[0]), (false, true));
    }

    #[test]
    fn calls_are_followed_and_returned_from() {
        // The first word calls the function at word 3.
        assert_eq!(
            follows(&[call(3), THEN, RETURN, FIRST, RETURN], &[0, 3]),
            (true, true)
        );
        assert_eq!(
            follows(&[call(3), FIRST, RETURN, THEN, RETURN], &[0, 3]),
            (false, false)
        );
        // It need not pass the first one, and another comes to the second without it.
        let one_of_two = [call(5), skip(1), THEN, RETURN, OTHER, skip(1), FIRST, RETURN];
        assert_eq!(follows(&one_of_two, &[0, 5]), (false, true));
        // A function that never returns is no way round.
        assert_eq!(
            follows(&[skip(1), call(3), FIRST, THEN, 0xd420_0020], &[0, 4]),
            (true, true)
        );
    }

    #[test]
    fn a_jump_to_another_function_returns_to_the_caller() {
        // B to word 4, which returns behind the call at word 0.
        let words = [call(3), THEN, RETURN, 0x1400_0001, FIRST, RETURN];
        assert_eq!(follows(&words, &[0, 3, 4]), (true, true));
    }
}
