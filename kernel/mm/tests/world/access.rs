//! What programs do: load, store, execute. Through the machine's TLBs, with the fault path of the heart behind them.

use super::shadow::Verdict;
use super::{Intrusion, Space, World, bump};
use machine::{Moment, PROBES};
use mm::{Access, Obstacle, Outcome, Refusal, Resolution, SegvCode, StackLimits, VirtAddr};
use std::rc::Rc;

/// A stack grows as far as there is room.
pub const NO_LIMITS: StackLimits = StackLimits {
    stack: u64::MAX,
    space: u64::MAX,
    locked: u64::MAX,
};

/// One instruction of a program, on a probe of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// ldr.
    Load,
    /// str.
    Store(u64),
    /// The instruction itself.
    Fetch,
}

impl Use {
    /// As the fault status says it.
    pub fn access(self) -> Access {
        match self {
            Use::Load => Access::Read,
            Use::Store(_) => Access::Write,
            Use::Fetch => Access::Execute,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// The value loaded, stored or fetched, and the faults it took.
    Value(u64, Faults),
    /// A signal.
    Refused(Verdict),
    /// The heart had no frame for it.
    NoMemory,
    /// Somebody else holds the space's lock, the processor would have waited; or the thread ended while it waited for a page.
    Waits,
}

impl Seen {
    /// The value, where the access is known to succeed.
    pub fn value(self) -> u64 {
        match self {
            Seen::Value(value, _) => value,
            other => panic!("the access should have succeeded: {other:?}"),
        }
    }

    /// The faults that a successful access took.
    pub fn faults(self) -> Faults {
        match self {
            Seen::Value(_, faults) => faults,
            other => panic!("the access should have succeeded: {other:?}"),
        }
    }
}

/// Faults of one access: by how it was resolved, and how many were for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// The fault that did something.
    pub resolution: Option<Resolution>,
    /// Faults that found all as it should be.
    pub spurious: u32,
}

impl World {
    /// The thread on `cpu` uses a probe of the page at `address`.
    pub fn access(&self, cpu: usize, address: VirtAddr, probe: usize, what: Use) -> Seen {
        let Some(space) = self.running(cpu) else {
            return Seen::Waits;
        };
        if self.is_locked(&space) {
            return Seen::Waits;
        }
        let byte = VirtAddr(address.page_start().0 + PROBES[probe] as u64 * 8);
        let mut expected = space.shadow.borrow_mut().judge(byte, what.access());
        self.mmu().tempt(address.page_start());
        let mut faults = Faults::default();
        loop {
            if let Some(value) = self.try_access(cpu, &space, byte, probe, what, Moment::Quiet) {
                self.mmu().complain_if(expected != Verdict::Allowed, || {
                    format!("{what:?} at {byte:?} goes through; it should be {expected:?}")
                });
                self.verdict();
                return Seen::Value(value, faults);
            }
            let Some(outcome) = self.fault(cpu, &space, byte, what.access()) else {
                return Seen::Waits;
            };
            match outcome {
                Outcome::Resolved(Resolution::Spurious) => faults.spurious += 1,
                Outcome::Resolved(resolution) if faults.resolution.is_none() && faults.spurious == 0 => {
                    faults.resolution = Some(resolution);
                }
                Outcome::Resolved(resolution) => self.mmu().complain(|| {
                    format!("{what:?} at {byte:?} faults again after {faults:?}, now {resolution:?}")
                }),
                Outcome::Deferred => {
                    if !(self.wait_for_page(cpu, &space, byte) && self.run(cpu, &space)) {
                        self.verdict();
                        return Seen::Waits;
                    }
                    // Whatever others did: it is looked at as if the access was made only now.
                    expected = space.shadow.borrow_mut().judge(byte, what.access());
                    faults = Faults::default();
                    continue;
                }
                Outcome::Refused(refusal) => return self.refused_by(what, byte, expected, refusal),
            }
            bump(&self.statistics.faults);
            self.mmu().complain_if(faults.spurious > 1, || {
                format!("{what:?} at {byte:?}: the fault was resolved and comes back: {faults:?}")
            });
            if self.mmu().complaint().is_some() {
                self.verdict();
                return Seen::Waits;
            }
        }
    }

    fn refused_by(&self, what: Use, byte: VirtAddr, expected: Verdict, refusal: Refusal) -> Seen {
        match refusal {
            Refusal::NoMemory => {
                bump(&self.statistics.refused);
                Seen::NoMemory
            }
            Refusal::Denied(code) => self.refused(what, byte, expected, Verdict::Segv(code)),
            Refusal::BusError => self.refused(what, byte, expected, Verdict::Bus),
        }
    }

    fn refused(&self, what: Use, byte: VirtAddr, expected: Verdict, got: Verdict) -> Seen {
        let is_broken = expected != got && got == Verdict::Bus && self.swapping.device.tell_error();
        self.mmu().complain_if(expected != got && !is_broken, || {
            format!("{what:?} at {byte:?} is refused, {got:?}; it should be {expected:?}")
        });
        self.verdict();
        Seen::Refused(got)
    }

    /// A fault at `address`, as the kernel's loop would serve it; `None` while the lock is held.
    pub fn fault(&self, cpu: usize, space: &Space, address: VirtAddr, access: Access) -> Option<Outcome> {
        self.mmu()
            .note(|| format!("fault: {access:?} at {address:?} in root {:?}", space.root));
        let limits = StackLimits {
            stack: space.shadow.borrow().stack_limit,
            ..NO_LIMITS
        };
        let outcome = self.with_space(cpu, space, |inner| {
            let before = self.before_fault(inner, address);
            let outcome = inner.handle_fault(&self.memory, address, access);
            if outcome == Outcome::Deferred {
                self.check_deferral(inner, before);
            }
            let is_unmapped = outcome == Outcome::Refused(Refusal::Denied(SegvCode::MapErr));
            if is_unmapped && inner.grow_stack(address, limits) == Ok(true) {
                return inner.handle_fault(&self.memory, address, access);
            }
            outcome
        });
        self.mmu().note(|| format!("fault: {outcome:?}"));
        outcome
    }

    /// One try of the instruction: `None` when it faults.
    fn try_access(
        &self,
        cpu: usize,
        space: &Space,
        byte: VirtAddr,
        probe: usize,
        what: Use,
        moment: Moment,
    ) -> Option<u64> {
        let before = self.mmu().set_cpu(cpu);
        let frame = self.mmu().translate(byte, what.access(), moment);
        self.mmu().set_cpu(before);
        let frame = frame?;
        let mut shadow = space.shadow.borrow_mut();
        let Some(page) = shadow.page_mut(byte) else {
            self.mmu()
                .complain(|| format!("{what:?} at {byte:?} reaches {frame:?}, nothing should be there"));
            return Some(0);
        };
        let should_be = page.words()[probe];
        let value = match what {
            Use::Store(value) => {
                if moment == Moment::Busy {
                    space.intrusions.borrow_mut().push(Intrusion {
                        page: byte.page_start(),
                        probe,
                        before: should_be,
                        value,
                    });
                }
                self.mmu().write_probe(frame, probe, value);
                // What a program writes it makes executable itself: DC CVAU, IC IVAU on its own line, and no other.
                self.mmu().sync_probe(frame, probe);
                page.store(probe, value);
                return Some(value);
            }
            Use::Load => self.mmu().read_probe(frame, probe),
            Use::Fetch => self.mmu().fetch_probe(frame, probe),
        };
        self.mmu().complain_if(value != should_be, || {
            format!("{what:?} at {byte:?} on cpu {cpu} gives {value:#x} from {frame:?}; it should be {should_be:#x}")
        });
        Some(value)
    }

    /// A thread on `cpu` uses memory while its space's lock is held by another processor: what its TLB allows happens, what
    /// faults would wait.
    pub fn access_busy(&self, cpu: usize, space: &Rc<Space>, address: VirtAddr, probe: usize, what: Use) {
        let is_forming = space.forming.get().is_some_and(|range| range.contains(address));
        let has_page = space.shadow.borrow().page(address).is_some();
        if is_forming || !has_page {
            return;
        }
        let expected = space.shadow.borrow_mut().judge(address, what.access());
        let byte = VirtAddr(address.page_start().0 + PROBES[probe] as u64 * 8);
        if expected == Verdict::Allowed {
            self.try_access(cpu, space, byte, probe, what, Moment::Busy);
        }
    }

    /// The kernel stores a word into a space, running or not (ptrace, /proc/PID/mem, set_child_tid).
    pub fn kernel_store(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        address: VirtAddr,
        probe: usize,
        value: u64,
    ) -> Seen {
        if self.is_locked(space) {
            return Seen::Waits;
        }
        let byte = VirtAddr(address.page_start().0 + PROBES[probe] as u64 * 8);
        let mut expected = space.shadow.borrow().judge_as_is(byte, Access::Write);
        self.mmu()
            .note(|| format!("kernel stores {value:#x} at {byte:?} in root {:?}", space.root));
        loop {
            match self.try_kernel_store(cpu, space, byte, probe, value) {
                None => return Seen::Waits,
                Some(Ok(())) => {
                    self.mmu().complain_if(expected != Verdict::Allowed, || {
                        format!("the kernel stores at {byte:?}; it should be {expected:?}")
                    });
                    self.verdict();
                    return Seen::Value(value, Faults::default());
                }
                Some(Err(Obstacle::Deferred)) => {
                    if !self.wait_for_page(cpu, space, byte) {
                        return Seen::Waits;
                    }
                    expected = space.shadow.borrow().judge_as_is(byte, Access::Write);
                }
                Some(Err(Obstacle::Refused(refusal))) => {
                    return self.refused_by(Use::Store(value), byte, expected, refusal);
                }
            }
        }
    }

    fn try_kernel_store(
        &self,
        cpu: usize,
        space: &Rc<Space>,
        byte: VirtAddr,
        probe: usize,
        value: u64,
    ) -> Option<Result<(), Obstacle>> {
        self.with_space(cpu, space, |inner| {
            let frame = inner.privatise(&self.memory, byte, Access::Write)?;
            self.mmu().write_probe(frame, probe, value);
            self.mmu().sync_probe(frame, probe);
            if let Some(page) = space.shadow.borrow_mut().page_mut(byte) {
                page.store(probe, value);
            }
            Ok(())
        })
    }
}
