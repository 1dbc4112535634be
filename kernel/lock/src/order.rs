//! The locks that one processor holds, and whether it may take a further one. Used by builds with debug assertions.

use core::fmt;
use core::panic::Location;

use crate::rank;

/// Most locks that a processor holds at a time.
const MOST: usize = 16;

/// A lock that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Tells locks of one rank apart: an address.
    pub lock: usize,
    /// Its rank.
    pub rank: u8,
    /// Where it was taken.
    pub place: &'static Location<'static>,
}

/// Whether another lock of the same rank may be held already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kin {
    /// No: nothing says in which order two of a rank are taken.
    Alone,
    /// Yes: the caller keeps to an order of its own.
    Ordered,
}

/// The locks that one processor holds.
#[derive(Debug)]
pub struct Holds {
    holds: [Option<Hold>; MOST],
}

/// Why a lock may not be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// It stands above `held` in the order, or beside it.
    Order {
        /// What is held already.
        held: Hold,
        /// What was to be taken.
        wanted: Hold,
    },
    /// It is held already, by this processor.
    Twice {
        /// Where it was taken first, and its rank.
        held: Hold,
        /// Where it was to be taken again.
        wanted: Hold,
    },
    /// There is no room to note it.
    TooMany {
        /// What was to be taken.
        wanted: Hold,
    },
}

impl Holds {
    /// No lock is held.
    pub const fn new() -> Holds {
        Holds { holds: [None; MOST] }
    }

    /// Notes that `wanted` is about to be taken.
    ///
    /// # Errors
    /// [`Breach`]: this processor holds it, or one that comes after it, or has no room for a further one. Nothing is noted.
    pub fn add(&mut self, wanted: Hold, kin: Kin) -> Result<(), Breach> {
        let held = || self.holds.iter().flatten();
        if let Some(held) = held().find(|held| held.lock == wanted.lock && held.rank == wanted.rank) {
            return Err(Breach::Twice { held: *held, wanted });
        }
        let is_breach =
            |held: &&Hold| held.rank > wanted.rank || (held.rank == wanted.rank && kin == Kin::Alone);
        if let Some(held) = held().filter(is_breach).max_by_key(|held| held.rank) {
            return Err(Breach::Order { held: *held, wanted });
        }
        let free = self.holds.iter_mut().find(|slot| slot.is_none());
        *free.ok_or(Breach::TooMany { wanted })? = Some(wanted);
        Ok(())
    }

    /// Notes that a lock was released; whether it was held.
    pub fn remove(&mut self, lock: usize, rank: u8) -> bool {
        let is_meant =
            |slot: &&mut Option<Hold>| slot.is_some_and(|held| held.lock == lock && held.rank == rank);
        let found = self.holds.iter_mut().find(is_meant);
        found.is_some_and(|slot| slot.take().is_some())
    }

    /// One of the locks that are held; `None` if none is.
    pub fn any(&self) -> Option<Hold> {
        self.holds.iter().flatten().next().copied()
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} (taken at {})", rank::name(self.rank), self.place)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Breach::Order { held, wanted } => write!(
                to,
                "lock order: {} is wanted at {} while this processor holds {held}",
                rank::name(wanted.rank),
                wanted.place
            ),
            Breach::Twice { held, wanted } => {
                write!(to, "lock order: {held} is wanted again at {}", wanted.place)
            }
            Breach::TooMany { wanted } => write!(
                to,
                "lock order: {} is wanted at {} while this processor holds {MOST} locks",
                rank::name(wanted.rank),
                wanted.place
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[track_caller]
    fn hold(lock: usize, rank: u8) -> Hold {
        let place = Location::caller();
        Hold { lock, rank, place }
    }

    #[test]
    fn locks_are_taken_downwards_and_released_in_any_order() {
        let mut holds = Holds::new();
        assert_eq!(holds.add(hold(1, rank::RESHAPING), Kin::Alone), Ok(()));
        assert_eq!(holds.add(hold(2, rank::DIRECTORY), Kin::Alone), Ok(()));
        assert!(holds.remove(1, rank::RESHAPING));
        assert_eq!(holds.add(hold(3, rank::LEAF), Kin::Alone), Ok(()));
        assert!(holds.remove(2, rank::DIRECTORY) && holds.remove(3, rank::LEAF));
        assert_eq!(holds.any(), None);
        assert!(!holds.remove(3, rank::LEAF), "it was released already");
    }

    #[test]
    fn upwards_is_a_breach_that_names_both() {
        let mut holds = Holds::new();
        let (pipe, space) = (hold(1, rank::PIPE), hold(2, rank::SPACE));
        assert_eq!(holds.add(pipe, Kin::Alone), Ok(()));
        let breach = holds.add(space, Kin::Ordered).unwrap_err();
        assert_eq!(
            breach,
            Breach::Order {
                held: pipe,
                wanted: space
            }
        );
        let text = format!("{breach}");
        assert!(text.contains("space is wanted at") && text.contains("holds pipe (taken at"));
        assert!(text.matches("order.rs").count() == 2, "{text}");
        assert_eq!(holds.any(), Some(pipe), "what was refused is not held");
    }

    #[test]
    fn the_rank_itself_counts_not_the_last_lock() {
        let mut holds = Holds::new();
        holds.add(hold(1, rank::DIRECTORY), Kin::Alone).unwrap();
        holds.add(hold(2, rank::PIPE), Kin::Alone).unwrap();
        assert!(holds.add(hold(3, rank::DENTRY), Kin::Alone).is_err());
    }

    #[test]
    fn two_of_a_rank_only_by_an_order_of_their_own_and_never_one_twice() {
        let mut holds = Holds::new();
        holds.add(hold(1, rank::DIRECTORY), Kin::Alone).unwrap();
        assert!(holds.add(hold(2, rank::DIRECTORY), Kin::Alone).is_err());
        assert_eq!(holds.add(hold(2, rank::DIRECTORY), Kin::Ordered), Ok(()));
        let twice = holds.add(hold(1, rank::DIRECTORY), Kin::Ordered);
        assert!(matches!(twice, Err(Breach::Twice { .. })));
    }

    #[test]
    fn too_many_are_refused() {
        let mut holds = Holds::new();
        for lock in 0..MOST {
            holds.add(hold(lock, rank::DIRECTORY), Kin::Ordered).unwrap();
        }
        let refused = holds.add(hold(MOST, rank::DIRECTORY), Kin::Ordered);
        assert!(matches!(refused, Err(Breach::TooMany { .. })));
    }

    #[test]
    fn every_rank_has_a_name_of_its_own() {
        let mut names = rank::NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rank::COUNT);
        assert_eq!(rank::name(rank::RUN_QUEUE), "run-queue");
        assert_eq!(rank::name(rank::PROCESS_TABLE), "process-table");
    }
}
