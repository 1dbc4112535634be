//! Which lines a command is for.

use super::machine::{Machine, World};
use super::script::{Address, End, Progress, Selector};

impl Machine<'_> {
    pub(super) fn is_last(&mut self, world: &mut dyn World) -> bool {
        if self.ahead.is_none() {
            self.ahead = world.line();
        }
        self.ahead.is_none()
    }

    /// Whether a command is for the line at hand; a range goes on by that.
    pub(super) fn is_selected(&mut self, selector: &Selector, world: &mut dyn World) -> bool {
        let Some(first) = &selector.first else {
            return !selector.is_negated;
        };
        let is_in = match &selector.end {
            None => self.is_at(first, world),
            Some(end) => self.is_in_range(first, end, selector, world),
        };
        is_in != selector.is_negated
    }

    fn is_at(&mut self, address: &Address, world: &mut dyn World) -> bool {
        match address {
            Address::Line(number) => self.number == *number,
            Address::Last => self.is_last(world),
            Address::Match(pattern) => self.matches(pattern, world),
            Address::Step(first, 0) => self.number == *first,
            Address::Step(first, step) => {
                self.number >= *first && (self.number - first).is_multiple_of(*step)
            }
        }
    }

    fn is_in_range(
        &mut self,
        first: &Address,
        end: &End,
        selector: &Selector,
        world: &mut dyn World,
    ) -> bool {
        let progress = &selector.progress;
        match progress.get() {
            Progress::Closed => {
                let is_begun = self.begins(first, end, world);
                if is_begun {
                    progress.set(self.open(first, end, world));
                }
                is_begun
            }
            Progress::Over => false,
            Progress::Until(last) => {
                if self.number >= last {
                    progress.set(after(first));
                }
                // `n` or `N` may have passed it.
                self.number <= last
            }
            Progress::Open => {
                let is_over = match end {
                    End::Last => self.is_last(world),
                    End::Match(pattern) => self.matches(pattern, world),
                    _ => false,
                };
                if is_over {
                    progress.set(after(first));
                }
                true
            }
        }
    }

    /// Whether a range begins here. One that begins at a number does so behind it as well, if `n` or `N` passed it.
    fn begins(&mut self, first: &Address, end: &End, world: &mut dyn World) -> bool {
        match (first, end) {
            (Address::Line(first), End::Line(last)) if self.number > *last => self.number == *first,
            (Address::Line(first), _) => self.number >= *first,
            _ => self.is_at(first, world),
        }
    }

    /// What a range is after its first line.
    fn open(&mut self, first: &Address, end: &End, world: &mut dyn World) -> Progress {
        let last = match end {
            End::Line(number) => *number,
            End::After(count) => self.number.saturating_add(*count),
            End::Multiple(0) => self.number,
            End::Multiple(step) => self.number.next_multiple_of(*step),
            End::Last if self.is_last(world) => return after(first),
            End::Last | End::Match(_) => return Progress::Open,
        };
        if last > self.number {
            Progress::Until(last)
        } else {
            after(first)
        }
    }
}

/// What a range is when it has ended: over, if it begins at a number, which does not come again.
fn after(first: &Address) -> Progress {
    match first {
        Address::Line(_) => Progress::Over,
        _ => Progress::Closed,
    }
}
