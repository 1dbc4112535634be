//! Pages that are late: their object answers "not yet" until somebody has waited for them. Whoever waits holds no lock, and others
//! change the space meanwhile: unmap, protect, move, fork, end, fault on the same page, cut the object off.

use super::settings::Settings;
use super::{Space, World, bump};
use machine::random::Random;
use mm::{AddressSpace, Descriptor, Frame, Level, Mmu, PageError, TABLE_ENTRIES, VirtAddr};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Mutex;

/// Waits inside waits: a deeper one ends at once.
const DEPTH: usize = 3;

/// What a kernel might do wrong when a page has to be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitMistake {
    /// The awaited page is mapped where it belonged before the wait.
    NoSecondLook,
    /// The object has taken a reference for whoever is told to wait.
    LeaksFrame,
    /// The space's lock is kept.
    KeepsLock,
}

/// The pages of one object that have to be waited for.
#[derive(Default)]
pub struct LatePages(Mutex<Late>);

#[derive(Default)]
struct Late {
    pages: BTreeSet<u64>,
    /// Decides which page is late, once in so many requests.
    dice: Option<(Random, usize)>,
    is_leaking: bool,
}

impl LatePages {
    /// From now on pages are late as the settings want it.
    pub fn begin(&self, settings: &Settings) {
        let mut late = self.0.lock().unwrap();
        late.dice = settings
            .late_pages
            .map(|one_in| (Random::new(settings.seed ^ 0x1a7e), one_in));
        late.is_leaking = settings.wait_mistake == Some(WaitMistake::LeaksFrame);
    }

    /// Page `index` is late.
    pub fn delay(&self, index: u64) {
        self.0.lock().unwrap().pages.insert(index);
    }

    /// Somebody wants page `index`, of which `share` takes a reference.
    pub fn ask(&self, index: u64, share: impl FnOnce()) -> Result<(), PageError> {
        let mut late = self.0.lock().unwrap();
        if late
            .dice
            .as_mut()
            .is_some_and(|(dice, one_in)| dice.one_in(*one_in))
        {
            late.pages.insert(index);
        }
        if !late.pages.contains(&index) {
            return Ok(());
        }
        if late.is_leaking {
            share();
        }
        Err(PageError::NotYet)
    }

    /// Whether page `index` has to be waited for.
    pub fn is_late(&self, index: u64) -> bool {
        self.0.lock().unwrap().pages.contains(&index)
    }

    /// The page is there.
    pub fn arrive(&self, index: u64) {
        self.0.lock().unwrap().pages.remove(&index);
    }
}

/// What happens while a page is awaited.
type Others = Rc<dyn Fn(&Rc<Space>)>;

/// What the world knows of waits.
pub(super) struct Waiting {
    mistake: Option<WaitMistake>,
    /// Acts while a thread of the given space waits.
    others: RefCell<Option<Others>>,
    depth: Cell<usize>,
}

impl Waiting {
    pub(super) fn new(mistake: Option<WaitMistake>) -> Waiting {
        Waiting {
            mistake,
            others: RefCell::default(),
            depth: Cell::new(0),
        }
    }
}

/// All descriptors of a space.
pub(super) type Tables = Vec<(Level, u64, Descriptor, u32)>;

/// Where a page belonged before the wait, by which a careless kernel would map it.
struct Place {
    table: Frame,
    index: usize,
    page: Frame,
}

impl World {
    /// Says what others do while a thread waits for a page.
    pub fn set_others(&self, others: Option<Others>) {
        *self.waiting.others.borrow_mut() = others;
    }

    /// A thread on `cpu` waits for the page at `address` while others act; whether it may look again. In the middle of another
    /// processor's operation it is told to end instead, and so it is where pages are being taken: what is right then is not known.
    pub fn wait_for_page(&self, cpu: usize, space: &Rc<Space>, address: VirtAddr) -> bool {
        bump(&self.statistics.deferred);
        let awaited = self
            .with_space(cpu, space, |inner| inner.awaited_page(&self.memory, address))
            .flatten();
        if self.is_busy() {
            let _ = awaited.map(|page| page.wait());
            return false;
        }
        let place = self.careless_place(space, address);
        self.let_others_act(cpu, space);
        if awaited.is_some_and(|page| page.wait().is_err()) {
            return false;
        }
        if let Some(place) = place {
            self.map_without_look(cpu, &place);
        }
        let shadow = space.shadow.borrow();
        !shadow.page(address).is_some_and(|page| self.is_in_limbo(page))
    }

    fn let_others_act(&self, cpu: usize, space: &Rc<Space>) {
        let kept = (self.waiting.mistake == Some(WaitMistake::KeepsLock)).then(|| space.inner.borrow_mut());
        // Another thread of the space faults, or whatever: it must not have to wait as well.
        let is_open = self.with_space(cpu, space, |_| ()).is_some();
        self.mmu().complain_if(!is_open, || {
            "who waits for a page keeps everybody else out".to_owned()
        });
        drop(kept);
        let others = self.waiting.others.borrow().clone();
        let depth = self.waiting.depth.get();
        if let Some(others) = others.filter(|_| depth < DEPTH && is_open) {
            self.waiting.depth.set(depth + 1);
            others(space);
            self.waiting.depth.set(depth);
        }
    }

    /// Where a kernel that takes no second look would put the page.
    fn careless_place(&self, space: &Space, address: VirtAddr) -> Option<Place> {
        if self.waiting.mistake != Some(WaitMistake::NoSecondLook) {
            return None;
        }
        let shadow = space.shadow.borrow();
        let (object, index) = shadow.page(address)?.backing.as_ref()?;
        let page = *object.frames().get(*index as usize)?;
        let guard = space.inner.borrow();
        let mut table = None;
        guard.as_ref()?.for_each_entry(&self.memory, |entry| {
            if entry.level == Level::L2 && entry.address.0 >> 21 == address.0 >> 21 {
                table = Some(entry.descriptor.frame());
            }
        });
        Some(Place {
            table: table?,
            index: (address.0 >> 12) as usize % TABLE_ENTRIES,
            page,
        })
    }

    fn map_without_look(&self, cpu: usize, place: &Place) {
        self.in_kernel(cpu, || {
            self.memory.frames().share(place.page);
            self.mmu()
                .store(place.table, place.index, Descriptor::page(place.page));
            self.mmu().dsb_ishst();
        });
    }

    /// What a deferred fault must not change; `None` where no page can be late.
    pub(super) fn before_fault(
        &self,
        inner: &AddressSpace,
        address: VirtAddr,
    ) -> Option<(u64, usize, Tables)> {
        if inner.swapped_page(&self.memory, address).is_none() {
            inner.areas().find(address)?.source_page(address)?;
        }
        let free = self.memory.frames().free_count();
        Some((self.statistics.interruptions.get(), free, self.tables(inner)))
    }

    /// The fault was deferred: all is as it was, unless another processor came in between.
    pub(super) fn check_deferral(&self, inner: &AddressSpace, before: Option<(u64, usize, Tables)>) {
        let Some((interruptions, free, tables)) = before else {
            return self
                .mmu()
                .complain(|| "a fault is deferred where there is no object".to_owned());
        };
        let is_same = self.memory.frames().free_count() == free && self.tables(inner) == tables;
        // Looking takes steps as well.
        let was_alone = self.statistics.interruptions.get() == interruptions;
        self.mmu().complain_if(was_alone && !is_same, || {
            "a fault that was deferred has changed something".to_owned()
        });
    }

    fn tables(&self, inner: &AddressSpace) -> Tables {
        let mut all = Vec::new();
        inner.for_each_entry(&self.memory, |entry| {
            all.push((entry.level, entry.address.0, entry.descriptor, entry.count));
        });
        all
    }
}
