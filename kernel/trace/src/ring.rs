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

use crate::record::{EventCounts, TraceRecord};

static RINGS: PerCpu<Mutex<TraceRing>> = PerCpu::new([const { Mutex::new(TraceRing::EMPTY) }; MAX_CPUS]);

/// One processor's.
pub struct TraceRing {
    /// The oldest is at `oldest`; it never has more than what was reserved.
    records: Vec<TraceRecord>,
    oldest: usize,
    /// Records that gave way to later ones.
    lost: u64,
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
        oldest: 0,
        lost: 0,
        last: None,
    };

    /// Adds a record, in place of the oldest one if there is no room.
    pub fn push(&mut self, record: TraceRecord) {
        let room = self.records.capacity();
        if self.records.len() < room {
            heap::push_within_capacity(&mut self.records, record);
        } else if room > 0 {
            self.records[self.oldest] = record;
            self.oldest = (self.oldest + 1) % room;
            self.lost += 1;
        }
    }

    /// The first record with that number or a later one. They stand in the order of their numbers, from the oldest on.
    fn next_from(&self, number: u64) -> Option<&TraceRecord> {
        let (later, earlier) = self.records.split_at(self.oldest);
        let first_of = |part: &'_ [TraceRecord]| part.partition_point(|record| record.number < number);
        earlier
            .get(first_of(earlier))
            .or_else(|| later.get(first_of(later)))
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
        let mut ring = ring.lock();
        ring.records.clear();
        (ring.oldest, ring.lost) = (0, 0);
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
            what: What::End,
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
        (0..room + 2).for_each(|number| ring.push(record(2 * number)));
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
        ring.push(record(1));
        assert!(ring.next_from(0).is_none());
    }
}
