//! Waiting for several files: ppoll(2), pselect6(2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
    PollFd,
};
use abi::signal::{SIGSET_SIZE, SigSet};
use abi::time::TimeSpec;
use abi::zerocopy::IntoBytes;

use super::lookup::file;
use super::open::descriptor_limit;
use crate::fs::OpenFile;
use crate::fs::file_table::MAX_DESCRIPTORS;
use crate::memory;
use crate::signal;
use crate::thread::Thread;
use crate::time;
use crate::user_memory::{read_bytes, read_value, write_bytes, write_value};
use crate::wait::{WaitQueue, wait_on_any};

/// Errors and hang-ups are reported whether asked for or not.
const ALWAYS: i16 = POLLERR | POLLHUP;
/// Bits in a word of a descriptor set.
const WORD: usize = 64;

/// One file to watch.
struct Watched {
    file: Arc<OpenFile>,
    events: i16,
}

impl Watched {
    fn poll(&self) -> i16 {
        self.file.poll() & (self.events | ALWAYS)
    }
}

/// ppoll(2).
pub fn ppoll(
    current: &Thread,
    list: u64,
    count: u64,
    timeout: u64,
    mask: u64,
    mask_size: u64,
) -> Result<usize, Errno> {
    if count > descriptor_limit(current).min(MAX_DESCRIPTORS) as u64 {
        return Err(Errno::EINVAL);
    }
    let mut entries: Vec<PollFd> = memory::try_list(count as usize)?;
    read_bytes(list, entries.as_mut_slice().as_mut_bytes())?;
    let watched: Vec<Option<Watched>> = entries.iter().map(|entry| watch(current, entry)).collect();
    let mut look = || {
        let mut ready = 0;
        for (entry, watched) in entries.iter_mut().zip(&watched) {
            entry.revents = match watched {
                Some(watched) => watched.poll(),
                None if entry.fd >= 0 => POLLNVAL,
                None => 0,
            };
            ready += usize::from(entry.revents != 0);
        }
        (ready > 0).then_some(ready)
    };
    let ready = wait_masked(
        current,
        watched.iter().flatten(),
        timeout,
        Mask::read(mask, mask_size)?,
        &mut look,
    )?;
    write_bytes(list, entries.as_slice().as_bytes())?;
    Ok(ready)
}

fn watch(current: &Thread, entry: &PollFd) -> Option<Watched> {
    let file = file(current, entry.fd).ok()?;
    Some(Watched {
        file,
        events: entry.events,
    })
}

/// The signal mask for the time of the wait, if any.
struct Mask(Option<SigSet>);

impl Mask {
    fn read(address: u64, size: u64) -> Result<Self, Errno> {
        if address == 0 {
            return Ok(Mask(None));
        }
        if size != SIGSET_SIZE as u64 {
            return Err(Errno::EINVAL);
        }
        Ok(Mask(Some(SigSet(read_value::<u64>(address)?))))
    }
}

/// Waits until `look` finds something, at most for the time at `timeout` (0: for ever), which is set to what is left of
/// it. 0 when the time is over; `EINTR` by way of a restart that no handler runs in.
fn wait_masked<'a>(
    current: &Thread,
    watched: impl Iterator<Item = &'a Watched>,
    timeout: u64,
    mask: Mask,
    look: &mut dyn FnMut() -> Option<usize>,
) -> Result<usize, Errno> {
    let deadline = deadline(timeout)?;
    if let Mask(Some(set)) = mask {
        signal::suspend_mask(current, set);
    }
    let queues: Vec<&WaitQueue> = watched
        .flat_map(|watched| watched.file.queues())
        .flatten()
        .collect();
    let result = wait_on_any(&queues, deadline, look);
    if timeout != 0 {
        // What is left is told as far as the address allows: Linux does not fail for it either.
        let _untold = write_value(timeout, &time_left(deadline));
    }
    match result {
        Ok(ready) => {
            signal::restore_mask(current);
            Ok(ready.unwrap_or(0))
        }
        Err(_interrupted) => Err(Errno::RESTART_NO_HANDLER),
    }
}

fn deadline(timeout: u64) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let nanos = read_value::<TimeSpec>(timeout)?
        .to_nanoseconds()
        .ok_or(Errno::EINVAL)?;
    Ok(Some(time::deadline_after(nanos)))
}

fn time_left(deadline: Option<u64>) -> TimeSpec {
    let ticks = deadline.unwrap_or(0).saturating_sub(platform::timer::ticks());
    TimeSpec::from_nanoseconds(platform::timer::ticks_to_nanos(ticks))
}

/// The three sets of select(2), and what each asks for and answers to.
const SETS: [(i16, i16); 3] = [
    (
        POLLIN | POLLRDNORM | POLLRDBAND,
        POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
    ),
    (
        POLLOUT | POLLWRNORM | POLLWRBAND,
        POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
    ),
    (POLLPRI, POLLPRI),
];

/// One descriptor that a set asks about.
struct Selected {
    set: usize,
    descriptor: usize,
    watched: Watched,
}

/// pselect6(2). `addresses` are those of the sets to read, write and for exceptions; 0 for none.
pub fn pselect6(
    current: &Thread,
    count: i32,
    addresses: [u64; 3],
    timeout: u64,
    mask: u64,
) -> Result<usize, Errno> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let count = count.min(MAX_DESCRIPTORS);
    let mut sets = [const { Vec::new() }; 3];
    for (set, address) in sets.iter_mut().zip(addresses) {
        *set = read_set(address, count)?;
    }
    let selected = select(current, &sets, count)?;
    let mask = read_select_mask(mask)?;
    let mut look = || {
        sets.iter_mut().for_each(|set| set.fill(0));
        let mut ready = 0;
        for Selected {
            set,
            descriptor,
            watched,
        } in &selected
        {
            if watched.file.poll() & SETS[*set].1 != 0 {
                sets[*set][descriptor / WORD] |= 1 << (descriptor % WORD);
                ready += 1;
            }
        }
        (ready > 0).then_some(ready)
    };
    let ready = wait_masked(
        current,
        selected.iter().map(|one| &one.watched),
        timeout,
        mask,
        &mut look,
    )?;
    for (set, address) in sets.iter().zip(addresses) {
        if address != 0 {
            write_bytes(address, set.as_slice().as_bytes())?;
        }
    }
    Ok(ready)
}

fn read_set(address: u64, count: usize) -> Result<Vec<u64>, Errno> {
    let mut set: Vec<u64> = memory::try_list(count.div_ceil(WORD))?;
    if address != 0 {
        read_bytes(address, set.as_mut_slice().as_mut_bytes())?;
    }
    Ok(set)
}

/// The files that the sets name. `EBADF`.
fn select(current: &Thread, sets: &[Vec<u64>; 3], count: usize) -> Result<Vec<Selected>, Errno> {
    let mut selected = Vec::new();
    for (set, words) in sets.iter().enumerate() {
        for descriptor in 0..count {
            if words[descriptor / WORD] >> (descriptor % WORD) & 1 != 0 {
                let file = file(current, descriptor as i32)?;
                selected.push(Selected {
                    set,
                    descriptor,
                    watched: Watched {
                        file,
                        events: SETS[set].0,
                    },
                });
            }
        }
    }
    Ok(selected)
}

/// The sixth argument: address and size of the mask.
fn read_select_mask(address: u64) -> Result<Mask, Errno> {
    if address == 0 {
        return Ok(Mask(None));
    }
    let [mask, size] = read_value::<[u64; 2]>(address)?;
    Mask::read(mask, size)
}
