//! From the number of a call to its function: a table of addresses. Each row is a function of its own, so that the kernel's user
//! loop is small and keeps what it needs in registers; most rows only load their arguments and jump.

use super::{files, missing};
use abi::Errno;
use alloc::sync::Arc;
use platform::user::UserContext;
use task::thread::Thread;

/// What a row does.
pub type Call = fn(&Arc<Thread>, &mut UserContext) -> Result<usize, Errno>;

/// Numbers from here on are no call's: the last row is for all of them.
const END: usize = 512;

/// The call is one of those that a trace tells of, `[traced]` in its row.
#[inline(always)]
pub fn traced(current: &Thread, number: usize, first: u64) {
    trace::note_call(current, number, first);
}

/// Names the thread, its registers and x0 to x5 for the rows, and makes a list of the rows.
macro_rules! calls {
    ($current:ident, $context:ident, [$a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident]:
        $($([$traced:ident])? nr::$number:ident => $call:expr,)*) => {
        /// The rows.
        pub const CALLS: &[(usize, $crate::table::Call)] = &[
            $((abi::nr::$number, |$current, $context| {
                let [$a, $b, $c, $d, $e, $f] = $crate::arguments::arguments($context);
                let _ = ($current, $a, $b, $c, $d, $e, $f); // each row takes those that it needs
                $($crate::table::$traced($current, abi::nr::$number, $a);)?
                $call
            }),)*
        ];
    };
}
pub(crate) use calls;

static TABLE: [Call; END + 1] = {
    let absent: Call = |current, context| Err(missing::refuse(current, number(context)));
    let mut table = [absent; END + 1];
    let mut filled = [false; END];
    let lists = [super::CALLS, files::CALLS];
    let mut list = 0;
    while list < lists.len() {
        let mut row = 0;
        while row < lists[list].len() {
            let (number, call) = lists[list][row];
            assert!(!filled[number], "two rows of one number");
            filled[number] = true;
            table[number] = call;
            row += 1;
        }
        list += 1;
    }
    table
};

/// Only 32 bits of x8 count, as with Linux.
#[inline(always)]
fn number(context: &UserContext) -> usize {
    context.x[8] as u32 as usize
}

/// Makes the call. The number is bounded by a choice and not by a branch, which a processor might guess wrong.
#[inline(always)]
pub fn dispatch(current: &Arc<Thread>, context: &mut UserContext) -> Result<usize, Errno> {
    TABLE[number(context).min(END)](current, context)
}

/// Whether the call may be made again when it has failed for want of memory: accept(2) has taken somebody out of the queue by then.
pub fn may_be_repeated(context: &UserContext) -> bool {
    !matches!(number(context), abi::nr::ACCEPT | abi::nr::ACCEPT4)
}
