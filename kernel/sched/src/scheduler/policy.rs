//! Scheduling policies (sched(7)): what a program asks for one thread, and what the scheduler makes of it.
//!
//! What was asked for is one word ([`SchedAttributes`]); what follows from it for the scheduler another ([`Class`]), which is 0 for
//! threads that nobody asked anything for. Whoever changes the first computes the second anew until the two agree
//! ([`super::account::Scheduling::change`]).

/// Who is due before this has a real-time priority.
pub(super) const REAL_TIME_END: i64 = 0;

/// The policies of sched(7), by Linux's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Policy {
    /// `SCHED_OTHER`: shares, by the nice value.
    Other = 0,
    /// `SCHED_FIFO`: by priority, as long as it likes.
    Fifo = 1,
    /// `SCHED_RR`: by priority, those of one priority in turns.
    RoundRobin = 2,
    /// `SCHED_BATCH`: as `SCHED_OTHER`, and does not interrupt others when it wakes.
    Batch = 3,
    /// `SCHED_IDLE`: next to nothing while others want to run.
    Idle = 5,
}

impl Policy {
    /// The policy of a number.
    pub fn of(number: u32) -> Option<Policy> {
        [
            Policy::Other,
            Policy::Fifo,
            Policy::RoundRobin,
            Policy::Batch,
            Policy::Idle,
        ]
        .into_iter()
        .find(|policy| *policy as u32 == number)
    }

    /// Whether it has priorities.
    pub fn is_real_time(self) -> bool {
        matches!(self, Policy::Fifo | Policy::RoundRobin)
    }
}

/// What was asked for a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SchedAttributes {
    /// How it is scheduled.
    pub policy: Policy,
    /// The nice value, -20 to 19. It says nothing while the policy has priorities.
    pub nice: i8,
    /// 1 to 99, 0 for policies without.
    pub priority: u8,
    /// `SCHED_RESET_ON_FORK`: children get none of it.
    pub resets_on_fork: bool,
    /// The highest priority of those who wait for what the thread holds (`FUTEX_LOCK_PI`); 0 for none.
    pub inherited: u8,
}

impl SchedAttributes {
    /// What is in a word of [`SchedAttributes::pack`].
    pub fn unpack(word: u32) -> SchedAttributes {
        let [policy, nice, priority, inherited] = word.to_le_bytes();
        SchedAttributes {
            policy: Policy::of(u32::from(policy & !RESETS)).unwrap_or(Policy::Other),
            nice: nice as i8,
            priority,
            resets_on_fork: policy & RESETS != 0,
            inherited,
        }
    }

    /// One word, 0 for a thread that nothing was asked for.
    pub fn pack(self) -> u32 {
        let resets = if self.resets_on_fork { RESETS } else { 0 };
        u32::from_le_bytes([
            self.policy as u8 | resets,
            self.nice as u8,
            self.priority,
            self.inherited,
        ])
    }

    /// What a child begins with.
    pub(super) fn for_child(self) -> SchedAttributes {
        let own = SchedAttributes { inherited: 0, ..self };
        if !self.resets_on_fork {
            return own;
        }
        SchedAttributes {
            policy: Policy::Other,
            priority: 0,
            nice: if self.policy.is_real_time() {
                0
            } else {
                self.nice.max(0)
            },
            resets_on_fork: false,
            ..own
        }
    }

    /// The priority that counts, 0 for none.
    pub fn effective_priority(self) -> u8 {
        self.priority.max(self.inherited)
    }

    pub(super) fn class(self) -> Class {
        let priority = self.effective_priority();
        if priority > 0 {
            // Who inherits a priority keeps it until it lets go of what the others wait for.
            let takes_turns = self.policy == Policy::RoundRobin && priority == self.priority;
            let class = Class::real_time(priority);
            return if takes_turns { class.taking_turns() } else { class };
        }
        match self.policy {
            Policy::Idle => Class::share(IDLE_WEIGHT, Wakes::Last),
            Policy::Batch => Class::share(weight(self.nice), Wakes::Last),
            _ => Class::share(weight(self.nice), Wakes::First),
        }
    }
}

/// The bit of the policy's byte for [`SchedAttributes::resets_on_fork`].
const RESETS: u8 = 0x80;

/// Linux's weights: each step of the nice value is about 10 % of a processor between two (`sched_prio_to_weight`).
const WEIGHTS: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121,
    2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29,
    23, 18, 15,
];
/// The weight of nice value 0.
pub(super) const UNIT: u32 = 1024;
/// That of `SCHED_IDLE` (`WEIGHT_IDLEPRIO`).
const IDLE_WEIGHT: u32 = 3;

fn weight(nice: i8) -> u32 {
    let index = usize::from(nice.wrapping_add(20) as u8);
    WEIGHTS.get(index).copied().unwrap_or(UNIT)
}

/// What a thread that wakes does to the one that runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wakes {
    /// It gets the processor if it has used less.
    First,
    /// It waits until the turn is over.
    Last,
}

/// How the scheduler treats a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Class(u32);

/// The class of a thread with nice value 0 that nothing was asked for.
pub(super) const PLAIN: Class = Class(0);

impl Class {
    const REAL_TIME: u32 = 1 << 31;
    const TAKES_TURNS: u32 = 1 << 30;
    const WAKES_LAST: u32 = 1 << 29;
    const NUMBER: u32 = (1 << 20) - 1;

    fn real_time(priority: u8) -> Class {
        Class(Class::REAL_TIME | u32::from(priority))
    }

    fn taking_turns(self) -> Class {
        Class(self.0 | Class::TAKES_TURNS)
    }

    fn share(weight: u32, wakes: Wakes) -> Class {
        match wakes {
            Wakes::First if weight == UNIT => PLAIN,
            Wakes::First => Class(weight),
            Wakes::Last => Class(Class::WAKES_LAST | weight),
        }
    }

    #[inline]
    pub(super) fn of_word(word: u32) -> Class {
        Class(word)
    }

    #[inline]
    pub(super) const fn word(self) -> u32 {
        self.0
    }

    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self == PLAIN
    }

    /// When a thread of this class is due, if it has a real-time priority.
    pub(super) fn real_time_due(self) -> Option<i64> {
        let is_real_time = self.0 & Class::REAL_TIME != 0;
        is_real_time.then(|| REAL_TIME_END - i64::from(self.0 & Class::NUMBER))
    }

    /// `SCHED_RR`.
    pub(super) fn takes_turns(self) -> bool {
        self.0 & Class::TAKES_TURNS != 0
    }

    /// Whether it lets others go on when it wakes.
    pub(super) fn wakes_last(self) -> bool {
        self.0 & Class::WAKES_LAST != 0
    }

    /// The weight of its share.
    pub(super) fn weight(self) -> i64 {
        match self.0 & Class::NUMBER {
            0 => i64::from(UNIT),
            weight => i64::from(weight),
        }
    }
}
