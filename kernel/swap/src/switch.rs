//! swapon(2) and swapoff(2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use mm::{BroughtBack, Others, SwapDevice, USER_END, VirtAddr};
use sched::SleepingMutex;
use sched::scheduler;
use sched::space::{self, Space};
use sched::time;
use sched::wait::WaitQueue;

use crate::area::{self, Area};
use crate::header;
use crate::place::{SwapPlace, SwapPlaceId};
use crate::read::{self, Read};
use crate::reclaim;

/// Held by whoever begins or ends the use of an area.
static SWITCHING: SleepingMutex = SleepingMutex::new();

/// How long swapoff(2) sleeps, in nanoseconds, where a page is in the hands of somebody who is about to let it go.
const NAP: u64 = 1_000_000;
/// It sleeps here, and nobody wakes it.
static ALARM: WaitQueue = WaitQueue::new();

/// Begins to use an area. `name`: for /proc/swaps. `priority`: areas with a higher one are used first; `None`: after all others.
///
/// # Errors
/// `EBUSY`: it is in use already. `EINVAL`: mkswap(8) was not there. `EROFS`: it cannot be written. `EIO`, `ENOMEM`.
/// `EPERM`: there are as many areas as there can be.
pub fn begin(place: SwapPlace, name: Vec<u8>, priority: Option<i16>) -> Result<(), Errno> {
    let _alone = SWITCHING.lock()?;
    if area::find(place.id()).is_some() {
        return Err(Errno::EBUSY);
    }
    let volume = place.volume().clone();
    if block::BlockDevice::is_read_only(&*volume) {
        return Err(Errno::EROFS);
    }
    if let SwapPlaceId::Disk(number) = place.id() {
        // What was written to the disk itself is there before.
        pagecache::forget_disk(number)?;
    }
    let pages = header::read(&place)?;
    let priority = priority.unwrap_or_else(area::next_priority);
    let area = Area::new(place, name, priority)?;
    let device: Arc<dyn SwapDevice> = area.clone();
    let number = memory::get()
        .swap()
        .add_closed_area(pages, priority, device)
        .map_err(|_| Errno::ENOMEM)?;
    area::add(number, area);
    memory::get().swap().reopen_area(number);
    reclaim::wake();
    let kilobytes = u64::from(pages) * 4;
    klog::info!(
        "Adding {kilobytes}k swap on {}.  Priority:{priority}",
        volume.name
    );
    Ok(())
}

/// Ends the use of the area that lies there: all its pages come back first.
///
/// # Errors
/// `EINVAL`: it is no area. `ENOMEM`: there is no memory for its pages. `EIO`: one of them cannot be read. `EINTR`: a signal has come.
/// In these cases it is in use as before.
pub fn end(place: SwapPlaceId) -> Result<(), Errno> {
    let _alone = SWITCHING.lock()?;
    let number = area::find(place).ok_or(Errno::EINVAL)?;
    let swap = memory::get().swap();
    swap.close_area(number);
    if let Err(error) = empty(number) {
        swap.reopen_area(number);
        return Err(error);
    }
    area::remove(number);
    Ok(())
}

/// Brings back all pages of an area and removes it.
fn empty(number: usize) -> Result<(), Errno> {
    let swap = memory::get().swap();
    loop {
        let used = |number| swap.usage_of(number).map_or(0, |usage| usage.used);
        let before = used(number);
        let all = swap.usage();
        let elsewhere = (all.slots - all.used) as usize;
        if before as usize > memory::available_frames() + elsewhere + pagecache::reclaim::cached_pages() {
            return Err(Errno::ENOMEM);
        }
        let mut pid = 0;
        while let Some((next, space)) = space::next_tenant(pid) {
            pid = next + 1;
            if let Some(space) = space {
                let result = bring_back(&space, number);
                // The process may have ended meanwhile.
                space.let_go();
                result?;
            }
        }
        if swap.remove_area(number) {
            return Ok(());
        }
        // A child of one that was not visited yet, tables that are on their way out, a page that is being written.
        let nap = if used(number) == before { NAP } else { 0 };
        let _: Option<()> = ALARM.wait_until_deadline(Some(time::deadline_after(nap)), || None)?;
    }
}

/// Brings the pages of one space back that are in area `number`.
fn bring_back(space: &Arc<Space>, number: usize) -> Result<(), Errno> {
    let mut at = VirtAddr(0);
    let bring = |at, others| space.with(|space| space.bring_back(memory::get(), number, at, others));
    while at.0 < USER_END {
        let mut reached = bring(at, Others::AtWork);
        if let BroughtBack::Shared(address) = reached {
            reached = scheduler::while_others_are_stopped(|| bring(address, Others::Stopped));
        }
        match reached {
            BroughtBack::UpTo(next) => at = next,
            BroughtBack::Shared(address) => at = address,
            BroughtBack::Broken(_) => return Err(Errno::EIO),
            BroughtBack::Awaits(slot, address) => {
                at = address;
                let area = area::get(number).ok_or(Errno::EINVAL)?;
                if read::read(&area, slot) == Read::NoMemory && crate::reclaim::shrink(1) == 0 {
                    return Err(Errno::ENOMEM);
                }
            }
        }
        scheduler::cond_resched_killable()?;
    }
    Ok(())
}
