//! A list of processes by id. Ids are given out in ascending order, so that who comes mostly belongs at the end, and who goes
//! stands near either end: both take a few steps, however long the list is.

use super::{Pid, Process};
use abi::Errno;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// Room that an empty list keeps, so that a parent of few children allocates it once.
const KEPT: usize = 16;

/// Processes in the order of their ids, each once.
#[derive(Default)]
pub(super) struct Siblings(VecDeque<(Pid, Arc<Process>)>);

impl Siblings {
    /// Where the process stands, or would.
    fn place(&self, pid: Pid) -> Result<usize, usize> {
        match self.0.back() {
            Some((last, _)) if *last >= pid => self.0.binary_search_by_key(&pid, |(pid, _)| *pid),
            _ => Err(self.0.len()),
        }
    }

    /// Makes room for one more. `ENOMEM`.
    pub(super) fn make_room(&mut self) -> Result<(), Errno> {
        self.make_room_for(self.len() + 1)
    }

    /// Makes room for so many in all. `ENOMEM`.
    pub(super) fn make_room_for(&mut self, most: usize) -> Result<(), Errno> {
        let more = most.saturating_sub(self.len());
        self.0.try_reserve(more).map_err(|_| Errno::ENOMEM)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a process, if it is not there. There is room: [`Siblings::make_room`], or the reserve.
    pub(super) fn insert(&mut self, process: Arc<Process>) {
        if let Err(place) = self.place(process.pid) {
            self.0.insert(place, (process.pid, process));
        }
    }

    /// Takes out the process of that id.
    pub(super) fn remove(&mut self, pid: Pid) -> Option<Arc<Process>> {
        let place = self.place(pid).ok()?;
        let (_, process) = self.0.remove(place)?;
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = VecDeque::new();
        }
        Some(process)
    }

    /// The process of that id.
    pub(super) fn get(&self, pid: Pid) -> Option<&Arc<Process>> {
        let place = self.place(pid).ok()?;
        Some(&self.0.get(place)?.1)
    }

    /// All, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.0.iter().map(|(_, process)| process)
    }

    /// Those with that id or a higher one, by id.
    pub(super) fn iter_from(&self, first: Pid) -> impl Iterator<Item = &Arc<Process>> {
        let start = self.0.partition_point(|(pid, _)| *pid < first);
        self.0.range(start..).map(|(_, process)| process)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
