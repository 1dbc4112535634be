//! The records of each processor: the last ones, as many as there is room for.

use alloc::vec::Vec;
use lock::Mutex;
use platform::cpu::MAX_CPUS;
use platform::cpu::PerCpu;
use platform::heap;
use platform::timer;
use sched::ThreadCore;
use task::process::Pid;
use task::thread::{Thread, ThreadExt};

use crate::pipe::Consumed;
use crate::record::{EventCounts, TraceRecord};

static RINGS: PerCpu<Mutex<TraceRing>> = PerCpu::new([const { Mutex::new(TraceRing::EMPTY) }; MAX_CPUS]);

/// One processor's.
pub struct TraceRing {
    /// Those that are kept begin at `first`, go on at 0 behind the end of the room, and are `kept`. It never has more than what was reserved.
    records: Vec<TraceRecord>,
    first: usize,
    kept: usize,
    /// Records that gave way to later ones, and how many of them since one was taken.
    lost: u64,
    lost_since: u64,
    /// What was seen when a thread was last looked at here.
    pub last: Option<Glance>,
}

/// A thread and the processor when the thread was looked at.
#[derive(Clone)]
pub struct Glance {
    tid: Pid,
    /// How often the thread had lost a processor.
    switches: u64,
    /// The moment, and how long the thread had been at EL0, in ticks.
    pub now: u64,
    pub user: u64,
    /// What the processor had counted.
    pub counts: EventCounts,
    /// The thread had just got the processor.
    pub begins_turn: bool,
}

impl Glance {
    /// The running thread, on this processor, now.
    pub fn now(thread: &Thread) -> Glance {
        let core: &ThreadCore = thread;
        let (voluntary, involuntary) = core.scheduling.switches();
        Glance {
            tid: thread.tid(),
            switches: voluntary + involuntary,
            now: timer::ticks(),
            user: core.scheduling.ticks().0,
            counts: EventCounts::now(),
            begins_turn: false,
        }
    }

    /// The thread that this processor begins to run.
    pub fn at_begin(thread: &Thread) -> Glance {
        Glance {
            begins_turn: true,
            ..Glance::now(thread)
        }
    }

    /// Whether the thread of `later` was this one, and has had this processor from here to there.
    pub fn is_the_turn_of(&self, later: &Glance) -> bool {
        (self.tid, self.switches) == (later.tid, later.switches)
    }
}

impl TraceRing {
    const EMPTY: TraceRing = TraceRing {
        records: Vec::new(),
        first: 0,
        kept: 0,
        lost: 0,
        lost_since: 0,
        last: None,
    };

    /// Adds a record, in place of the oldest one if there is no room; how full the ring is then, in percent.
    pub fn push(&mut self, make: impl FnOnce() -> TraceRecord) -> usize {
        let room = self.records.capacity();
        if room == 0 {
            return 0;
        }
        let at = (self.first + self.kept) % room;
        match self.records.get_mut(at) {
            Some(place) => *place = make(),
            None => heap::push_within_capacity(&mut self.records, make()),
        }
        if self.kept < room {
            self.kept += 1;
        } else {
            self.first = (self.first + 1) % room;
            self.lost += 1;
            self.lost_since += 1;
        }
        self.fill()
    }

    /// How full it is, in percent.
    fn fill(&self) -> usize {
        self.kept * 100 / self.records.capacity().max(1)
    }

    /// The one that stands behind `nth` others.
    fn nth(&self, nth: usize) -> Option<&TraceRecord> {
        let at = (self.first + nth) % self.records.capacity().max(1);
        self.records.get(at).filter(|_| nth < self.kept)
    }

    /// The first record with that number or a later one. They stand in the order of their numbers, from the oldest on.
    fn next_from(&self, number: u64) -> Option<&TraceRecord> {
        let (mut earlier, mut later) = (0, self.kept);
        while earlier < later {
            let middle = earlier.midpoint(later);
            match self.nth(middle) {
                Some(record) if record.number < number => earlier = middle + 1,
                _ => later = middle,
            }
        }
        self.nth(earlier)
    }

    /// Takes the oldest, if it is the one with that number.
    fn take(&mut self, number: u64) -> Option<Consumed> {
        let record = self.nth(0).filter(|first| first.number == number)?.clone();
        self.first = (self.first + 1) % self.records.capacity();
        self.kept -= 1;
        let lost = core::mem::take(&mut self.lost_since);
        Some(Consumed { record, lost })
    }

    /// Forgets all, and keeps the room.
    fn clear(&mut self) {
        self.records.clear();
        (self.first, self.kept, self.lost, self.lost_since) = (0, 0, 0, 0);
    }
}

/// The running processor's.
pub fn own() -> &'static Mutex<TraceRing> {
    RINGS.get()
}

/// The first record of all processors with that number or a later one.
pub fn next_from(number: u64) -> Option<TraceRecord> {
    let of = |ring: &Mutex<TraceRing>| ring.lock().next_from(number).cloned();
    RINGS
        .all()
        .iter()
        .filter_map(of)
        .min_by_key(|record| record.number)
}

/// Takes the oldest record of all processors.
pub fn take_first() -> Option<Consumed> {
    loop {
        let first_of = |ring: &'static Mutex<TraceRing>| {
            let number = ring.lock().nth(0)?.number;
            Some((number, ring))
        };
        let (number, ring) = RINGS
            .all()
            .iter()
            .filter_map(first_of)
            .min_by_key(|(number, _)| *number)?;
        let taken = ring.lock().take(number);
        // Else it gave way to a later one meanwhile.
        if taken.is_some() {
            return taken;
        }
    }
}

/// Whether there is a record.
pub fn is_any() -> bool {
    RINGS.all().iter().any(|ring| ring.lock().kept > 0)
}

/// Whether a ring has records, and is at least that full, in percent.
pub fn is_filled(percent: u32) -> bool {
    let is_filled = |ring: &TraceRing| ring.kept > 0 && ring.fill() >= percent as usize;
    RINGS.all().iter().any(|ring| is_filled(&ring.lock()))
}

/// The thread that runs here is looked at; what was seen when it was last, in this turn.
pub fn look(seen: &Glance) -> Option<Glance> {
    let last = own().lock().last.replace(seen.clone());
    last.filter(|last| last.is_the_turn_of(seen))
}

/// What was counted since the thread that leaves this processor was looked at.
pub fn since_last_look(thread: &Thread) -> Option<EventCounts> {
    let last = own().lock().last.take();
    let last = last.filter(|last| last.tid == thread.tid())?;
    Some(EventCounts::now().since(&last.counts))
}

/// How many records gave way to later ones.
pub fn lost() -> u64 {
    RINGS.all().iter().map(|ring| ring.lock().lost).sum()
}

/// From now on the rings are these, of the first processors, and empty.
pub fn replace(rings: impl IntoIterator<Item = Vec<TraceRecord>>) {
    let mut rings = rings.into_iter();
    for ring in RINGS.all() {
        let records = rings.next().unwrap_or_default();
        let old = core::mem::replace(
            &mut *ring.lock(),
            TraceRing {
                records,
                ..TraceRing::EMPTY
            },
        );
        drop(old);
    }
}

/// Forgets all records, and keeps the room.
pub fn clear() {
    for ring in RINGS.all() {
        ring.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::What;
    use task::process::Comm;

    fn record(number: u64) -> TraceRecord {
        TraceRecord {
            number,
            begin: number,
            end: number,
            cpu: 0,
            pid: 1,
            tid: 1,
            name: Comm::NONE,
            what: What::Exit,
            has_slept: false,
            counts: None,
        }
    }

    #[test]
    fn the_last_records_stay_in_their_order() {
        let mut ring = TraceRing {
            records: Vec::with_capacity(4),
            ..TraceRing::EMPTY
        };
        let room = ring.records.capacity() as u64;
        let first = |ring: &TraceRing, from| ring.next_from(from).map(|record| record.number);
        assert_eq!(first(&ring, 0), None);
        // Every second number is another processor's.
        for number in 0..room + 2 {
            ring.push(|| record(2 * number));
        }
        assert_eq!(ring.lost, 2);
        assert_eq!(first(&ring, 0), Some(4));
        for number in 2..room + 2 {
            assert_eq!(
                first(&ring, 2 * number - 1),
                Some(2 * number).filter(|at| *at > 2).or(Some(4))
            );
            assert_eq!(first(&ring, 2 * number), Some(2 * number));
        }
        assert_eq!(first(&ring, 2 * room + 3), None);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut ring = TraceRing::EMPTY;
        ring.push(|| record(1));
        assert!(ring.next_from(0).is_none());
    }

    #[test]
    fn each_is_taken_once_and_what_gave_way_before_it_is_told() {
        let mut ring = TraceRing {
            records: Vec::with_capacity(4),
            ..TraceRing::EMPTY
        };
        let room = ring.records.capacity() as u64;
        let mut take =
            |ring: &mut TraceRing, number| ring.take(number).map(|taken| (taken.record.number, taken.lost));
        assert_eq!(take(&mut ring, 0), None);
        // Round and round, with a reader who keeps up.
        for number in 0..3 * room {
            assert_eq!(ring.push(|| record(number)), (100 / room) as usize);
            assert_eq!(take(&mut ring, number + 1), None);
            assert_eq!(take(&mut ring, number), Some((number, 0)));
        }
        // And with one who does not.
        let first = 3 * room;
        for number in first..first + room + 3 {
            ring.push(|| record(number));
        }
        assert_eq!(ring.fill(), 100);
        assert_eq!(take(&mut ring, first), None);
        assert_eq!(take(&mut ring, first + 3), Some((first + 3, 3)));
        assert_eq!(take(&mut ring, first + 4), Some((first + 4, 0)));
        assert_eq!((ring.lost, ring.kept as u64), (3, room - 2));
        ring.clear();
        assert_eq!((ring.fill(), ring.nth(0).is_none()), (0, true));
    }
}
