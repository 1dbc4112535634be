//! What processes do: use memory, with the fault path of the heart behind it, and ask the kernel for things.

use crate::command::{PageAct, ProcessAct, no_process};
use crate::file::WORD;
use crate::image::{STACK_POINTER, request};
use crate::kernel::{CPUS, Kernel, MOST_AREAS, MOST_PROCESSES};
use crate::report::{Report, Word, resolution};
use crate::settings::{ForkScheme, StackPage};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use machine::Moment;
use mm::{
    Access, AreaFlags, Frame, MapError, NoMemory, Outcome, PAGE_SHIFT, PAGE_SIZE, Placement, Protection,
    Purpose, Refusal, SegvCode, Sharing, VirtAddr,
};

/// Pages of what mmap(2) is asked for.
const MAPPED_PAGES: u64 = 2;
/// Faults of one access: an honest machine needs two at most.
const MOST_FAULTS: usize = 6;
/// Pages that the heap may have.
const MOST_HEAP: u64 = 16;

impl Kernel {
    /// Where a process is in the list.
    fn find(&self, number: u32) -> Result<usize, String> {
        let found = self.processes.iter().position(|process| process.number == number);
        let at = found.ok_or_else(|| no_process(number))?;
        match self.processes[at].awaits {
            Some(child) => Err(format!(
                "process {number} waits for the exec or the exit of {child}"
            )),
            None => Ok(at),
        }
    }

    /// What a process asks for.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub fn act(&mut self, number: u32, act: ProcessAct) -> Result<Report, String> {
        let at = self.find(number)?;
        self.check_sight(at, act)?;
        let (_, cpu, space) = self.identity(at);
        self.enter(cpu, space);
        match act {
            ProcessAct::Fork => Ok(self.fork(at)),
            ProcessAct::Vfork => Ok(self.vfork(at)),
            ProcessAct::Exec => Ok(self.exec(at)),
            ProcessAct::Exit => {
                self.end(at);
                Ok(Report::of(Word::Done, format!("process {number} ends")))
            }
            ProcessAct::MapZeros => Ok(self.map(at, Sharing::Private, None)),
            ProcessAct::MapPrivate => Ok(self.map(at, Sharing::Private, Some(1))),
            ProcessAct::MapShared => Ok(self.map(at, Sharing::Shared, Some(1))),
            ProcessAct::Grow => Ok(self.grow(at)),
            ProcessAct::Migrate => Ok(self.migrate(at)),
            ProcessAct::PageOut => Ok(self.page_out(self.identity(at), None)),
        }
    }

    /// What would be more than a person can look at is not done.
    fn check_sight(&self, at: usize, act: ProcessAct) -> Result<(), String> {
        let space = &self.spaces[&self.processes[at].space].inner;
        let (start, end) = space.break_range();
        let is_too_much = match act {
            ProcessAct::Fork | ProcessAct::Vfork => self.processes.len() == MOST_PROCESSES,
            ProcessAct::MapZeros | ProcessAct::MapPrivate | ProcessAct::MapShared => {
                space.areas().iter().count() >= MOST_AREAS
            }
            ProcessAct::Grow => (end.0 - start.0) >> PAGE_SHIFT >= MOST_HEAP,
            ProcessAct::Exec | ProcessAct::Exit | ProcessAct::Migrate | ProcessAct::PageOut => false,
        };
        if is_too_much {
            return Err("more of them would be hard to look at".to_string());
        }
        Ok(())
    }

    fn fork(&mut self, at: usize) -> Report {
        let (number, parent_cpu, space) = self.identity(at);
        let stack = (self.settings.stack_page == StackPage::Copied).then_some(STACK_POINTER);
        let scheme = self.settings.scheme;
        let child = self.with_space(parent_cpu, space, |memory, inner| -> Result<_, NoMemory> {
            let forked = match scheme {
                ForkScheme::Shared => inner.fork(memory, stack)?,
                ForkScheme::Classic => inner.fork_classic(memory)?,
            };
            Ok(forked.beside(inner))
        });
        let Some(Ok(child)) = child else {
            return Report::of(Word::Done, format!("fork of process {number}: ENOMEM"));
        };
        let expected = self.spaces[&space].expected.clone();
        let child = self.add_space(child, expected);
        let cpu = self.idlest_cpu();
        let child = self.add_process(number, child, cpu);
        Report::of(Word::Done, format!("process {number} forks: process {child}"))
    }

    fn vfork(&mut self, at: usize) -> Report {
        let (number, cpu, space) = self.identity(at);
        if let Some(space) = self.spaces.get_mut(&space) {
            space.users += 1;
        }
        let child = self.add_process(number, space, cpu);
        self.processes[at].awaits = Some(child);
        let sentence =
            format!("process {number} vforks: process {child} lives in its space, and {number} waits");
        Report::of(Word::Done, sentence)
    }

    fn exec(&mut self, at: usize) -> Report {
        let (number, cpu, old) = self.identity(at);
        let Ok(new) = self.new_image(cpu) else {
            return Report::of(Word::Done, format!("exec of process {number}: ENOMEM"));
        };
        self.processes[at].space = new;
        self.enter(cpu, new);
        self.leave_space(cpu, old);
        self.resume_parent(number);
        let sentence = format!("process {number} runs a new program in a new space");
        Report::of(Word::Done, sentence)
    }

    /// A process ends.
    pub fn end(&mut self, at: usize) {
        let (number, cpu, space) = self.identity(at);
        self.processes.remove(at);
        self.resume_parent(number);
        self.leave_space(cpu, space);
    }

    fn resume_parent(&mut self, child: u32) {
        for process in &mut self.processes {
            if process.awaits == Some(child) {
                process.awaits = None;
            }
        }
    }

    fn identity(&self, at: usize) -> (u32, usize, usize) {
        let process = &self.processes[at];
        (process.number, process.cpu, process.space)
    }

    fn map(&mut self, at: usize, sharing: Sharing, file: Option<usize>) -> Report {
        let (number, cpu, space) = self.identity(at);
        let file = file.map(|nth| (&self.files[nth], 0));
        let anywhere = Placement::Hint(VirtAddr(0));
        let rights = (Protection::READ_WRITE, sharing);
        let wanted = request(anywhere, MAPPED_PAGES, rights, file, Purpose::Mapping);
        let mapped = self.with_space(cpu, space, |memory, inner| inner.map(memory, wanted));
        let sentence = match mapped {
            Some(Ok(start)) => {
                self.forget(space, start, MAPPED_PAGES);
                format!(
                    "mmap: process {number} gets {MAPPED_PAGES} pages at {:x}",
                    page(start)
                )
            }
            _ => format!("mmap of process {number}: ENOMEM"),
        };
        Report::of(Word::Done, sentence)
    }

    fn grow(&mut self, at: usize) -> Report {
        let (number, cpu, space) = self.identity(at);
        let (_, end) = self.spaces[&space].inner.break_range();
        let wanted = VirtAddr(end.0 + PAGE_SIZE as u64);
        self.with_space(cpu, space, |memory, inner| {
            inner.set_break(memory, wanted, AreaFlags::NONE)
        });
        let sentence = format!("brk: the heap of process {number} has page {:x} too", page(end));
        Report::of(Word::Done, sentence)
    }

    /// The process goes on on the next processor; the one that it leaves keeps what its TLB holds.
    fn migrate(&mut self, at: usize) -> Report {
        let (number, old, space) = self.identity(at);
        let new = (old + 1) % CPUS;
        self.mmu().set_cpu(old);
        self.mmu().deactivate();
        self.running[old] = None;
        self.processes[at].cpu = new;
        self.enter(new, space);
        Report::of(
            Word::Done,
            format!("process {number} goes on on cpu {new}; cpu {old} has nothing to run"),
        )
    }

    /// Pages that nothing has been stored to since they were mapped.
    fn forget(&mut self, space: usize, start: VirtAddr, pages: u64) {
        if let Some(space) = self.spaces.get_mut(&space) {
            let first = page(start);
            space
                .expected
                .retain(|page, _| !(first..first + pages).contains(page));
        }
    }

    /// What a process does to a page.
    ///
    /// # Errors
    /// There is no such process, or it waits.
    pub fn act_on_page(&mut self, number: u32, address: VirtAddr, act: PageAct) -> Result<Report, String> {
        let at = self.find(number)?;
        let (_, cpu, space) = self.identity(at);
        self.enter(cpu, space);
        let len = PAGE_SIZE as u64;
        match act {
            PageAct::Load => return Ok(self.access(at, address, Access::Read)),
            PageAct::Store => return Ok(self.access(at, address, Access::Write)),
            PageAct::Fetch => return Ok(self.access(at, address, Access::Execute)),
            PageAct::PageOut => return Ok(self.page_out(self.identity(at), Some(address))),
            PageAct::Unmap | PageAct::Discard | PageAct::Protect(_) => {}
        }
        let (call, result) = match act {
            PageAct::Unmap => (
                "munmap",
                self.with_space(cpu, space, |memory, inner| inner.unmap(memory, address, len)),
            ),
            PageAct::Protect(protection) => (
                "mprotect",
                self.with_space(cpu, space, |memory, inner| {
                    inner.protect(memory, address, len, protection)
                }),
            ),
            _ => (
                "madvise(MADV_DONTNEED)",
                self.with_space(cpu, space, |memory, inner| inner.discard(memory, address, len)),
            ),
        };
        let result = match result {
            Some(Ok(())) => {
                if call != "mprotect" {
                    self.forget(space, address, 1);
                }
                "0"
            }
            Some(Err(MapError::Invalid)) => "EINVAL",
            Some(Err(MapError::Exists)) => "EEXIST",
            _ => "ENOMEM",
        };
        let sentence = format!("{call} of page {:x} by process {number}: {result}", page(address));
        Ok(Report::of(Word::Done, sentence))
    }

    /// A program uses a word of a page. Where the tables do not let it, the kernel serves the fault, and it is tried again.
    fn access(&mut self, at: usize, address: VirtAddr, access: Access) -> Report {
        let (number, cpu, space) = self.identity(at);
        let mut faults: Vec<&'static str> = Vec::new();
        let verb = match access {
            Access::Read => "loads from",
            Access::Write => "stores to",
            Access::Execute => "executes",
        };
        let what = format!("process {number} {verb} page {:x}", page(address));
        self.mmu().note(|| what.clone());
        loop {
            self.mmu().set_cpu(cpu);
            // TTBR0 translates the lower half alone.
            let translate = || self.mmu().translate(address, access, Moment::Quiet);
            if let Some(frame) = address.is_user().then(translate).flatten() {
                return self.finish_access(at, address, access, (frame, faults), &what);
            }
            let why = self.why_it_faults(space, address, access);
            self.mmu().note(|| format!("the MMU faults: {why}"));
            let outcome = self.serve((cpu, space), address, access);
            let refused = match outcome {
                Some(Outcome::Resolved(how)) if faults.len() < MOST_FAULTS => {
                    faults.push(resolution(how));
                    self.mmu()
                        .note(|| format!("the fault is served: {}", resolution(how)));
                    continue;
                }
                Some(Outcome::Resolved(_) | Outcome::Deferred) | None => {
                    (Word::Wrong, "faults again and again".to_string())
                }
                Some(Outcome::Refused(Refusal::NoMemory)) => {
                    self.end(at);
                    (Word::Killed, "no memory: the process is ended".to_string())
                }
                Some(Outcome::Refused(Refusal::BusError)) => (Word::Signal, "SIGBUS".to_string()),
                Some(Outcome::Refused(Refusal::Denied(SegvCode::MapErr))) => {
                    (Word::Signal, "SIGSEGV, SEGV_MAPERR: there is no area".to_string())
                }
                Some(Outcome::Refused(Refusal::Denied(SegvCode::AccErr))) => (
                    Word::Signal,
                    "SIGSEGV, SEGV_ACCERR: the area forbids it".to_string(),
                ),
            };
            let mut report = Report::of(refused.0, format!("{what}: {}", refused.1));
            report.faults = faults;
            return report;
        }
    }

    /// What the tables say against an access; if that is nothing, it is the TLB that does not know better yet.
    fn why_it_faults(&self, space: usize, address: VirtAddr, access: Access) -> &'static str {
        let inner = &self.spaces[&space].inner;
        let root = inner.translation_root().0;
        let truth = address
            .is_user()
            .then(|| self.mmu().truth(root, address))
            .flatten();
        match (truth, access) {
            (None, _) if inner.swapped_page(&self.memory, address).is_some() => {
                "the descriptor is not valid: it names a slot of the swap area"
            }
            (None, _) => "nothing is mapped there",
            (Some(found), _) if found.grants(access) => {
                "its TLB still holds fewer rights than the tables give"
            }
            (Some(_), Access::Write) => "the page is read-only",
            (Some(_), Access::Execute) => "the page is not executable",
            (Some(_), Access::Read) => "the page may not be accessed",
        }
    }

    fn finish_access(
        &mut self,
        at: usize,
        address: VirtAddr,
        access: Access,
        (frame, faults): (Frame, Vec<&'static str>),
        what: &str,
    ) -> Report {
        let space = self.processes[at].space;
        let expected = self.expected(space, address);
        let area = self.spaces[&space].inner.areas().find(address);
        let is_allowed = area.is_some_and(|area| area.protection.allows(access));
        let mut word = Word::Done;
        let value = match access {
            Access::Write => {
                let value = self.fresh_value();
                self.mmu().write_probe(frame, WORD, value);
                self.mmu().sync_probe(frame, WORD);
                self.expect(space, address, value);
                value
            }
            Access::Read => self.mmu().read_probe(frame, WORD),
            Access::Execute => self.mmu().fetch_probe(frame, WORD),
        };
        let mut sentence = format!("{what}: {value}");
        if !is_allowed {
            word = Word::Wrong;
            sentence.push_str(", which its area forbids");
        } else if access != Access::Write && Some(value) != expected {
            word = Word::Wrong;
            sentence = match expected {
                Some(expected) => format!("{sentence}, where it should find {expected}"),
                None => format!("{sentence}, where nothing should be"),
            };
        }
        if faults.is_empty() {
            sentence.push_str(", no fault");
        } else {
            sentence.push_str(if faults.len() == 1 {
                ", one fault: "
            } else {
                ", faults: "
            });
            sentence.push_str(&faults.join(", "));
        }
        let mut report = Report::of(word, sentence);
        report.faults = faults;
        report.value = Some(value);
        report
    }
}

/// The number of a page.
fn page(address: VirtAddr) -> u64 {
    address.0 >> PAGE_SHIFT
}
