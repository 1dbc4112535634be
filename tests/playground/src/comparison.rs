//! What /proc showed on the board, and what is here: areas, descriptors, references; frames by what they are the same as.

use crate::kernel::Kernel;
use crate::recording::{AreaLine, Recording, Shown};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use mm::{Frame, Level, Sharing};

impl Kernel {
    /// Where what was shown and what is here differ.
    pub fn compare(&self, which: impl Fn(&Recording) -> &Vec<Shown>) -> Vec<String> {
        let Some(playback) = &self.playback else {
            return Vec::new();
        };
        let shown = which(playback.recording());
        let mut comparison = Comparison::default();
        if shown.len() != self.processes.len() {
            comparison.differs(format!(
                "{} processes, here {}",
                shown.len(),
                self.processes.len()
            ));
        }
        for shown in shown {
            self.compare_process(shown, &mut comparison);
        }
        comparison.differences
    }

    fn compare_process(&self, shown: &Shown, comparison: &mut Comparison) {
        let process = self.processes.iter().find(|process| process.number == shown.pid);
        let Some(space) = process.and_then(|process| self.spaces.get(&process.space)) else {
            return comparison.differs(format!("process {} is not here", shown.pid));
        };
        let areas = |area: &AreaLine| (area.start, area.end, area.rights, area.sharing == Sharing::Shared);
        let there: Vec<_> = shown.areas.iter().map(areas).collect();
        let here: Vec<_> = space
            .inner
            .areas()
            .iter()
            .map(|area| {
                (
                    area.range().start().0,
                    area.range().end().0,
                    area.protection,
                    area.sharing == Sharing::Shared,
                )
            })
            .collect();
        if there != here {
            comparison.differs(format!(
                "areas of process {}: {there:x?}, here {here:x?}",
                shown.pid
            ));
        }
        let (root, _) = space.inner.translation_root();
        comparison.frames(shown.root.0, root, "the root");
        let mut there = shown.entries.iter();
        space.inner.for_each_entry(&self.memory, |entry| {
            let level = match entry.level {
                Level::L1 => 1,
                Level::L2 => 2,
                Level::L3 => 3,
            };
            let name = format!("process {}, level {level}, {:x}", shown.pid, entry.address.0);
            let Some(line) = there.next() else {
                return comparison.differs(format!("{name}: not on the board"));
            };
            if (line.level, line.address) != (level, entry.address.0) {
                return comparison.differs(format!(
                    "{name}: on the board level {}, {:x}",
                    line.level, line.address
                ));
            }
            let bits = |descriptor: mm::Descriptor| descriptor.pointing_to(Frame(0)).0;
            let (bits_there, bits_here) = (bits(mm::Descriptor(line.descriptor)), bits(entry.descriptor));
            if bits_there != bits_here {
                comparison.differs(format!("{name}: {bits_there:x}, here {bits_here:x}"));
            }
            let frame = entry.descriptor.frame();
            comparison.frames(line.frame, frame, &name);
            // Others on the board have the file and the zero frame, too.
            let page = space.inner.page(&self.memory, entry.address);
            let is_everybodys = level == 3 && page.is_some_and(|page| page.is_zero || page.is_of_object);
            if !is_everybodys && line.references != entry.count {
                comparison.differs(format!(
                    "{name}: {} references, here {}",
                    line.references, entry.count
                ));
            }
        });
        if let Some(line) = there.next() {
            comparison.differs(format!("process {}: {:x} is not here", shown.pid, line.address));
        }
    }
}

/// Frames have other numbers here: each has one there, and each there one here.
#[derive(Default)]
struct Comparison {
    here: BTreeMap<u64, u32>,
    there: BTreeMap<u32, u64>,
    differences: Vec<String>,
}

impl Comparison {
    fn differs(&mut self, what: String) {
        self.differences.push(what);
    }

    fn frames(&mut self, there: u64, here: Frame, name: &str) {
        let first_here = *self.here.entry(there).or_insert(here.0);
        let first_there = *self.there.entry(here.0).or_insert(there);
        if (first_here, first_there) != (here.0, there) {
            self.differs(format!(
                "{name}: frame {there:x} is {:x} here, and was {first_here:x}",
                here.0
            ));
        }
    }
}
