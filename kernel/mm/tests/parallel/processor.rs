//! What a processor does: run the threads of processes, as its dice say, and look at all that they see.

use crate::machine::{CPU, CPUS, Machine};
use crate::{PAGE_COUNT, PAGES, PROCESSES, Process, SCRATCH, STEPS, World, expected, page_of, request, word};
use mm::{Access, Memory, Outcome, Protection, Refusal, SegvCode, VirtAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};

/// One processor: what it runs, and its dice.
pub struct Processor<'a> {
    world: &'a World,
    number: usize,
    running: Arc<Process>,
    dice: u64,
}

/// The life of processor `number`: `rounds` times [`STEPS`] steps, an audit after each.
pub fn run_processor(world: &World, barrier: &Barrier, number: usize, rounds: usize) {
    CPU.set(number);
    let mut processor = Processor {
        world,
        number,
        running: world.first_process(),
        dice: 0x1234_5678_9abc_def1 + number as u64,
    };
    let first = Arc::clone(&processor.running);
    processor.run(first);
    for _ in 0..rounds {
        for _ in 0..STEPS {
            world.attempt(|| processor.step());
        }
        barrier.wait();
        processor.rest();
        if barrier.wait().is_leader() {
            world.attempt(|| world.audit());
        }
        barrier.wait();
    }
    world.memory.mmu().load_ttbr0(None);
}

impl Processor<'_> {
    fn throw(&mut self, bound: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % bound
    }

    fn memory(&self) -> &Memory<Machine> {
        &self.world.memory
    }

    fn run(&mut self, process: Arc<Process>) {
        let left = std::mem::replace(&mut self.running, process);
        self.running.with(|space| {
            let ttbr0 = space.activate(self.memory());
            self.memory().mmu().load_ttbr0(Some(ttbr0));
        });
        drop(left);
    }

    /// A program's access, faults served as the kernel's loop does; `Err`: the signal.
    fn access(&mut self, address: VirtAddr, store: Option<u64>) -> Result<u64, SegvCode> {
        let tempting = VirtAddr(PAGES + (self.throw(PAGE_COUNT) << 12));
        let access = if store.is_some() {
            Access::Write
        } else {
            Access::Read
        };
        loop {
            if let Some(value) = self.memory().mmu().access(address, store, tempting) {
                return Ok(value);
            }
            let outcome = self
                .running
                .with(|space| space.handle_fault(self.memory(), address, access));
            match outcome {
                Outcome::Resolved(_) => {}
                Outcome::Refused(Refusal::Denied(code)) => return Err(code),
                other => panic!("{other:?}"),
            }
        }
    }

    fn expect(&mut self, address: VirtAddr, wanted: Result<u64, SegvCode>) {
        let seen = self.access(address, None);
        if seen != wanted {
            let root = self.running.with(|space| space.translation_root());
            self.world.complain(format!(
                "processor {} reads {seen:x?} at {address:?} in {root:?}, not {wanted:x?}",
                self.number
            ));
        }
    }

    fn step(&mut self) {
        match self.throw(100) {
            0..70 => self.write_on(),
            70..82 => self.fork(),
            82..90 => self.map_and_unmap(),
            90..96 => self.change(),
            _ => self.exit(),
        }
    }

    /// Goes on with this thread's sequence.
    fn write_on(&mut self) {
        let number = self.number;
        for _ in 0..1 + self.throw(12) {
            let last = self.running.progress[number].load(Ordering::Relaxed);
            let page = page_of(last + 1);
            self.expect(word(page, number), Ok(expected(page, last)));
            if self.access(word(page, number), Some(last + 1)) != Ok(last + 1) {
                self.world.complain("a store is refused".into());
            }
            self.running.progress[number].store(last + 1, Ordering::Relaxed);
        }
    }

    /// Forks, and goes on as the child, which must have been made at one moment.
    fn fork(&mut self) {
        let stack_pointer = match self.throw(3) {
            0 => None,
            _ => Some(word(self.throw(PAGE_COUNT), self.number)),
        };
        let parent = Arc::clone(&self.running);
        let child = parent.with(|space| {
            let forked = space.fork(self.memory(), stack_pointer)?;
            Ok(forked.beside(space))
        });
        let child = self.world.adopt(
            child
                .map_err(|error: mm::NoMemory| error)
                .expect("there is memory for all"),
        );
        self.run(Arc::clone(&child));
        self.world.forks.fetch_add(1, Ordering::Relaxed);
        for thread in 0..CPUS {
            let seen: Vec<u64> = (0..PAGE_COUNT)
                .map(|page| self.access(word(page, thread), None).unwrap_or(u64::MAX))
                .collect();
            let last = seen.iter().copied().max().unwrap_or(0);
            let should_be: Vec<u64> = (0..PAGE_COUNT).map(|page| expected(page, last)).collect();
            if seen != should_be {
                self.world.complain(format!(
                    "fork is not of one moment: of thread {thread} the child has {seen:x?}, not {should_be:x?}"
                ));
                return;
            }
            child.progress[thread].store(last, Ordering::Relaxed);
        }
        let mut processes = self.world.processes.lock().unwrap();
        if processes.len() < PROCESSES {
            processes.push(child);
        }
    }

    /// Memory that comes and goes in tables which others use.
    fn map_and_unmap(&mut self) {
        let start = SCRATCH + self.number as u64 * 0x4000;
        let process = Arc::clone(&self.running);
        process.with(|space| space.map(self.memory(), request(start, 2)).unwrap());
        let value = self.throw(1 << 40);
        let second = VirtAddr(start + 0x1000);
        self.expect(second, Ok(0));
        if self.access(second, Some(value)) != Ok(value) {
            self.world.complain("a store to new memory is refused".into());
        }
        process.with(|space| {
            space
                .protect(self.memory(), VirtAddr(start), 0x2000, Protection::READ)
                .unwrap()
        });
        if self.access(second, Some(1)) != Err(SegvCode::AccErr) {
            self.world
                .complain("a store to read-only memory goes through".into());
        }
        self.expect(second, Ok(value));
        process.with(|space| space.unmap(self.memory(), VirtAddr(start), 0x2000).unwrap());
        self.expect(second, Err(SegvCode::MapErr));
    }

    /// Goes to another process.
    fn change(&mut self) {
        let number = self.throw(PROCESSES as u64) as usize;
        let processes = self.world.processes.lock().unwrap();
        let next = processes.get(number % processes.len().max(1)).cloned();
        drop(processes);
        let next = next.unwrap_or_else(|| self.world.first_process());
        self.run(next);
    }

    /// The process is listed no more, and ends when the last processor leaves it.
    fn exit(&mut self) {
        let mut processes = self.world.processes.lock().unwrap();
        processes.retain(|listed| !Arc::ptr_eq(listed, &self.running));
        drop(processes);
        self.change();
    }

    /// The processor idles; what it ran is listed, so that the audit sees it.
    fn rest(&mut self) {
        let mut processes = self.world.processes.lock().unwrap();
        if !processes.iter().any(|listed| Arc::ptr_eq(listed, &self.running)) {
            processes.push(Arc::clone(&self.running));
        }
    }
}
