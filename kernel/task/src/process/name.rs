//! The name of a process or thread (`comm`).

use abi::process::TASK_COMM_LEN;
use core::fmt;
use formats::escape::Escaped;

/// At most 15 bytes, padded by NULs.
/// Aligned, so that it is copied by words.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(align(8))]
pub struct Comm([u8; TASK_COMM_LEN]);

impl Comm {
    /// No name.
    pub const NONE: Comm = Comm([0; TASK_COMM_LEN]);

    /// A name, cut to 15 bytes.
    pub fn new(bytes: &[u8]) -> Comm {
        let mut name = Comm::default();
        let len = bytes.len().min(TASK_COMM_LEN - 1);
        name.0[..len].copy_from_slice(&bytes[..len]);
        name
    }

    /// With its padding, as prctl(2) reports it.
    pub fn padded(&self) -> &[u8; TASK_COMM_LEN] {
        &self.0
    }

    /// Without its padding.
    pub fn bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|&byte| byte == 0);
        &self.0[..len.unwrap_or(self.0.len())]
    }
}

/// As it stands in the kernel's log: a program cannot forge a line there by its name.
impl fmt::Display for Comm {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::log(self.bytes()).fmt(to)
    }
}
