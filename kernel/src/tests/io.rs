//! What the stories share: calls with paths and buffers, which lie in the process's page of data.

use super::DATA;
use super::program::User;
use abi::file::{AT_FDCWD, OpenFlags};
use abi::nr;
use abi::signal::Signal;

/// Two paths and a buffer of the page.
const PATH: u64 = DATA + 0x100;
const OTHER_PATH: u64 = DATA + 0x200;
pub const BUFFER: u64 = DATA + 0x400;
const ROOM: u64 = 0xc00;
/// The current directory, as an argument.
pub const HERE: u64 = AT_FDCWD as i64 as u64;

/// A program with paths and buffers.
pub struct Io<'a> {
    pub user: &'a User,
}

impl<'a> Io<'a> {
    pub fn new(user: &'a User) -> Io<'a> {
        Io { user }
    }

    /// A system call.
    pub fn call(&self, number: usize, arguments: &[u64]) -> i64 {
        self.user.call(number, arguments)
    }

    /// A system call that must succeed.
    #[track_caller]
    pub fn ok(&self, number: usize, arguments: &[u64]) -> u64 {
        let result = self.call(number, arguments);
        let name = nr::name(number).unwrap_or("?");
        assert!(result >= 0, "{name} {arguments:x?}: {result}");
        result as u64
    }

    /// A path in memory.
    pub fn path(&self, path: &str) -> u64 {
        self.text(PATH, path)
    }

    pub fn other_path(&self, path: &str) -> u64 {
        self.text(OTHER_PATH, path)
    }

    fn text(&self, at: u64, text: &str) -> u64 {
        self.user.store(at, &[text.as_bytes(), &[0]].concat());
        at
    }

    #[track_caller]
    pub fn open(&self, path: &str, flags: OpenFlags) -> u64 {
        self.ok(
            nr::OPENAT,
            &[HERE, self.path(path), u64::from(flags.bits()), 0o644],
        )
    }

    #[track_caller]
    pub fn close(&self, file: u64) {
        self.ok(nr::CLOSE, &[file]);
    }

    /// Writes bytes, all of them.
    #[track_caller]
    pub fn write(&self, file: u64, bytes: &[u8]) {
        for part in bytes.chunks(ROOM as usize) {
            self.user.store(BUFFER, part);
            let written = self.ok(nr::WRITE, &[file, BUFFER, part.len() as u64]);
            assert_eq!(written, part.len() as u64);
        }
    }

    /// Reads once.
    #[track_caller]
    pub fn read(&self, file: u64) -> Vec<u8> {
        let len = self.ok(nr::READ, &[file, BUFFER, ROOM]);
        self.user.load(BUFFER, len as usize)
    }

    /// Reads to the end, or to the first error.
    pub fn read_all(&self, file: u64) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let len = self.call(nr::READ, &[file, BUFFER, ROOM]);
            if len <= 0 {
                return all;
            }
            all.extend(self.user.load(BUFFER, len as usize));
        }
    }

    /// The text of a file.
    #[track_caller]
    pub fn text_of(&self, path: &str) -> String {
        let file = self.open(path, OpenFlags::O_RDONLY);
        let text = self.read_all(file);
        self.close(file);
        String::from_utf8(text).expect("text")
    }

    /// The names in a directory.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<(String, u8)> {
        let directory = self.open(path, OpenFlags::O_DIRECTORY);
        let mut names = Vec::new();
        loop {
            let len = self.ok(nr::GETDENTS64, &[directory, BUFFER, ROOM]) as usize;
            let bytes = self.user.load(BUFFER, len);
            let mut rest = &bytes[..];
            while rest.len() > 19 {
                let record = u16::from_le_bytes([rest[16], rest[17]]) as usize;
                let name = rest[19..record]
                    .split(|byte| *byte == 0)
                    .next()
                    .unwrap_or_default();
                names.push((String::from_utf8_lossy(name).into_owned(), rest[18]));
                rest = &rest[record..];
            }
            if len == 0 {
                self.close(directory);
                return names;
            }
        }
    }

    /// Two ends of a pipe.
    pub fn pipe(&self) -> (u64, u64) {
        self.ok(nr::PIPE2, &[BUFFER, 0]);
        let ends = self.user.word(BUFFER);
        (ends & 0xffff_ffff, ends >> 32)
    }

    /// A child that begins at `at`; its id.
    #[track_caller]
    pub fn fork(&self, at: u64) -> u64 {
        let flags = u64::from(Signal::SIGCHLD.number());
        let child = self.user.clone_at(at, [flags, 0, 0, 0, 0]);
        assert!(child > 0, "fork: {child}");
        child as u64
    }

    /// Waits for a child; its status.
    #[track_caller]
    pub fn wait(&self, child: u64) -> u32 {
        let ended = self.ok(nr::WAIT4, &[child, BUFFER, 0, 0]);
        assert_eq!(ended, child);
        self.user.word(BUFFER) as u32
    }

    /// Sleeps so many nanoseconds.
    pub fn sleep(&self, nanos: u64) -> i64 {
        let time = [nanos / 1_000_000_000, nanos % 1_000_000_000];
        self.user.store(BUFFER, &time.map(u64::to_le_bytes).concat());
        self.call(nr::NANOSLEEP, &[BUFFER, 0])
    }
}
