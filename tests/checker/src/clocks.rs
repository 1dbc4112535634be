//! Vector clocks: what a processor knows of what others have done, and who accessed each word of memory last.

use crate::machine::PROCESSORS;
use std::collections::HashMap;

/// How much of each processor's work is known to come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Clock([u32; PROCESSORS]);

impl Clock {
    /// How much of this processor's work.
    pub fn of(&self, cpu: usize) -> u32 {
        self.0[cpu]
    }

    /// What `other` knows is known too.
    pub fn join(&mut self, other: &Clock) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own = (*own).max(other);
        }
    }

    /// What this processor does from now on was known to nobody.
    pub fn tick(&mut self, cpu: usize) {
        self.0[cpu] += 1;
    }
}

/// What comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Before {
    /// By releases and acquires.
    pub all: Clock,
    /// Accesses to programs' memory, by TLBIs besides: one that is complete has let all accesses end that an old entry allowed.
    pub programs: Clock,
}

impl Before {
    fn join(&mut self, other: &Before) {
        self.all.join(&other.all);
        self.programs.join(&other.programs);
    }
}

/// One processor.
#[derive(Clone, Copy, Default)]
pub struct Known {
    /// What its next access comes behind.
    pub now: Before,
    /// What it comes behind once a barrier for loads stands between.
    pub pending: Before,
    /// What its last barrier for stores stood behind.
    pub fence: Before,
    /// The place of its last exclusive load, and whether that acquired.
    exclusive: Option<(u64, bool)>,
}

/// An access that was not atomic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The time of its processor; 0: there was none.
    pub at: u32,
    /// The lower half of where the instruction stands.
    pub pc: u32,
    /// Its processor.
    pub cpu: u8,
    /// Which of the eight bytes.
    pub bytes: u8,
}

impl Access {
    /// Whether something that is behind `now`, for these bytes, is not behind this.
    fn is_apart(&self, cpu: usize, bytes: u8, now: &Clock) -> bool {
        let other = usize::from(self.cpu);
        self.at != 0 && other != cpu && self.bytes & bytes != 0 && now.of(other) < self.at
    }

    fn put(&mut self, new: Access) {
        let is_same = (self.at, self.cpu) == (new.at, new.cpu);
        let bytes = if is_same { self.bytes } else { 0 };
        *self = Access {
            bytes: bytes | new.bytes,
            ..new
        };
    }
}

/// As many processors' loads and stores of a word are kept.
const KEPT: usize = 4;
const WORDS: usize = 512;

/// Eight bytes.
#[derive(Clone, Copy, Default)]
struct Word {
    stores: [Access; KEPT],
    loads: [Access; KEPT],
}

/// Everything.
pub struct Order {
    cpus: [Known; PROCESSORS],
    /// What was released by the atomic at an address, by groups of four bytes.
    released: HashMap<u64, Before>,
    pages: HashMap<u64, Box<[Word]>>,
    /// Who accessed a frame of a program's last, and when: each processor's time.
    frames: HashMap<u64, Clock>,
}

impl Default for Order {
    fn default() -> Order {
        let mut cpus = [Known::default(); PROCESSORS];
        for (cpu, known) in cpus.iter_mut().enumerate() {
            known.now.all.tick(cpu);
        }
        Order {
            cpus,
            released: HashMap::new(),
            pages: HashMap::new(),
            frames: HashMap::new(),
        }
    }
}

fn groups(address: u64, len: u64) -> impl Iterator<Item = u64> {
    address >> 2..=(address + len - 1) >> 2
}

impl Order {
    /// A processor begins: whoever lets it go has made everything visible to it.
    pub fn begin(&mut self, cpu: usize) {
        let mut all = Before::default();
        self.cpus.iter().for_each(|known| all.join(&known.now));
        self.cpus[cpu].now.join(&all);
        self.cpus
            .iter_mut()
            .enumerate()
            .for_each(|(cpu, known)| known.now.all.tick(cpu));
    }

    /// A barrier for loads.
    pub fn barrier_for_loads(&mut self, cpu: usize) {
        let known = &mut self.cpus[cpu];
        let pending = known.pending;
        known.now.join(&pending);
    }

    /// A barrier for stores.
    pub fn barrier_for_stores(&mut self, cpu: usize) {
        let known = &mut self.cpus[cpu];
        known.fence = known.now;
        known.now.all.tick(cpu);
    }

    /// An atomic load, which acquires or does not.
    pub fn load_atomic(&mut self, cpu: usize, address: u64, len: u64, acquires: bool) {
        for group in groups(address, len) {
            let Some(released) = self.released.get(&group) else {
                continue;
            };
            let known = &mut self.cpus[cpu];
            known.pending.join(released);
            if acquires {
                known.now.join(released);
            }
        }
    }

    /// An exclusive load.
    pub fn open_exclusive(&mut self, cpu: usize, address: u64, acquires: bool) {
        self.cpus[cpu].exclusive = Some((address, acquires));
    }

    /// The exclusive store to it. QEMU lets it succeed if the value is what it was, so that others may have stored and released between:
    /// what they released is loaded by this.
    pub fn close_exclusive(&mut self, cpu: usize, address: u64, len: u64) {
        if let Some((place, acquires)) = self.cpus[cpu].exclusive.take()
            && place == address
        {
            self.load_atomic(cpu, address, len, acquires);
        }
    }

    /// An atomic store, which releases or does not. What was released there before stays: that is so for who changes it by an exclusive,
    /// and for others it only lets something pass.
    pub fn store_atomic(&mut self, cpu: usize, address: u64, len: u64, releases: bool) {
        let known = &mut self.cpus[cpu];
        let clock = if releases { known.now } else { known.fence };
        if clock == Before::default() {
            return;
        }
        for group in groups(address, len) {
            self.released.entry(group).or_default().join(&clock);
        }
        if releases {
            known.now.all.tick(cpu);
        }
    }

    /// A program's memory is accessed, by it or for it.
    pub fn touch_frame(&mut self, cpu: usize, frame: u64) {
        let at = self.cpus[cpu].now.all.of(cpu);
        self.frames.entry(frame).or_default().0[cpu] = at;
    }

    /// A TLBI for all processors is complete.
    pub fn complete_flush(&mut self, cpu: usize) {
        let mut all = self.cpus[cpu].now.programs;
        self.cpus.iter().for_each(|known| all.join(&known.now.all));
        self.cpus[cpu].now.programs = all;
        self.cpus
            .iter_mut()
            .enumerate()
            .for_each(|(cpu, known)| known.now.all.tick(cpu));
    }

    /// A frame is taken for new contents: a processor whose last access to it does not come before.
    pub fn take_frame(&mut self, cpu: usize, frame: u64) -> Option<usize> {
        let now = self.cpus[cpu].now;
        let touched = self.frames.remove(&frame)?;
        let known = |other| now.all.of(other).max(now.programs.of(other));
        (0..PROCESSORS).find(|&other| other != cpu && touched.of(other) > known(other))
    }

    /// An access that is not atomic; another one that nothing orders with it.
    pub fn access(
        &mut self,
        cpu: usize,
        pc: u64,
        address: u64,
        len: u64,
        is_store: bool,
    ) -> Option<(Access, bool)> {
        let now = self.cpus[cpu].now.all;
        let mut found = None;
        let mut at = address;
        while at < address + len {
            let first = at & 7;
            let count = (8 - first).min(address + len - at);
            let bytes = ((0xffu16 >> (8 - count)) << first) as u8;
            let page = self
                .pages
                .entry(at >> 12)
                .or_insert_with(|| vec![Word::default(); WORDS].into_boxed_slice());
            let word = &mut page[(at >> 3) as usize % WORDS];
            let own = Access {
                at: now.of(cpu),
                pc: pc as u32,
                cpu: cpu as u8,
                bytes,
            };
            let is_apart = |other: &&Access| other.is_apart(cpu, bytes, &now);
            if let Some(store) = word.stores.iter().find(is_apart) {
                found = found.or(Some((*store, true)));
            }
            if is_store {
                if let Some(load) = word.loads.iter().find(is_apart) {
                    found = found.or(Some((*load, false)));
                }
                // What comes behind this store comes behind what was before it.
                let before = word.stores.iter_mut().chain(&mut word.loads);
                before.for_each(|access| access.bytes &= !bytes);
                word.stores[cpu % KEPT].put(own);
            } else {
                word.loads[cpu % KEPT].put(own);
            }
            at += count;
        }
        found
    }
}
