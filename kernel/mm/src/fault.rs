//! **Story 1: a store to a shared page.** The processor took a data abort, the kernel loop brought the address here. Top to
//! bottom this file is all that is decided about it:
//!
//! 1. The *area* says whether the access is allowed. If not, it is the program's mistake: SIGSEGV, and never a copy. (Where there
//!    is no area at all, a stack may grow first: `stack_growth`.)
//! 2. The *tables* say what is there now ([`Tables::walk`]).
//! 3. The page is made what the area promises: filled, copied, given back, or left (a spurious fault).
//! 4. Where the path leads through a shared table, the path is made private on the way, the new page already in it, and
//!    published by one break-before-make ([`Tables::make_path`]).
//!
//! A page of an object that was mapped for a read brings its neighbours with it (`around`).
//!
//! Everything that can fail is allocated before anything changes, and a page that has to be waited for is asked for before that:
//! the fault is then *deferred*, as if it had not been. Caller holds the space's lock. Story 2 is in `fork`.

mod around;
mod given_back;
mod swap_in;

use crate::addr::{Frame, Level, VirtAddr};
use crate::area::{Area, Sharing};
use crate::area_map::AreaMap;
use crate::descriptor::Descriptor;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::{Access, Mmu};
use crate::page_source::PageError;
use crate::space::AddressSpace;
use crate::table::{Path, Tables};

/// What became of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The access may be tried again.
    Resolved(Resolution),
    /// The access cannot be made; nothing has changed.
    Refused(Refusal),
    /// The page of the area's object has to be waited for, and nothing has changed. The caller releases the space's lock, waits
    /// ([`AddressSpace::awaited_page`]), and begins anew.
    Deferred,
}

/// Why an access cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The program may not do this: SIGSEGV with this code.
    Denied(SegvCode),
    /// The area's object has no such page, or no room for it: SIGBUS (BUS_ADRERR).
    BusError,
    /// No frame could be had.
    NoMemory,
}

/// Why there is no frame for the kernel's own access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// As [`Outcome::Deferred`].
    Deferred,
    /// As [`Outcome::Refused`].
    Refused(Refusal),
}

const NO_MEMORY: Outcome = Outcome::Refused(Refusal::NoMemory);

/// How a fault was resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// The tables allowed it already: a stale TLB entry, or another thread was faster.
    Spurious,
    /// The shared zero frame was mapped, read-only.
    ZeroShared,
    /// A fresh frame of zeros was mapped.
    ZeroFilled,
    /// A page of the area's object was mapped.
    SourceMapped,
    /// The page was copied.
    Copied,
    /// The last owner got write access back without a copy.
    Regained,
    /// Rights that the area has gained were put into the descriptor.
    Upgraded,
    /// A page came back from where it was swapped to.
    SwappedIn,
}

/// si_code of a SIGSEGV.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegvCode {
    /// No area there (SEGV_MAPERR).
    MapErr,
    /// The area forbids the access (SEGV_ACCERR).
    AccErr,
}

impl AddressSpace {
    /// Makes the page at `address` fit for `access`, or says why not. `memory` is the machine's; the caller holds the space's
    /// lock and retries the access on [`Outcome::Resolved`].
    pub fn handle_fault<M: Mmu>(&mut self, memory: &Memory<M>, address: VirtAddr, access: Access) -> Outcome {
        let area = match self.areas.find_at(self.recent_area, address) {
            Some(area) => area,
            None => match find_elsewhere(&self.areas, &mut self.recent_area, address) {
                Ok(area) => area,
                Err(refused) => return refused,
            },
        };
        if !area.protection.allows(access) {
            return Outcome::Refused(Refusal::Denied(SegvCode::AccErr));
        }
        let page = Page {
            area,
            address: address.page_start(),
            access,
            path: self.tables.walk(memory, address),
        };
        let outcome = page.resolve(memory, &mut self.tables);
        if let Outcome::Resolved(resolution) = outcome {
            memory.count(resolution.into());
        }
        outcome
    }
}

/// The faulting page: where it lies, what it should be, what is wanted of it, what is there now.
struct Page<'a> {
    area: &'a Area,
    address: VirtAddr,
    access: Access,
    path: Path,
}

impl Page<'_> {
    fn resolve<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        let leaf = self.path.leaf;
        if !leaf.is_valid() {
            return self.fill(memory, tables);
        }
        match self.access {
            Access::Read if leaf.is_page_accessible() => self.spurious(memory, tables),
            Access::Execute if leaf.is_page_executable() => self.spurious(memory, tables),
            Access::Read | Access::Execute => self.upgrade(memory, tables),
            Access::Write => self.write(memory, tables),
        }
    }

    /// The area allows a write and there is a page: the four cases of copy-on-write.
    // Always: a page that was swapped in has this too, which would cost every other fault a call and its prologue.
    #[inline(always)]
    fn write<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        let is_allowed = self.path.leaf.is_page_writable() && !self.path.is_write_disabled;
        if is_allowed {
            return self.spurious(memory, tables);
        }
        if self.area.sharing == Sharing::Shared {
            return self.write_shared_area(memory, tables);
        }
        // A shared table: somebody else reaches the same frame through it, whatever its count says (I2).
        if self.path.is_shared || memory.frames().count(self.path.leaf.frame()) != 1 {
            return self.copy(memory, tables);
        }
        self.regain(memory, tables)
    }

    /// A page of a MAP_SHARED area: writes are for everybody, only the tables have to be private.
    fn write_shared_area<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        self.edit_in_place(memory, tables, Resolution::Regained, |old| {
            self.leaf(memory, old.frame()).with_write()
        })
    }

    /// The last owner: the same frame becomes writable again, and its solely owned neighbours with it.
    fn regain<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        let outcome = self.edit_in_place(memory, tables, Resolution::Regained, |old| {
            self.leaf(memory, old.frame()).with_write()
        });
        if let (Outcome::Resolved(_), Some(table)) = (outcome, tables.walk(memory, self.address).l3) {
            tables.regain_window(memory, table, self.address.index(Level::L3));
        }
        outcome
    }

    /// A frame of our own takes the place of the shared one.
    // Always: as `write`.
    #[inline(always)]
    fn copy<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        let old = self.path.leaf;
        let is_zero = old.frame() == memory.zero_frame();
        let (copied, resolution) = match is_zero {
            true => (zeroed(memory), Resolution::ZeroFilled),
            false => (copy_of(memory, old.frame()), Resolution::Copied),
        };
        let Some(frame) = copied else {
            return NO_MEMORY;
        };
        self.map(memory, tables, self.leaf(memory, frame).with_write(), resolution)
    }

    /// Nothing is mapped: what the area promises is put there.
    fn fill<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        if self.path.leaf.is_swapped() {
            return self.swap_in(memory, tables);
        }
        let Some((source, index)) = self.area.source_page(self.address) else {
            return self.fill_anonymous(memory, tables);
        };
        let frame = match source.page(index) {
            Ok(frame) => frame,
            Err(PageError::BeyondEnd | PageError::NoSpace) => return Outcome::Refused(Refusal::BusError),
            Err(PageError::NoMemory) => return NO_MEMORY,
            Err(PageError::NotYet) => return Outcome::Deferred,
        };
        let outcome = match (self.area.sharing, self.access) {
            (Sharing::Shared, access) => {
                if access == Access::Write {
                    source.note_write();
                }
                let leaf = match self.area.protection.write {
                    true => self.leaf(memory, frame).with_write(),
                    false => self.leaf(memory, frame),
                };
                self.map(memory, tables, leaf, Resolution::SourceMapped)
            }
            (Sharing::Private, Access::Write) => {
                let copied = copy_of(memory, frame);
                memory.frames().release(memory.mmu(), frame);
                let Some(frame) = copied else {
                    return NO_MEMORY;
                };
                self.map(
                    memory,
                    tables,
                    self.leaf(memory, frame).with_write(),
                    Resolution::Copied,
                )
            }
            (Sharing::Private, _) => {
                self.map(memory, tables, self.leaf(memory, frame), Resolution::SourceMapped)
            }
        };
        if self.access != Access::Write && outcome != NO_MEMORY {
            self.map_around(memory, tables, source.as_ref(), index);
        }
        outcome
    }

    fn fill_anonymous<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        if self.access != Access::Write {
            memory.frames().share(memory.zero_frame());
            let leaf = self.leaf(memory, memory.zero_frame());
            return self.map_first(memory, tables, leaf, Resolution::ZeroShared);
        }
        let Some(frame) = zeroed(memory) else {
            return NO_MEMORY;
        };
        let leaf = self.leaf(memory, frame).with_write();
        self.map_first(memory, tables, leaf, Resolution::ZeroFilled)
    }

    /// [`Page::map`] where the walk found nothing. Where its tables are private nothing can have come since.
    #[inline(always)]
    fn map_first<M: Mmu>(
        &self,
        memory: &Memory<M>,
        tables: &mut Tables,
        new: Descriptor,
        resolution: Resolution,
    ) -> Outcome {
        match self.path.l3 {
            Some(table) if !self.path.is_write_disabled => {
                tables.fill(memory, table, self.address.index(Level::L3), new);
                Outcome::Resolved(resolution)
            }
            _ => self.map(memory, tables, new, resolution),
        }
    }

    /// Rights came to the area after the page was mapped (mprotect): the same frame with the area's rights of now, except that
    /// write access stays as it is: that is earned by a write.
    fn upgrade<M: Mmu>(&self, memory: &Memory<M>, tables: &mut Tables) -> Outcome {
        self.edit_in_place(memory, tables, Resolution::Upgraded, |old| {
            let leaf = self.leaf(memory, old.frame());
            if old.is_page_writable() && self.area.protection.write {
                leaf.with_write()
            } else {
                leaf
            }
        })
    }

    /// [`Tables::make_path`], which has nothing to do where the walk met private tables all the way.
    fn make_path<M: Mmu>(
        &self,
        memory: &Memory<M>,
        tables: &mut Tables,
        replacement: Option<Descriptor>,
    ) -> Result<(Frame, bool), NoMemory> {
        match self.path.l3 {
            Some(table) if !self.path.is_write_disabled => Ok((table, false)),
            _ => tables.make_path(memory, self.address, replacement),
        }
    }

    /// Puts `new`, which brings its own reference, at the page: into a path made private for it, or over what is there.
    fn map<M: Mmu>(
        &self,
        memory: &Memory<M>,
        tables: &mut Tables,
        new: Descriptor,
        resolution: Resolution,
    ) -> Outcome {
        let Ok((table, is_placed)) = self.make_path(memory, tables, Some(new)) else {
            memory.frames().release(memory.mmu(), new.frame());
            return NO_MEMORY;
        };
        let index = self.address.index(Level::L3);
        if is_placed {
            // It came with the table.
            return Outcome::Resolved(resolution);
        }
        let found = memory.mmu().load(table, index);
        if !found.is_valid() {
            tables.fill(memory, table, index, new);
        } else if found.is_page_writable() {
            return self.map_given_back(memory, tables, (table, found), new);
        } else {
            tables.replace_page(memory, table, self.address, new);
        }
        Outcome::Resolved(resolution)
    }

    /// Replaces the page's descriptor by `edit` of it as it stands in the private path: the same frame with more rights. No
    /// break needed, and no flush but of what this processor itself may hold, to spare it the spurious fault.
    fn edit_in_place<M: Mmu>(
        &self,
        memory: &Memory<M>,
        tables: &mut Tables,
        resolution: Resolution,
        edit: impl FnOnce(Descriptor) -> Descriptor,
    ) -> Outcome {
        let Ok((table, _)) = self.make_path(memory, tables, None) else {
            return NO_MEMORY;
        };
        let index = self.address.index(Level::L3);
        memory
            .mmu()
            .store(table, index, edit(memory.mmu().load(table, index)));
        memory.dsb_ishst();
        self.flush_own(memory, tables);
        Outcome::Resolved(resolution)
    }

    /// The tables allow the access: this processor's TLB does not know it yet (Arm ARM D8.13.1 allows that).
    fn spurious<M: Mmu>(&self, memory: &Memory<M>, tables: &Tables) -> Outcome {
        self.flush_own(memory, tables);
        Outcome::Resolved(Resolution::Spurious)
    }

    fn flush_own<M: Mmu>(&self, memory: &Memory<M>, tables: &Tables) {
        if tables.tag.has_run() {
            memory.flush_own(tables.tag.asid(), self.address);
        }
    }

    /// The area's read-only descriptor of `frame`, whose bytes are fit to be executed if the area says so.
    // Always: as `write`, of which it is a part.
    #[inline(always)]
    fn leaf<M: Mmu>(&self, memory: &Memory<M>, frame: Frame) -> Descriptor {
        self.make_fit(memory, frame);
        self.area.leaf(frame)
    }

    /// Makes the bytes of `frame` fit to be executed if the area says so.
    fn make_fit<M: Mmu>(&self, memory: &Memory<M>, frame: Frame) {
        if self.area.protection.execute {
            memory.frames().make_executable(memory.mmu(), frame);
        }
    }
}

fn zeroed<M: Mmu>(memory: &Memory<M>) -> Option<Frame> {
    memory.frames().allocate(memory.mmu()).ok()
}

fn copy_of<M: Mmu>(memory: &Memory<M>, from: Frame) -> Option<Frame> {
    let frame = memory.frames().allocate_unfilled(memory.mmu()).ok()?;
    memory.copy_frame(from, frame);
    Some(frame)
}

/// The area that holds `address`, where it was not `recent`, which is set.
#[cold]
fn find_elsewhere<'a>(
    areas: &'a AreaMap,
    recent: &mut usize,
    address: VirtAddr,
) -> Result<&'a Area, Outcome> {
    let found = areas.find_near(*recent, address);
    let (place, area) = found.ok_or(Outcome::Refused(Refusal::Denied(SegvCode::MapErr)))?;
    *recent = place;
    Ok(area)
}
