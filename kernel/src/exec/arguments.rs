//! Arguments and environment on their way from the old program to the new one.

use crate::fallible::TryVec;
use crate::user_memory;
use abi::Errno;
use alloc::vec::Vec;

/// Longest single string, NUL included: `MAX_ARG_STRLEN`.
const MOST_STRING: usize = 32 * 4096;
/// Room that arguments and environment always have: `ARG_MAX`.
const LEAST_TOTAL: u64 = 32 * 4096;
/// Room that they have at most, whatever the stack's limit: three quarters of 8 MiB (`_STK_LIM`).
const MOST_TOTAL: u64 = 6 << 20;

/// Two lists of strings.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// The arguments.
    pub arguments: Strings,
    /// The environment.
    pub environment: Strings,
    /// Bytes that both may take, pointers included.
    room: usize,
}

/// Strings one behind the other, each with its NUL.
#[derive(Clone, Default, Debug)]
pub struct Strings {
    bytes: Vec<u8>,
    count: usize,
}

impl Strings {
    /// All strings, each with its NUL.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes that they take on the stack, with a pointer to each.
    fn cost(&self) -> usize {
        self.bytes.len() + self.count * size_of::<u64>()
    }

    /// Adds a string at the end. What is behind a NUL in it is lost.
    /// `ENOMEM`.
    pub fn push(&mut self, string: &[u8]) -> Result<(), Errno> {
        let end = string.iter().position(|&byte| byte == 0).unwrap_or(string.len());
        self.bytes.try_extend(&string[..end])?;
        self.bytes.try_push(0)?;
        self.count += 1;
        Ok(())
    }

    fn drop_first(&mut self) {
        if let Some(end) = self.bytes.iter().position(|&byte| byte == 0) {
            self.bytes.drain(..=end);
            self.count -= 1;
        }
    }
}

impl Arguments {
    /// None yet; `stack_limit` is the limit of the stack's size, a quarter of which they may fill (execve(2)).
    pub fn new(stack_limit: u64) -> Arguments {
        let room = (stack_limit / 4).clamp(LEAST_TOTAL, MOST_TOTAL) as usize;
        Arguments {
            arguments: Strings::default(),
            environment: Strings::default(),
            room,
        }
    }

    /// Copies both lists from user memory; a null pointer is an empty list. `E2BIG`, `EFAULT`. A program never starts
    /// without its name: no arguments at all become one empty one, as on Linux.
    pub fn read(argv: u64, envp: u64, stack_limit: u64) -> Result<Arguments, Errno> {
        let mut both = Arguments::new(stack_limit);
        both.arguments = read_list(argv, both.room)?;
        if both.arguments.count == 0 {
            both.arguments.push(b"")?;
        }
        both.environment = read_list(envp, both.room)?;
        both.check()?;
        Ok(both)
    }

    /// Puts interpreter, its argument and the script's path in the place of the first argument (execve(2), "Interpreter
    /// scripts").
    pub fn prepend_interpreter(
        &mut self,
        interpreter: &[u8],
        argument: Option<&[u8]>,
        script: &[u8],
    ) -> Result<(), Errno> {
        let mut all = Strings::default();
        let more = [Some(interpreter), argument, Some(script)]
            .into_iter()
            .flatten()
            .map(|string| string.len() + 1);
        let room = self.arguments.bytes.len() + more.sum::<usize>();
        all.bytes.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
        [Some(interpreter), argument, Some(script)]
            .into_iter()
            .flatten()
            .try_for_each(|string| all.push(string))?;
        self.arguments.drop_first();
        all.bytes.try_extend(&self.arguments.bytes)?;
        all.count += self.arguments.count;
        self.arguments = all;
        self.check()
    }

    fn check(&self) -> Result<(), Errno> {
        let cost = self.arguments.cost() + self.environment.cost();
        if cost <= self.room {
            Ok(())
        } else {
            Err(Errno::E2BIG)
        }
    }
}

fn read_list(list: u64, room: usize) -> Result<Strings, Errno> {
    let mut strings = Strings::default();
    if list == 0 {
        return Ok(strings);
    }
    let mut at = list;
    loop {
        let string: u64 = user_memory::read_value(at)?;
        if string == 0 {
            return Ok(strings);
        }
        read_one(string, &mut strings)?;
        if strings.cost() > room {
            return Err(Errno::E2BIG);
        }
        at = at.checked_add(size_of::<u64>() as u64).ok_or(Errno::EFAULT)?;
    }
}

fn read_one(at: u64, strings: &mut Strings) -> Result<(), Errno> {
    user_memory::append_string(at, MOST_STRING, &mut strings.bytes).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::E2BIG,
        error => error,
    })?;
    strings.bytes.try_push(0)?;
    strings.count += 1;
    Ok(())
}
