//! What a process does with each signal: sigaction(2).

use crate::process::Shared;
use abi::Errno;
use abi::signal::{SIG_DFL, SIG_IGN, SigAction, SigSet, Signal};
use memory::fallible::TryClone;

/// What to do with each signal; `sigaction` of all 64.
#[derive(Clone)]
pub struct Actions {
    pub(super) all: [SigAction; Signal::COUNT],
    /// Those that ever had a handler or flags since exec: no others are to be reset by the next one.
    pub(super) changed: SigSet,
}

impl Default for Actions {
    fn default() -> Actions {
        Actions {
            all: [SigAction::default(); Signal::COUNT],
            changed: SigSet::EMPTY,
        }
    }
}

impl Actions {
    pub(super) fn replace(&mut self, signal: Signal, action: SigAction) -> SigAction {
        if action.handler > SIG_IGN || !action.flags.is_empty() {
            self.changed = self.changed.with(signal);
        }
        core::mem::replace(&mut self.all[signal.index()], action)
    }

    /// The signals that are ignored, and those that are caught.
    pub(super) fn ignored_and_caught(&self) -> (SigSet, SigSet) {
        let (mut ignored, mut caught) = (SigSet::EMPTY, SigSet::EMPTY);
        for signal in (1..=Signal::COUNT as u64).filter_map(Signal::new) {
            match self.all[signal.index()].handler {
                SIG_DFL => {}
                SIG_IGN => ignored = ignored.with(signal),
                _ => caught = caught.with(signal),
            }
        }
        (ignored, caught)
    }

    pub(super) fn reset_handlers(&mut self) {
        self.all.iter_mut().for_each(reset_handler);
        self.changed = SigSet::EMPTY;
    }
}

impl TryClone for Actions {
    fn try_clone(&self) -> Result<Self, Errno> {
        Ok(Actions {
            all: self.all,
            changed: self.changed,
        })
    }
}

/// Sets every caught signal back to its default action.
///
/// # Errors
/// `ENOMEM`, nothing changed.
pub fn reset_handlers(actions: &Shared<Actions>) -> Result<(), Errno> {
    if actions.read(|actions| actions.changed.is_empty()) {
        return Ok(());
    }
    actions.change(Actions::reset_handlers)
}

fn reset_handler(action: &mut SigAction) {
    let handler = if action.handler == SIG_IGN {
        SIG_IGN
    } else {
        SIG_DFL
    };
    *action = SigAction {
        handler,
        ..SigAction::default()
    };
}
