//! /proc/PID/maps: the areas of an address space, proc(5).

use abi::Errno;
use abi::file::{device_major, device_minor};
use mm::{AddressSpace, Area, Backing, MappedPage, PAGE_SIZE, Purpose, Sharing};

use super::process::Subject;
use super::system::may_look_into;
use super::text::Text;
use crate::memory;

/// Where names begin: `fs/proc/task_mmu.c` pads to it.
const NAME_COLUMN: usize = 73;

/// One line for each area.
pub fn maps(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    may_look_into(process)?;
    let areas = process.with_space(|space| space.areas().clone());
    for area in areas.iter().flat_map(|areas| areas.iter()) {
        line(area, text);
    }
    Ok(())
}

/// The line of an area.
pub fn line(area: &Area, text: &mut Text) {
    let start_of_line = text.0.len();
    let range = area.range();
    let right = |is_given: bool, letter: char| if is_given { letter } else { '-' };
    let protection = area.protection;
    let sharing = if area.sharing == Sharing::Shared { 's' } else { 'p' };
    text.add(format_args!("{:08x}-{:08x} ", range.start().0, range.end().0));
    text.add(format_args!(
        "{}{}",
        right(protection.read, 'r'),
        right(protection.write, 'w')
    ));
    text.add(format_args!("{}{sharing} ", right(protection.execute, 'x')));
    let (offset, identity) = match &area.backing {
        Backing::Anonymous => (0, mm::FileIdentity::default()),
        Backing::Source { source, first } => (first * PAGE_SIZE as u64, source.identity()),
    };
    let (major, minor) = (device_major(identity.device), device_minor(identity.device));
    text.add(format_args!(
        "{offset:08x} {major:02x}:{minor:02x} {} ",
        identity.inode
    ));
    let name = name(area);
    if !name.is_empty() {
        while text.0.len() - start_of_line < NAME_COLUMN {
            text.bytes(b" ");
        }
        text.bytes(name.as_bytes());
    }
    text.bytes(b"\n");
}

fn name(area: &Area) -> alloc::string::String {
    match (&area.purpose, &area.backing) {
        (Purpose::Heap, _) => "[heap]".into(),
        (Purpose::Stack { .. }, _) => "[stack]".into(),
        (Purpose::SignalReturn, _) => "[sigpage]".into(),
        (Purpose::Mapping, Backing::Source { source, .. }) => source.name(),
        (Purpose::Mapping, Backing::Anonymous) => alloc::string::String::new(),
    }
}

/// Whether a mapped page of the area is a page of the file, not a private copy. The space is locked.
pub fn is_file_page(area: &Area, page: &MappedPage) -> bool {
    let Some((source, index)) = area.source_page(page.address) else {
        return false;
    };
    if area.sharing == Sharing::Shared {
        return true;
    }
    // A page that is mapped was asked for before: the file has it, if it still is that long.
    let Ok(frame) = source.page(index) else {
        return false;
    };
    let frame = memory::FrameHandle::from_reference(frame);
    frame.frame() == page.descriptor.frame()
}

/// How many pages of files are mapped.
pub fn file_pages(space: &AddressSpace) -> u64 {
    let mut count = 0;
    for area in space
        .areas()
        .iter()
        .filter(|area| matches!(area.backing, Backing::Source { .. }))
    {
        space.for_each_page(memory::get(), area.range(), |page| {
            count += u64::from(is_file_page(area, &page))
        });
    }
    count
}
