//! Which place and which identifier comes next, of any kind of object.

use super::totals::INDEX_BITS;

/// IpcPlaces that are used one after the other before one is used again (Linux: `ipc_min_cycle`).
const LEAST_PLACES: u32 = 64;

/// The place that was given out last, and how many times all were gone through.
pub(super) struct IpcPlaces {
    last: Option<u32>,
    generation: u32,
}

/// A place that is free, and the identifier that goes with it.
#[derive(Clone, Copy)]
pub(super) struct FreePlace {
    pub(super) index: u32,
    pub(super) id: i32,
    generation: u32,
}

impl IpcPlaces {
    /// None was given out.
    pub(super) const fn new() -> IpcPlaces {
        IpcPlaces {
            last: None,
            generation: 0,
        }
    }

    /// The next that is free, where `count` are used.
    pub(super) fn next(&self, count: usize, is_free: impl Fn(u32) -> bool) -> FreePlace {
        let places = (count as u32 * 3 / 2).clamp(LEAST_PLACES, 1 << INDEX_BITS);
        let after = self.last.map_or(0, |last| last + 1);
        let found = (after..places).find(|&index| is_free(index));
        let index = found
            .or_else(|| (0..places).find(|&index| is_free(index)))
            .unwrap_or(0);
        let is_again = self.last.is_some_and(|last| index <= last);
        let generation = (self.generation + u32::from(is_again)) % (1 << (31 - INDEX_BITS));
        FreePlace {
            index,
            id: (generation << INDEX_BITS | index) as i32,
            generation,
        }
    }

    /// That one is used from now on.
    pub(super) fn take(&mut self, place: FreePlace) {
        self.last = Some(place.index);
        self.generation = place.generation;
    }
}

/// Where what has that identifier stands.
pub(super) fn index_of(id: i32) -> Option<u32> {
    u32::try_from(id).ok().map(|id| id & ((1 << INDEX_BITS) - 1))
}
