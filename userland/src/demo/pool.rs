//! Q5 and Q6: where frames come from, and when.

use alloc::collections::BTreeSet;
use alloc::format;

use super::shortage::has_exact_counts;
use super::sibling::Sibling;
use super::story::{Story, minor_faults};
use crate::pages::{FrameFlags, PageMap, memory_kib};
use crate::runtime::memory::{Break, Mapping, PAGE, Region, Sharing};
use crate::runtime::process::{self, Fork};
use crate::runtime::{Errno, Result, file};

/// How many pages Q5 takes each time: 4 MiB.
const PAGES: usize = 1024;

/// What a process leaves behind in its pages, for the next to find if it could.
const SECRET: u64 = 0x5ec2_e75e_c2e7_0000;

fn touch_all(memory: &Region) {
    for page in 0..memory.pages() {
        memory.store(page * PAGE, 1);
    }
}

/// How much free memory shrinks, in pages, while something runs.
fn pages_taken(run: impl FnOnce()) -> Result<i64> {
    let free = || memory_kib("MemFree").ok_or(Errno::ENOENT);
    let before = free()?;
    run();
    Ok((before as i64 - free()? as i64) / 4)
}

/// Q5
pub fn one_pool(story: &mut Story) -> Result<()> {
    story.say("Three ways to need a frame, 1024 pages each, and what MemFree in /proc/meminfo says (the few more are translation tables):");
    let demand = Mapping::anonymous(PAGES * PAGE, Sharing::Private)?;
    let by_demand = pages_taken(|| touch_all(&demand))?;
    let heap = Break::grow(PAGES)?;
    let by_break = pages_taken(|| touch_all(&heap))?;
    let child = Sibling::start(&mut |_| Ok(0))?;
    let by_copy = pages_taken(|| touch_all(&demand))?;
    child.end()?;
    for (way, taken) in [
        ("first stores to mmap memory (demand-zero)", by_demand),
        ("first stores to brk memory (demand-zero)", by_break),
        ("stores after fork (copy-on-write)", by_copy),
    ] {
        story.row(&format!("{taken:>5} pages from the free pool: {way}"));
        // Tables are some more; what others have at hand for each processor they count as taken.
        let is_about = (900..1300).contains(&taken);
        story.check_if_known(
            (is_about || has_exact_counts()).then_some(is_about),
            &format!("about 1024: {way}"),
        );
    }
    drop((demand, heap));
    story.say("A process fills 1024 pages with a secret and ends. Then we take 1024 pages and look for it.");
    let (mut reused, mut found) = (0, 0);
    for _ in 0..TRIES {
        let (frames, words) = search(&secret_keeper()?)?;
        (reused, found) = (frames, found + words);
        if reused > 0 {
            break;
        }
    }
    story.row(&format!(
        "{reused} of our 1024 frames had been that process's; words that are not zero: {found}"
    ));
    story.check_if_known(
        (reused > 0 || has_exact_counts()).then_some(reused > 0),
        "frames come back: one pool for all processes",
    );
    story.check(found == 0, "and never with the content of another");
    Ok(())
}

/// A process that ends on another processor leaves its frames at hand there, so that the next to take some may get none of
/// them: it is tried so often at most.
const TRIES: usize = 16;

/// Takes pages: how many of them lie in one of these frames, and how many words of them are not zero.
fn search(owned: &BTreeSet<u64>) -> Result<(usize, usize)> {
    let fresh = Mapping::anonymous(PAGES * PAGE, Sharing::Private)?;
    touch_all(&fresh);
    let map = PageMap::open("self")?;
    let (mut reused, mut found) = (0, 0);
    for page in 0..PAGES {
        let frame = map.page(fresh.page_address(page))?.frame();
        reused += usize::from(frame.is_some_and(|frame| owned.contains(&frame)));
        // The first word is ours by now; all others must be zero.
        found += (1..PAGE / 8)
            .filter(|word| fresh.load(page * PAGE + word * 8) != 0)
            .count();
    }
    Ok((reused, found))
}

/// Lets a child fill pages with a secret and end; the frames that it had.
fn secret_keeper() -> Result<BTreeSet<u64>> {
    let (reader, writer) = file::pipe()?;
    let Fork::Parent(pid) = process::fork()? else {
        let told = fill_and_tell(&writer);
        process::exit_now(i32::from(told.is_err()))
    };
    drop(writer);
    let bytes = reader.read_all()?;
    process::wait_for_end(pid)?;
    Ok(bytes
        .chunks_exact(8)
        .filter_map(|word| word.first_chunk())
        .map(|word| u64::from_le_bytes(*word))
        .collect())
}

fn fill_and_tell(writer: &file::File) -> Result<()> {
    let memory = Mapping::anonymous(PAGES * PAGE, Sharing::Private)?;
    for offset in (0..memory.length()).step_by(8) {
        memory.store(offset, SECRET + offset as u64);
    }
    let map = PageMap::open("self")?;
    for page in 0..PAGES {
        let frame = map
            .page(memory.page_address(page))?
            .frame()
            .ok_or(Errno::EFAULT)?;
        writer.write(&frame.to_le_bytes())?;
    }
    Ok(())
}

/// Q6
pub fn growth(story: &mut Story) -> Result<()> {
    const GROWTH: usize = 16;
    story.say("brk (what malloc calls) moves a border. It makes no page: that happens at the first touch.");
    let heap = Break::grow(GROWTH)?;
    let map = PageMap::open("self")?;
    let present = |memory: &Region| -> Result<usize> {
        let mut count = 0;
        for page in 0..memory.pages() {
            count += usize::from(map.page(memory.page_address(page))?.frame().is_some());
        }
        Ok(count)
    };
    story.row(&format!("16 pages more; pages with a frame: {}", present(&heap)?));
    story.check(present(&heap)? == 0, "no frame until touched");
    let faults = minor_faults(|| touch_all(&heap))?;
    story.row(&format!(
        "after a store to each: {}, minor faults: {faults}",
        present(&heap)?
    ));
    story.check(faults == GROWTH as i64, "one minor fault for each page");
    story.check(present(&heap)? == GROWTH, "and a frame for each");

    story.say("Loads from pages that nobody wrote:");
    let memory = Mapping::anonymous(GROWTH * PAGE, Sharing::Private)?;
    let mut sum = 0;
    let faults = minor_faults(|| sum = (0..GROWTH).map(|page| memory.load(page * PAGE)).sum::<u64>())?;
    let frame = map.page(memory.page_address(0))?.frame();
    let mut is_one_frame = frame.is_some();
    for page in 0..GROWTH {
        is_one_frame &= map.page(memory.page_address(page))?.frame() == frame;
    }
    story.row(&format!("sum of what was read: {sum}, minor faults: {faults}"));
    story.page_row("the first page", map.page(memory.page_address(0))?);
    story.page_row("the last page", map.page(memory.page_address(GROWTH - 1))?);
    story.check(sum == 0, "they read as zero");
    story.check(is_one_frame, "all 16 pages show one and the same frame");
    let is_zero_frame = frame
        .map(FrameFlags::of)
        .transpose()?
        .is_some_and(FrameFlags::is_zero_frame);
    story.check(is_zero_frame, "it is the zero frame");
    let faults = minor_faults(|| memory.store(0, 7))?;
    story.page_row("after a store", map.page(memory.page_address(0))?);
    story.check(faults == 1, "the first store takes one fault");
    story.check(
        map.page(memory.page_address(0))?.frame() != frame,
        "and gets a frame of its own",
    );
    story.check(memory.load(PAGE) == 0, "the zero frame is still zero");
    Ok(())
}
