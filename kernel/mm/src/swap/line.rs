//! The line of cached pages that are to be written, chained through the records of their slots.

use super::{Content, Slot, State};

/// Both ends, and the length.
#[derive(Default)]
pub(super) struct Line {
    first: Option<Slot>,
    last: Option<Slot>,
    pub(super) len: usize,
}

impl State {
    /// Puts a slot at the end.
    pub(super) fn put_in_line(&mut self, slot: Slot) {
        let before = self.line.last.replace(slot);
        match before {
            Some(before) => self.record(before).behind = Some(slot),
            None => self.line.first = Some(slot),
        }
        let record = self.record(slot);
        (record.before, record.behind, record.content) = (before, None, Content::ToWrite);
        self.line.len += 1;
    }

    /// Takes a slot out, wherever it stands.
    pub(super) fn take_from_line(&mut self, slot: Slot) {
        let record = self.record(slot);
        let (before, behind) = (record.before.take(), record.behind.take());
        match before {
            Some(before) => self.record(before).behind = behind,
            None => self.line.first = behind,
        }
        match behind {
            Some(behind) => self.record(behind).before = before,
            None => self.line.last = before,
        }
        self.line.len -= 1;
    }

    /// Takes the first one out.
    pub(super) fn take_first(&mut self) -> Option<Slot> {
        let slot = self.line.first?;
        self.take_from_line(slot);
        Some(slot)
    }
}
