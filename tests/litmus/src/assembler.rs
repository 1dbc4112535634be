//! Instructions read from their assembler text.

use crate::instruction::{Accesses, Instruction, Operand, Operation, Ordering, Register, When, ZERO};
use anyhow::{Context, Result, bail};

fn register(text: &str) -> Result<Register> {
    match text.to_ascii_uppercase().as_str() {
        "XZR" | "WZR" => Ok(ZERO),
        name if name.starts_with(['X', 'W']) => {
            let number: Register = name[1..]
                .parse()
                .with_context(|| format!("no register: {text}"))?;
            if number < ZERO {
                Ok(number)
            } else {
                bail!("no register: {text}")
            }
        }
        _ => bail!("no register: {text}"),
    }
}

fn address(text: &str) -> Result<Register> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    register(
        inner
            .with_context(|| format!("no address in a register: {text}"))?
            .trim(),
    )
}

fn number(text: &str) -> Result<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let parsed = match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    Ok(sign * parsed.with_context(|| format!("no number: {text}"))?)
}

fn operand(text: &str) -> Result<Operand> {
    match text.strip_prefix('#') {
        Some(text) => Ok(Operand::Number(number(text)?)),
        None => Ok(Operand::Register(register(text)?)),
    }
}

/// The ordering that the letters behind an atomic's name say: `A`, `L`, `AL`; bytes and halves end by `B` and `H`.
fn suffix(letters: &str) -> Option<Ordering> {
    let letters = letters.strip_suffix(['B', 'H']).unwrap_or(letters);
    let (is_acquire, is_release) = match letters {
        "" => (false, false),
        "A" => (true, false),
        "L" => (false, true),
        "AL" => (true, true),
        _ => return None,
    };
    Some(Ordering {
        is_acquire,
        is_release,
        ..Ordering::default()
    })
}

/// What an atomic's name says, behind LD or ST, and what is left of the name.
fn atomic(name: &str) -> Option<(Operation, &str)> {
    [
        ("ADD", Operation::Add),
        ("SET", Operation::Or),
        ("CLR", Operation::Clear),
        ("EOR", Operation::ExclusiveOr),
    ]
    .into_iter()
    .find_map(|(stem, operation)| Some((operation, name.strip_prefix(stem)?)))
}

fn barrier(option: &str) -> Result<Accesses> {
    let option = option.to_ascii_uppercase();
    let kind = ["NSH", "ISH", "OSH"]
        .iter()
        .find_map(|domain| option.strip_prefix(domain));
    match kind.unwrap_or(if option == "SY" { "" } else { &option }) {
        "" => Ok(Accesses::Full),
        "LD" => Ok(Accesses::Loads),
        "ST" => Ok(Accesses::Stores),
        _ => bail!("no barrier: {option}"),
    }
}

impl Instruction {
    /// Reads one from its text.
    ///
    /// # Errors
    /// It is none of those that are known.
    pub fn parse(text: &str) -> Result<Instruction> {
        let (name, rest) = text
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((text.trim(), ""));
        let name = name.to_ascii_uppercase();
        let operands: Vec<&str> = rest
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty())
            .collect();
        Instruction::of(&name, &operands).with_context(|| format!("instruction: {text}"))
    }

    fn of(name: &str, operands: &[&str]) -> Result<Instruction> {
        if let Some(access) = Instruction::access(name, operands)? {
            return Ok(access);
        }
        let computed = |operation| match operands {
            [to, first, second] => Ok(Instruction::Compute {
                to: register(to)?,
                operation,
                first: register(first)?,
                second: operand(second)?,
            }),
            _ => bail!("three operands are wanted"),
        };
        Ok(match (name, operands) {
            ("NOP", []) => Instruction::Nothing,
            ("MOV", [to, from]) => Instruction::Compute {
                to: register(to)?,
                operation: Operation::Second,
                first: ZERO,
                second: operand(from)?,
            },
            ("ADD", _) => computed(Operation::Add)?,
            ("SUB", _) => computed(Operation::Subtract)?,
            ("ORR", _) => computed(Operation::Or)?,
            ("AND", _) => computed(Operation::And)?,
            ("EOR", _) => computed(Operation::ExclusiveOr)?,
            ("BIC", _) => computed(Operation::Clear)?,
            ("LSR", _) => computed(Operation::ShiftRight)?,
            ("CMP", [first, second]) => Instruction::Compare(register(first)?, operand(second)?),
            ("B", [label]) => Instruction::Branch(When::Always, (*label).to_owned()),
            ("B.EQ", [label]) => Instruction::Branch(When::Equal, (*label).to_owned()),
            ("B.NE", [label]) => Instruction::Branch(When::NotEqual, (*label).to_owned()),
            ("CBZ", [one, label]) => Instruction::Branch(When::Zero(register(one)?), (*label).to_owned()),
            ("CBNZ", [one, label]) => Instruction::Branch(When::NotZero(register(one)?), (*label).to_owned()),
            ("DMB", [option]) => Instruction::DataMemoryBarrier(barrier(option)?),
            ("DSB", [option]) => Instruction::DataSynchronisationBarrier(barrier(option)?),
            ("ISB", []) => Instruction::InstructionBarrier,
            ("SVC", [_]) => Instruction::ExceptionCall,
            ("ERET", []) => Instruction::ExceptionReturn,
            ("TLBI", [kind, page @ ..]) if page.len() < 2 => Instruction::InvalidateTlb {
                page: page.first().map(|one| register(one)).transpose()?,
                is_broadcast: kind.ends_with("IS") || kind.ends_with("OS"),
            },
            _ => bail!("unknown, or with other operands than known"),
        })
    }

    /// Loads, stores and atomics.
    fn access(name: &str, operands: &[&str]) -> Result<Option<Instruction>> {
        let plain = Ordering::default();
        let acquire = suffix("A").context("known")?;
        let release = suffix("L").context("known")?;
        let acquire_pc = Ordering {
            is_acquire_pc: true,
            ..plain
        };
        let bare = name
            .strip_suffix(['B', 'H'])
            .filter(|bare| bare.len() > 2)
            .unwrap_or(name);
        let load = |ordering, is_exclusive| match operands {
            [to, at] => Ok(Some(Instruction::Load {
                to: register(to)?,
                at: address(at)?,
                ordering,
                is_exclusive,
            })),
            _ => bail!("two operands are wanted"),
        };
        let store = |ordering| match operands {
            [from, at] => Ok(Some(Instruction::Store {
                from: register(from)?,
                at: address(at)?,
                ordering,
            })),
            _ => bail!("two operands are wanted"),
        };
        let store_exclusive = |ordering| match operands {
            [status, from, at] => Ok(Some(Instruction::StoreExclusive {
                status: register(status)?,
                from: register(from)?,
                at: address(at)?,
                ordering,
            })),
            _ => bail!("three operands are wanted"),
        };
        match bare {
            "LDR" => return load(plain, false),
            "LDAR" => return load(acquire, false),
            "LDAPR" => return load(acquire_pc, false),
            "LDXR" => return load(plain, true),
            "LDAXR" => return load(acquire, true),
            "STR" => return store(plain),
            "STLR" => return store(release),
            "STXR" => return store_exclusive(plain),
            "STLXR" => return store_exclusive(release),
            _ => {}
        }
        let of_three = |operation, ordering| match operands {
            [from, to, at] => Ok(Some(Instruction::Atomic {
                operation,
                from: register(from)?,
                to: register(to)?,
                at: address(at)?,
                ordering,
                has_no_result: register(to)? == ZERO && !ordering.is_acquire,
            })),
            _ => bail!("three operands are wanted"),
        };
        if let Some(ordering) = name.strip_prefix("SWP").and_then(suffix) {
            return of_three(Operation::Second, ordering);
        }
        if let (Some(ordering), [expected, new, at]) = (name.strip_prefix("CAS").and_then(suffix), operands) {
            return Ok(Some(Instruction::CompareAndSwap {
                expected: register(expected)?,
                new: register(new)?,
                at: address(at)?,
                ordering,
            }));
        }
        if let Some((operation, left)) = name.strip_prefix("LD").and_then(atomic)
            && let Some(ordering) = suffix(left)
        {
            return of_three(operation, ordering);
        }
        if let (Some((operation, left)), [from, at]) = (name.strip_prefix("ST").and_then(atomic), operands)
            && let Some(ordering) = suffix(left)
        {
            return Ok(Some(Instruction::Atomic {
                operation,
                from: register(from)?,
                to: ZERO,
                at: address(at)?,
                ordering,
                has_no_result: true,
            }));
        }
        Ok(None)
    }
}
