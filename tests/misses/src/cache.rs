//! A cache: sets of lines, of which that goes that was used longest ago.

/// Bytes of a line, as a shift.
pub const LINE_SHIFT: u32 = 6;

#[derive(Clone, Copy, Default)]
struct Slot {
    line: u64,
    /// When it was last used; 0 if there is none.
    used: u64,
    is_dirty: bool,
}

/// A cache by physical lines (addresses without their last six bits). Stores wait in it until their line has to go (write-back).
pub struct Cache {
    slots: Vec<Slot>,
    ways: usize,
    sets: u64,
    now: u64,
}

impl Cache {
    /// Of so many bytes. The number of sets must come to a power of two.
    pub fn new(bytes: usize, ways: usize) -> Cache {
        let sets = (bytes >> LINE_SHIFT) / ways;
        assert!(sets.is_power_of_two(), "{sets} sets");
        Cache {
            slots: vec![Slot::default(); sets * ways],
            ways,
            sets: sets as u64,
            now: 0,
        }
    }

    fn set(&mut self, line: u64) -> &mut [Slot] {
        let first = (line & (self.sets - 1)) as usize * self.ways;
        &mut self.slots[first..first + self.ways]
    }

    /// Uses a line; whether it is there.
    pub fn touch(&mut self, line: u64, is_store: bool) -> bool {
        self.now += 1;
        let now = self.now;
        let found = self
            .set(line)
            .iter_mut()
            .find(|slot| slot.line == line && slot.used != 0);
        found
            .map(|slot| {
                slot.used = now;
                slot.is_dirty |= is_store;
            })
            .is_some()
    }

    /// Takes in a line that is not there; the line that goes for it, if it was stored to.
    pub fn insert(&mut self, line: u64, is_dirty: bool) -> Option<u64> {
        self.now += 1;
        let used = self.now;
        let slot = self.set(line).iter_mut().min_by_key(|slot| slot.used)?;
        let old = std::mem::replace(slot, Slot { line, used, is_dirty });
        (old.used != 0 && old.is_dirty).then_some(old.line)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.slots.fill(Slot::default());
    }
}
