//! /proc/PID/maps: the areas of an address space, proc(5).

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{device_major, device_minor};
use mm::{AddressSpace, Area, Backing, PAGE_SIZE, Purpose, Sharing, VirtAddr};

use super::access::Inspected;
use super::proc_task::ProcTask;
use super::seq_file::SeqFile;
use super::text::Text;
use super::text_line::TextLine;
use formats::escape::Escaped;
use sched::scheduler;
use vfs::file_ops::FileOps;

/// Where names begin: `fs/proc/task_mmu.c` pads to it.
const NAME_COLUMN: usize = 73;
/// All of a line but the name, with room for a number.
const MOST_OF_LINE: usize = 160;
/// Areas copied under one hold of the space's lock.
const BATCH: usize = 16;

/// Opens the file: one line for each area.
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = Inspected::new(process)?;
    SeqFile::open(move |from, text| {
        let stack = stack_of(&memory);
        for_each_area(&memory, from, text, |area, text| line(area, stack, text))
    })
}

/// Where the program's stack began: what lies there is named `[stack]`.
pub fn stack_of(memory: &Inspected) -> VirtAddr {
    let layout = memory.with_space(|space| space.program.load());
    VirtAddr(layout.unwrap_or_default().stack)
}

/// Adds `show` of the areas that end above the address `from`, until the text is full; the address to go on from.
///
/// # Errors
/// `EINTR`: the reader is to end.
pub fn for_each_area(
    memory: &Inspected,
    mut from: u64,
    text: &mut Text,
    show: impl Fn(&Area, &mut Text),
) -> Result<Option<u64>, Errno> {
    while !text.is_full() {
        let areas = memory.with(|space| some_areas(space, VirtAddr(from)));
        let mut is_end = true;
        for area in areas.iter().flatten().flatten() {
            is_end = false;
            show(area, text);
            from = area.range().end().0;
            if text.is_full() {
                break;
            }
        }
        if is_end {
            return Ok(None);
        }
        scheduler::cond_resched_killable()?;
    }
    Ok(Some(from))
}

/// Names are made with no lock held, so the areas are copied first.
fn some_areas(space: &AddressSpace, from: VirtAddr) -> [Option<Area>; BATCH] {
    let mut areas = space.areas().iter_from(from);
    core::array::from_fn(|_| areas.next().cloned())
}

/// The line of an area. `stack`: where the program's stack began.
pub fn line(area: &Area, stack: VirtAddr, text: &mut Text) {
    let range = area.range();
    let mut line = TextLine::<MOST_OF_LINE>::new();
    line.hexadecimal(range.start().0, 8);
    line.bytes(b"-");
    line.hexadecimal(range.end().0, 8);
    line.bytes(&rights(area));
    match &area.backing {
        Backing::Anonymous => line.bytes(b"00000000 00:00 0 "),
        Backing::Source { source, first } => {
            let identity = source.identity();
            line.hexadecimal(first * PAGE_SIZE as u64, 8);
            line.bytes(b" ");
            line.hexadecimal(device_major(identity.device).into(), 2);
            line.bytes(b":");
            line.hexadecimal(device_minor(identity.device).into(), 2);
            line.bytes(b" ");
            line.decimal(identity.inode);
            line.bytes(b" ");
        }
    }
    let mut is_first = true;
    name(area, stack, &mut |name| {
        if core::mem::take(&mut is_first) {
            line.pad(NAME_COLUMN);
            line.add_to(text);
        }
        text.escaped(&Escaped::path(name));
    });
    line.bytes(b"\n");
    line.add_to(text);
}

fn rights(area: &Area) -> [u8; 6] {
    let right = |is_given: bool, letter: u8| if is_given { letter } else { b'-' };
    let protection = area.protection;
    let sharing = if area.sharing == Sharing::Shared {
        b's'
    } else {
        b'p'
    };
    [
        b' ',
        right(protection.read, b'r'),
        right(protection.write, b'w'),
        right(protection.execute, b'x'),
        sharing,
        b' ',
    ]
}

fn name(area: &Area, stack: VirtAddr, write: &mut dyn FnMut(&[u8])) {
    match (&area.purpose, &area.backing) {
        _ if area.range().contains(stack) => write(b"[stack]"),
        (Purpose::Heap, _) => write(b"[heap]"),
        (Purpose::Mapping | Purpose::Stack | Purpose::Kernel, Backing::Source { source, .. }) => {
            source.name(write)
        }
        (Purpose::Mapping | Purpose::Stack | Purpose::Kernel, Backing::Anonymous) => {}
    }
}
