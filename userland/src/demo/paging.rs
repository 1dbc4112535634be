//! Q16: a page goes out to swap space and comes back, seen from both sides of a fork.

use alloc::format;

use super::sibling::Sibling;
use super::story::{Story, describe, faults};
use crate::compressed::SwapArea;
use crate::pages::{Page, PageMap, kernel_counter};
use crate::runtime::Result;
use crate::runtime::memory::{Mapping, PAGE, Sharing};

/// Pages of the swap area, with its header.
const AREA_PAGES: usize = 256;
/// Pages of the story.
const PAGES: usize = 4;

/// What stands in them: one for each, and what is stored later.
const BEFORE: [u64; PAGES] = [0x1111, 0x2222, 0x3333, 0x4444];
const BY_PARENT: u64 = 0xaaaa;

/// Steps of the child: load a page, or say how many minor or major faults the last load took.
const LOAD: u64 = 0x100;
const MINOR: u64 = 0x200;
const MAJOR: u64 = 0x300;

/// Q16
pub fn out_and_back(story: &mut Story) -> Result<()> {
    let Some(area) = SwapArea::begin(AREA_PAGES)? else {
        story.not_here("it wants /dev/zram0, unused, and the right to swap to it");
        return Ok(());
    };
    let memory = Mapping::anonymous(PAGES * PAGE, Sharing::Private)?;
    let told = tell(story, &memory);
    let ended = area.end();
    told?;
    story.check(
        ended.is_ok(),
        "swapoff: the area can be given up, all that was in it is back",
    );
    let is_right = memory.load(3 * PAGE) == BEFORE[3];
    story.check(is_right, "page D, which nobody asked for, has come back by that");
    Ok(())
}

fn tell(story: &mut Story, memory: &Mapping) -> Result<()> {
    for (page, value) in BEFORE.into_iter().enumerate() {
        memory.store(page * PAGE, value);
    }
    let ours = PageMap::open("self")?;
    let place = |page| memory.page_address(page);
    story.say(
        "Four pages, A to D, and a swap area on /dev/zram0. The program says that it does not need them \
         (MADV_PAGEOUT): they are compressed there, and their frames are free.",
    );
    show(story, "A before", ours.page(place(0))?);
    memory.page_out()?;
    let gone = ours.page(place(0))?;
    show(story, "A after", gone);
    story.check(
        gone.frame().is_none() && gone.slot().is_some(),
        "A has no frame: its descriptor is invalid for the MMU, and names a slot of the swap area",
    );

    story.say("Now it forks. Nothing is read for that: a slot is counted as a frame is, one reference for each descriptor.");
    let read_before = kernel_counter("pswpin");
    let mut last = (0, 0);
    let child = Sibling::start(&mut |step| child_step(memory, step, &mut last))?;
    let theirs = PageMap::open(&child.name())?;
    show(story, "A of the parent", ours.page(place(0))?);
    show(story, "A of the child", theirs.page(place(0))?);
    story.check(
        ours.page(place(0))?.slot() == gone.slot() && theirs.page(place(0))?.slot() == gone.slot(),
        "both name the same slot",
    );
    story.check(kernel_counter("pswpin") == read_before, "fork has read no page");

    story.say("The parent loads from A.");
    let (minor, major) = faults(|| memory.touch(0))?;
    story.row(&format!("faults of the parent: {minor} minor, {major} major"));
    show(story, "A of the parent", ours.page(place(0))?);
    show(story, "A of the child", theirs.page(place(0))?);
    story.check(major == 1, "one major fault: the page was read");
    story.check(memory.load(0) == BEFORE[0], "and holds what it held");

    story.say("Then the child loads from A.");
    let seen = child.step(LOAD)?;
    let counts = (child.step(MINOR)?, child.step(MAJOR)?);
    story.row(&format!(
        "faults of the child: {} minor, {} major",
        counts.0, counts.1
    ));
    show(story, "A of the child", theirs.page(place(0))?);
    story.check(
        seen == BEFORE[0] && counts.1 == 0,
        "no major fault: the page is in memory already, the child only has to be given it",
    );
    let frame = ours.page(place(0))?.frame();
    story.check(
        frame.is_some() && frame == theirs.page(place(0))?.frame(),
        "both have one frame again, as after any fork",
    );

    story.say(
        "The parent stores to A: copy-on-write, as if the page had never been away. B the child loads first.",
    );
    memory.store(0, BY_PARENT);
    show(story, "A of the parent", ours.page(place(0))?);
    show(story, "A of the child", theirs.page(place(0))?);
    story.check(
        frame == theirs.page(place(0))?.frame() && frame != ours.page(place(0))?.frame(),
        "the parent got a copy, the child keeps the frame",
    );
    let seen = [
        memory.load(0),
        child.step(LOAD)?,
        child.step(LOAD | 1)?,
        memory.load(PAGE),
    ];
    story.row(&format!(
        "A: parent {:x}, child {:x}.  B: child {:x}, parent {:x}",
        seen[0], seen[1], seen[2], seen[3]
    ));
    story.check(
        seen == [BY_PARENT, BEFORE[0], BEFORE[1], BEFORE[1]],
        "nobody lost anything, nobody saw the other's store",
    );
    child.end().map(drop)
}

fn child_step(memory: &Mapping, step: u64, last: &mut (i64, i64)) -> Result<u64> {
    match step & !0xff {
        MINOR => Ok(last.0 as u64),
        MAJOR => Ok(last.1 as u64),
        _ => {
            let offset = (step & 0xff) as usize * PAGE;
            *last = faults(|| memory.touch(offset))?;
            Ok(memory.load(offset))
        }
    }
}

/// A row that says where a page is.
fn show(story: &Story, who: &str, page: Page) {
    match page.slot() {
        Some(slot) => story.row(&format!("{who:<22} swapped out, slot {slot}")),
        None => story.row(&format!("{who:<22} {}", describe(page))),
    }
}
