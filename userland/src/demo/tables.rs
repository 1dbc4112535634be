//! Q4 and Q12: the translation tables themselves. Only Holstein shows them (/proc/pid/translation).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::sibling::Sibling;
use super::story::Story;
use crate::pages::{Entry, PageMap, Translation, kernel_counter};
use crate::runtime::Result;
use crate::runtime::memory::{Mapping, PAGE, Sharing};

const BY_PARENT: u64 = 0xaaaa;
const BY_CHILD: u64 = 0xcccc;

/// Q4
pub fn two_roots(story: &mut Story) -> Result<()> {
    story.say(
        "A parent and its child store different values at one virtual address. The MMU never compares processes: it \
         walks down from the root table in TTBR0_EL1, and TLB entries carry the ASID that stood there.",
    );
    let memory = Mapping::anonymous(PAGE, Sharing::Private)?;
    memory.store(0, 1);
    let child = Sibling::start(&mut |_| {
        memory.store(0, BY_CHILD);
        Ok(memory.load(0))
    })?;
    let by_child = child.step(0)?;
    memory.store(0, BY_PARENT);
    let address = memory.page_address(0);
    let (ours, theirs) = (
        PageMap::open("self")?.page(address)?,
        PageMap::open(&child.name())?.page(address)?,
    );
    story.row(&format!("{:<12} {:<26} {:<26}", "", "parent", "child"));
    story.row(&format!(
        "{:<12} {:<26} {:<26}",
        "address",
        format!("{address:#x}"),
        format!("{address:#x}")
    ));
    story.row(&format!(
        "{:<12} {:<26} {:<26}",
        "value",
        format!("{:x}", memory.load(0)),
        format!("{by_child:x}")
    ));
    story.row(&format!(
        "{:<12} {:<26} {:<26}",
        "frame",
        frame_text(ours.frame()),
        frame_text(theirs.frame())
    ));
    match (Translation::of("self"), Translation::of(&child.name())) {
        (Ok(ours), Ok(theirs)) => compare_walks(story, &ours, &theirs, address),
        _ => story.not_here("the roots, ASIDs and descriptors are not shown"),
    }
    story.check(
        memory.load(0) == BY_PARENT && by_child == BY_CHILD,
        "each process sees its own value",
    );
    story.check(
        ours.frame().is_some() && ours.frame() != theirs.frame(),
        "the values lie in different frames",
    );
    child.end()?;
    Ok(())
}

fn frame_text(frame: Option<u64>) -> String {
    frame.map_or("none".to_string(), |frame| format!("{frame:x}"))
}

fn compare_walks(story: &mut Story, ours: &Translation, theirs: &Translation, address: usize) {
    let root = |tables: &Translation| format!("frame {:x}, ASID {}", tables.root, tables.asid);
    story.row(&format!(
        "{:<12} {:<26} {:<26}",
        "TTBR0_EL1",
        root(ours),
        root(theirs)
    ));
    let (our_walk, their_walk) = (ours.walk(address), theirs.walk(address));
    for (a, b) in our_walk.iter().zip(&their_walk) {
        let place = format!("L{}[{}]", a.level, a.index);
        story.row(&format!(
            "{place:<12} {:<26} {:<26}",
            format!("{:016x}", a.descriptor),
            format!("{:016x}", b.descriptor)
        ));
    }
    story.check(ours.root != theirs.root, "two root tables");
    story.check(ours.asid != theirs.asid, "two ASIDs");
    story.check(
        our_walk.len() == 3 && their_walk.len() == 3,
        "three levels each, down to a page",
    );
    let leaf = |walk: &[Entry]| walk.last().map(|entry| entry.descriptor);
    story.check(
        leaf(&our_walk) != leaf(&their_walk),
        "two different page descriptors",
    );
}

/// Q12: two areas of 2 MiB, so that they hang in different level 3 tables.
pub fn shared_tables(story: &mut Story) -> Result<()> {
    const CORNER: usize = 2 << 20;
    let memory = Mapping::anonymous(3 * CORNER, Sharing::Private)?;
    let near = memory.address().next_multiple_of(CORNER) - memory.address();
    let far = near + CORNER;
    for offset in [near, far] {
        memory.store(offset, 1);
    }
    if Translation::of("self").is_err() {
        story.not_here("this kernel copies all tables at fork, or does not show them");
        return Ok(());
    }
    story.say(
        "A parent with two corners of memory, 2 MiB apart, forks. Fork copies the root table (and the path to the \
         stack, Q11): every table below has two parents now, and is read-only from above (APTable). References are the \
         descriptors that point to a table or page (/proc/PID/translation): 2 to the first table that both use, and 1 to \
         what is below it, which was not touched; x2 in the picture.",
    );
    let child = Sibling::start(&mut |_| {
        memory.store(near, BY_CHILD);
        Ok(0)
    })?;
    let tables_of = |process: &str, offset: usize| -> Result<Vec<Entry>> {
        Ok(Translation::of(process)?.walk(memory.address() + offset))
    };
    let show = |title: &str| -> Result<[Vec<Entry>; 4]> {
        story.say(title);
        let name = child.name();
        let walks = [
            tables_of("self", near)?,
            tables_of(&name, near)?,
            tables_of("self", far)?,
            tables_of(&name, far)?,
        ];
        picture(&walks).iter().for_each(|line| story.row(line));
        Ok(walks)
    };
    let before = show("After the fork:")?;
    let copied_before = kernel_counter("cow_tables_copied");
    child.step(0)?;
    let copied = kernel_counter("cow_tables_copied")
        .zip(copied_before)
        .map(|(after, before)| after - before);
    let after = show("After the child stored to the near corner:")?;
    let frame =
        |walks: &[Vec<Entry>; 4], walk: usize, level: usize| walks[walk].get(level).map(|entry| entry.frame);
    let is_same = |walks, a, b, level| {
        frame(walks, a, level).is_some() && frame(walks, a, level) == frame(walks, b, level)
    };
    story.row(&format!(
        "tables copied meanwhile: {}",
        copied.map_or("?".to_string(), |count| count.to_string())
    ));
    story.check(
        is_same(&before, 2, 3, 1),
        "after the fork both use one level 3 table for the far corner",
    );
    story.check(
        !is_same(&after, 0, 1, 1),
        "after the store the near corner has two level 3 tables",
    );
    story.check(!is_same(&after, 0, 1, 2), "and two pages");
    story.check(
        is_same(&after, 2, 3, 1),
        "the far corner still has one table for both",
    );
    child.end()?;
    Ok(())
}

/// The tables of parent and child below their roots, for a near and a far page, each table once. `walks`: those of the parent and of
/// the child to the near page, then to the far one.
fn picture([near, childs_near, far, childs_far]: &[Vec<Entry>; 4]) -> Vec<String> {
    let upper = |walk: &[Entry]| walk.first().map(|entry| entry.frame);
    let mut seen = Vec::new();
    if upper(near) == upper(childs_near) {
        return branch(["parent", "child"], [near, far], &mut seen);
    }
    let mut lines = branch(["parent", ""], [near, far], &mut seen);
    lines.extend(branch(["child", ""], [childs_near, childs_far], &mut seen));
    lines
}

/// What hangs below one table of level 2, which one or two processes have. Tables that were `seen` stand above already.
fn branch(names: [&str; 2], walks: [&Vec<Entry>; 2], seen: &mut Vec<u64>) -> Vec<String> {
    let text = |walk: &[Entry], level: usize, name: &str| {
        let known = walk.get(level);
        known.map_or("?".to_string(), |entry| {
            format!("{name} {:x} x{}", entry.frame, entry.references)
        })
    };
    let mut below = walks.iter().zip(["near", "far"]).map(|(walk, name)| {
        let table = walk.get(1).map_or(0, |entry| entry.frame);
        if seen.contains(&table) {
            return format!("L3 {table:x}, the one above");
        }
        seen.push(table);
        let page = text(walk, 2, &format!("{name} page"));
        format!("{} -- {page}", text(walk, 1, "L3"))
    });
    let is_shared = !names[1].is_empty();
    let middle = text(walks[0], 0, "L2");
    let stem = |mark| if is_shared { mark } else { "-----" };
    let first = format!(
        "{:<6} {} {middle} --+-- {}",
        names[0],
        stem("--+--"),
        below.next().unwrap_or_default()
    );
    let second = format!(
        "{:<6} {} {:width$}   +-- {}",
        names[1],
        if is_shared { "--+  " } else { "     " },
        "",
        below.next().unwrap_or_default(),
        width = middle.len()
    );
    Vec::from([first, second])
}
