//! Why a sleep may end without what was waited for.

use abi::Errno;

/// The sleep ended because a signal is to be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

impl From<Interrupted> for Errno {
    fn from(_: Interrupted) -> Errno {
        Errno::RESTART
    }
}
