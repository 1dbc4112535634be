//! A recording done again: spaces as /proc showed them, then each record by the same code of the heart; what it counts is compared
//! record for record, and the tables at the end entry for entry.

use crate::file::File;
use crate::image::request;
use crate::kernel::{CPUS, Kernel};
use crate::recording::{AreaLine, Record, Recording, Shown, What};
use crate::report::{Report, Word, resolution};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use mm::{
    Access, AddressSpace, AreaFlags, Event, NoMemory, Outcome, PAGE_SHIFT, PAGE_SIZE, Placement, Purpose,
    VirtAddr,
};
use serde::Serialize;

/// Frames beside those that the recording begins with: for its stores, and for whoever goes on behind it.
const SPARE_FRAMES: usize = 1024;

/// What is counted by the heart alone, whatever the machine is.
const COMPARED: [Event; 9] = [
    Event::Copied,
    Event::Regained,
    Event::RegainedInBulk,
    Event::ZeroFilled,
    Event::ZeroShared,
    Event::SourceMapped,
    Event::TableCopied,
    Event::TableRegained,
    Event::Fork,
];

/// A recording, and how far it was done again.
pub struct Playback {
    recording: Recording,
    at: usize,
    differences: Vec<String>,
}

/// The same, for whoever looks.
#[derive(Clone, Debug, Serialize)]
pub struct PlaybackState {
    /// Records that were done, and all.
    at: usize,
    total: usize,
    /// The next one.
    next: Option<String>,
    /// Where the run on the board and this one differ. Behind the last record: in their tables, too.
    differences: Vec<String>,
}

impl Playback {
    /// All of it.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
}

impl Kernel {
    /// A machine with the processes of a recording, as they were at first.
    ///
    /// # Errors
    /// It is no recording, or cannot be put together here.
    pub fn boot_recording(text: &str) -> Result<Kernel, String> {
        let recording = Recording::parse(text)?;
        let in_files: u64 = recording
            .begin
            .iter()
            .flat_map(|shown| &shown.areas)
            .filter(|area| !area.file.is_empty())
            .map(|area| area.first + (area.end - area.start) / PAGE_SIZE as u64)
            .sum();
        let mapped: usize = recording.begin.iter().map(|shown| shown.entries.len()).sum();
        let mut kernel = Kernel::with_frames(in_files as usize + mapped + SPARE_FRAMES)?;
        let mut files = BTreeMap::new();
        for shown in &recording.begin {
            kernel.add_shown(shown, &mut files)?;
        }
        files.values().for_each(|file: &Arc<File>| file.put_at_hand());
        kernel.playback = Some(Playback {
            recording,
            at: 0,
            differences: Vec::new(),
        });
        let begin = kernel.compare(|recording| &recording.begin);
        match begin.first() {
            None => Ok(kernel),
            Some(difference) => Err(format!("cannot be put together here: {difference}")),
        }
    }

    /// A process as it was shown.
    fn add_shown(&mut self, shown: &Shown, files: &mut BTreeMap<String, Arc<File>>) -> Result<(), String> {
        let cpu = self.idlest_cpu();
        let no_memory = |_: NoMemory| "no memory to begin with".to_string();
        let memory = alloc::rc::Rc::clone(&self.memory);
        let space = self
            .in_kernel(cpu, || AddressSpace::new(&memory))
            .map_err(no_memory)?;
        let number = self.add_space(space, BTreeMap::new());
        for area in &shown.areas {
            let file = match area.file.is_empty() {
                true => None,
                false => Some(self.file_of(area, shown, files)?),
            };
            self.map_shown(number, area, file.as_ref())
                .ok_or_else(|| format!("cannot be mapped here: {:x} {}", area.start, area.name))?;
        }
        for entry in shown.entries.iter().filter(|entry| entry.level == 3) {
            let address = VirtAddr(entry.address);
            let Some(area) = shown
                .areas
                .iter()
                .find(|area| (area.start..area.end).contains(&entry.address))
            else {
                return Err(format!("a page without an area: {:x}", entry.address));
            };
            let is_writable = mm::Descriptor(entry.descriptor).is_page_writable();
            let access = match () {
                () if is_writable => Access::Write,
                () if area.rights.execute => Access::Execute,
                () => Access::Read,
            };
            let outcome = self.with_space(cpu, number, |memory, space| {
                space.handle_fault(memory, address, access)
            });
            if !matches!(outcome, Some(Outcome::Resolved(_))) {
                return Err(format!("page {:x} cannot be had: {outcome:?}", entry.address));
            }
        }
        self.add_numbered(shown.pid, 0, number, cpu);
        self.enter(cpu, number);
        Ok(())
    }

    /// The file of an area, as long as any area of the process needs it.
    fn file_of(
        &mut self,
        area: &AreaLine,
        shown: &Shown,
        files: &mut BTreeMap<String, Arc<File>>,
    ) -> Result<Arc<File>, String> {
        if let Some(file) = files.get(&area.file) {
            return Ok(Arc::clone(file));
        }
        let of_it = shown.areas.iter().filter(|other| other.file == area.file);
        let ends = of_it.map(|other| other.first + ((other.end - other.start) >> PAGE_SHIFT));
        let pages = ends.max().unwrap_or(0);
        let inode = 3 + files.len() as u64;
        let contents: Vec<u64> = (0..pages).map(|page| inode * 1000 + page).collect();
        let file = self.new_file(&area.name, inode, &contents)?;
        files.insert(area.file.clone(), Arc::clone(&file));
        Ok(file)
    }

    fn map_shown(&mut self, space: usize, area: &AreaLine, file: Option<&Arc<File>>) -> Option<()> {
        let pages = (area.end - area.start) >> PAGE_SHIFT;
        let purpose = match area.name.as_str() {
            "[stack]" => Purpose::Stack,
            "[heap]" => Purpose::Heap,
            _ => Purpose::Mapping,
        };
        self.with_space(0, space, |memory, inner| {
            if purpose == Purpose::Heap {
                inner.start_break(VirtAddr(area.start));
                let end = VirtAddr(area.end);
                return (inner.set_break(memory, end, AreaFlags::NONE) == end).then_some(());
            }
            let rights = (area.rights, area.sharing);
            let placement = Placement::FixedNoReplace(VirtAddr(area.start));
            let file = file.map(|file| (file, area.first));
            inner
                .map(memory, request(placement, pages, rights, file, purpose))
                .ok()
                .map(drop)
        })?
    }

    /// Does the next record again.
    ///
    /// # Errors
    /// There is none.
    pub fn next_record(&mut self) -> Result<Report, String> {
        let playback = self.playback.as_mut().ok_or("no recording is loaded")?;
        let record = playback.recording.records.get(playback.at).cloned();
        let record = record.ok_or("the recording is at its end")?;
        playback.at += 1;
        let is_last = playback.at == playback.recording.records.len();
        let before = COMPARED.map(|event| self.memory.events(event));
        let mut report = self.do_again(&record)?;
        let mut differences = Vec::new();
        for (event, before) in COMPARED.into_iter().zip(before) {
            let name = event_name(event);
            let here = self.memory.events(event) - before;
            let there = record.counts.get(name).copied().unwrap_or(0);
            if here != there {
                differences.push(format!("{}: {name} {there}, here {here}", record.line));
            }
        }
        if is_last {
            differences.extend(self.compare(|recording| &recording.end));
            report.sentence.push_str(match differences.is_empty() {
                true => {
                    ". The end: every process has the tables that /proc showed on the board, entry for entry"
                }
                false => ". The end: it differs from the board's",
            });
        }
        if !differences.is_empty() {
            report.word = Word::Wrong;
        }
        if let Some(playback) = &mut self.playback {
            playback.differences.extend(differences);
        }
        Ok(report)
    }

    fn do_again(&mut self, record: &Record) -> Result<Report, String> {
        let pid = record.pid;
        let at = self.processes.iter().position(|process| process.number == pid);
        let at = at.ok_or_else(|| crate::command::no_process(pid))?;
        let (cpu, space) = (self.processes[at].cpu, self.processes[at].space);
        self.enter(cpu, space);
        let told = format!("process {pid}, {}", record.line);
        let mut report = Report::of(Word::Done, told);
        match record.what {
            What::Fault(address, access) => {
                let address = VirtAddr(address);
                match self.serve((cpu, space), address, access) {
                    Some(Outcome::Resolved(how)) => report.faults.push(resolution(how)),
                    other => return Err(format!("{}: {other:?}", report.sentence)),
                }
                if access == Access::Write {
                    self.store_again(at, address);
                }
            }
            What::Fork(child, stack) => self.fork_again(at, child, VirtAddr(stack))?,
            What::Brk(end) => {
                self.with_space(cpu, space, |memory, inner| {
                    inner.set_break(memory, VirtAddr(end), AreaFlags::NONE)
                });
            }
            What::Unmap(start, len) => {
                self.with_space(cpu, space, |memory, inner| {
                    inner.unmap(memory, VirtAddr(start), len)
                });
            }
            What::Discard(start, len) => {
                self.with_space(cpu, space, |memory, inner| {
                    inner.discard(memory, VirtAddr(start), len)
                });
            }
            What::Exit => self.end(at),
        }
        Ok(report)
    }

    /// The store that faulted is made: what it stored is not in the recording.
    fn store_again(&mut self, at: usize, address: VirtAddr) {
        let space = self.processes[at].space;
        let found = self.spaces[&space].inner.page(&self.memory, address);
        if let Some(found) = found {
            let value = self.fresh_value();
            self.mmu()
                .write_probe(found.descriptor.frame(), crate::file::WORD, value);
            self.expect(space, address, value);
        }
    }

    fn fork_again(&mut self, at: usize, child: u32, stack: VirtAddr) -> Result<(), String> {
        let (number, cpu, space) = (
            self.processes[at].number,
            self.processes[at].cpu,
            self.processes[at].space,
        );
        let forked = self.with_space(cpu, space, |memory, inner| {
            inner.fork(memory, Some(stack)).map(|forked| forked.beside(inner))
        });
        let Some(Ok(forked)) = forked else {
            return Err("fork: ENOMEM".to_string());
        };
        let expected = self.spaces[&space].expected.clone();
        let forked = self.add_space(forked, expected);
        let cpu = self.idlest_cpu() % CPUS;
        self.add_numbered(child, number, forked, cpu);
        Ok(())
    }

    /// How far the recording is.
    pub fn playback_state(&self) -> Option<PlaybackState> {
        self.playback.as_ref().map(|playback| PlaybackState {
            at: playback.at,
            total: playback.recording.records.len(),
            next: playback
                .recording
                .records
                .get(playback.at)
                .map(|record| format!("process {}, {}", record.pid, record.line)),
            differences: playback.differences.clone(),
        })
    }

    /// What differs so far.
    pub fn differences(&self) -> &[String] {
        self.playback
            .as_ref()
            .map_or(&[], |playback| &playback.differences)
    }
}

fn event_name(wanted: Event) -> &'static str {
    let found = Event::ALL.iter().find(|(event, _)| *event == wanted);
    found.map_or("", |(_, name)| name)
}
