//! /proc/PID/translation, Holstein's own: the translation tables as the MMU sees them. One line for the ASID, one for the
//! root, then one for each valid entry: level, index, address, descriptor, the frame it points to and how many
//! references that has: descriptors that point to it, and the kernel's own. /proc/kpagecount tells something else, how often
//! the page is mapped: a descriptor in a table that two spaces share is one reference and maps it twice. Who may not see the numbers of frames reads 0 in their place.
//!
//! /proc/PID/tables is the same without the lines of pages (level 3): short also for a process with much memory.

use alloc::sync::Arc;

use abi::Errno;
use mm::{Descriptor, Entry, EntryPlace, Frame, Level, VirtAddr};

use super::access::{Inspected, PhysicalAddresses};
use super::proc_task::ProcTask;
use super::seq_file::{FIRST_KEY, SeqFile};
use super::text::Text;
use vfs::file_ops::FileOps;

/// Which entries a file shows.
#[derive(Clone, Copy)]
enum EntryKind {
    All,
    ThoseOfTables,
}

/// Opens the file: all valid entries, each table's before those of the tables below it.
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    open_shown(process, EntryKind::All)
}

/// Opens the file of those that point to tables.
///
/// # Errors
/// As [`open`].
pub fn open_tables(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    open_shown(process, EntryKind::ThoseOfTables)
}

fn open_shown(process: &ProcTask, shown: EntryKind) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = Inspected::new(process)?;
    let frames = PhysicalAddresses::for_current();
    SeqFile::open(move |key, text| {
        Ok(memory
            .with(|space| add(space, shown, key, text, frames))
            .flatten())
    })
}

fn add(
    space: &mm::AddressSpace,
    shown: EntryKind,
    key: u64,
    text: &mut Text,
    frames: PhysicalAddresses,
) -> Option<u64> {
    let memory = memory::get();
    let mut from = EntryPlace::FIRST;
    if key == FIRST_KEY {
        let (root, asid) = space.translation_root();
        let shown = match frames {
            PhysicalAddresses::Shown => root.0,
            PhysicalAddresses::Hidden => 0,
        };
        let references = memory.frames().count(root);
        text.add(format_args!(
            "asid {}\nroot {shown:x} references {references}\n",
            asid.0
        ));
    } else {
        from = place(key);
    }
    let add_line = |entry| {
        let has_room = !text.is_full();
        if has_room {
            line(&entry, text, frames);
        }
        has_room
    };
    let next = match shown {
        EntryKind::All => space.visit_entries(memory, from, add_line),
        EntryKind::ThoseOfTables => space.visit_table_entries(memory, from, add_line),
    };
    next.map(self::key)
}

fn line(entry: &Entry, text: &mut Text, frames: PhysicalAddresses) {
    let descriptor = match frames {
        PhysicalAddresses::Shown => entry.descriptor,
        PhysicalAddresses::Hidden => entry.descriptor.pointing_to(Frame(0)),
    };
    text.bytes(b"L");
    text.decimal(number(entry.level));
    text.field(entry.index as u64);
    text.bytes(b" ");
    text.hexadecimal(entry.address.0, 1);
    text.bytes(b" ");
    text.hexadecimal(descriptor.0, 16);
    text.bytes(b" -> ");
    text.hexadecimal(Descriptor::frame(descriptor).0.into(), 1);
    text.bytes(b" references ");
    text.decimal(entry.count.into());
    text.bytes(b"\n");
}

fn number(level: Level) -> u64 {
    match level {
        Level::L1 => 1,
        Level::L2 => 2,
        Level::L3 => 3,
    }
}

/// Addresses of entries are those of pages: the level finds room below them.
fn key(place: EntryPlace) -> u64 {
    place.address.0 | number(place.level)
}

fn place(key: u64) -> EntryPlace {
    let level = match key & 3 {
        1 => Level::L1,
        2 => Level::L2,
        _ => Level::L3,
    };
    EntryPlace {
        address: VirtAddr(key & !3),
        level,
    }
}
