//! What one processor keeps in order by itself, whoever else does what: Arm ARM B2.3, "locally-hardware-required-ordered-before".
//! The names of the relations are those of the architecture's text.

use crate::event::{Event, Kind};
use crate::instruction::Accesses;
use crate::relation::{Relation, Set, set_of};
use crate::trace::Trace;

/// The orders of a trace.
pub struct Local {
    /// All that is kept in order, closed.
    pub required: Relation,
    /// DSB-ordered-before: the DSB in between has waited for the first.
    pub behind_dsb: Relation,
    /// The second was fetched and translated anew, behind the first.
    pub behind_context: Relation,
    /// Program order.
    pub program: Relation,
    /// Program order of accesses to the same place.
    pub same_place: Relation,
    /// The TLB invalidations that a DSB completes.
    pub completed: Set,
}

struct Sets {
    explicit: Set,
    reads: Set,
    writes: Set,
    walks: Set,
    faults: Set,
    uncacheable: Set,
    context: Set,
    invalidations: Set,
    /// Explicit reads that barriers order.
    loads: Set,
    all: Set,
}

impl Sets {
    fn of(events: &[Event]) -> Sets {
        let set = |is_in: &dyn Fn(&Event) -> bool| set_of(events.len(), |one| is_in(&events[one]));
        Sets {
            explicit: set(&Event::is_explicit),
            reads: set(&Event::is_explicit_read),
            writes: set(&Event::is_write),
            walks: set(&Event::is_walk),
            faults: set(&Event::is_fault),
            uncacheable: set(&Event::is_uncacheable_fault),
            context: set(&Event::synchronises_context),
            invalidations: set(&|event| matches!(event.kind, Kind::InvalidateTlb { .. })),
            loads: set(&|event| event.is_explicit_read() && !event.has_no_result),
            all: set(&|_| true),
        }
    }
}

/// The orders of `trace`.
pub fn local(trace: &Trace, has_ets2: bool) -> Local {
    let events = &trace.events;
    let count = events.len();
    let sets = Sets::of(events);
    let program = Relation::of(count, |one, other| events[one].step < events[other].step);
    let same_place = program.and(&Relation::of(count, |one, other| {
        is_same_place(&events[one], &events[other])
    }));
    let control = trace.relation(&trace.control);
    let walks = trace.relation(&trace.walks);

    let behind_dsb = behind_dsb(events, &sets, &program, has_ets2);
    let behind_context = {
        // [Exp & R]; ctrl; [CSE] | DSB-ob; [CSE] | [Imp & TTD & R]; tr-ib; po?; [CSE]
        let mut until = control.between(sets.reads, sets.context);
        until.join(&behind_dsb.between(sets.all, sets.context));
        until.join(&walks.between(sets.walks, sets.context));
        until.join(&walks.then(&program).between(sets.walks, sets.context));
        until.then(&program)
    };

    let mut required = ordered_by_instructions(trace, &sets, &program, &same_place);
    required = required.between(sets.explicit, sets.explicit | sets.faults);
    required.join(&walks).join(&behind_dsb).join(&behind_context);
    let address = trace.relation(&trace.address);
    // A store is not seen before the translations of what stands before it have not faulted.
    required.join(
        &walks
            .then(&program)
            .between(sets.walks, sets.writes & sets.explicit),
    );
    required.join(&same_place.between(sets.walks, sets.writes));
    required.join(&same_place.between(sets.explicit, sets.uncacheable));
    required.join(&address.between(sets.reads, sets.invalidations));
    // A TLBI is done when it must be, not on speculation.
    required.join(&control.between(sets.reads, sets.invalidations));
    let beyond = address.between(sets.reads, sets.explicit).then(&program);
    required.join(&beyond.between(sets.reads, sets.context).then(&program));
    if has_ets2 {
        let faults = program.between(sets.explicit, sets.uncacheable);
        required.join(&faults.then(&walks.inverse()));
    }
    required.close();

    let dsb = set_of(count, |one| {
        events[one].kind == Kind::DataSynchronisationBarrier(Accesses::Full)
    });
    let completed = set_of(count, |one| {
        sets.invalidations >> one & 1 != 0 && program.row(one) & dsb != 0
    });
    Local {
        required,
        behind_dsb,
        behind_context,
        program,
        same_place,
        completed,
    }
}

/// Whether two accesses are to the same place. A fault is where it would have been; by an invalid entry, at its address.
fn is_same_place(one: &Event, other: &Event) -> bool {
    let has_place = |event: &Event| event.is_access() || event.is_fault();
    if !has_place(one) || !has_place(other) {
        return false;
    }
    let by_address = one.is_uncacheable_fault() || other.is_uncacheable_fault();
    let is_same_page = one.page.is_some() && one.page == other.page && !one.is_implicit && !other.is_implicit;
    one.place == other.place || (by_address && is_same_page)
}

/// DSB-ordered-before. A DSB does not order what the MMU reads behind it, but for FEAT_ETS2.
fn behind_dsb(events: &[Event], sets: &Sets, program: &Relation, has_ets2: bool) -> Relation {
    let until = if has_ets2 {
        sets.all
    } else {
        sets.all & !sets.walks
    };
    let mut behind = Relation::empty(events.len());
    for (place, event) in events.iter().enumerate() {
        let Kind::DataSynchronisationBarrier(accesses) = event.kind else {
            continue;
        };
        let waits_for = match accesses {
            Accesses::Full => sets.explicit | sets.walks | sets.invalidations,
            Accesses::Loads => sets.loads,
            Accesses::Stores => sets.writes & sets.explicit,
        };
        let before = set_of(events.len(), |one| program.has(one, place)) & waits_for;
        for one in crate::relation::members(before) {
            behind.add_all(one, program.row(place) & until);
        }
    }
    behind
}

/// Locally-ordered-before: dependencies, atomics, barriers, acquire and release.
fn ordered_by_instructions(
    trace: &Trace,
    sets: &Sets,
    program: &Relation,
    same_place: &Relation,
) -> Relation {
    let events = &trace.events;
    let count = events.len();
    let explicit_program = program.between(sets.explicit, sets.all);
    let address = trace.relation(&trace.address);
    let data = trace.relation(&trace.data);
    let control = trace.relation(&trace.control);
    let atomic = trace.relation(&trace.atomic);
    let acquires = set_of(count, |one| events[one].is_acquire);
    let acquires_pc = set_of(count, |one| events[one].is_acquire_pc);
    let releases = set_of(count, |one| events[one].is_release);

    // lrs: a load behind this processor's last store to the same place; lws: a store behind any access to it.
    let stores = same_place.between(sets.writes & sets.explicit, sets.explicit);
    let over_another = stores.between(sets.all, sets.writes).then(&stores);
    let local_read = stores.without(&over_another).between(sets.writes, sets.reads);
    let local_write = same_place.between(sets.explicit, (sets.writes & sets.explicit) | sets.faults);

    let mut ordered = local_write;
    // Dependency-ordered-before.
    let to_access = address.between(sets.reads, sets.explicit);
    ordered.join(&to_access).join(&data);
    ordered.join(&control.between(sets.reads, sets.writes));
    let beyond = to_access.then(&explicit_program);
    ordered.join(&beyond.between(sets.all, sets.writes));
    ordered.join(
        &beyond
            .between(sets.all, sets.context)
            .then(program)
            .between(sets.all, sets.reads),
    );
    ordered
        .join(&to_access.then(&local_read))
        .join(&data.then(&local_read));
    // Atomic-ordered-before.
    ordered.join(&atomic);
    ordered.join(&atomic.then(&local_read).between(sets.all, acquires | acquires_pc));
    // Barrier-ordered-before.
    for (place, event) in events.iter().enumerate() {
        let Kind::DataMemoryBarrier(accesses) = event.kind else {
            continue;
        };
        let (from, to) = match accesses {
            Accesses::Full => (sets.all, sets.all),
            Accesses::Loads => (sets.loads, sets.all),
            Accesses::Stores => (sets.writes, sets.writes | sets.faults),
        };
        let before = set_of(count, |one| program.has(one, place)) & from;
        for one in crate::relation::members(before) {
            ordered.add_all(one, program.row(place) & to);
        }
    }
    for &(_, store) in &trace.full {
        // What precedes an atomic with acquire and release precedes what is behind its store.
        ordered.add_all(store, program.row(store));
    }
    ordered.join(&program.between(releases, acquires));
    ordered.join(&program.between(acquires | acquires_pc, sets.all));
    ordered.join(&program.between(sets.all, releases));
    ordered.close();
    ordered
}
