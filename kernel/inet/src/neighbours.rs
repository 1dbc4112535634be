//! Who of a network has which hardware address, as ARP (RFC 826) and neighbour discovery (RFC 4861) find out: the neighbour table. It
//! sends nothing itself: [`Station`](super::station::Station) asks the questions that it wants asked.
//!
//! A packet for a neighbour that is being asked for waits here with others for the same one, and goes out when the answer comes. Three
//! questions, a second apart, are asked; then who sent the packets is told that the host cannot be reached. An answer is good for half
//! a minute. After that it is used on, and asked for once more, that neighbour alone: so nobody who talks to a neighbour waits again.

use super::fifo::Fifo;
use abi::netlink::{NUD_DELAY, NUD_FAILED, NUD_INCOMPLETE, NUD_PROBE, NUD_REACHABLE, NUD_STALE};
use alloc::boxed::Box;
use alloc::vec::Vec;
use memory::fallible::map::Map;
use memory::fallible::{self, push_within_capacity};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpAddress};

/// Neighbours that are known at most.
pub(super) const MOST: usize = 256;
/// Packets that wait for one at most: when one more comes the oldest is lost.
const MOST_WAITING: usize = 16;
/// Questions that are asked (`mcast_solicit`, `ucast_probes` of Linux), and how far apart (`retrans_time`).
const QUESTIONS: u8 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// For how long an answer is good (`base_reachable_time`), and how long one that is not may be used before it is asked for anew
/// (`delay_first_probe_time`).
const GOOD_FOR: Duration = Duration::from_secs(30);
const DELAY: Duration = Duration::from_secs(5);

/// What is known of a neighbour: `NUD_*` of Linux.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NeighbourState {
    /// It is asked for, and has never answered.
    Incomplete,
    /// It has answered lately.
    Reachable,
    /// It has answered once, or was heard asking.
    Stale,
    /// As `Stale`, and something was sent to it: it will be asked soon.
    Delay,
    /// As `Delay`, and it is being asked.
    Probe,
    /// It does not answer.
    Failed,
}

impl NeighbourState {
    /// As programs are told.
    pub(crate) fn number(self) -> u16 {
        match self {
            NeighbourState::Incomplete => NUD_INCOMPLETE,
            NeighbourState::Reachable => NUD_REACHABLE,
            NeighbourState::Stale => NUD_STALE,
            NeighbourState::Delay => NUD_DELAY,
            NeighbourState::Probe => NUD_PROBE,
            NeighbourState::Failed => NUD_FAILED,
        }
    }

    /// Whether its hardware address is known.
    pub(crate) fn is_known(self) -> bool {
        !matches!(self, NeighbourState::Incomplete | NeighbourState::Failed)
    }
}

/// What is shown of a neighbour.
#[derive(Clone, Copy)]
pub(crate) struct NeighbourView {
    pub(crate) address: IpAddress,
    pub(crate) hardware: EthernetAddress,
    pub(crate) state: NeighbourState,
}

/// A neighbour.
struct Neighbour {
    state: NeighbourState,
    /// What it has answered, if it has.
    hardware: EthernetAddress,
    /// Questions that were asked since it was last heard.
    asked: u8,
    /// When the state is over.
    due: Instant,
    /// When it was last wanted or heard.
    used: Instant,
    waiting: Fifo<Box<[u8]>>,
}

/// A question: to everybody, or to who had the address last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Question {
    pub(super) about: IpAddress,
    pub(super) to: Option<EthernetAddress>,
}

/// What is to be done with a packet.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum NextStep {
    /// It goes to that address.
    Known(EthernetAddress),
    /// It waits. If this is the first one, the neighbour is to be asked.
    Waits(Option<Question>),
    /// There was no memory for it.
    Lost,
}

/// How a neighbour was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// It answered us.
    Answering,
    /// It asked us something.
    Asking,
    /// It said something to others.
    Speaking,
}

/// What time has brought.
pub(super) enum News {
    Ask(Question),
    /// That neighbour cannot be reached. These packets are for it.
    Unreachable(Fifo<Box<[u8]>>),
}

/// The neighbours of one interface.
#[derive(Default)]
pub(super) struct Neighbours {
    table: Map<IpAddress, Neighbour>,
    /// Something is due that was not when it was last asked for.
    is_news_due: bool,
}

impl Neighbours {
    /// The way of a packet to that neighbour.
    pub(super) fn way(&mut self, to: &IpAddress, packet: &[u8], now: Instant) -> NextStep {
        if !self.table.contains_key(to) && self.add(*to, now).is_none() {
            return NextStep::Lost;
        }
        let Some(neighbour) = self.table.get_mut(to) else {
            return NextStep::Lost;
        };
        neighbour.used = now;
        match neighbour.state {
            NeighbourState::Reachable if now < neighbour.due => {}
            NeighbourState::Reachable | NeighbourState::Stale => {
                neighbour.state = NeighbourState::Delay;
                neighbour.due = now + DELAY;
                self.is_news_due = true;
            }
            NeighbourState::Delay | NeighbourState::Probe => {}
            NeighbourState::Incomplete | NeighbourState::Failed => {
                self.is_news_due = true;
                return neighbour.keep(*to, packet, now);
            }
        }
        NextStep::Known(neighbour.hardware)
    }

    /// It was heard. The packets that waited for it; `None` if it is not known: only who asks us something is added.
    pub(super) fn hear(
        &mut self,
        from: IpAddress,
        hardware: EthernetAddress,
        how: Heard,
        now: Instant,
    ) -> Option<Fifo<Box<[u8]>>> {
        if !self.table.contains_key(&from) {
            if how != Heard::Asking {
                return None;
            }
            self.add(from, now)?;
        }
        let neighbour = self.table.get_mut(&from)?;
        let is_news = neighbour.hardware != hardware || !neighbour.state.is_known();
        if how == Heard::Answering || is_news {
            (neighbour.state, neighbour.due) = if how == Heard::Answering {
                (NeighbourState::Reachable, now + GOOD_FOR)
            } else {
                (NeighbourState::Stale, now)
            };
            (neighbour.hardware, neighbour.asked) = (hardware, 0);
        }
        neighbour.used = now;
        Some(core::mem::take(&mut neighbour.waiting))
    }

    /// The next thing that is due, if something is.
    pub(super) fn next_news(&mut self, now: Instant) -> Option<News> {
        let (address, _) = self.table.iter().find(|(_, other)| other.is_due(now))?;
        let address = *address;
        let neighbour = self.table.get_mut(&address)?;
        if neighbour.asked == QUESTIONS {
            neighbour.state = NeighbourState::Failed;
            return Some(News::Unreachable(core::mem::take(&mut neighbour.waiting)));
        }
        if neighbour.state == NeighbourState::Delay {
            neighbour.state = NeighbourState::Probe;
        }
        Some(News::Ask(neighbour.ask(address, now)))
    }

    /// Whether something may be due sooner than when this was last asked.
    pub(super) fn has_changed(&mut self) -> bool {
        core::mem::take(&mut self.is_news_due)
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let waiting = self.table.values().filter(|neighbour| neighbour.is_timed());
        waiting.map(|neighbour| neighbour.due).min()
    }

    /// Forgets them all: the interface is in another network.
    pub(super) fn clear(&mut self) -> Neighbours {
        core::mem::take(self)
    }

    /// All of them, as far as `to` has room, in the order of their addresses. One whose answer is old is stale, whether anybody has
    /// noticed or not.
    pub(super) fn show(&self, now: Instant, to: &mut Vec<NeighbourView>) {
        let shown = self.table.iter().map(|(address, neighbour)| NeighbourView {
            address: *address,
            hardware: neighbour.hardware,
            state: match neighbour.state {
                NeighbourState::Reachable if neighbour.due <= now => NeighbourState::Stale,
                state => state,
            },
        });
        let room = to.capacity() - to.len();
        for neighbour in shown.take(room) {
            push_within_capacity(to, neighbour);
        }
    }

    /// One of which nothing is known. Whoever was used least lately makes room for it.
    fn add(&mut self, address: IpAddress, now: Instant) -> Option<()> {
        if self.table.len() >= MOST {
            let all = self.table.iter();
            let oldest = all.min_by_key(|(_, other)| (!other.waiting.is_empty(), other.used))?;
            let oldest = *oldest.0;
            self.table.remove(&oldest);
        }
        let neighbour = Neighbour {
            state: NeighbourState::Failed,
            hardware: EthernetAddress([0; 6]),
            asked: 0,
            due: now,
            used: now,
            waiting: Fifo::default(),
        };
        self.table.insert(address, neighbour).ok().map(drop)
    }
}

impl Neighbour {
    /// Whether its state ends by itself.
    fn is_timed(&self) -> bool {
        matches!(
            self.state,
            NeighbourState::Incomplete | NeighbourState::Delay | NeighbourState::Probe
        )
    }

    fn is_due(&self, now: Instant) -> bool {
        self.is_timed() && self.due <= now
    }

    /// A question is asked.
    fn ask(&mut self, about: IpAddress, now: Instant) -> Question {
        self.asked += 1;
        self.due = now + PAUSE;
        Question {
            about,
            to: self.state.is_known().then_some(self.hardware),
        }
    }

    /// A packet for one whose address is not known.
    fn keep(&mut self, own: IpAddress, packet: &[u8], now: Instant) -> NextStep {
        let Ok(copy) = fallible::boxed_bytes(packet) else {
            return NextStep::Lost;
        };
        if self.waiting.len() == MOST_WAITING {
            drop(self.waiting.pop());
        }
        if self.waiting.push(copy).is_err() {
            return NextStep::Lost;
        }
        let is_asked = self.state == NeighbourState::Incomplete;
        self.state = NeighbourState::Incomplete;
        NextStep::Waits((!is_asked).then(|| {
            self.asked = 0;
            self.ask(own, now)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIM: IpAddress = IpAddress::v4(192, 0, 2, 2);
    const AT: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);

    fn at(millis: i64) -> Instant {
        Instant::from_millis(millis)
    }

    fn drain(mut waiting: Fifo<Box<[u8]>>) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| waiting.pop().map(Vec::from)).collect()
    }

    #[test]
    fn packets_wait_for_the_answer() {
        let mut all = Neighbours::default();
        let question = Question { about: HIM, to: None };
        assert_eq!(all.way(&HIM, b"one", at(0)), NextStep::Waits(Some(question)));
        assert_eq!(all.way(&HIM, b"two", at(1)), NextStep::Waits(None));
        let waited = all.hear(HIM, AT, Heard::Answering, at(2)).unwrap();
        assert_eq!(drain(waited), [b"one", b"two"]);
        assert_eq!(all.way(&HIM, b"three", at(3)), NextStep::Known(AT));
        assert_eq!(all.due(), None);
    }

    #[test]
    fn who_does_not_answer_three_times_cannot_be_reached() {
        let mut all = Neighbours::default();
        all.way(&HIM, b"one", at(0));
        for second in 1..3 {
            assert!(all.next_news(at(second * 1000 - 1)).is_none());
            assert!(matches!(
                all.next_news(at(second * 1000)),
                Some(News::Ask(Question { to: None, .. }))
            ));
        }
        let Some(News::Unreachable(lost)) = all.next_news(at(3000)) else {
            panic!("it is still waited for");
        };
        assert_eq!(drain(lost), [b"one"]);
        assert_eq!(all.due(), None);
        // Whoever sends again asks again.
        assert!(matches!(
            all.way(&HIM, b"two", at(9000)),
            NextStep::Waits(Some(_))
        ));
        assert_eq!(all.due(), Some(at(10_000)));
    }

    #[test]
    fn an_old_answer_is_used_while_it_is_asked_for_anew() {
        let mut all = Neighbours::default();
        all.way(&HIM, b"one", at(0));
        all.hear(HIM, AT, Heard::Answering, at(0));
        assert_eq!(all.way(&HIM, b"two", at(100_000)), NextStep::Known(AT));
        assert!(all.next_news(at(104_999)).is_none());
        let asks_him = Question {
            about: HIM,
            to: Some(AT),
        };
        for _ in 0..3 {
            assert!(matches!(all.next_news(at(110_000)), Some(News::Ask(question)) if question == asks_him));
            assert_eq!(all.way(&HIM, b"three", at(110_000)), NextStep::Known(AT));
            assert!(all.next_news(at(110_000)).is_none());
            all.table.get_mut(&HIM).unwrap().due = at(110_000);
        }
        assert!(matches!(all.next_news(at(110_000)), Some(News::Unreachable(_))));
        assert!(matches!(
            all.way(&HIM, b"four", at(111_000)),
            NextStep::Waits(Some(Question { to: None, .. }))
        ));
    }

    #[test]
    fn the_table_and_what_waits_are_bounded() {
        let mut all = Neighbours::default();
        let one = |at: usize| IpAddress::v4(10, 0, (at >> 8) as u8, at as u8);
        for index in 0..2 * MOST {
            all.way(&one(index), b"packet", at(index as i64));
        }
        assert_eq!(all.table.len(), MOST);
        assert!(all.table.contains_key(&one(2 * MOST - 1)) && !all.table.contains_key(&one(0)));
        for number in 0..40_u8 {
            all.way(&one(2 * MOST - 1), &[number], at(5000));
        }
        let waited = all
            .hear(one(2 * MOST - 1), AT, Heard::Answering, at(5001))
            .unwrap();
        assert_eq!(drain(waited), (24..40).map(|number| [number]).collect::<Vec<_>>());
    }

    #[test]
    fn who_asks_is_known_but_not_sure() {
        let mut all = Neighbours::default();
        assert!(all.hear(HIM, AT, Heard::Speaking, at(0)).is_none());
        assert!(all.hear(HIM, AT, Heard::Asking, at(0)).is_some());
        assert_eq!(all.way(&HIM, b"one", at(1)), NextStep::Known(AT));
        assert_eq!(all.due(), Some(at(5001)));
    }
}
