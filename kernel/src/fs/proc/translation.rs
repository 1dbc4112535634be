//! /proc/PID/translation, Holstein's own: the translation tables as the MMU sees them. One line for the ASID, one for the
//! root, then one for each valid entry: level, index, address, descriptor, the frame it points to and how many
//! references that has.

use abi::Errno;
use mm::Level;

use super::process::Subject;
use super::system::may_look_into;
use super::text::Text;
use crate::memory;

/// All valid entries, each table's before those of the tables below it.
pub fn translation(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    may_look_into(process)?;
    let memory = memory::get();
    process.with_space(|space| {
        let (root, asid) = space.translation_root();
        let count = memory.frames().count(root);
        text.add(format_args!("asid {}\nroot {:x} count {count}\n", asid.0, root.0));
        space.for_each_entry(memory, |entry| {
            let level = match entry.level {
                Level::L1 => 1,
                Level::L2 => 2,
                Level::L3 => 3,
            };
            let (descriptor, frame) = (entry.descriptor.0, entry.descriptor.frame().0);
            let (index, address, count) = (entry.index, entry.address.0, entry.count);
            text.add(format_args!(
                "L{level} {index} {address:x} {descriptor:016x} -> {frame:x} count {count}\n"
            ));
        });
    });
    Ok(())
}
