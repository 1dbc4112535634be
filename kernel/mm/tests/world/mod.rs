//! The world around the heart: processors that run threads, processes with their shadows, and every operation a kernel
//! performs on an address space, each checked against the shadow and against the machine's complaints.
//!
//! One thread of the host plays all processors. While one of them is inside an operation, the machine calls the world
//! back between its steps ([`World::interlope`]), and another processor may then use its memory, or perform an operation of its own
//! on a space whose lock is free: so two sharers of a table are at work at once.

mod access;
mod check;
mod inheriting;
mod moving;
pub mod object;
pub mod operations;
mod revoking;
mod settings;
pub mod shadow;
mod swapping;
mod waiting;

pub use access::{NO_LIMITS, Seen, Use};
use machine::SoftMmu;
use machine::ram::Ram;
use machine::random::Random;
use mm::{AddressSpace, Asids, Event, Frame, MappedPage, Memory, PageRange, VirtAddr};
use object::{Object, Role, enter_machine};
use revoking::Limbo;
pub use revoking::Negligence;
pub use settings::Settings;
use shadow::Shadow;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
pub use swapping::SwapMistake;
use swapping::Swapping;
pub use waiting::WaitMistake;
use waiting::Waiting;

/// The first frame of the machine's RAM: not 0, so that a lost base shows.
const FIRST_FRAME: Frame = Frame(0x4_0000);

/// Pages of each object, at first.
pub const OBJECT_PAGES: u64 = 6;

/// An address space with its lock and its shadow.
pub struct Space {
    /// The heart's; `None` once released. A failing test leaks it rather than panic a second time.
    inner: RefCell<Option<ManuallyDrop<AddressSpace>>>,
    /// What its processes should see.
    pub shadow: RefCell<Shadow>,
    /// Its root table.
    pub root: Frame,
    /// Processes that live in it (vfork, threads that are processes of their own).
    users: Cell<usize>,
    /// Pages that the operation under way is about to make, which nobody may talk about yet.
    forming: Cell<Option<PageRange>>,
    /// Stores that other processors did during the operation under way.
    intrusions: RefCell<Vec<Intrusion>>,
}

/// A store by one thread while another is inside an operation on their space.
#[derive(Clone, Copy, Debug)]
struct Intrusion {
    page: VirtAddr,
    probe: usize,
    before: u64,
    value: u64,
}

/// One processor as the kernel sees it.
#[derive(Default)]
struct Processor {
    running: RefCell<Option<Rc<Space>>>,
    is_in_kernel: Cell<bool>,
}

/// All of it.
pub struct World {
    /// The heart's memory, with the machine in it.
    pub memory: Rc<Memory<SoftMmu>>,
    /// Text, shared memory, data.
    pub objects: Vec<Arc<Object>>,
    ram: &'static Ram,
    processors: Vec<Processor>,
    spaces: RefCell<Vec<Rc<Space>>>,
    held: RefCell<Vec<Frame>>,
    free_at_start: usize,
    is_switching: Cell<bool>,
    is_caught: bool,
    negligence: Option<Negligence>,
    /// Pages of the data object that are being taken from everybody: they may be reached or not.
    limbo: RefCell<Option<Limbo>>,
    forgets_advice: bool,
    waiting: Waiting,
    swapping: Swapping,
    /// Others are outside of all operations, and stay there.
    is_stopped: Cell<bool>,
    next_value: Cell<u64>,
    dice: RefCell<Random>,
    /// Faults seen by programs, and operations, for the report.
    pub statistics: Statistics,
}

/// How much happened.
#[derive(Default)]
pub struct Statistics {
    /// Faults that the heart resolved.
    pub faults: Cell<u64>,
    /// Operations of another processor in the middle of one.
    pub interruptions: Cell<u64>,
    /// Operations that failed for want of memory.
    pub refused: Cell<u64>,
    /// Faults that had to wait for a page.
    pub deferred: Cell<u64>,
    /// Times that pages were evicted.
    pub evicted: Cell<u64>,
}

/// Adds one.
pub fn bump(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl World {
    /// A machine with objects and no process.
    pub fn new(settings: Settings) -> Rc<World> {
        let ram = Ram::leak(FIRST_FRAME, settings.frames);
        let mmu = SoftMmu::new(FIRST_FRAME, settings.frames, settings.cpus, settings.seed);
        if settings.asid_limit.is_none() {
            mmu.expect_one_asid();
        }
        let asids = settings.asid_limit.map_or_else(Asids::fixed, Asids::new);
        let memory = Memory::new(mmu, ram.frames(), asids).expect("a frame for the zero frame");
        let memory = Rc::new(memory);
        enter_machine(Some(Rc::clone(&memory)));
        let counts = Rc::downgrade(&memory);
        memory.mmu().set_count_of(Box::new(move |frame| {
            counts
                .upgrade()
                .map_or(1, |memory| memory.frames().count(Frame(frame)))
        }));
        let roles = [Role::Text, Role::SharedMemory, Role::Data];
        let objects = roles
            .iter()
            .zip(1..)
            .map(|(role, number)| Arc::new(Object::new(&memory, number, *role, OBJECT_PAGES)));
        let objects: Vec<Arc<Object>> = objects.collect();
        for object in &objects {
            object.late.begin(&settings);
        }
        let world = World {
            free_at_start: memory.frames().free_count(),
            objects,
            is_switching: Cell::new(false),
            is_caught: settings.is_caught,
            negligence: settings.negligence,
            limbo: RefCell::default(),
            forgets_advice: settings.forgets_advice,
            waiting: Waiting::new(settings.wait_mistake),
            swapping: Swapping::new(&settings),
            is_stopped: Cell::new(false),
            ram,
            processors: (0..settings.cpus).map(|_| Processor::default()).collect(),
            spaces: RefCell::default(),
            held: RefCell::default(),
            next_value: Cell::new(1),
            dice: RefCell::new(Random::new(!settings.seed)),
            statistics: Statistics::default(),
            memory,
        };
        world.mmu().set_sabotage(settings.sabotage);
        Rc::new(world)
    }

    /// The machine.
    pub fn mmu(&self) -> &SoftMmu {
        self.memory.mmu()
    }

    /// The dice of whoever decides what happens.
    pub fn throw<T>(&self, decide: impl FnOnce(&mut Random) -> T) -> T {
        decide(&mut self.dice.borrow_mut())
    }

    /// A value that no other store has used.
    pub fn fresh_value(&self) -> u64 {
        self.next_value.set(self.next_value.get() + 1);
        self.next_value.get() << 16 | 0xda7a
    }

    /// All address spaces.
    pub fn spaces(&self) -> Vec<Rc<Space>> {
        self.spaces.borrow().clone()
    }

    /// The space whose thread `cpu` runs.
    pub fn running(&self, cpu: usize) -> Option<Rc<Space>> {
        self.processors[cpu].running.borrow().clone()
    }

    /// A processor that is in user mode or idle.
    pub fn free_cpu(&self) -> Option<usize> {
        let free: Vec<usize> = (0..self.processors.len())
            .filter(|cpu| !self.processors[*cpu].is_in_kernel.get())
            .collect();
        (!free.is_empty()).then(|| self.throw(|dice| dice.pick(&free)))
    }

    /// Whether others are stopped.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.get()
    }

    /// Whether some processor is inside an operation.
    pub fn is_busy(&self) -> bool {
        self.processors
            .iter()
            .any(|processor| processor.is_in_kernel.get())
    }

    /// Runs `act` as `cpu` in the kernel; then, back in user mode, nothing may be pending. The caller asks for the verdict
    /// when it has put the result away: an address space must not be dropped by a panic.
    fn in_kernel<T>(&self, cpu: usize, act: impl FnOnce() -> T) -> T {
        let before = self.mmu().set_cpu(cpu);
        self.processors[cpu].is_in_kernel.set(true);
        let result = act();
        self.processors[cpu].is_in_kernel.set(false);
        self.mmu().check_return();
        self.mmu().set_cpu(before);
        result
    }

    /// Panics with the first complaint, unless some operation is still under way.
    pub fn verdict(&self) {
        if !self.is_busy()
            && let Some(complaint) = self.mmu().complaint()
        {
            if self.is_caught {
                std::panic::resume_unwind(Box::new(complaint));
            }
            panic!("{complaint}");
        }
    }

    /// Performs `act` on the space as `cpu`, under its lock; `None` when somebody else holds it. What it leaves to release is
    /// released piece by piece.
    pub fn with_space<T>(
        &self,
        cpu: usize,
        space: &Space,
        act: impl FnOnce(&mut AddressSpace) -> T,
    ) -> Option<T> {
        let mut guard = space.inner.try_borrow_mut().ok()?;
        let inner = guard.as_mut()?;
        let (result, deferred) = self.in_kernel(cpu, || (act(inner), inner.take_deferred(&self.memory)));
        // The space stays locked, for the shadow is not told yet; nobody needs that for the release.
        if let Some(mut deferred) = deferred {
            while self.in_kernel(cpu, || deferred.release_some()) {}
        }
        Some(result)
    }

    /// Whether an operation on the space is under way.
    pub fn is_locked(&self, space: &Space) -> bool {
        space.inner.try_borrow_mut().is_err()
    }

    fn adopt(&self, inner: AddressSpace, shadow: Shadow) -> Rc<Space> {
        let space = Rc::new(Space {
            root: inner.translation_root().0,
            inner: RefCell::new(Some(ManuallyDrop::new(inner))),
            shadow: RefCell::new(shadow),
            users: Cell::new(1),
            forming: Cell::new(None),
            intrusions: RefCell::default(),
        });
        self.spaces.borrow_mut().push(Rc::clone(&space));
        space
    }

    /// A process with nothing mapped.
    pub fn spawn(&self, cpu: usize) -> Option<Rc<Space>> {
        let inner = self.in_kernel(cpu, || AddressSpace::new(&self.memory)).ok()?;
        let space = self.adopt(inner, Shadow::default());
        self.verdict();
        Some(space)
    }

    /// `cpu` goes on with a thread of the space; false when the space's lock is held, or the lock of the ASIDs: that one the
    /// heart holds while a processor clears its TLB, and another processor would spin for it.
    pub fn run(&self, cpu: usize, space: &Rc<Space>) -> bool {
        if self.is_switching.get() {
            return false;
        }
        let entered = self.with_space(cpu, space, |inner| {
            if self.memory.asids().is_fixed() {
                self.mmu().deactivate();
            }
            self.mmu().begin_switch();
            self.is_switching.set(true);
            let (root, asid) = inner.activate(&self.memory);
            self.is_switching.set(false);
            self.mmu().activate(root, asid);
        });
        if entered.is_some() {
            *self.processors[cpu].running.borrow_mut() = Some(Rc::clone(space));
        }
        self.verdict();
        entered.is_some()
    }

    /// `cpu` has nothing to run.
    pub fn idle(&self, cpu: usize) {
        let before = self.mmu().set_cpu(cpu);
        self.mmu().deactivate();
        self.mmu().set_cpu(before);
        *self.processors[cpu].running.borrow_mut() = None;
    }

    /// Takes every reference that the test holds back, ends all processes, and looks for leaks.
    pub fn finish(&self) {
        for space in self.spaces() {
            space.users.set(1);
            self.exit(0, &space);
        }
        self.release_held(usize::MAX);
        for object in &self.objects {
            while object.pages() < OBJECT_PAGES && object.lengthen(&self.memory) {}
        }
        self.drop_unused();
        self.check_everything();
        let usage = self.memory.swap().usage();
        self.mmu().complain_if(usage.used != 0, || {
            format!("nobody is left, and pages are swapped: {usage:?}")
        });
        let free = self.memory.frames().free_count();
        self.mmu().complain_if(free != self.free_at_start, || {
            format!(
                "leak: {free} frames free at the end, {} at the start",
                self.free_at_start
            )
        });
        self.verdict();
        enter_machine(None);
    }

    /// What the heart says is mapped at `address`.
    pub fn mapped(&self, space: &Space, address: VirtAddr) -> Option<MappedPage> {
        let guard = space.inner.borrow();
        guard.as_ref().and_then(|inner| inner.page(&self.memory, address))
    }

    /// Faults that were resolved, in all spaces.
    pub fn resolved_faults(&self) -> u64 {
        let events = [
            Event::Copied,
            Event::Regained,
            Event::ZeroFilled,
            Event::ZeroShared,
            Event::SourceMapped,
            Event::Spurious,
        ];
        events.map(|event| self.memory.events(event)).iter().sum()
    }

    /// The kernel takes all free frames but `left`; the test holds them.
    pub fn leave_free(&self, left: usize) {
        while self.memory.frames().free_count() > left {
            let Ok(frame) = self.memory.frames().allocate(self.mmu()) else {
                return;
            };
            self.held.borrow_mut().push(frame);
        }
    }

    /// Gives back at most `count` of the frames that the test holds.
    pub fn release_held(&self, count: usize) {
        let len = self.held.borrow().len();
        let released: Vec<Frame> = self.held.borrow_mut().drain(len - len.min(count)..).collect();
        released
            .into_iter()
            .for_each(|frame| self.memory.frames().release(self.mmu(), frame));
    }

    /// The kernel keeps a reference of its own to `frame`.
    pub fn hold(&self, frame: Frame) {
        self.memory.frames().share(frame);
        self.held.borrow_mut().push(frame);
    }
}
