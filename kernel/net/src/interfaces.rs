//! Requests about network interfaces, which a socket of any family takes (netdevice(7)). Who has the interfaces answers them.

use abi::Errno;
use spin::Once;

/// Answers ioctl(2) with this request and argument, with no lock held. `ENOTTY`: it is about no interface.
pub type Answer = fn(u32, u64) -> Result<usize, Errno>;

static ANSWER: Once<Answer> = Once::new();

/// From now on `answer` is asked. The first stays.
pub fn register(answer: Answer) {
    ANSWER.call_once(|| answer);
}

/// Performs a request that a socket's family does not know (`dev_ioctl` of Linux).
///
/// # Errors
/// `ENOTTY`: it is about no interface, or nobody has any. What who answers says.
pub fn perform(request: u32, argument: u64) -> Result<usize, Errno> {
    let answer = ANSWER.get().ok_or(Errno::ENOTTY)?;
    answer(request, argument)
}
