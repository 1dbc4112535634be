//! Waiting for several files: ppoll(2). What select(2) has in common with it is here, too.
//!
//! All files are looked at first, by their descriptors. Only if none is ready, and there is time to wait, are their wait queues
//! entered, each once; the files are held from then on.

use abi::Errno;
use abi::file::{POLLERR, POLLHUP, POLLNVAL, PollFd};
use abi::signal::{SIGSET_SIZE, SigSet};
use abi::time::TimeSpec;
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use core::num::NonZero;

use super::lookup::{file, index};
use super::open::descriptor_limit;
use sched::paged::Paged;
use sched::scheduler;
use sched::time;
use sched::wait::{Interrupted, WaitSet};
use task::signal;
use task::thread::{Thread, ThreadExt};
use uaccess::{read_bytes, read_value, write_bytes, write_value};
use vfs::OpenFile;
use vfs::file_table::MAX_DESCRIPTORS;

/// Errors and hang-ups are reported whether asked for or not.
const ALWAYS: i16 = POLLERR | POLLHUP | POLLNVAL;

/// After so many files others may run.
const STEPS: usize = 128;

/// Those of the files that are ready, if any.
type Ready = Option<NonZero<usize>>;

/// A list of files to wait for.
pub(super) trait Watchlist {
    /// Asks for the events of each file, by its place among them and its descriptor, and notes what is wanted of them; how many
    /// there were. `None` from `events`: there is no such file. `EBADF` where that is not an event.
    fn look(&mut self, events: impl FnMut(usize, i32) -> Option<i16>) -> Result<usize, Errno>;

    /// How many files there are at most.
    fn len(&self) -> usize;
}

/// The list of ppoll(2).
struct Polled(Paged<PollFd>);

impl Watchlist for Polled {
    #[inline]
    fn look(&mut self, mut events: impl FnMut(usize, i32) -> Option<i16>) -> Result<usize, Errno> {
        let (mut place, mut ready) = (0, 0);
        for entries in self.0.pieces_mut().flat_map(|piece| piece.chunks_mut(STEPS)) {
            for entry in entries {
                entry.revents = match entry.fd {
                    0.. => events(place, entry.fd).unwrap_or(POLLNVAL) & (entry.events | ALWAYS),
                    _ => 0,
                };
                ready += usize::from(entry.revents != 0);
                place += 1;
            }
            scheduler::cond_resched_killable()?;
        }
        Ok(ready)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// ppoll(2).
///
/// # Errors
/// `EINVAL`: more entries than descriptors may be, a time or size of the mask that is none. `EINTR`: a handler ran.
/// `ENOMEM`, those of user memory.
pub fn ppoll(
    current: &Thread,
    list: u64,
    count: u64,
    timeout: u64,
    mask: u64,
    mask_size: u64,
) -> Result<usize, Errno> {
    let deadline = deadline(timeout)?;
    let mask = Mask::read(mask, mask_size)?;
    if count > descriptor_limit(current).min(MAX_DESCRIPTORS) as u64 {
        return Err(Errno::EINVAL);
    }
    let mut polled = Polled(read_list(list, count as usize)?);
    let ready = wait_masked(current, &mut polled, timeout, deadline, mask)?;
    write_list(list, &polled.0)?;
    Ok(ready)
}

/// A list in user memory.
///
/// # Errors
/// `ENOMEM`, `EFAULT`.
pub(super) fn read_list<T>(at: u64, count: usize) -> Result<Paged<T>, Errno>
where
    T: Clone + Default,
    [T]: IntoBytes + abi::zerocopy::FromBytes,
{
    let mut list = Paged::try_new(count)?;
    let mut address = at;
    for piece in list.pieces_mut() {
        let bytes = piece.as_mut_bytes();
        read_bytes(address, bytes)?;
        address = address.wrapping_add(bytes.len() as u64);
        scheduler::cond_resched_killable()?;
    }
    Ok(list)
}

/// Writes a list back.
///
/// # Errors
/// `EFAULT`.
pub(super) fn write_list<T>(at: u64, list: &Paged<T>) -> Result<(), Errno>
where
    [T]: IntoBytes + abi::zerocopy::Immutable,
{
    let mut address = at;
    for piece in list.pieces() {
        write_bytes(address, piece.as_bytes())?;
        address = address.wrapping_add(size_of_val(piece) as u64);
        scheduler::cond_resched_killable()?;
    }
    Ok(())
}

/// The signal mask for the time of the wait, if any.
#[derive(Default)]
pub(super) struct Mask(Option<SigSet>);

impl Mask {
    /// The mask at `address`; none at 0.
    ///
    /// # Errors
    /// `EINVAL` for another size, `EFAULT`.
    pub(super) fn read(address: u64, size: u64) -> Result<Self, Errno> {
        if address == 0 {
            return Ok(Mask(None));
        }
        if size != SIGSET_SIZE as u64 {
            return Err(Errno::EINVAL);
        }
        Ok(Mask(Some(SigSet(read_value::<u64>(address)?))))
    }

    /// Sets it, if there is one, for the time of the call.
    pub(super) fn suspend(self, current: &Thread) {
        if let Mask(Some(set)) = self {
            signal::suspend_mask(current, set);
        }
    }
}

/// Waits until a file of the list is ready, until `deadline` at most, with this signal mask; how many there are then. What is left of
/// the time is written to `timeout`.
///
/// # Errors
/// `EINTR` by way of a restart that no handler runs in; `EBADF`, `ENOMEM`.
pub(super) fn wait_masked(
    current: &Thread,
    list: &mut impl Watchlist,
    timeout: u64,
    deadline: Option<u64>,
    mask: Mask,
) -> Result<usize, Errno> {
    mask.suspend(current);
    let result = wait(current, list, deadline);
    if timeout != 0 {
        // What is left is told as far as the address allows: Linux does not fail for it either.
        let _untold = write_value(timeout, &time_left(deadline));
    }
    if !matches!(result, Err(Errno::RESTART_NO_HANDLER)) {
        signal::restore_mask(current);
    }
    result.map(|ready| ready.map_or(0, NonZero::get))
}

fn wait(current: &Thread, list: &mut impl Watchlist, deadline: Option<u64>) -> Result<Ready, Errno> {
    let ready = look_first(current, list)?;
    if ready.is_some() {
        return Ok(ready);
    }
    if signal::is_pending(current) {
        return Err(Errno::RESTART_NO_HANDLER);
    }
    if deadline.is_some_and(|at| platform::timer::ticks() >= at) {
        return Ok(None);
    }
    let files = hold_files(current, list)?;
    sleep(list, &files, deadline)
}

/// The look before any queue is entered. Descriptors that no other thread can change are looked up in their table as it is.
fn look_first(current: &Thread, list: &mut impl Watchlist) -> Result<Ready, Errno> {
    let ready = match current.files().own() {
        Some(files) => list.look(|_, descriptor| Some(files.get(index(descriptor).ok()?).ok()?.poll()))?,
        None => list.look(|_, descriptor| Some(file(current, descriptor).ok()?.poll()))?,
    };
    Ok(NonZero::new(ready))
}

/// The files of the list, by their places.
type Files = Paged<Option<Arc<OpenFile>>>;

/// Apart, so that those who find something at once need few registers. `ENOMEM`.
#[inline(never)]
fn hold_files(current: &Thread, list: &mut impl Watchlist) -> Result<Files, Errno> {
    let mut files: Files = Paged::try_new(list.len())?;
    list.look(|place, descriptor| {
        *files.get_mut(place)? = file(current, descriptor).ok();
        Some(0)
    })?;
    Ok(files)
}

#[inline(never)]
fn sleep(list: &mut impl Watchlist, files: &Files, deadline: Option<u64>) -> Result<Ready, Errno> {
    let mut set = WaitSet::try_new(2 * files.len())?;
    for files in files.pieces().flat_map(|piece| piece.chunks(STEPS)) {
        for file in files.iter().flatten() {
            let queues = file.queues_to_wait_in()?;
            queues
                .into_iter()
                .flatten()
                .try_for_each(|queue| set.add(queue))?;
        }
        scheduler::cond_resched_killable()?;
    }
    let by_place = |place, _| Some(files.get(place)?.as_ref()?.poll());
    let look = || list.look(by_place).map(NonZero::new).transpose();
    match set.wait(deadline, look) {
        Ok(ready) => ready.transpose(),
        Err(Interrupted) => Err(Errno::RESTART_NO_HANDLER),
    }
}

/// The moment that lies as far ahead as the time at `timeout` says; none at 0.
///
/// # Errors
/// `EINVAL`, `EFAULT`.
pub(super) fn deadline(timeout: u64) -> Result<Option<u64>, Errno> {
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
