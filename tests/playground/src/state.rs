//! Everything that there is to see, as the page is given it and as the test compares it.

use crate::command::sabotage_name;
use crate::file::{WORD, inode_of, name_of};
use crate::kernel::{CPUS, Kernel, Process};
use crate::playback::PlaybackState;
use crate::settings::{ForkScheme, StackPage};
use crate::swapping::SwapState;
use crate::tree::Entry;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use machine::Temper;
use mm::{Area, Event, Frame, MappedPage, PAGE_SHIFT, Purpose, Sharing, VirtAddr};
use serde::Serialize;

/// The whole state.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    scheme: ForkScheme,
    stack_page: StackPage,
    is_unkind: bool,
    sabotage: Option<String>,
    processes: Vec<ProcessState>,
    cpus: Vec<CpuState>,
    frames: Vec<FrameState>,
    swap: SwapState,
    free: usize,
    total: usize,
    held: usize,
    counters: BTreeMap<&'static str, u64>,
    stores: usize,
    tlbis: u64,
    dsbs: u64,
    copied: u64,
    zeroed: u64,
    complaint: Option<String>,
    playback: Option<PlaybackState>,
}

#[derive(Clone, Debug, Serialize)]
struct ProcessState {
    number: u32,
    parent: u32,
    cpu: usize,
    space: usize,
    awaits: Option<u32>,
    root: u32,
    asid: u16,
    areas: Vec<AreaState>,
    tree: Vec<Entry>,
}

#[derive(Clone, Debug, Serialize)]
struct AreaState {
    name: String,
    first: u64,
    rights: String,
    sharing: &'static str,
    pages: Vec<PageState>,
}

#[derive(Clone, Debug, Serialize)]
struct PageState {
    page: u64,
    /// `absent`, `zero`, `file`, `own`, `shared` or `swapped`.
    kind: &'static str,
    frame: Option<u32>,
    /// Where it is, if it is swapped out.
    slot: Option<u32>,
    count: u32,
    /// References, times those of each shared table on the path.
    sharers: u64,
    /// What the leaf says, and what the whole path says.
    leaf_writable: bool,
    writable: bool,
    value: Option<u64>,
    expected: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct CpuState {
    space: Option<usize>,
    tlb: Vec<TlbState>,
}

#[derive(Clone, Debug, Serialize)]
struct TlbState {
    asid: u16,
    page: u64,
    frame: u32,
    rights: String,
    is_owned: bool,
    is_right: bool,
}

#[derive(Clone, Debug, Serialize)]
struct FrameState {
    frame: u32,
    count: u32,
    role: &'static str,
}

impl Kernel {
    /// What there is to see.
    pub fn state(&self) -> State {
        let executed = self.executed();
        let counted = Event::ALL
            .iter()
            .map(|(event, name)| (*name, self.memory.events(*event)));
        let counters = counted.filter(|(_, count)| *count != 0).collect();
        let processes: Vec<ProcessState> = self
            .processes
            .iter()
            .filter_map(|process| self.process_state(process))
            .collect();
        State {
            scheme: self.settings.scheme,
            stack_page: self.settings.stack_page,
            is_unkind: self.settings.temper == Temper::Unkind,
            sabotage: self.settings.sabotage.map(sabotage_name),
            cpus: (0..CPUS).map(|cpu| self.cpu_state(cpu)).collect(),
            frames: self.frame_states(&processes),
            swap: self.swap_state(),
            processes,
            free: self.memory.frames().free_count(),
            total: self.frames().count(),
            held: self.held.len(),
            counters,
            stores: self.stores,
            tlbis: executed.tlbis,
            dsbs: executed.dsbs,
            copied: executed.bytes_copied,
            zeroed: executed.bytes_zeroed,
            complaint: self.mmu().complaint(),
            playback: self.playback_state(),
        }
    }

    fn process_state(&self, process: &Process) -> Option<ProcessState> {
        let space = self.spaces.get(&process.space)?;
        let (root, asid) = space.inner.translation_root();
        let areas = space.inner.areas().iter();
        Some(ProcessState {
            number: process.number,
            parent: process.parent,
            cpu: process.cpu,
            space: process.space,
            awaits: process.awaits,
            root: root.0,
            asid: asid.0,
            areas: areas.map(|area| self.area_state(process.space, area)).collect(),
            tree: self.tree(process.space),
        })
    }

    fn area_state(&self, space: usize, area: &Area) -> AreaState {
        let source = area.source_page(area.range().start());
        let name = match (area.purpose, source) {
            (Purpose::Heap, _) => "heap".to_string(),
            (Purpose::Stack, _) => "stack".to_string(),
            (_, Some((source, _))) => name_of(source.as_ref()).to_string(),
            _ => "mmap".to_string(),
        };
        let may = area.protection;
        let letter = |is_allowed: bool, letter: char| if is_allowed { letter } else { '-' };
        let first = area.range().start().0 >> PAGE_SHIFT;
        AreaState {
            name,
            first,
            rights: [
                letter(may.read, 'r'),
                letter(may.write, 'w'),
                letter(may.execute, 'x'),
            ]
            .iter()
            .collect(),
            sharing: match area.sharing {
                Sharing::Private => "private",
                Sharing::Shared => "shared",
            },
            pages: (first..first + area.range().pages())
                .map(|page| self.page_state(space, page))
                .collect(),
        }
    }

    fn page_state(&self, number: usize, page: u64) -> PageState {
        let address = VirtAddr(page << PAGE_SHIFT);
        let absent = PageState {
            page,
            kind: "absent",
            frame: None,
            slot: None,
            count: 0,
            sharers: 0,
            leaf_writable: false,
            writable: false,
            value: None,
            expected: self.expected(number, address),
        };
        let Some(space) = self.spaces.get(&number) else {
            return absent;
        };
        if let Some(slot) = space.inner.swapped_page(&self.memory, address) {
            return PageState {
                kind: "swapped",
                slot: Some(slot.offset()),
                count: self.memory.swap().slot_state(slot).0,
                value: self.swapped_word(slot),
                ..absent
            };
        }
        match space.inner.page(&self.memory, address) {
            Some(found) => self.mapped_state(space.inner.translation_root().0, &found, absent),
            None => absent,
        }
    }

    fn mapped_state(&self, root: Frame, found: &MappedPage, absent: PageState) -> PageState {
        let truth = self.mmu().truth(root, found.address);
        let frame = found.descriptor.frame();
        PageState {
            kind: match () {
                () if found.is_zero => "zero",
                () if found.is_of_object => "file",
                () if found.is_exclusive => "own",
                () => "shared",
            },
            frame: Some(frame.0),
            count: found.count,
            sharers: found.sharers(),
            leaf_writable: found.descriptor.is_page_writable(),
            writable: truth.is_some_and(|truth| truth.rights.write),
            value: Some(self.mmu().read_probe(frame, WORD)),
            ..absent
        }
    }

    /// What a program should find at an address, if it may look.
    pub fn expected(&self, space: usize, address: VirtAddr) -> Option<u64> {
        let space = self.spaces.get(&space)?;
        let area = space.inner.areas().find(address)?;
        let of_file = || match area.source_page(address) {
            None => 0,
            Some((source, index)) => {
                let inode = inode_of(source.as_ref());
                self.files
                    .iter()
                    .find(|file| inode_of(file.as_ref()) == inode)
                    .map_or(0, |file| file.expected(index))
            }
        };
        match (area.sharing, space.expected.get(&(address.0 >> PAGE_SHIFT))) {
            (Sharing::Private, Some(value)) => Some(*value),
            _ => Some(of_file()),
        }
    }

    /// A program has stored `value`.
    pub fn expect(&mut self, number: usize, address: VirtAddr, value: u64) {
        let Some(space) = self.spaces.get_mut(&number) else {
            return;
        };
        let area = space.inner.areas().find(address);
        let shared = area.filter(|area| area.sharing == Sharing::Shared);
        match shared.and_then(|area| area.source_page(address)) {
            Some((source, index)) => {
                let inode = inode_of(source.as_ref());
                let file = self.files.iter().find(|file| inode_of(file.as_ref()) == inode);
                file.inspect(|file| file.expect(index, value));
            }
            None => {
                space.expected.insert(address.0 >> PAGE_SHIFT, value);
            }
        }
    }

    fn cpu_state(&self, cpu: usize) -> CpuState {
        let remembered = self.mmu().remembered(cpu).into_iter();
        let letter = |is_allowed: bool, letter: char| if is_allowed { letter } else { '-' };
        CpuState {
            space: self.running[cpu],
            tlb: remembered
                .map(|entry| TlbState {
                    asid: entry.asid,
                    page: entry.address >> PAGE_SHIFT,
                    frame: entry.frame,
                    rights: format!(
                        "{}{}{}",
                        letter(entry.rights.read, 'r'),
                        letter(entry.rights.write, 'w'),
                        letter(entry.rights.execute, 'x')
                    ),
                    is_owned: entry.is_owned,
                    is_right: entry.is_right,
                })
                .collect(),
        }
    }

    /// The frames that are in use, and what for.
    fn frame_states(&self, processes: &[ProcessState]) -> Vec<FrameState> {
        let cached = self.used_slots().filter_map(|(_, _, frame)| frame);
        let mut roles: BTreeMap<u32, &'static str> = cached.map(|frame| (frame.0, "swap cache")).collect();
        for process in processes {
            roles.insert(process.root, "root");
            for upper in &process.tree {
                roles.extend(upper.frame.map(|frame| (frame, "level 2")));
                for lower in &upper.entries {
                    roles.extend(lower.frame.map(|frame| (frame, "level 3")));
                    let pages = lower.entries.iter().filter_map(|page| page.frame);
                    roles.extend(pages.map(|frame| (frame, "page")));
                }
            }
        }
        for frame in self.files.iter().flat_map(|file| file.pages()) {
            roles.insert(frame.0, "file");
        }
        roles.insert(self.memory.zero_frame().0, "zero");
        for frame in &self.held {
            roles.insert(frame.0, "held");
        }
        let used = self
            .frames()
            .filter(|frame| self.memory.frames().count(*frame) > 0);
        used.map(|Frame(frame)| FrameState {
            frame,
            count: self.memory.frames().count(Frame(frame)),
            role: roles.get(&frame).copied().unwrap_or("kept"),
        })
        .collect()
    }
}
