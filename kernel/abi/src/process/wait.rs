//! wait4(2), waitid(2); `linux/wait.h`.

flags! {
    /// Which changes of which children are waited for: wait4(2), waitid(2).
    pub struct WaitOptions: u32 {
        /// wait: do not wait.
        const WNOHANG = 0x1;
        /// wait: report stopped children.
        const WUNTRACED = 0x2;
        /// waitid: report ended children.
        const WEXITED = 0x4;
        /// wait: report continued children.
        const WCONTINUED = 0x8;
        /// waitid: leave the child to be waited for again.
        const WNOWAIT = 0x0100_0000;
        /// wait: only children of this thread.
        const __WNOTHREAD = 0x2000_0000;
        /// wait: children of any kind.
        const __WALL = 0x4000_0000;
        /// wait: only children that do not send SIGCHLD.
        const __WCLONE = 0x8000_0000;
    }
}

/// waitid: any child.
pub const P_ALL: u32 = 0;
/// waitid: that process.
pub const P_PID: u32 = 1;
/// waitid: that process group.
pub const P_PGID: u32 = 2;
/// waitid: the process of that descriptor.
pub const P_PIDFD: u32 = 3;

flags! {
    /// pidfd_open(2): `linux/pidfd.h`.
    pub struct PidFdFlags: u32 {
        /// pidfd_open: waitid(2) does not wait.
        const PIDFD_NONBLOCK = 0o4000;
    }
}

/// pidfd_send_signal: to the process.
pub const PIDFD_SIGNAL_THREAD_GROUP: u32 = 1 << 1;
/// pidfd_send_signal: to each process of its group.
pub const PIDFD_SIGNAL_PROCESS_GROUP: u32 = 1 << 2;

/// How a child changed, as wait4(2) reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// Ended by exit with that code.
    Exited(u8),
    /// Ended by that signal; `core`: its default action dumps core.
    Signaled {
        /// The signal's number.
        signal: u8,
        /// The 0x80 bit.
        core: bool,
    },
    /// Stopped by that signal.
    Stopped(u8),
    /// Continued by SIGCONT.
    Continued,
}

impl WaitStatus {
    /// The status word: `WIFEXITED` and its sisters, wait(2).
    pub const fn encode(self) -> u32 {
        match self {
            WaitStatus::Exited(code) => (code as u32) << 8,
            WaitStatus::Signaled { signal, core } => (signal & 0x7f) as u32 | if core { 0x80 } else { 0 },
            WaitStatus::Stopped(signal) => 0x7f | (signal as u32) << 8,
            WaitStatus::Continued => 0xffff,
        }
    }

    /// The meaning of a status word.
    pub const fn decode(word: u32) -> WaitStatus {
        let (low, high) = ((word & 0x7f) as u8, (word >> 8) as u8);
        match low {
            _ if word & 0xffff == 0xffff => WaitStatus::Continued,
            0 => WaitStatus::Exited(high),
            0x7f => WaitStatus::Stopped(high),
            signal => WaitStatus::Signaled {
                signal,
                core: word & 0x80 != 0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_words_are_those_of_the_man_page() {
        assert_eq!(WaitStatus::Exited(3).encode(), 0x300);
        assert_eq!(
            WaitStatus::Signaled {
                signal: 11,
                core: true
            }
            .encode(),
            0x8b
        );
        assert_eq!(WaitStatus::Stopped(20).encode(), 0x147f);
        for status in [
            WaitStatus::Exited(255),
            WaitStatus::Signaled {
                signal: 9,
                core: false,
            },
            WaitStatus::Stopped(19),
            WaitStatus::Continued,
        ] {
            assert_eq!(WaitStatus::decode(status.encode()), status);
        }
    }
}
