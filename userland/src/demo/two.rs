//! Q2 and Q3: two processes and one page.

use super::sibling::Sibling;
use super::story::{Story, minor_faults};
use crate::pages::PageMap;
use crate::runtime::Result;
use crate::runtime::memory::{Mapping, PAGE, Sharing};

/// The steps of the child in both stories: store to a page (the answer is the number of faults), or load from it.
const STORE: u64 = 0x100;
const LOAD: u64 = 0x200;

/// What the parent wrote before the fork, and who wrote what after it.
const BEFORE: u64 = 0x1111;
const BY_PARENT: u64 = 0xaaaa;
const BY_CHILD: u64 = 0xcccc;

fn child_steps(memory: &Mapping, order: u64) -> Result<u64> {
    let offset = (order & 0xff) as usize * PAGE;
    if order & STORE != 0 {
        return minor_faults(|| memory.store(offset, BY_CHILD)).map(|faults| faults as u64);
    }
    Ok(memory.load(offset))
}

/// Two pages with the same content, each with a frame.
fn two_pages() -> Result<Mapping> {
    let memory = Mapping::anonymous(2 * PAGE, Sharing::Private)?;
    memory.store(0, BEFORE);
    memory.store(PAGE, BEFORE);
    Ok(memory)
}

/// Q2
pub fn who_writes_first(story: &mut Story) -> Result<()> {
    story.say(
        "A parent has pages A and B, both hold 1111, and forks. Then the parent writes aaaa to A, and the child \
         writes cccc to B.",
    );
    let memory = two_pages()?;
    let child = Sibling::start(&mut |order| child_steps(&memory, order))?;
    let (ours, theirs) = (PageMap::open("self")?, PageMap::open(&child.name())?);
    let (a, b) = (memory.page_address(0), memory.page_address(1));
    let shared = ours.page(a)?.frame();
    let shared_b = ours.page(b)?.frame();
    story.say("After the fork:");
    story.page_row("A of the parent", ours.page(a)?);
    story.page_row("A of the child", theirs.page(a)?);
    story.check(
        shared.is_some() && shared == theirs.page(a)?.frame(),
        "both have the same frame for A",
    );

    let parent_faults = minor_faults(|| memory.store(0, BY_PARENT))?;
    let child_faults = child.step(STORE | 1)?;
    story.say("After the two stores:");
    story.page_row("A of the parent", ours.page(a)?);
    story.page_row("A of the child", theirs.page(a)?);
    story.page_row("B of the parent", ours.page(b)?);
    story.page_row("B of the child", theirs.page(b)?);
    story.check(
        parent_faults == 1,
        "the parent's store took one minor fault: its write faults too",
    );
    story.check(child_faults == 1, "the child's store took one minor fault");
    story.check(
        ours.page(a)?.frame() != shared,
        "A: the parent wrote first, so the parent got the copy",
    );
    story.check(
        theirs.page(a)?.frame() == shared,
        "A: the child keeps the old frame",
    );
    story.check(
        theirs.page(b)?.frame() != shared_b,
        "B: the child wrote first, so the child got the copy",
    );
    story.check(
        ours.page(b)?.frame() == shared_b,
        "B: the parent keeps the old frame",
    );
    let seen = [
        memory.load(0),
        child.step(LOAD)?,
        memory.load(PAGE),
        child.step(LOAD | 1)?,
    ];
    story.row(&alloc::format!(
        "A: parent {:x}, child {:x}.  B: parent {:x}, child {:x}",
        seen[0],
        seen[1],
        seen[2],
        seen[3]
    ));
    story.check(
        seen == [BY_PARENT, BEFORE, BEFORE, BY_CHILD],
        "nobody lost anything, nobody saw the other's store",
    );
    child.end()?;
    Ok(())
}

/// Q3
pub fn last_owner(story: &mut Story) -> Result<()> {
    story.say("A parent forks; the child writes to a page and copies it. Now the parent is the last with the old frame.");
    let memory = two_pages()?;
    let child = Sibling::start(&mut |order| child_steps(&memory, order))?;
    let ours = PageMap::open("self")?;
    let address = memory.page_address(0);
    let before = ours.page(address)?;
    story.page_row("before", before);
    story.check(!before.is_exclusive(), "before, a store by the parent would copy");
    child.step(STORE)?;
    let after_copy = ours.page(address)?;
    story.page_row("after the child's copy", after_copy);
    story.check(
        after_copy.is_exclusive(),
        "the parent is alone with the old frame",
    );
    let faults = minor_faults(|| memory.store(0, BY_PARENT))?;
    story.page_row("after its own store", ours.page(address)?);
    story.check(
        ours.page(address)?.frame() == before.frame(),
        "no copy: the parent writes to the same frame",
    );
    story.check(
        faults == 1,
        "one minor fault: the kernel saw that nobody else has the frame and said writable",
    );
    story.check(
        minor_faults(|| memory.store(8, 1))? == 0,
        "the next store takes none",
    );

    story.say("And when the child has ended, page B, which nobody wrote, is the parent's alone again:");
    child.end()?;
    let b = memory.page_address(1);
    let frame = ours.page(b)?.frame();
    story.page_row("B", ours.page(b)?);
    let faults = minor_faults(|| memory.store(PAGE, BY_PARENT))?;
    story.row(&alloc::format!("minor faults of a store to B: {faults}"));
    story.check(
        ours.page(b)?.is_exclusive() && ours.page(b)?.frame() == frame,
        "B was not copied",
    );
    story.check(
        faults <= 1,
        "at most one fault (none if the kernel gave B back together with A)",
    );
    Ok(())
}
