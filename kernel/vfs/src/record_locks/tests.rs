use super::*;
use alloc::vec::Vec;

fn lock(process: u32, kind: LockKind, first: u64, last: u64) -> Record {
    Record {
        owner: LockOwner::Table(process.into()),
        kind,
        first,
        last,
        pid: process,
    }
}

fn set(records: &mut Records, wanted: Record) {
    let mut change = LockChange::default();
    while records.set(&wanted, &mut change).unwrap() == LockProgress::More {}
}

fn clear(records: &mut Records, range: Record) {
    while records.clear(&range).unwrap() == LockProgress::More {}
}

fn all_of(records: &Records, process: u32) -> Vec<Record> {
    records
        .of_owner(LockOwner::Table(process.into()), 0, u64::MAX)
        .collect()
}

#[test]
fn shared_locks_live_together_and_exclusive_ones_do_not() {
    let mut records = Records::new();
    set(&mut records, lock(1, LockKind::Shared, 0, 99));
    assert_eq!(records.obstacle(&lock(2, LockKind::Shared, 50, 60)), None);
    assert_eq!(
        records.obstacle(&lock(2, LockKind::Exclusive, 50, 60)),
        Some(lock(1, LockKind::Shared, 0, 99))
    );
    let own = records.obstacle(&lock(1, LockKind::Exclusive, 50, 60));
    assert_eq!(own, None, "never one's own");
}

#[test]
fn an_open_file_and_its_process_are_two_owners() {
    let mut records = Records::new();
    set(&mut records, lock(1, LockKind::Exclusive, 0, 9));
    let wanted = Record {
        owner: LockOwner::OpenFile(1),
        ..lock(1, LockKind::Exclusive, 0, 9)
    };
    assert_eq!(
        records.obstacle(&wanted),
        Some(lock(1, LockKind::Exclusive, 0, 9))
    );
}

#[test]
fn unlocking_the_middle_leaves_both_sides() {
    let mut records = Records::new();
    set(&mut records, lock(1, LockKind::Exclusive, 0, u64::MAX));
    clear(&mut records, lock(1, LockKind::Exclusive, 10, 19));
    assert_eq!(records.obstacle(&lock(2, LockKind::Shared, 10, 19)), None);
    assert_eq!(
        records.obstacle(&lock(2, LockKind::Shared, 9, 9)),
        Some(lock(1, LockKind::Exclusive, 0, 9))
    );
    assert_eq!(
        records.obstacle(&lock(2, LockKind::Shared, 20, 20)),
        Some(lock(1, LockKind::Exclusive, 20, u64::MAX))
    );
}

#[test]
fn neighbours_of_one_kind_become_one() {
    let mut records = Records::new();
    set(&mut records, lock(1, LockKind::Shared, 0, 9));
    set(&mut records, lock(1, LockKind::Shared, 10, 19));
    assert_eq!(all_of(&records, 1), [lock(1, LockKind::Shared, 0, 19)]);
    set(&mut records, lock(1, LockKind::Exclusive, 5, 6));
    assert_eq!(all_of(&records, 1).len(), 3);
    assert_eq!(records.release(LockOwner::Table(1)), LockProgress::Done);
    assert_eq!(all_of(&records, 1), []);
}

#[test]
fn the_lowest_obstacle_is_reported() {
    let mut records = Records::new();
    set(&mut records, lock(3, LockKind::Exclusive, 40, 49));
    set(&mut records, lock(2, LockKind::Exclusive, 20, 29));
    set(&mut records, lock(1, LockKind::Exclusive, 0, 9));
    let found = records.obstacle(&lock(1, LockKind::Shared, 0, u64::MAX));
    assert_eq!(found, Some(lock(2, LockKind::Exclusive, 20, 29)));
}

/// While the many locks of an owner give way to one, nobody else gets a byte of it.
#[test]
fn a_claim_keeps_others_out_of_what_is_being_replaced() {
    let mut records = Records::new();
    for at in 0..1000 {
        set(&mut records, lock(1, LockKind::Shared, 2 * at, 2 * at));
    }
    let (wanted, mut change) = (lock(1, LockKind::Exclusive, 0, 5000), LockChange::default());
    let mut steps = 0;
    while records.set(&wanted, &mut change).unwrap() == LockProgress::More {
        assert!(records.obstacle(&lock(2, LockKind::Shared, 4000, 4000)).is_some());
        assert!(records.obstacle(&lock(2, LockKind::Shared, 1, 1)).is_some());
        steps += 1;
    }
    assert!(steps > 10);
    assert_eq!(all_of(&records, 1), [wanted]);
    clear(&mut records, wanted);
    assert_eq!(all_of(&records, 1), []);
}

const BYTES: u64 = 24;

/// Three owners lock and unlock at random; a model keeps what each holds of each byte.
#[test]
fn random_calls_agree_with_a_model_of_single_bytes() {
    let (mut records, mut model) = (Records::new(), [[None; BYTES as usize]; 3]);
    let mut random = 7u32;
    let mut below = move |bound: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 16) % bound
    };
    for _ in 0..20_000 {
        let owner = below(3);
        let first = u64::from(below(BYTES as u32));
        let last = first + u64::from(below((BYTES - first) as u32));
        let kind = [LockKind::Shared, LockKind::Exclusive][below(2) as usize];
        let wanted = lock(owner, kind, first, last);
        let found = records.obstacle(&wanted).map(|held| held.first.max(first));
        assert_eq!(found, obstacle(&model, owner, &wanted));
        let is_clearing = below(3) == 0;
        if is_clearing {
            clear(&mut records, wanted);
        } else if found.is_none() {
            set(&mut records, wanted);
        } else {
            continue;
        }
        let value = (!is_clearing).then_some(kind);
        model[owner as usize][first as usize..=last as usize].fill(value);
        for owner in 0..3 {
            assert_eq!(all_of(&records, owner), pieces(&model[owner as usize], owner));
        }
    }
}

type Bytes = [Option<LockKind>; BYTES as usize];

fn obstacle(model: &[Bytes; 3], owner: u32, wanted: &Record) -> Option<u64> {
    (wanted.first..=wanted.last).find(|at| {
        (0..3).filter(|other| *other != owner).any(|other| {
            let held = model[other as usize][*at as usize];
            held.is_some_and(|kind| kind == LockKind::Exclusive || wanted.kind == LockKind::Exclusive)
        })
    })
}

fn pieces(bytes: &Bytes, owner: u32) -> Vec<Record> {
    let mut pieces: Vec<Record> = Vec::new();
    for (at, kind) in (0..).zip(bytes) {
        let Some(kind) = *kind else { continue };
        match pieces.last_mut() {
            Some(last) if last.kind == kind && last.last + 1 == at => last.last = at,
            _ => pieces.push(lock(owner, kind, at, at)),
        }
    }
    pieces
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let mut records = Records::new();
    for at in [20, 0, 40] {
        set(&mut records, lock(2, LockKind::Shared, at, at + 9));
        set(&mut records, lock(1, LockKind::Shared, at, at + 9));
    }
    let mut place = LIST_START;
    let mut listed = Vec::new();
    while let Some((record, next)) = records.next_from(place) {
        listed.push((record.first, record.pid));
        place = next;
        if listed.len() == 3 {
            clear(&mut records, lock(2, LockKind::Shared, 20, 29));
        }
    }
    assert_eq!(listed, [(0, 1), (0, 2), (20, 1), (40, 1), (40, 2)]);
}
