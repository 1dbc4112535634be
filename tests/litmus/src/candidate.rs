//! Traces put together: who reads from whom, in which order each place is written, and whether the architecture allows that.

use crate::event::{Event, Kind};
use crate::local::Local;
use crate::memory::{initial, places};
use crate::program::Program;
use crate::relation::{MOST, Relation, Set, members, set_of};
use crate::trace::Trace;
use crate::value::{Place, Value};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Whose initial values stand before all processors.
const NOBODY: usize = usize::MAX;

/// Traces put together, with all that does not depend on who reads from whom.
pub struct Candidate {
    events: Vec<Event>,
    owners: Vec<usize>,
    required: Relation,
    behind_tlbi: Relation,
    same_place: Relation,
    external: Relation,
    walks: Vec<(usize, usize)>,
    walk_pairs: Relation,
    same_page: Relation,
    completed: Set,
    atomic: Vec<(usize, usize)>,
    reads: Vec<usize>,
    writes: BTreeMap<Place, Vec<usize>>,
}

impl Candidate {
    /// Puts a trace of each processor together.
    ///
    /// # Errors
    /// There are too many events.
    pub fn new(program: &Program, chosen: &[&(Trace, Local)]) -> Result<Candidate> {
        let mut events = Vec::new();
        let mut owners = Vec::new();
        for place in places(program) {
            events.push(Event {
                place: Some(place),
                value: initial(program, place),
                ..Event::new(Kind::Write, 0)
            });
            owners.push(NOBODY);
        }
        let mut starts = Vec::new();
        for (thread, (trace, _)) in chosen.iter().enumerate() {
            starts.push(events.len());
            events.extend(&trace.events);
            owners.extend(std::iter::repeat_n(thread, trace.events.len()));
        }
        let count = events.len();
        ensure!(count <= MOST, "{count} events are too many");
        let mut candidate = Candidate {
            required: Relation::empty(count),
            behind_tlbi: Relation::empty(count),
            same_place: Relation::empty(count),
            external: Relation::of(count, |one, other| owners[one] != owners[other]),
            walks: Vec::new(),
            walk_pairs: Relation::empty(count),
            same_page: Relation::empty(count),
            completed: 0,
            atomic: Vec::new(),
            reads: (0..count).filter(|&one| events[one].kind == Kind::Read).collect(),
            writes: BTreeMap::new(),
            events,
            owners,
        };
        for (thread, (trace, local)) in chosen.iter().enumerate() {
            candidate.take(trace, local, starts[thread]);
        }
        for (place, event) in candidate.events.iter().enumerate() {
            if let (Kind::Write, Some(at)) = (event.kind, event.place) {
                candidate.writes.entry(at).or_default().push(place);
            }
        }
        candidate.relate_pages();
        Ok(candidate)
    }

    fn take(&mut self, trace: &Trace, local: &Local, start: usize) {
        local.required.shifted_into(&mut self.required, start);
        local.behind_dsb.shifted_into(&mut self.behind_tlbi, start);
        local.behind_context.shifted_into(&mut self.behind_tlbi, start);
        local.same_place.shifted_into(&mut self.same_place, start);
        self.completed |= local.completed << start;
        let moved = |&(one, other): &(usize, usize)| (one + start, other + start);
        self.walks.extend(trace.walks.iter().map(moved));
        self.atomic.extend(trace.atomic.iter().map(moved));
        local.program.shifted_into(&mut self.same_page, start);
    }

    /// Walks for the same page whose accesses stand in program order.
    fn relate_pages(&mut self) {
        let program = self.same_page.clone();
        let mut related = Relation::empty(self.events.len());
        for &(walk, access) in &self.walks {
            self.walk_pairs.add(walk, access);
            for &(other, behind) in &self.walks {
                if program.has(access, behind) && self.events[walk].page == self.events[other].page {
                    related.add(walk, other);
                }
            }
        }
        self.same_page = related;
    }

    /// Whether some execution of these traces is allowed whose memory is wanted in the end.
    pub fn is_reachable(&self, is_wanted: &dyn Fn(&BTreeMap<Place, Value>) -> bool) -> bool {
        self.read(0, &mut vec![None; self.events.len()], is_wanted)
    }

    /// Chooses for each read, from the one numbered `next` on, from which write it reads.
    fn read(
        &self,
        next: usize,
        sources: &mut Vec<Option<usize>>,
        is_wanted: &dyn Fn(&BTreeMap<Place, Value>) -> bool,
    ) -> bool {
        let Some(&read) = self.reads.get(next) else {
            return self.order_writes(sources, is_wanted);
        };
        let event = &self.events[read];
        let Some(writes) = event.place.and_then(|place| self.writes.get(&place)) else {
            return false;
        };
        for &write in writes {
            let is_later = self.same_place.has(read, write) || self.atomic.contains(&(read, write));
            if self.events[write].value != event.value || is_later {
                continue;
            }
            // A load sees no store of its own processor that another one of its own has replaced.
            let is_hidden =
                |&other: &usize| self.same_place.has(write, other) && self.same_place.has(other, read);
            if event.is_explicit_read() && writes.iter().any(is_hidden) {
                continue;
            }
            sources[read] = Some(write);
            if self.read(next + 1, sources, is_wanted) {
                return true;
            }
        }
        sources[read] = None;
        false
    }

    fn order_writes(
        &self,
        sources: &[Option<usize>],
        is_wanted: &dyn Fn(&BTreeMap<Place, Value>) -> bool,
    ) -> bool {
        let mut from = Relation::empty(self.events.len());
        for (read, write) in sources.iter().enumerate() {
            if let Some(write) = write {
                from.add(*write, read);
            }
        }
        // Nothing that is forbidden already becomes allowed by an order of the writes.
        let mut known = self.required.clone();
        known.join(&self.observed_reads(&from));
        if !known.is_acyclic() {
            return false;
        }
        let places: Vec<&Vec<usize>> = self.writes.values().collect();
        self.order_place(&places, &mut BTreeMap::new(), sources, &from, is_wanted)
    }

    /// rf as far as it is in observed-by: between processors, and whatever a walk reads.
    fn observed_reads(&self, from: &Relation) -> Relation {
        let walks = set_of(self.events.len(), |one| self.events[one].is_walk());
        let mut observed = from.and(&self.external);
        observed.join(&from.between(Set::MAX, walks));
        observed
    }

    fn order_place(
        &self,
        places: &[&Vec<usize>],
        orders: &mut BTreeMap<usize, Vec<usize>>,
        sources: &[Option<usize>],
        from: &Relation,
        is_wanted: &dyn Fn(&BTreeMap<Place, Value>) -> bool,
    ) -> bool {
        let number = orders.len();
        let Some(writes) = places.get(number) else {
            return self.is_wanted(orders, is_wanted) && self.is_allowed(orders, sources, from);
        };
        let mut order = Vec::with_capacity(writes.len());
        self.extend(writes, &mut order, sources, &mut |order| {
            orders.insert(number, order.to_vec());
            let found = self.order_place(places, orders, sources, from, is_wanted);
            orders.remove(&number);
            found
        })
    }

    /// Every order of the writes to a place that program order and atomicity allow.
    fn extend(
        &self,
        writes: &[usize],
        order: &mut Vec<usize>,
        sources: &[Option<usize>],
        found: &mut dyn FnMut(&[usize]) -> bool,
    ) -> bool {
        if order.len() == writes.len() {
            return found(order);
        }
        for &write in writes {
            let is_placed = order.contains(&write);
            let is_first = self.owners[write] == NOBODY;
            let waits = |&other: &usize| !order.contains(&other) && self.same_place.has(other, write);
            if is_placed || (is_first != order.is_empty()) || writes.iter().any(waits) {
                continue;
            }
            if !self.is_atomic(write, order, sources) || !self.is_coherent(write, order, sources) {
                continue;
            }
            order.push(write);
            if self.extend(writes, order, sources, found) {
                return true;
            }
            order.pop();
        }
        false
    }

    /// Nothing may come between what an atomic read and what it writes, but stores of its own processor between exclusives.
    fn is_atomic(&self, write: usize, order: &[usize], sources: &[Option<usize>]) -> bool {
        let Some(&(read, _)) = self.atomic.iter().find(|&&(_, store)| store == write) else {
            return true;
        };
        let Some(place) = order.iter().position(|&one| Some(one) == sources[read]) else {
            return false;
        };
        order[place + 1..]
            .iter()
            .all(|&between| self.owners[between] == self.owners[write])
    }

    /// A load behind a store of its own processor sees that one or a later one: what it read must not be placed before.
    fn is_coherent(&self, write: usize, order: &[usize], sources: &[Option<usize>]) -> bool {
        self.reads.iter().all(|&read| {
            let is_before = sources[read].is_some_and(|source| order.contains(&source));
            !(is_before && self.events[read].is_explicit_read() && self.same_place.has(write, read))
        })
    }

    fn is_wanted(
        &self,
        orders: &BTreeMap<usize, Vec<usize>>,
        is_wanted: &dyn Fn(&BTreeMap<Place, Value>) -> bool,
    ) -> bool {
        let lasts = orders.values().filter_map(|order| order.last());
        let memory = lasts.filter_map(|&last| Some((self.events[last].place?, self.events[last].value)));
        is_wanted(&memory.collect())
    }

    fn is_allowed(
        &self,
        orders: &BTreeMap<usize, Vec<usize>>,
        sources: &[Option<usize>],
        from: &Relation,
    ) -> bool {
        let count = self.events.len();
        // co, and fr: a read comes before all writes behind the one it read.
        let mut after = Relation::empty(count);
        for order in orders.values() {
            for (place, &write) in order.iter().enumerate() {
                let behind = order[place + 1..].iter().fold(0, |set, &one| set | 1 << one);
                after.add_all(write, behind);
            }
        }
        for (read, write) in sources.iter().enumerate() {
            if let Some(write) = write {
                let behind = after.row(*write);
                after.add_all(read, behind & !(1 << read));
            }
        }
        let set = |is_in: &dyn Fn(&Event) -> bool| set_of(count, |one| is_in(&self.events[one]));
        let explicit = set(&Event::is_explicit);
        let reads = set(&Event::is_explicit_read);
        let walks = set(&Event::is_walk);
        let external_after = after.and(&self.external);

        let mut ordered = self.required.clone();
        ordered.join(&self.observed_reads(from));
        ordered.join(&external_after.between(explicit, explicit));
        // Two loads of a place in program order: who overwrites what the second read comes behind the first.
        let second = self.same_place.between(reads, reads);
        ordered.join(&second.then(&external_after.between(reads, explicit)));
        // An entry that no TLB may keep is read from memory: the walk comes before what replaces it.
        for &(walk, access) in &self.walks {
            if self.events[access].is_uncacheable_fault() {
                ordered.add_all(walk, after.row(walk));
            }
        }
        if !ordered.is_acyclic() {
            return false;
        }
        self.invalidate(&ordered, &after.between(walks, Set::MAX))
    }

    /// Whether each TLB invalidation can be placed before or behind each walk that it concerns.
    fn invalidate(&self, ordered: &Relation, replaced: &Relation) -> bool {
        let mut pairs = Vec::new();
        for invalidation in members(self.completed) {
            let Kind::InvalidateTlb { page, is_broadcast } = self.events[invalidation].kind else {
                continue;
            };
            for &(walk, _) in &self.walks {
                let concerns = page.is_none() || page == self.events[walk].page;
                let hears = is_broadcast || self.owners[walk] == self.owners[invalidation];
                if concerns && hears && !pairs.contains(&(walk, invalidation)) {
                    pairs.push((walk, invalidation));
                }
            }
        }
        self.place_invalidations(&pairs, ordered, replaced)
    }

    fn place_invalidations(&self, pairs: &[(usize, usize)], ordered: &Relation, replaced: &Relation) -> bool {
        let Some((&(walk, invalidation), rest)) = pairs.split_first() else {
            return ordered.is_acyclic();
        };
        if !self.required.has(walk, invalidation) {
            // The walk comes behind it: it has read what is there then, and what replaces that comes later still.
            let mut behind = ordered.clone();
            behind.add_all(invalidation, replaced.row(walk));
            if behind.is_acyclic() && self.place_invalidations(rest, &behind, replaced) {
                return true;
            }
        }
        if self.required.has(invalidation, walk) {
            return false;
        }
        // The walk comes before it: the DSB behind has waited for the access that was translated so, and for those before it on
        // the same page.
        let mut before = ordered.clone();
        let completed = self.behind_tlbi.row(invalidation);
        before.add_all(walk, completed);
        let external = completed & self.external.row(walk);
        for access in members(self.walk_pairs.row(walk)) {
            before.add_all(access, external);
        }
        for (earlier, later) in self.same_page.pairs() {
            if later == walk {
                before.add_all(earlier, external);
            }
        }
        before.is_acyclic() && self.place_invalidations(rest, &before, replaced)
    }
}
