//! Arguments and environment on their way from the old program to the new one. As on Linux, the number of both is known and
//! judged before any memory is spent on them.

use super::strings::{Pointers, StringList, nul_in};
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::TryVec;

/// Longest single string, NUL included: `MAX_ARG_STRLEN`.
const MOST_STRING: usize = 32 * 4096;
/// Room that arguments and environment always have: `ARG_MAX`.
const LEAST_TOTAL: u64 = 32 * 4096;
/// Room that they have at most, whatever the stack's limit: three quarters of 8 MiB (`_STK_LIM`).
const MOST_TOTAL: u64 = 6 << 20;

/// Two lists of strings.
#[derive(Debug)]
pub struct Arguments {
    /// The first arguments, which a script has put in the place of the caller's first one, each with its NUL.
    head: Vec<u8>,
    /// What the caller gave: arguments, then environment.
    given: StringList,
    /// Bytes of the caller's first argument, if `head` is in its place.
    replaced: usize,
    /// Bytes of all arguments given.
    arguments_given: usize,
    argument_count: usize,
    variable_count: usize,
    /// Bytes that strings and pointers may still take.
    room: usize,
}

impl Arguments {
    /// None yet; `stack_limit` is the limit of the stack's size, a quarter of which they may fill (execve(2)).
    pub fn new(stack_limit: u64) -> Arguments {
        Arguments {
            head: Vec::new(),
            given: StringList::default(),
            replaced: 0,
            arguments_given: 0,
            argument_count: 0,
            variable_count: 0,
            room: (stack_limit / 4).clamp(LEAST_TOTAL, MOST_TOTAL) as usize,
        }
    }

    /// Copies both lists from user memory, where there are none yet; a null pointer is an empty list. A program never starts without
    /// its name: no arguments at all become one empty one, as on Linux.
    ///
    /// # Errors
    /// `E2BIG`, `EFAULT`, `ENOMEM`. `EINTR`: the process is to end.
    pub fn read(&mut self, argv: u64, envp: u64) -> Result<(), Errno> {
        let both = self;
        let mut arguments = Pointers::new(argv);
        let mut variables = Pointers::new(envp);
        let most = both.room / size_of::<u64>();
        let argument_count = arguments.count(most)?;
        let variable_count = variables.count(most)?;
        both.take((argument_count.max(1) + variable_count) * size_of::<u64>())?;
        if argument_count == 0 {
            both.given.extend(b"\0")?;
            both.take(1)?;
        }
        both.read_list(&mut arguments, argument_count)?;
        both.arguments_given = both.given.len();
        both.read_list(&mut variables, variable_count)?;
        both.argument_count = argument_count.max(1);
        both.variable_count = variable_count;
        Ok(())
    }

    /// Reads the strings of a list. `EFAULT` if it has become shorter than it was.
    fn read_list(&mut self, list: &mut Pointers, count: usize) -> Result<(), Errno> {
        for _ in 0..count {
            let string = list.advance()?.ok_or(Errno::EFAULT)?;
            let before = self.given.len();
            self.given.read(string, self.room.min(MOST_STRING))?;
            self.take(self.given.len() - before)?;
        }
        Ok(())
    }

    /// Adds an argument, before any variable.
    ///
    /// # Errors
    /// `E2BIG`, `ENOMEM`.
    pub fn push_argument(&mut self, string: &[u8]) -> Result<(), Errno> {
        debug_assert_eq!(self.variable_count, 0);
        self.push(string)?;
        self.argument_count += 1;
        self.arguments_given = self.given.len();
        Ok(())
    }

    /// Adds a variable of the environment.
    ///
    /// # Errors
    /// `E2BIG`, `ENOMEM`.
    pub fn push_variable(&mut self, string: &[u8]) -> Result<(), Errno> {
        self.push(string)?;
        self.variable_count += 1;
        Ok(())
    }

    /// What is behind a NUL in the string is lost.
    fn push(&mut self, string: &[u8]) -> Result<(), Errno> {
        let string = &string[..nul_in(string).unwrap_or(string.len())];
        self.take(string.len() + 1 + size_of::<u64>())?;
        self.given.extend(string)?;
        self.given.extend(b"\0")
    }

    /// Puts interpreter, its argument and the script's path in the place of the first argument (execve(2), "Interpreter scripts").
    ///
    /// # Errors
    /// `E2BIG`, `ENOMEM`.
    pub fn prepend_interpreter(
        &mut self,
        interpreter: &[u8],
        argument: Option<&[u8]>,
        script: &[u8],
    ) -> Result<(), Errno> {
        let mut head = Vec::new();
        for string in [Some(interpreter), argument, Some(script)].into_iter().flatten() {
            let string = &string[..nul_in(string).unwrap_or(string.len())];
            head.try_extend(string)?;
            head.try_push(0)?;
            self.argument_count += 1;
            self.take(string.len() + 1 + size_of::<u64>())?;
        }
        head.try_extend(self.drop_first())?;
        self.head = head;
        Ok(())
    }

    /// Drops the first argument; what remains of the head.
    fn drop_first(&mut self) -> &[u8] {
        let of_head = nul_in(&self.head).map_or(0, |end| end + 1);
        let dropped = if of_head > 0 {
            of_head
        } else {
            self.replaced = self.first_given();
            self.replaced
        };
        self.argument_count -= 1;
        self.room += dropped + size_of::<u64>();
        &self.head[of_head..]
    }

    /// Bytes of the first string given, with its NUL.
    fn first_given(&self) -> usize {
        let mut len = 0;
        for part in self.given.parts(0) {
            if let Some(end) = nul_in(part) {
                return len + end + 1;
            }
            len += part.len();
        }
        len
    }

    fn take(&mut self, bytes: usize) -> Result<(), Errno> {
        self.room = self.room.checked_sub(bytes).ok_or(Errno::E2BIG)?;
        Ok(())
    }

    /// All arguments and then all variables, each with its NUL, piece by piece.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        core::iter::once(self.head.as_slice()).chain(self.given.parts(self.replaced))
    }

    /// How many arguments there are.
    pub fn argument_count(&self) -> usize {
        self.argument_count
    }

    /// How many variables there are.
    pub fn variable_count(&self) -> usize {
        self.variable_count
    }

    /// Bytes of all arguments, NULs included.
    pub fn argument_len(&self) -> usize {
        self.head.len() + self.arguments_given - self.replaced
    }

    /// Bytes of all variables, NULs included.
    pub fn variable_len(&self) -> usize {
        self.given.len() - self.arguments_given
    }
}
