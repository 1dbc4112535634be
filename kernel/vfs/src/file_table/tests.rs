use super::*;
use alloc::collections::BTreeMap;
use memory::fallible::fail_after;

/// What a table is compared with.
type Model = BTreeMap<usize, (usize, OnExec)>;

/// All descriptors from `from` on, with what they refer to.
fn iter_from<F>(table: &Table<F>, mut from: usize) -> impl Iterator<Item = (usize, &Arc<F>)> {
    core::iter::from_fn(move || {
        let found = table.next_from(from)?;
        from = found.0 + 1;
        Some(found)
    })
}

fn table(files: &[&'static str]) -> Table<&'static str> {
    let mut table = Table::new();
    for file in files {
        table.insert(Arc::new(*file), OnExec::Keep, 0, 1024).unwrap();
    }
    table
}

#[test]
fn the_lowest_free_descriptor_is_taken() {
    let mut table = table(&["in", "out", "error"]);
    assert_eq!(**table.get(1).unwrap(), "out");
    table.remove(1).unwrap();
    assert_eq!(table.insert(Arc::new("new"), OnExec::Keep, 0, 1024), Ok(1));
    assert_eq!(table.insert(Arc::new("next"), OnExec::Keep, 0, 1024), Ok(3));
}

#[test]
fn a_lower_bound_leaves_lower_slots_free() {
    let mut table = table(&["in"]);
    assert_eq!(table.insert(Arc::new("ten"), OnExec::Close, 10, 1024), Ok(10));
    assert_eq!(table.insert(Arc::new("eleven"), OnExec::Keep, 10, 1024), Ok(11));
    assert_eq!(table.insert(Arc::new("one"), OnExec::Keep, 0, 1024), Ok(1));
    assert_eq!(table.get(5).err(), Some(Errno::EBADF));
}

#[test]
fn limits_are_kept() {
    let mut table = table(&["in", "out"]);
    assert_eq!(
        table.insert(Arc::new("x"), OnExec::Keep, 0, 2).err(),
        Some(Errno::EMFILE)
    );
    assert_eq!(
        table.replace(2, Arc::new("x"), OnExec::Keep, 2).err(),
        Some(Errno::EBADF)
    );
}

#[test]
fn exec_closes_what_is_marked_and_a_copy_keeps_it() {
    let mut parent = table(&["in", "out"]);
    parent.insert(Arc::new("log"), OnExec::Close, 0, 1024).unwrap();
    let mut child = parent.try_clone().unwrap();
    assert_eq!(child.take_closed_on_exec(0).unwrap().unwrap().0, 2);
    assert!(child.take_closed_on_exec(0).unwrap().is_none());
    assert_eq!(child.get(2).err(), Some(Errno::EBADF));
    assert_eq!(parent.on_exec(2), Ok(OnExec::Close));
    assert_eq!(
        iter_from(&parent, 1)
            .map(|(descriptor, _)| descriptor)
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn a_range_is_taken_and_its_first_slot_reused() {
    let mut table = table(&["a", "b", "c", "d"]);
    assert_eq!(
        (1..4)
            .filter_map(|at| table.take_next(at, usize::MAX).unwrap())
            .count(),
        3
    );
    assert_eq!(table.insert(Arc::new("e"), OnExec::Keep, 0, 1024), Ok(1));
}

/// Against a simple model: the lowest free one, what is taken, what is left, in copies that share pieces.
#[test]
fn many_descriptors_are_as_in_a_map() {
    let mut seed = 1_u64;
    let mut next = move |most: usize| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as usize % most
    };
    let mut copies = vec![(Table::new(), BTreeMap::new())];
    for step in 0..3_000 {
        let (at, from) = (next(copies.len()), next(9000));
        match next(40) {
            0 if copies.len() < 4 => {
                let copy = (copies[at].0.try_clone().unwrap(), copies[at].1.clone());
                copies.push(copy);
            }
            1 if copies.len() > 1 => drop(copies.swap_remove(at)),
            choice => change(&mut copies[at], choice, step, from),
        }
    }
    for (table, model) in copies {
        let all = iter_from(&table, 0).map(|(at, file)| (at, **file, table.on_exec(at).unwrap()));
        assert!(all.eq(model.iter().map(|(at, (file, what))| (*at, *file, *what))));
    }
}

fn change((table, model): &mut (Table<usize>, Model), choice: usize, step: usize, from: usize) {
    let what = if step.is_multiple_of(3) {
        OnExec::Close
    } else {
        OnExec::Keep
    };
    match choice {
        2..8 => assert_eq!(
            table.remove(from).ok().map(|file| *file),
            model.remove(&from).map(|(file, _)| file)
        ),
        8..10 => {
            let expected = model
                .range(from..)
                .find(|(_, (_, what))| *what == OnExec::Close)
                .map(|(at, _)| *at);
            let taken = table.take_closed_on_exec(from).unwrap();
            assert_eq!(taken.map(|(at, _)| at), expected);
            expected.and_then(|at| model.remove(&at));
        }
        10 => {
            let (mut at, last) = (Some(from), from + 150);
            while let Some(first) = at {
                at = table.mark_some(first, last).unwrap();
            }
            model
                .range_mut(from..=last)
                .for_each(|(_, (_, what))| *what = OnExec::Close);
        }
        11..14 => {
            table.replace(from, Arc::new(step), what, 1 << 20).unwrap();
            model.insert(from, (step, what));
        }
        _ => {
            let from = if choice < 30 { 0 } else { from };
            let free = (from..).find(|at| !model.contains_key(at)).unwrap();
            assert_eq!(table.insert(Arc::new(step), what, from, 1 << 20), Ok(free));
            model.insert(free, (step, what));
        }
    }
    assert_eq!(
        table.has_closed_on_exec(),
        model.values().any(|(_, what)| *what == OnExec::Close)
    );
}

/// Ten thousand descriptors; every third is closed by exec.
fn large() -> Table<usize> {
    let mut table = Table::new();
    for at in 0..10_000 {
        let what = if at % 3 == 0 { OnExec::Close } else { OnExec::Keep };
        assert_eq!(table.insert(Arc::new(at), what, 0, 1 << 20), Ok(at));
    }
    table
}

#[test]
fn a_copy_shares_all_but_what_it_changes() {
    let parent = large();
    let mut child = parent.try_clone().unwrap();
    // Of the first piece there is a copy at once.
    let count = |at| Arc::strong_count(parent.get(at).unwrap());
    assert_eq!((count(0), count(100), count(9000)), (2, 1, 1));
    child.remove(9000).unwrap();
    assert_eq!((count(9000), count(9001), count(100)), (1, 2, 1));
    assert_eq!(child.get(9000).err(), Some(Errno::EBADF));
    while child.drop_some() {}
    assert_eq!((count(0), count(9001)), (1, 1));
    assert_eq!(iter_from(&parent, 0).count(), 10_000);
}

/// No change that finds no memory has changed anything, and what exec closes needs none once it is the table's own.
#[test]
fn changes_without_memory_change_nothing() {
    let parent = large();
    for count in 0..6 {
        let mut child = parent.try_clone().unwrap();
        let another = Arc::new(1);
        fail_after(Some(count));
        let outcomes = [
            child.remove(5000).err(),
            child.insert(another, OnExec::Keep, 20_000, 1 << 20).err(),
            child.set_on_exec(7001, OnExec::Close).err(),
        ];
        fail_after(None);
        assert!(outcomes.iter().flatten().all(|error| *error == Errno::ENOMEM));
        assert_eq!(child.get(5000).is_ok(), outcomes[0].is_some());
        assert_eq!(child.get(20_000).is_err(), outcomes[1].is_some());
        assert_eq!(child.on_exec(7001) == Ok(OnExec::Keep), outcomes[2].is_some());
        assert_eq!(iter_from(&child, 20_001).count(), 0);
    }
    let mut child = parent.try_clone().unwrap();
    let mut from = Some(0);
    while let Some(first) = from {
        from = child.own_closed_on_exec(first).unwrap();
    }
    fail_after(Some(0));
    let mut closed = 0;
    while child.take_closed_on_exec(0).unwrap().is_some() {
        closed += 1;
    }
    fail_after(None);
    assert_eq!((closed, child.has_closed_on_exec()), (3334, false));
}
