//! Epolls that watch epolls: never in a circle, and not deeper than [`MOST`]; so what is done along a chain of them ends soon.
//!
//! Which watches which stands in one table for all, by address, for it happens seldom. The address of an epoll stays its own as long
//! as it stands in the table.

use super::item::ItemKey;
use abi::Errno;
use lock::Mutex;
use memory::fallible::map::Map;
use sched::{SleepingMutex, SleepingMutexGuard, scheduler};

/// Most steps from an epoll to what it watches by others: `EP_MAX_NESTS` of Linux.
const MOST: usize = 4;

/// An epoll, one it watches or is watched by, and the descriptor that names it.
type Edge = (usize, usize, i32);

/// Who watches what; and by the file that is watched, for who forgets it.
struct Edges {
    down: Map<Edge, ()>,
    up: Map<Edge, ()>,
    by_file: Map<(usize, usize, i32), usize>,
}

static EDGES: Mutex<Edges> = Mutex::new(Edges {
    down: Map::new(),
    up: Map::new(),
    by_file: Map::new(),
});

/// Held by who adds an edge, from its look on.
static ADDING: SleepingMutex = SleepingMutex::new();

/// Which way one goes along the edges.
#[derive(Clone, Copy)]
enum Towards {
    Down,
    Up,
}

/// Notes that the epoll `outer` watches `inner`, by that key.
///
/// # Errors
/// `ELOOP`: `inner` watches `outer` already, or the chain would be too long. `ENOMEM`; `EINTR`: the process is to end.
pub(super) fn add(outer: usize, inner: usize, key: ItemKey) -> Result<(), Errno> {
    let _adding: SleepingMutexGuard<'_> = ADDING.lock()?;
    let mut seen = Map::new();
    let below = depth(inner, Towards::Down, outer, 0, &mut seen)?;
    let above = depth(outer, Towards::Up, inner, 0, &mut Map::new())?;
    if below + 1 + above > MOST {
        return Err(Errno::ELOOP);
    }
    EDGES.lock().insert(outer, inner, key)
}

/// The epoll `outer` no longer watches what has that key, if that was an epoll.
pub(super) fn remove(outer: usize, key: ItemKey) {
    let mut edges = EDGES.lock();
    if edges.by_file.is_empty() {
        return;
    }
    if let Some(inner) = edges.by_file.remove(&(outer, key.file, key.descriptor)) {
        edges.down.remove(&(outer, inner, key.descriptor));
        edges.up.remove(&(inner, outer, key.descriptor));
    }
}

impl Edges {
    /// `ENOMEM`, and nothing is inserted.
    fn insert(&mut self, outer: usize, inner: usize, key: ItemKey) -> Result<(), Errno> {
        let (down, up) = ((outer, inner, key.descriptor), (inner, outer, key.descriptor));
        self.down.insert(down, ())?;
        let rest = self.up.insert(up, ()).and_then(|_| {
            self.by_file
                .insert((outer, key.file, key.descriptor), inner)
                .map(drop)
        });
        rest.inspect_err(|_| {
            self.down.remove(&down);
            self.up.remove(&up);
        })
    }

    /// The first edge from `epoll` on, behind those to `from`.
    fn next(&self, epoll: usize, way: Towards, from: usize) -> Option<usize> {
        let edges = match way {
            Towards::Down => &self.down,
            Towards::Up => &self.up,
        };
        let ((at, to, _), ()) = edges.range((epoll, from, i32::MIN)..).next()?;
        (*at == epoll).then_some(*to)
    }
}

/// How many steps it is to the end of the longest chain from `epoll` on. Each epoll is gone through once. `ELOOP`: `forbidden` is
/// among them, or the chain is too long.
fn depth(
    epoll: usize,
    way: Towards,
    forbidden: usize,
    steps: usize,
    known: &mut Map<usize, usize>,
) -> Result<usize, Errno> {
    if epoll == forbidden || steps > MOST {
        return Err(Errno::ELOOP);
    }
    if let Some(depth) = known.get(&epoll) {
        return Ok(*depth);
    }
    let (mut deepest, mut from) = (0, 0);
    loop {
        let next = EDGES.lock().next(epoll, way, from);
        let Some(next) = next else {
            break;
        };
        deepest = deepest.max(1 + depth(next, way, forbidden, steps + 1, known)?);
        from = next + 1;
        scheduler::cond_resched_killable()?;
    }
    known.insert(epoll, deepest)?;
    Ok(deepest)
}
