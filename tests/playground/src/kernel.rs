//! The kernel around the heart: processes, spaces and the processors that they run on. What `kernel/task` does on the board, for
//! processes that do nothing by themselves.

use crate::command::{Change, Command, split};
use crate::file::File;
use crate::playback::Playback;
use crate::report::{Report, Word};
use crate::settings::Settings;
use crate::swapping::{Device, SLOTS};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use machine::ram::Ram;
use machine::{SoftMmu, Temper};
use mm::{AddressSpace, Asids, Cost, Frame, Memory, NoMemory, SwapDevice};

/// ASIDs are below this: few, so that a roll-over is seen.
const ASIDS: u32 = 10;
/// The first frame of RAM.
const FIRST_FRAME: Frame = Frame(0x4_0000);
/// Frames of RAM: 1 MiB.
pub const FRAMES: usize = 256;
/// Processors.
pub const CPUS: usize = 2;
/// Processes at the same time: more are hard to look at.
pub const MOST_PROCESSES: usize = 4;
/// Areas of a process: as many as can be looked at.
pub const MOST_AREAS: usize = 16;

fn no_memory(_: NoMemory) -> String {
    "no memory to begin with".to_string()
}

/// An address space, with what its programs should find in it.
pub struct Space {
    /// The heart's. When the machine is thrown away, it is not ended: all its memory goes with it.
    pub inner: ManuallyDrop<AddressSpace>,
    /// What was last stored to private pages, by page number.
    pub expected: BTreeMap<u64, u64>,
    /// Processes that live in it: two after vfork(2).
    pub users: usize,
}

/// A process.
pub struct Process {
    /// Its number.
    pub number: u32,
    /// Who made it.
    pub parent: u32,
    /// The processor that it runs on, for ever.
    pub cpu: usize,
    /// Its space.
    pub space: usize,
    /// It waits for the exec or the exit of this child, which lives in its space.
    pub awaits: Option<u32>,
}

/// All of it.
pub struct Kernel {
    /// The heart's memory, with the machine in it.
    pub memory: Rc<Memory<SoftMmu>>,
    /// As commands have set them.
    pub settings: Settings,
    /// The program that all processes run, and a file of data.
    pub files: Vec<Arc<File>>,
    /// The processes that live, oldest first.
    pub processes: Vec<Process>,
    /// The spaces by number.
    pub spaces: BTreeMap<usize, Space>,
    /// The space that each processor is in.
    pub running: [Option<usize>; CPUS],
    /// What the swap area is on.
    pub device: Arc<Device>,
    /// Frames that somebody else has taken.
    pub held: Vec<Frame>,
    /// What is done again, if anything is.
    pub playback: Option<Playback>,
    /// Descriptors stored so far, by commands.
    pub stores: usize,
    ram: &'static Ram,
    next_process: u32,
    next_space: usize,
    next_value: u64,
}

impl Kernel {
    /// A machine with one process that has just been started.
    ///
    /// # Errors
    /// What went wrong.
    pub fn boot() -> Result<Kernel, String> {
        let mut kernel = Kernel::with_frames(FRAMES)?;
        let space = kernel.new_image(0).map_err(no_memory)?;
        kernel.add_process(0, space, 0);
        Ok(kernel)
    }

    /// A machine with so much RAM, and nobody on it.
    ///
    /// # Errors
    /// What went wrong.
    pub fn with_frames(frames: usize) -> Result<Kernel, String> {
        let ram = Ram::leak(FIRST_FRAME, frames);
        let mmu = SoftMmu::new(FIRST_FRAME, frames, CPUS, 1);
        mmu.set_temper(Temper::Plain);
        let memory = Memory::new(mmu, ram.frames(), Asids::new(ASIDS)).map_err(no_memory)?;
        let memory = Rc::new(memory);
        let counts = Rc::downgrade(&memory);
        memory.mmu().set_count_of(Box::new(move |frame| {
            counts
                .upgrade()
                .map_or(1, |memory| memory.frames().count(Frame(frame)))
        }));
        let device = Arc::new(Device::default());
        let area = memory
            .swap()
            .add_area(SLOTS, 0, Arc::clone(&device) as Arc<dyn SwapDevice>);
        area.map_err(no_memory)?;
        let mut kernel = Kernel {
            memory,
            device,
            settings: Settings::USUAL,
            files: Vec::new(),
            processes: Vec::new(),
            spaces: BTreeMap::new(),
            running: [None; CPUS],
            held: Vec::new(),
            playback: None,
            stores: 0,
            ram,
            next_process: 1,
            next_space: 1,
            next_value: 0,
        };
        for (name, inode, contents) in [
            ("/bin/play", 1, &[1001, 1002, 1003][..]),
            ("/tmp/data", 2, &[2001, 2002]),
        ] {
            kernel.new_file(name, inode, contents)?;
        }
        kernel.files.iter().for_each(|file| file.put_at_hand());
        Ok(kernel)
    }

    /// A file, of which only the page that faults is mapped until it is put at hand.
    ///
    /// # Errors
    /// No memory.
    pub fn new_file(&mut self, name: &str, inode: u64, contents: &[u64]) -> Result<Arc<File>, String> {
        let file = File::new(&self.memory, self.ram.frames(), (name, inode), contents).map_err(no_memory)?;
        let file = Arc::new(file);
        self.files.push(Arc::clone(&file));
        Ok(file)
    }

    /// The machine after a whole history; commands that are refused change nothing.
    ///
    /// # Errors
    /// That of [`Kernel::boot`].
    pub fn replay(history: &str) -> Result<Kernel, String> {
        Kernel::replay_on("", history)
    }

    /// The same, on the machine that a recording begins with; on the usual one if that is empty.
    ///
    /// # Errors
    /// Those of [`Kernel::boot`] and [`Kernel::boot_recording`].
    pub fn replay_on(recording: &str, history: &str) -> Result<Kernel, String> {
        let mut kernel = match recording {
            "" => Kernel::boot()?,
            recording => Kernel::boot_recording(recording)?,
        };
        for command in split(history) {
            let _ = kernel.perform(command);
        }
        Ok(kernel)
    }

    /// Performs one command.
    ///
    /// # Errors
    /// Why it cannot be: nothing has changed.
    pub fn perform(&mut self, text: &str) -> Result<Report, String> {
        let command = Command::parse(text)?;
        let before = self.mmu().executed();
        self.mmu().begin_trace();
        let done = match command {
            Command::Change(change) => self.change(change),
            Command::Process(process, act) => self.act(process, act),
            Command::Page(process, address, act) => self.act_on_page(process, address, act),
            Command::WriteOut => Ok(self.write_out()),
            Command::Next => self.next_record(),
        };
        let trace = self.mmu().end_trace();
        let mut report = done?;
        report.command = text.to_string();
        report.set_cost(before, self.mmu().executed());
        report.set_events(&trace);
        self.stores += report.cost.stores;
        Ok(report)
    }

    /// The machine.
    pub fn mmu(&self) -> &SoftMmu {
        self.memory.mmu()
    }

    /// All frames.
    pub fn frames(&self) -> impl Iterator<Item = Frame> {
        self.ram.all()
    }

    /// What the machine was asked for since it began.
    pub fn executed(&self) -> Cost {
        self.mmu().executed()
    }

    fn change(&mut self, change: Change) -> Result<Report, String> {
        let sentence = match change {
            Change::Scheme(scheme) => {
                self.settings.scheme = scheme;
                format!("fork: {scheme:?} scheme from now on")
            }
            Change::StackPage(stack_page) => {
                self.settings.stack_page = stack_page;
                format!("the stack page at fork: {stack_page:?}")
            }
            Change::Temper(temper) => {
                self.settings.temper = temper;
                self.mmu().set_temper(temper);
                format!("processors: {temper:?} from now on")
            }
            Change::Sabotage(sabotage) => {
                self.settings.sabotage = sabotage;
                self.mmu().set_sabotage(sabotage);
                match sabotage {
                    Some(sabotage) => format!("sabotage: {sabotage:?}"),
                    None => "the machine obeys again".to_string(),
                }
            }
            Change::Leave(Some(left)) => {
                while self.memory.frames().free_count() > left {
                    let Ok(frame) = self.memory.frames().allocate(self.mmu()) else {
                        break;
                    };
                    self.held.push(frame);
                }
                format!("others take all memory but {left} frames")
            }
            Change::Leave(None) => {
                for frame in core::mem::take(&mut self.held) {
                    self.memory.frames().release(self.mmu(), frame);
                }
                "others give their memory back".to_string()
            }
        };
        Ok(Report::of(Word::Setting, sentence))
    }

    /// Runs `act` in the kernel on `cpu`; then, back in user mode, nothing may be pending.
    pub fn in_kernel<T>(&self, cpu: usize, act: impl FnOnce() -> T) -> T {
        self.mmu().set_cpu(cpu);
        let result = act();
        self.mmu().check_return();
        result
    }

    /// Performs `act` on a space, and releases what it leaves to release.
    pub fn with_space<T>(
        &mut self,
        cpu: usize,
        number: usize,
        act: impl FnOnce(&Memory<SoftMmu>, &mut AddressSpace) -> T,
    ) -> Option<T> {
        let memory = Rc::clone(&self.memory);
        let space = self.spaces.get_mut(&number)?;
        memory.mmu().set_cpu(cpu);
        let result = act(&memory, &mut space.inner);
        if let Some(mut deferred) = space.inner.take_deferred(&memory) {
            while deferred.release_some() {}
        }
        memory.mmu().check_return();
        Some(result)
    }

    /// `cpu` goes on in the space, if it is not there already.
    pub fn enter(&mut self, cpu: usize, number: usize) {
        if self.running[cpu] == Some(number) {
            self.mmu().set_cpu(cpu);
            return;
        }
        self.with_space(cpu, number, |memory, space| {
            memory.mmu().begin_switch();
            let (root, asid) = space.activate(memory);
            memory.mmu().activate(root, asid);
        });
        self.running[cpu] = Some(number);
    }

    /// One more space.
    pub fn add_space(&mut self, inner: AddressSpace, expected: BTreeMap<u64, u64>) -> usize {
        let number = self.next_space;
        self.next_space += 1;
        let space = Space {
            inner: ManuallyDrop::new(inner),
            expected,
            users: 1,
        };
        self.spaces.insert(number, space);
        number
    }

    /// One more process; its number.
    pub fn add_process(&mut self, parent: u32, space: usize, cpu: usize) -> u32 {
        let number = self.next_process;
        self.add_numbered(number, parent, space, cpu);
        number
    }

    /// One more process with that number.
    pub fn add_numbered(&mut self, number: u32, parent: u32, space: usize, cpu: usize) {
        self.next_process = self.next_process.max(number + 1);
        self.processes.push(Process {
            number,
            parent,
            cpu,
            space,
            awaits: None,
        });
    }

    /// The processor with the fewest processes.
    pub fn idlest_cpu(&self) -> usize {
        let load = |cpu: &usize| {
            self.processes
                .iter()
                .filter(|process| process.cpu == *cpu)
                .count()
        };
        (0..CPUS).min_by_key(load).unwrap_or(0)
    }

    /// A value that no store has used.
    pub fn fresh_value(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value
    }

    /// A process lets go of its space, which ends with the last one.
    pub fn leave_space(&mut self, cpu: usize, number: usize) {
        let Some(space) = self.spaces.get_mut(&number) else {
            return;
        };
        space.users -= 1;
        if space.users > 0 {
            return;
        }
        for other in 0..CPUS {
            if self.running[other] == Some(number) {
                self.mmu().set_cpu(other);
                self.mmu().deactivate();
                self.running[other] = None;
            }
        }
        if let Some(space) = self.spaces.remove(&number) {
            self.mmu().disown(space.inner.translation_root().0);
            self.in_kernel(cpu, || {
                ManuallyDrop::into_inner(space.inner).release(&self.memory)
            });
        }
    }
}
