//! Q7, Q8, Q9: programs.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::sibling::{Sibling, become_pause, pause_command};
use super::story::{Story, minor_faults};
use crate::pages::{PageMap, areas, times_mapped};
use crate::runtime::file::{self, File};
use crate::runtime::memory::{Mapping, PAGE, Region, Sharing};
use crate::runtime::process::{self, WaitStatus};
use crate::runtime::{Errno, Result, auxiliary, signal};
use abi::process::AT_ENTRY;
use abi::signal::Signal;

/// Pages that the parent of Q7 and Q8 has.
const PAGES: usize = 64;

fn touch_all(memory: &Region) {
    for page in 0..memory.pages() {
        memory.store(page * PAGE, 1);
    }
}

/// The frames of a region, in order.
fn frames(memory: &Region) -> Result<Vec<Option<u64>>> {
    let map = PageMap::open("self")?;
    (0..memory.pages())
        .map(|page| map.page(memory.page_address(page)).map(|page| page.frame()))
        .collect()
}

/// How many pages of a region nobody else has.
fn exclusive(memory: &Region) -> Result<usize> {
    let map = PageMap::open("self")?;
    let mut pages = 0;
    for page in 0..memory.pages() {
        pages += usize::from(map.page(memory.page_address(page))?.is_exclusive());
    }
    Ok(pages)
}

/// Q7
pub fn exec_lets_go(story: &mut Story) -> Result<()> {
    story.say("A parent with 64 pages forks; the child runs another program by execve.");
    let memory = Mapping::anonymous(PAGES * PAGE, Sharing::Private)?;
    touch_all(&memory);
    let before = frames(&memory)?;
    let (input, hold) = file::pipe()?;
    let child = Sibling::start(&mut |_| Err(become_pause(&input)))?;
    drop(input);
    let ours = PageMap::open("self")?;
    let theirs = PageMap::open(&child.name())?;
    let address = memory.page_address(0);
    story.page_row("parent after fork", ours.page(address)?);
    story.page_row("child after fork", theirs.page(address)?);
    story.check(exclusive(&memory)? == 0, "after fork all 64 pages are shared");
    child.step_into_exec(0)?;
    child.wait_until_asleep()?;
    // A descriptor of /proc/pid/pagemap belongs to the old memory: open it again.
    let theirs = PageMap::open(&child.name())?;
    story.page_row("parent after exec", ours.page(address)?);
    story.page_row("child after exec", theirs.page(address)?);
    let is_still_there = theirs.page(address)?.frame() == before[0];
    story.check(!is_still_there, "the child has let go of the parent's page");
    story.check(
        exclusive(&memory)? == PAGES,
        "the parent is alone with all 64 pages again",
    );
    let one = ours.page(address)?.frame().map(times_mapped).transpose()?;
    story.check(one == Some(1), "its first frame is mapped once");
    let faults = minor_faults(|| touch_all(&memory))?;
    story.row(&format!("minor faults of 64 stores by the parent: {faults}"));
    story.check(frames(&memory)? == before, "the parent's stores copy nothing");
    story.check(
        faults <= PAGES as i64,
        "at most one fault a page, to make it writable again",
    );
    drop(hold);
    child.end()?;
    Ok(())
}

/// Q8
pub fn vfork_copies_nothing(story: &mut Story) -> Result<()> {
    story.say(
        "vfork lends the parent's memory to the child until it runs a program; the parent stands still.",
    );
    let memory = Mapping::anonymous(PAGES * PAGE, Sharing::Private)?;
    touch_all(&memory);
    let before = frames(&memory)?;
    let (path, arguments, variables) = pause_command();
    let run = |path: &str| process::vfork_exec(path, &arguments, &variables);
    // The first time brings the heap in that passing the arguments takes.
    let warm_up = run("/nonexistent")?;
    let status = process::wait_for_end(warm_up)?.status;
    story.check(
        status == WaitStatus::Exited(127),
        "a program that is not there: the child exits, the parent goes on",
    );

    let (input, hold) = file::pipe()?;
    let saved = file::duplicate_above(0, 10);
    file::duplicate(input.descriptor(), 0)?;
    let mut started = Err(Errno::ENOSYS);
    let faults = minor_faults(|| started = run(&path));
    restore_input(saved)?;
    let (child, faults) = (started?, faults?);
    drop(input);
    let store_faults = minor_faults(|| touch_all(&memory))?;
    let is_running = process::wait(child, process::WaitOptions::WNOHANG)?.is_none();
    story.row(&format!(
        "minor faults of the parent: {faults} in vfork and exec, {store_faults} in 64 stores after"
    ));
    story.check(
        is_running,
        "the parent went on at exec, while the child's program runs",
    );
    story.check(
        faults == 0,
        "no fault in the parent: nothing was shared, so nothing was write-disabled",
    );
    story.check(store_faults == 0, "its stores take no fault either");
    story.check(frames(&memory)? == before, "and no page was copied");
    story.check(exclusive(&memory)? == PAGES, "all 64 pages are its own");
    drop(hold);
    // `pause` holds the reading end only, so it has seen the end of its input; the signal makes sure of it.
    signal::send(child, Signal::SIGKILL)?;
    process::wait_for_end(child)?;
    Ok(())
}

/// Gives descriptor 0 back; it may have been closed before.
fn restore_input(saved: Result<i32>) -> Result<()> {
    match saved {
        Ok(saved) => {
            let saved = File::from_descriptor(saved);
            file::duplicate(saved.descriptor(), 0)
        }
        Err(_) => file::close(0),
    }
}

/// Q9
pub fn shared_text(story: &mut Story) -> Result<()> {
    let text = auxiliary(AT_ENTRY as usize).ok_or(Errno::ENOENT)? / PAGE * PAGE;
    story.say(
        "The page with this program's first instruction, in four processes: this one, a fork, two new execs.",
    );
    let (input, hold) = file::pipe()?;
    let fork = Sibling::start(&mut |_| Ok(0))?;
    let mut execs = Vec::new();
    for _ in 0..2 {
        let exec = Sibling::start(&mut |_| Err(become_pause(&input)))?;
        exec.step_into_exec(0)?;
        exec.wait_until_asleep()?;
        execs.push(exec);
    }
    drop(input);
    let mut rows = Vec::from([("this process", "self".to_string()), ("its fork", fork.name())]);
    rows.extend(
        ["first exec", "second exec"]
            .into_iter()
            .zip(execs.iter().map(Sibling::name)),
    );
    let mut seen = Vec::new();
    for (who, process) in &rows {
        let frame = PageMap::open(process)?.page(text)?.frame();
        let rights = areas(process)?
            .into_iter()
            .find(|area| (area.start..area.end).contains(&text));
        let rights = rights.map_or("?".to_string(), |area| area.rights);
        story.row(&format!(
            "{who:<14} {text:#x} {rights}  frame {}",
            frame.map_or("none yet".to_string(), |frame| format!("{frame:x}"))
        ));
        seen.push(frame);
    }
    story.check(
        seen[0].is_some() && seen[0] == seen[1],
        "the fork has the same frame",
    );
    story.check(
        seen.iter().all(|frame| *frame == seen[0]),
        "so have two execs of one file",
    );
    let areas = areas("self")?;
    let is_writable = areas
        .iter()
        .any(|area| area.rights.contains('x') && area.rights.contains('w'));
    story.check(!is_writable, "text is never writable, so it is never copied");
    let common = common_frames(&execs)?;
    story.row(&format!(
        "text pages that both execs have, in one frame each: {common}"
    ));
    story.check(common > 1, "and not this page alone");
    drop(hold);
    fork.end()?;
    for exec in execs {
        signal::send(exec.id(), Signal::SIGKILL)?;
        exec.end()?;
    }
    Ok(())
}

/// In how many pages of text two processes have the same frame.
fn common_frames(processes: &[Sibling]) -> Result<usize> {
    let [first, second] = processes else { return Ok(0) };
    let (a, b) = (PageMap::open(&first.name())?, PageMap::open(&second.name())?);
    let mut common = 0;
    for area in areas(&first.name())?
        .iter()
        .filter(|area| area.rights.contains('x'))
    {
        for address in (area.start..area.end).step_by(PAGE) {
            let frame = a.page(address)?.frame();
            common += usize::from(frame.is_some() && frame == b.page(address)?.frame());
        }
    }
    Ok(common)
}
