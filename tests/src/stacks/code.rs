//! The functions of the finished kernel: how deep each goes on its stack before each call, decoded from its words (Arm ARM C4.1).

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;

/// A call, or a jump to another function.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The instruction's address.
    pub at: u64,
    /// Bytes of the caller's frame that stand above the callee.
    pub depth: u64,
    /// Who is called.
    pub to: Target,
}

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The function at this address.
    Known(u64),
    /// Whoever a register names; the word of a table of functions that it was loaded from, if that can be seen.
    Register(Option<u64>),
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// As a programmer writes it, without hashes.
    pub name: String,
    /// Bytes of its own frame at its deepest.
    pub frame: u64,
    /// Whom it calls.
    pub calls: Vec<Call>,
}

/// All functions, by address.
pub type Functions = BTreeMap<u64, Function>;

/// What an instruction does to the way through a function.
enum Flow {
    On,
    Jump(u64),
    Branch(u64),
    Call(u64),
    CallRegister,
    JumpRegister,
    End,
}

fn field(word: u32, bit: u32, width: u32) -> u64 {
    u64::from(word >> bit) & ((1 << width) - 1)
}

/// A signed field of words, in bytes from `pc`.
fn branch(pc: u64, word: u32, bit: u32, width: u32) -> u64 {
    let raw = field(word, bit, width) as i64;
    let signed = raw << (64 - width) >> (64 - width);
    pc.wrapping_add_signed(signed * 4)
}

fn flow(pc: u64, word: u32) -> Flow {
    match word {
        _ if word & 0xfc00_0000 == 0x9400_0000 => Flow::Call(branch(pc, word, 0, 26)),
        _ if word & 0xfc00_0000 == 0x1400_0000 => Flow::Jump(branch(pc, word, 0, 26)),
        _ if word & 0xff00_0000 == 0x5400_0000 => Flow::Branch(branch(pc, word, 5, 19)),
        _ if word & 0x7e00_0000 == 0x3400_0000 => Flow::Branch(branch(pc, word, 5, 19)),
        _ if word & 0x7e00_0000 == 0x3600_0000 => Flow::Branch(branch(pc, word, 5, 14)),
        _ if word & 0xffff_fc1f == 0xd63f_0000 => Flow::CallRegister,
        _ if word & 0xffff_fc1f == 0xd61f_0000 => Flow::JumpRegister,
        _ if word & 0xffff_fc1f == 0xd65f_0000 => Flow::End,
        _ if word == 0xd69f_03e0 || word & 0xffe0_001f == 0xd420_0000 || word >> 16 == 0 => Flow::End,
        _ => Flow::On,
    }
}

/// By how much an instruction moves the stack pointer down.
fn moved(word: u32) -> i64 {
    let is_of_stack = field(word, 5, 5) == 31;
    let pair = (field(word, 15, 7) as i64) << 57 >> 57;
    let single = (field(word, 12, 9) as i64) << 55 >> 55;
    match word {
        _ if !is_of_stack => 0,
        // SUB SP, SP and ADD SP, SP
        _ if word & 0xff80_001f == 0xd100_001f => (field(word, 10, 12) << (12 * field(word, 22, 1))) as i64,
        _ if word & 0xff80_001f == 0x9100_001f => {
            -((field(word, 10, 12) << (12 * field(word, 22, 1))) as i64)
        }
        // STP, LDP with write-back: X, D, Q
        _ if matches!(word & 0xfe80_0000, 0xa880_0000 | 0x6c80_0000) => -pair * 8,
        _ if word & 0xfe80_0000 == 0xac80_0000 => -pair * 16,
        // STR, LDR with write-back: X, D, Q
        _ if matches!(word & 0xffa0_0400, 0xf800_0400 | 0xfc00_0400 | 0x3c80_0400) => -single,
        _ => 0,
    }
}

/// How each word moves the stack pointer down. A frame of more than a page is probed page by page down to where X9 points, by X9 or by the
/// stack pointer: one move.
fn moves(words: &[u32]) -> Vec<i64> {
    const NINE: u64 = 9;
    const SLACK_OF_ALIGNMENT: i64 = 64;
    let mut moves: Vec<i64> = words.iter().copied().map(moved).collect();
    let is_begun = |word: u32| word & 0xff80_03ff == 0xd100_03e9; // SUB X9, SP, #n
    let is_ended = |word: u32| word == 0x9100_013f; // MOV SP, X9
    let Some(first) = words.iter().position(|&word| is_begun(word)) else {
        return moves;
    };
    let is_compared = |word: u32| word == 0xeb29_63ff; // CMP SP, X9
    if let Some(end) = words[first..].iter().take(4).position(|&word| is_compared(word)) {
        // The stack pointer itself goes down by pages, to where X9 points.
        moves[first..first + end].fill(0);
        moves[first] = (field(words[first], 10, 12) << (12 * field(words[first], 22, 1))) as i64;
        return moves;
    }
    let Some(len) = words[first..].iter().take(16).position(|&word| is_ended(word)) else {
        return moves;
    };
    let mut whole = 0;
    for &word in &words[first..first + len] {
        let is_subtracted = word & 0xff80_001f == 0xd100_0009 && matches!(field(word, 5, 5), 31 | NINE);
        let is_aligned = word & 0xffc0_03ff == 0x9240_0129; // AND X9, X9, #mask
        if is_subtracted {
            whole += (field(word, 10, 12) << (12 * field(word, 22, 1))) as i64;
        } else if is_aligned {
            whole += SLACK_OF_ALIGNMENT;
        }
    }
    moves[first..first + len].fill(0);
    moves[first + len] = whole;
    moves
}

/// The word of a table that the register of the call at `index` was loaded from: LDR or LDP, perhaps moved since.
fn slot(words: &[u32], index: usize) -> Option<u64> {
    const REACH: usize = 40;
    let mut register = field(words[index], 5, 5);
    for word in words[index.saturating_sub(REACH)..index].iter().rev().copied() {
        let (target, base) = (field(word, 0, 5), field(word, 5, 5));
        let is_load = word & 0xffc0_0000 == 0xf940_0000;
        let is_pair = word & 0xffc0_0000 == 0xa940_0000;
        if is_load && target == register {
            return (base != 31).then(|| field(word, 10, 12));
        }
        if is_pair && (target == register || field(word, 10, 5) == register) {
            let second = u64::from(target != register);
            return (base != 31).then(|| field(word, 15, 7) + second);
        }
        if word & 0xffe0_ffe0 == 0xaa00_03e0 && target == register {
            register = field(word, 16, 5);
        }
    }
    None
}

/// Follows every way through a function's words.
fn follow(name: String, start: u64, words: &[u32]) -> Function {
    let moves = moves(words);
    let mut depths: Vec<Option<i64>> = vec![None; words.len()];
    let mut function = Function {
        name,
        frame: 0,
        calls: Vec::new(),
    };
    let mut open = vec![(0usize, 0i64)];
    let inside = |address: u64| {
        let index = address.wrapping_sub(start) / 4;
        (index < words.len() as u64).then_some(index as usize)
    };
    while let Some((mut index, mut depth)) = open.pop() {
        while index < words.len() && depths[index].is_none_or(|known| known < depth) {
            // One that never ends by going deeper and deeper is assembly that is no function.
            if depths[index].is_some() && depth > 1 << 17 {
                break;
            }
            depths[index] = Some(depth);
            let (pc, word) = (start + 4 * index as u64, words[index]);
            depth += moves[index];
            function.frame = function.frame.max(depth.max(0) as u64);
            let mut call = |to| {
                function.calls.push(Call {
                    at: pc,
                    depth: depth.max(0) as u64,
                    to,
                });
            };
            match flow(pc, word) {
                Flow::On => {}
                Flow::Call(to) => call(Target::Known(to)),
                Flow::CallRegister => call(Target::Register(slot(words, index))),
                Flow::Branch(to) => match inside(to) {
                    Some(to) => open.push((to, depth)),
                    None => call(Target::Known(to)),
                },
                Flow::Jump(to) => match inside(to) {
                    Some(to) => {
                        index = to;
                        continue;
                    }
                    None => {
                        call(Target::Known(to));
                        break;
                    }
                },
                Flow::JumpRegister => {
                    if depth <= 0 {
                        call(Target::Register(slot(words, index)));
                    }
                    break;
                }
                Flow::End => break,
            }
            index += 1;
        }
    }
    // What only a table of jumps leads to, as deep as the function ever is.
    for index in (0..words.len()).filter(|&index| depths[index].is_none()) {
        let (at, depth) = (start + 4 * index as u64, function.frame);
        let to = match flow(at, words[index]) {
            Flow::Call(to) => Target::Known(to),
            Flow::CallRegister => Target::Register(slot(words, index)),
            _ => continue,
        };
        function.calls.push(Call { at, depth, to });
    }
    function
}

/// All functions of this kernel.
///
/// # Errors
/// It is no ELF file with symbols.
pub fn functions(file: &object::File<'_>) -> Result<Functions> {
    let text = file.section_by_name(".text").context("no .text")?;
    let range = text.address()..text.address() + text.size();
    let mut starts: BTreeMap<u64, String> = BTreeMap::new();
    for symbol in file.symbols() {
        let name = symbol.name()?;
        let is_code = matches!(
            symbol.kind(),
            SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown
        );
        // A place in the middle of the user's loop, to which the vectors go.
        let is_inside = name == "user_return";
        if is_code
            && !is_inside
            && range.contains(&symbol.address())
            && !name.is_empty()
            && !name.starts_with('$')
        {
            // Of several names of one place the last: they are the same code.
            starts.insert(symbol.address(), format!("{:#}", rustc_demangle::demangle(name)));
        }
    }
    let data = text.data()?;
    let ends: Vec<u64> = starts.keys().copied().skip(1).chain([range.end]).collect();
    let functions = starts.into_iter().zip(ends).map(|((start, name), end)| {
        let bytes = &data[(start - range.start) as usize..(end - range.start) as usize];
        let words: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
            .collect();
        (start, follow(name, start, &words))
    });
    Ok(functions.collect())
}
