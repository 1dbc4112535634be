//! A mapping that moves in pieces, between which others run (mremap of much memory).
//!
//! First the whole target is reserved: an area that forbids everything. Then piece by piece the area and its pages come there,
//! under one hold of the space's lock, so that whoever looks at the space finds each page at the old address or at the new one. Who
//! faults on what has not come yet waits ([`AddressSpace::is_moving_to`]), and so does fork. Other threads may map and unmap
//! meanwhile: what they have put in the way stays, and so does what would have come there.

use crate::addr::{PageRange, VirtAddr};
use crate::area::{Area, AreaFlags, Backing, Protection, Purpose, Sharing};
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::portion::Portion;
use crate::space::{AddressSpace, MapError};

/// What a mapping that moves leaves where it was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing is mapped there.
    Nothing,
    /// An empty mapping, without locks.
    Mapping,
}

/// A mapping on its way, by [`AddressSpace::move_some`].
#[must_use = "it is to be moved to its end"]
pub struct Move {
    /// The area as it was.
    area: Area,
    from: PageRange,
    to: PageRange,
    /// Where the pages that move end.
    end: VirtAddr,
    /// What lies below has moved.
    next: VirtAddr,
    left: Left,
}

impl Move {
    /// Where the mapping is when it is there.
    pub fn target(&self) -> VirtAddr {
        self.to.start()
    }

    /// What of the old range lies below has moved.
    pub fn reached(&self) -> VirtAddr {
        self.next
    }

    fn target_of(&self, address: VirtAddr) -> VirtAddr {
        VirtAddr(self.to.start().0 + (address.0 - self.from.start().0))
    }

    fn target_range(&self, part: PageRange) -> Option<PageRange> {
        PageRange::new(self.target_of(part.start()), part.len())
    }
}

impl AddressSpace {
    /// Reserves `to`, which is free, for what of `area` lies in `from`.
    pub(crate) fn begin_move(
        &mut self,
        area: Area,
        from: PageRange,
        to: PageRange,
        left: Left,
    ) -> Result<Move, NoMemory> {
        self.areas.insert(Area {
            range: to,
            protection: Protection::NONE,
            sharing: Sharing::Private,
            flags: AreaFlags::MOVING,
            backing: Backing::Anonymous,
            purpose: Purpose::Mapping,
        })?;
        self.fork_advice.begin_move();
        let end = VirtAddr(from.start().0 + from.len().min(to.len()));
        Ok(Move {
            area,
            from,
            to,
            end,
            next: from.start(),
            left,
        })
    }

    /// Goes on with a move; true when it is done.
    /// Nobody takes pages of a file from all spaces meanwhile (`revoke`).
    ///
    /// # Errors
    /// [`MapError::NoMemory`]: the call is to be made again, or [`AddressSpace::give_up_move`].
    pub fn move_some<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        moving: &mut Move,
        most: Portion,
    ) -> Result<bool, MapError> {
        let rest = PageRange::between(moving.next, moving.end).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else {
            self.finish_move(memory, moving)?;
            self.fork_advice.end_move();
            return Ok(true);
        };
        let area = self.areas.overlapping(rest).next().cloned();
        let part = area.as_ref().map(|area| area.range().intersection(rest));
        let is_next = part.is_some_and(|part| part.start() == moving.next);
        moving.next = match (area, part) {
            (Some(area), Some(part)) if is_next => self.move_part(memory, moving, &area, part, most)?,
            _ => {
                // Somebody has unmapped what was to move.
                let next = part.map_or(rest.end(), PageRange::start);
                let gone = PageRange::between(rest.start(), next).and_then(|gone| moving.target_range(gone));
                self.drop_reserved(memory, gone)?;
                next
            }
        };
        Ok(false)
    }

    /// The mapping stays where its parts are.
    pub fn give_up_move(&mut self, _moving: Move) {
        self.fork_advice.end_move();
    }

    /// Moves the first piece of `part`, which `area` covers; where that ends.
    fn move_part<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        moving: &Move,
        area: &Area,
        part: PageRange,
        most: Portion,
    ) -> Result<VirtAddr, MapError> {
        let target = moving.target_of(part.start());
        let reserved = self
            .areas
            .find(target)
            .filter(|area| area.flags.has(AreaFlags::MOVING));
        let Some(reserved) = reserved.filter(|_| !area.flags.has(AreaFlags::MOVING)) else {
            return Ok(self.tables.moved_at_once(memory, part, target, most).end());
        };
        let room = reserved.range().end().0 - target.0;
        let is_touched = reserved.protection != Protection::NONE;
        let part = PageRange::new(part.start(), part.len().min(room)).unwrap_or(part);
        let part = self.tables.moved_at_once(memory, part, target, most);
        if let Some(there) = moving.target_range(part) {
            if is_touched {
                self.tables.clear_range(memory, there)?;
            }
            self.move_piece(memory, area, part, there, moving.left)?;
        }
        Ok(part.end())
    }

    /// Moves the area and the pages of `part` to `there`, where no page is and, of areas, at most a reserved one.
    pub(crate) fn move_piece<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        area: &Area,
        part: PageRange,
        there: PageRange,
        left: Left,
    ) -> Result<(), MapError> {
        // So that the clearing at the end cannot run out of memory.
        self.tables.make_edges_private(memory, part)?;
        let mut areas = self.areas.clone();
        match left {
            Left::Mapping => areas.set_flags(part, area.flags.without(AreaFlags::LOCK))?,
            Left::Nothing => drop(areas.remove(part)?),
        }
        areas.replace(area.moved(part, there))?;
        let kept = PageRange::new(part.start(), part.len().min(there.len())).unwrap_or(part);
        self.tables.prepare_move(memory, kept, there.start())?;
        self.tables.move_range(memory, kept, there.start());
        self.areas = areas;
        Ok(self.tables.clear_range(memory, part)?)
    }

    /// The mapping grows behind what has moved, or what of it does not move is unmapped.
    fn finish_move<M: Mmu>(&mut self, memory: &Memory<M>, moving: &Move) -> Result<(), MapError> {
        let Move {
            area, from, to, end, ..
        } = moving;
        if let Some(tail) = PageRange::between(*end, from.end())
            .filter(|tail| !tail.is_empty() && moving.left == Left::Nothing)
        {
            self.unmap(memory, tail.start(), tail.len())?;
        }
        let more = PageRange::between(moving.target_of(*end), to.end()).filter(|more| !more.is_empty());
        let Some(more) = more else { return Ok(()) };
        let reserved = self
            .areas
            .find(more.start())
            .filter(|area| area.flags.has(AreaFlags::MOVING));
        if let Some(reserved) = reserved {
            let more = more.intersection(reserved.range());
            self.tables.clear_range(memory, more)?;
            let source = PageRange::new(*end, more.len()).unwrap_or(more);
            self.areas.replace(area.moved(source, more))?;
        }
        Ok(())
    }

    /// Unmaps what is reserved at the start of `range`.
    fn drop_reserved<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: Option<PageRange>,
    ) -> Result<(), MapError> {
        let Some(range) = range else { return Ok(()) };
        let found = self.areas.overlapping(range).next();
        match found.filter(|area| area.flags.has(AreaFlags::MOVING)) {
            Some(area) => {
                let part = area.range().intersection(range);
                self.unmap(memory, part.start(), part.len())
            }
            None => Ok(()),
        }
    }
}

impl Area {
    /// The part from `from` on, which may lie behind the area, as an area over `to`.
    pub(crate) fn moved(&self, from: PageRange, to: PageRange) -> Area {
        let mut copy = self.clone();
        if let (Backing::Source { first, .. }, Some((_, index))) =
            (&mut copy.backing, self.source_page(from.start()))
        {
            *first = index;
        }
        copy.range = to;
        copy
    }
}
