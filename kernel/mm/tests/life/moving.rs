//! Mappings that are moved.

use super::{Life, WHOLE, WHOLE_USED};
use crate::world::operations::Mapping;
use crate::world::{Space, Use};
use mm::{Level, PAGE_SIZE, PageRange, Placement, Portion, Protection, RemapPlacement, VirtAddr};
use std::rc::Rc;

impl Life {
    /// What others do while pages are taken from everybody, at this moment from `space`: often they move one of those there.
    pub(super) fn meanwhile(&self, space: &Rc<Space>) {
        let cpu = self
            .world
            .free_cpu()
            .filter(|_| self.world.throw(|dice| dice.one_in(2)));
        match cpu.filter(|cpu| self.world.run(*cpu, space)) {
            Some(cpu) => match self.last_in_limbo(space) {
                Some(page) => self.remap_from(cpu, space, page),
                None => self.remap(cpu, space),
            },
            None => self.step(),
        }
    }

    /// The page that the walk comes to last.
    fn last_in_limbo(&self, space: &Space) -> Option<VirtAddr> {
        let shadow = space.shadow.borrow();
        let mut limbo = shadow.pages().filter(|(_, page)| self.world.is_in_limbo(page));
        limbo.next_back().map(|(at, _)| at)
    }

    pub(super) fn remap(&self, cpu: usize, space: &Rc<Space>) {
        let start = space.shadow.borrow().nth(self.world.throw(|dice| dice.below(64)));
        if let Some(start) = start {
            self.remap_from(cpu, space, start);
        }
    }

    fn remap_from(&self, cpu: usize, space: &Rc<Space>, start: VirtAddr) {
        let dice = |bound| self.world.throw(|dice| dice.below(bound));
        let Some(from) = PageRange::new(start, (1 + dice(3) as u64) << 12) else {
            return;
        };
        let placement = match dice(8) {
            0 => RemapPlacement::InPlace,
            1 => RemapPlacement::MayMove,
            2 => RemapPlacement::Leaving(Placement::Hint(start)),
            3 => RemapPlacement::Leaving(Placement::Fixed(self.choose_range().start())),
            _ => RemapPlacement::Fixed(self.choose_range().start()),
        };
        let pages = match placement {
            RemapPlacement::Leaving(_) => from.pages(),
            _ => 1 + dice(4) as u64,
        };
        let most = self
            .world
            .throw(|dice| dice.pick(&[Portion::LEAST, Portion::USUAL]));
        self.world.remap_by(cpu, space, from, (pages, placement), most);
    }

    /// A whole level-3 table moves, after it was used; or there is none yet, and it is mapped.
    pub(super) fn move_whole(&self, cpu: usize, space: &Rc<Space>) {
        let (here, there) = self.world.throw(|dice| {
            let (first, step) = (dice.below(WHOLE.len()), 1 + dice.below(WHOLE.len() - 1));
            (WHOLE[first], WHOLE[(first + step) % WHOLE.len()])
        });
        let from = PageRange::new(VirtAddr(here), Level::L2.span()).expect("it lies in the user half");
        let is_mapped = space.shadow.borrow().area_end(from.start()) >= from.end();
        if !is_mapped {
            let mapping = Mapping::anonymous(Protection::READ_WRITE);
            self.world
                .map(cpu, space, Placement::Fixed(from.start()), from.pages(), &mapping);
            return self.use_whole(cpu, from.start());
        }
        let placement = RemapPlacement::Fixed(VirtAddr(there));
        let moved = self
            .world
            .remap_by(cpu, space, from, (from.pages(), placement), Portion::USUAL);
        if let Some(target) = moved {
            self.use_whole(cpu, target);
        }
    }

    fn use_whole(&self, cpu: usize, start: VirtAddr) {
        let page = self.world.throw(|dice| dice.pick(&WHOLE_USED));
        let (address, value) = (
            VirtAddr(start.0 + page * PAGE_SIZE as u64),
            self.world.fresh_value(),
        );
        self.world.access(cpu, address, 1, Use::Store(value));
    }
}
