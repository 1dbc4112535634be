//! One life: what a processor does next, as the dice say, and what others do in the middle of it.

mod choices;
mod moving;

use crate::world::object::{Object, Role};
use crate::world::operations::Mapping;
use crate::world::shadow::Page;
use crate::world::{Settings, Space, Statistics, Use, World, bump};
use choices::hot_addresses;
use machine::PROBES;
use mm::{PageRange, Placement, Protection, Purpose, Sharing, VirtAddr};
use std::rc::Rc;
use std::sync::Arc;

/// Where lives take place: across the border of two level-3 tables, of two level-2 tables, and alone.
const WINDOWS: [u64; 4] = [0x5f_e000, 0x3fff_d000, 0x10_0000_0000, 0x10_0020_0000];
/// Pages in a window.
const WINDOW_PAGES: u64 = 6;
/// Where mappings of a whole level-3 table take place: beside each other, and at the end of another level-2 table.
const WHOLE: [u64; 3] = [0x30_0000_0000, 0x30_0020_0000, 0x40_3fe0_0000];
/// Pages of such a mapping that are used.
const WHOLE_USED: [u64; 3] = [0, 7, 511];
const HEAP: u64 = 0x2_0000_0000;
const STACK_TOP: u64 = 0x7f_ffff_f000;
const STACK_LIMIT: u64 = 12 * 4096;
const SPACES: usize = 6;
const PROTECTIONS: [Protection; 7] = [
    Protection::READ_WRITE,
    Protection::READ_WRITE,
    Protection::READ_WRITE,
    Protection::READ,
    Protection::READ_EXECUTE,
    Protection {
        read: true,
        write: true,
        execute: true,
    },
    Protection::NONE,
];

/// One life.
pub struct Life {
    world: Rc<World>,
}

impl Life {
    /// A first process, and other processors that interrupt.
    pub fn begin(settings: Settings) -> Life {
        let world = World::new(settings);
        world.mmu().set_hot(hot_addresses());
        // A mistake about others shows in the middle of what they do.
        world.mmu().interrupt_each_read(world.evicts_carelessly());
        let life = Life { world };
        life.interrupt_from_others();
        life.act_while_pages_are_awaited();
        life.populate(0);
        life
    }

    fn interrupt_from_others(&self) {
        let others = Rc::downgrade(&self.world);
        self.world.mmu().set_interloper(Some(Rc::new(move || {
            if let Some(world) = others.upgrade()
                && world.is_busy()
                && !world.is_stopped()
                && world.throw(|dice| dice.one_in(24))
                && let Some(cpu) = world.free_cpu()
            {
                bump(&world.statistics.interruptions);
                Life { world }.interlope(cpu);
            }
        })));
    }

    fn act_while_pages_are_awaited(&self) {
        let others = Rc::downgrade(&self.world);
        self.world.set_others(Some(Rc::new(move |space| {
            if let Some(world) = others.upgrade() {
                Life { world }.change_awaited(space);
            }
        })));
    }

    /// What others do while a thread of `space` waits for a page: often in that space.
    fn change_awaited(&self, space: &Rc<Space>) {
        for _ in 0..self.world.throw(|dice| dice.below(6)) {
            let cpu = self
                .world
                .free_cpu()
                .filter(|_| self.world.throw(|dice| dice.one_in(2)));
            match cpu.filter(|cpu| self.world.run(*cpu, space)) {
                Some(cpu) => self.act(cpu),
                None => self.step(),
            }
        }
    }

    /// A new process with text, data and a stack, on `cpu`.
    fn populate(&self, cpu: usize) {
        let world = &self.world;
        let Some(space) = world.spawn(cpu) else { return };
        if world.run(cpu, &space) {
            self.map_program(cpu, &space);
        }
    }

    fn map_program(&self, cpu: usize, space: &Rc<Space>) {
        let world = &self.world;
        let [text, memory, data] = [Role::Text, Role::SharedMemory, Role::Data].map(|role| self.object(role));
        let fixed = |at| Placement::Fixed(VirtAddr(at));
        let private = Sharing::Private;
        world.map(
            cpu,
            space,
            fixed(WINDOWS[0]),
            3,
            &Mapping::of(&text, 0, Protection::READ_EXECUTE, private),
        );
        world.map(
            cpu,
            space,
            fixed(WINDOWS[1]),
            6,
            &Mapping::anonymous(Protection::READ_WRITE),
        );
        let shared = Mapping::of(&memory, 0, Protection::READ_WRITE, Sharing::Shared);
        world.map(cpu, space, fixed(WINDOWS[2]), 2, &shared);
        let own = Mapping::of(&data, 1, Protection::READ_WRITE, private);
        world.map(cpu, space, fixed(WINDOWS[2] + 0x2000), 3, &own);
        space.shadow.borrow_mut().stack_limit = STACK_LIMIT;
        let stack = Mapping {
            purpose: Purpose::Stack,
            ..Mapping::anonymous(Protection::READ_WRITE)
        };
        world.map(cpu, space, fixed(STACK_TOP - 0x2000), 2, &stack);
        world.start_break(cpu, space, VirtAddr(HEAP));
        world.set_break(cpu, space, VirtAddr(HEAP + 0x3000));
    }

    fn object(&self, role: Role) -> Arc<Object> {
        self.world
            .objects
            .iter()
            .find(|object| object.role == role)
            .expect("one of each")
            .clone()
    }

    /// One step of one processor.
    pub fn step(&self) {
        if let Some(cpu) = self.world.free_cpu() {
            if self.world.throw(|dice| dice.one_in(30)) {
                self.world.mmu().warm_all();
            }
            self.act(cpu);
        }
    }

    /// What `cpu` does while another processor is inside an operation.
    fn interlope(&self, cpu: usize) {
        match self.world.running(cpu) {
            Some(space) if self.world.is_locked(&space) => {
                let (address, probe, what) = self.choose_use(&space);
                if !self.is_racy(&space, address, what) {
                    self.world.access_busy(cpu, &space, address, probe, what);
                }
            }
            Some(space) if self.world.evicts_carelessly() && self.world.throw(|dice| dice.one_in(2)) => {
                self.world.evict(cpu, &space, self.choose_range());
            }
            _ => self.act(cpu),
        }
    }

    /// Whether a store, done in the middle of something else, might or might not be seen by a copy under way.
    fn is_racy(&self, space: &Space, address: VirtAddr, what: Use) -> bool {
        let is_data = |space: &Space| {
            let shadow = space.shadow.borrow();
            let object = shadow
                .page(address)
                .and_then(|page| page.backing.as_ref().map(|(object, _)| object.role));
            object == Some(Role::Data)
        };
        let is_in_limbo = |space: &Space| {
            let shadow = space.shadow.borrow();
            shadow
                .page(address)
                .is_some_and(|page| self.world.is_in_limbo(page))
        };
        (matches!(what, Use::Store(_)) && self.world.is_busy() && is_data(space)) || is_in_limbo(space)
    }

    fn act(&self, cpu: usize) {
        let Some(space) = self.world.running(cpu) else {
            return self.schedule(cpu);
        };
        match self.world.throw(|dice| dice.below(100)) {
            0..54 => {
                for _ in 0..=self.world.throw(|dice| dice.below(3)) {
                    // Others, who act in the middle of a use, may have let it run somebody else.
                    let Some(space) = self.world.running(cpu) else {
                        return;
                    };
                    let (address, probe, what) = self.choose_use(&space);
                    if !self.is_racy(&space, address, what) {
                        self.world.access(cpu, address, probe, what);
                    }
                }
            }
            54..60 => self.swap(cpu, &space),
            60..66 => self.fork(cpu, &space),
            66..69 => self.end(cpu, &space),
            69..76 => self.map(cpu, &space),
            76..81 => drop(self.world.unmap(cpu, &space, self.choose_range())),
            81..87 => {
                let (range, protection) = (
                    self.choose_range(),
                    self.world.throw(|dice| dice.pick(&PROTECTIONS)),
                );
                if !self.gives_data_execution(&space, range, protection) {
                    self.world.protect(cpu, &space, range, protection);
                }
            }
            87..90 if self.world.throw(|dice| dice.one_in(4)) => self.move_whole(cpu, &space),
            87..90 => self.remap(cpu, &space),
            90..92 => drop(self.world.set_break(cpu, &space, self.choose_break())),
            92..93 => drop(self.world.discard(cpu, &space, self.choose_range())),
            93..95 => self.store_from_kernel(cpu),
            95..96 => self.write_file(),
            96..97 => self.world.advise(cpu, &space, self.choose_range()),
            97..98 => self
                .world
                .resize(cpu, &self.object(Role::Data), &mut |space| self.meanwhile(space)),
            _ => self.schedule(cpu),
        }
    }

    /// The data object is written by the kernel while it is mapped, so that nobody may execute it.
    fn gives_data_execution(&self, space: &Space, range: PageRange, protection: Protection) -> bool {
        let shadow = space.shadow.borrow();
        let is_data = |page: &Page| {
            page.backing
                .as_ref()
                .is_some_and(|(object, _)| object.role != Role::Text)
        };
        protection.execute
            && shadow
                .pages()
                .any(|(at, page)| range.contains(at) && is_data(page))
    }

    fn schedule(&self, cpu: usize) {
        let spaces = self.world.spaces();
        if spaces.len() < 2 && self.world.throw(|dice| dice.one_in(2)) {
            return self.populate(cpu);
        }
        if spaces.is_empty() || self.world.throw(|dice| dice.one_in(8)) {
            return self.world.idle(cpu);
        }
        let next = self.world.throw(|dice| dice.below(spaces.len()));
        self.world.run(cpu, &spaces[next]);
    }

    fn swap(&self, cpu: usize, space: &Rc<Space>) {
        match self.world.throw(|dice| dice.below(16)) {
            0..8 => self.world.evict(cpu, space, self.choose_range()),
            8..13 => self.world.write_out(&mut || {
                if self.world.throw(|dice| dice.one_in(2)) {
                    self.step();
                }
            }),
            13..15 => self.world.drop_unused(),
            _ => self.world.swap_off(cpu),
        }
    }

    fn fork(&self, cpu: usize, space: &Rc<Space>) {
        if self.world.spaces().len() >= SPACES {
            return;
        }
        if self.world.throw(|dice| dice.one_in(10)) {
            return self.world.share_space(space);
        }
        let stack = self.world.throw(|dice| dice.below(4));
        let stack_pointer = match stack {
            0 => None,
            1 => space.shadow.borrow().nth(self.world.throw(|dice| dice.below(64))),
            _ => Some(VirtAddr(STACK_TOP - 8)),
        };
        let Some(child) = self.world.fork(cpu, space, stack_pointer) else {
            return;
        };
        if let Some(other) = self
            .world
            .free_cpu()
            .filter(|_| self.world.throw(|dice| !dice.one_in(4)))
        {
            self.world.run(other, &child);
        }
    }

    fn end(&self, cpu: usize, space: &Rc<Space>) {
        if self.world.throw(|dice| dice.one_in(3)) {
            if let Some(new) = self.world.exec(cpu) {
                self.map_program(cpu, &new);
            }
        } else {
            self.world.exit(cpu, space);
        }
    }

    fn map(&self, cpu: usize, space: &Rc<Space>) {
        let dice = |bound| self.world.throw(|dice| dice.below(bound));
        let range = self.choose_range();
        let pages = range.pages().min(WINDOW_PAGES);
        let placement = match dice(6) {
            0 => Placement::Hint(VirtAddr(0)),
            1 => Placement::Hint(range.start()),
            2 => Placement::FixedNoReplace(range.start()),
            _ => Placement::Fixed(range.start()),
        };
        let protection = self.world.throw(|dice| dice.pick(&PROTECTIONS));
        let data = protection_without_execution(protection);
        let first = dice(6) as u64;
        let mapping = match dice(8) {
            0 => Mapping::of(&self.object(Role::Text), first, protection, Sharing::Private),
            1 => Mapping::of(&self.object(Role::Data), first, data, Sharing::Private),
            2 => Mapping::of(&self.object(Role::Data), first, data, Sharing::Shared),
            3 => Mapping::of(&self.object(Role::SharedMemory), first, data, Sharing::Shared),
            _ => Mapping::anonymous(protection),
        };
        self.world.map(cpu, space, placement, pages, &mapping);
    }

    fn store_from_kernel(&self, cpu: usize) {
        let spaces = self.world.spaces();
        if spaces.is_empty() {
            return;
        }
        let space = &spaces[self.world.throw(|dice| dice.below(spaces.len()))];
        let (address, probe, _) = self.choose_use(space);
        let value = self.world.fresh_value();
        if !self.is_racy(space, address, Use::Store(value)) {
            self.world.kernel_store(cpu, space, address, probe, value);
        }
    }

    fn write_file(&self) {
        if !self.world.is_busy() {
            let object = self.object(Role::Data);
            let (page, probe) = self.world.throw(|dice| (dice.below(6), dice.below(PROBES.len())));
            if (page as u64) < object.pages() {
                self.world
                    .write_file(&object, page as u64, probe, self.world.fresh_value());
            }
        }
    }

    /// The end of all, with the search for leaks.
    pub fn finish(&self) -> &Statistics {
        self.world.mmu().set_interloper(None);
        self.world.set_others(None);
        self.world.finish();
        &self.world.statistics
    }

    /// Everything checked.
    pub fn check(&self) {
        self.world.check_everything();
    }
}

fn protection_without_execution(protection: Protection) -> Protection {
    Protection {
        execute: false,
        ..protection
    }
}
