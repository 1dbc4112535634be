//! An epoll against a model of it, and under four processors at once.

use super::Epoll;
use crate::eventfd;
use crate::users::User;
use abi::Errno;
use abi::events::{EpollEvent, EpollEvents, EventFdFlags};
use abi::file::OpenFlags;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use platform::heap::KernelHeap;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::vec::Vec;
use uaccess::{KernelSink, KernelSource};
use vfs::caller::{Caller, Requester};
use vfs::{Credentials, OpenFile};

/// What tests let fail.
#[global_allocator]
static HEAP: KernelHeap = KernelHeap::new();

struct Nobody;

impl Requester for Nobody {
    fn credentials(&self) -> Arc<Credentials> {
        unreachable!("a counter asks for no rights")
    }

    fn file_size_limit(&self) -> u64 {
        u64::MAX
    }

    fn process_id(&self) -> u32 {
        1
    }
}

/// Numbers that look random: xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}

/// An epoll of that user; of memory, which the limit is made of, there is none here.
fn open(uid: u32) -> Arc<OpenFile> {
    super::set_most_watches(1_000).expect("it is a number");
    super::open(uid).expect("memory")
}

fn counter() -> Arc<OpenFile> {
    eventfd::open(0, EventFdFlags::EFD_NONBLOCK).expect("memory")
}

fn write(file: &OpenFile) {
    file.write(&Caller::new(&Nobody), &mut KernelSource(&1_u64.to_ne_bytes()))
        .expect("there is room");
}

fn read(file: &OpenFile) {
    let read = file.read(&mut KernelSink::new(&mut [0; 8]));
    assert!(matches!(read, Ok(8) | Err(Errno::EAGAIN)));
}

fn event(events: EpollEvents, data: u64) -> EpollEvent {
    EpollEvent {
        events,
        padding: 0,
        data,
    }
}

fn epoll(file: &OpenFile) -> &Epoll {
    file.ops_as().expect("it is one")
}

/// What is reported now.
fn report(epoll: &Epoll) -> BTreeMap<u64, EpollEvents> {
    let mut reported = BTreeMap::new();
    let count = epoll
        .wait(Some(0), 1000, &mut |event| {
            let again = reported.insert(event.data, event.events);
            assert!(again.is_none(), "a file is reported once");
            Ok(())
        })
        .expect("nobody interrupts");
    assert_eq!(count, reported.len());
    reported
}

fn watches_of(uid: u32) -> u64 {
    User::of(uid).expect("memory").counts().epoll_watches.get()
}

/// What a model knows of a watched file.
struct Model {
    events: EpollEvents,
    is_noted: bool,
    is_armed: bool,
}

#[test]
fn an_epoll_reports_what_a_model_does() {
    const FILES: usize = 12;
    const KINDS: [EpollEvents; 3] = [
        EpollEvents::empty(),
        EpollEvents::EPOLLET,
        EpollEvents::EPOLLONESHOT,
    ];
    for seed in 1..300 {
        let mut random = Random(seed);
        let file = open(1);
        let epoll = epoll(&file);
        let mut files: Vec<_> = (0..FILES).map(|_| (counter(), 0_u64)).collect();
        let mut models: BTreeMap<usize, Model> = BTreeMap::new();
        for _ in 0..400 {
            let one = random.below(FILES);
            let descriptor = one as i32;
            let events = EpollEvents::EPOLLIN | KINDS[random.below(3)];
            let model = |is_noted| Model {
                events,
                is_noted,
                is_armed: true,
            };
            let is_ready = files[one].1 > 0;
            match random.below(9) {
                0 | 1 => {
                    write(&files[one].0);
                    files[one].1 += 1;
                    if let Some(model) = models.get_mut(&one) {
                        model.is_noted |= model.is_armed;
                    }
                }
                2 => {
                    read(&files[one].0);
                    files[one].1 = 0;
                }
                3 => {
                    let added = epoll.add(&files[one].0, descriptor, event(events, one as u64));
                    let is_new = !models.contains_key(&one);
                    assert_eq!(added, if is_new { Ok(()) } else { Err(Errno::EEXIST) });
                    if is_new {
                        models.insert(one, model(is_ready));
                    }
                }
                4 => {
                    let changed = epoll.modify(&files[one].0, descriptor, event(events, one as u64));
                    let known = models.get_mut(&one);
                    assert_eq!(changed.is_ok(), known.is_some());
                    if let Some(known) = known {
                        *known = model(known.is_noted || is_ready);
                    }
                }
                5 => {
                    let removed = epoll.delete(&files[one].0, descriptor);
                    assert_eq!(removed.is_ok(), models.remove(&one).is_some());
                }
                6 => {
                    files[one] = (counter(), 0);
                    models.remove(&one);
                }
                _ => {
                    let expected = models
                        .iter()
                        .filter(|(one, model)| model.is_armed && model.is_noted && files[**one].1 > 0);
                    let expected: BTreeMap<_, _> = expected
                        .map(|(one, _)| (*one as u64, EpollEvents::EPOLLIN))
                        .collect();
                    assert_eq!(file.poll() != 0, !expected.is_empty(), "seed {seed}");
                    assert_eq!(report(epoll), expected, "seed {seed}");
                    for (one, model) in &mut models {
                        let is_once = model
                            .events
                            .intersects(EpollEvents::EPOLLET | EpollEvents::EPOLLONESHOT);
                        let is_told = model.is_armed && model.is_noted && files[*one].1 > 0;
                        model.is_noted &= is_told && !is_once;
                        model.is_armed &= !(is_told && model.events.contains(EpollEvents::EPOLLONESHOT));
                    }
                }
            }
        }
    }
    assert_eq!(watches_of(1), 0, "everything was forgotten");
}

#[test]
fn four_processors_lose_no_event_and_leave_nothing() {
    const FILES: usize = 6;
    let rounds = if cfg!(debug_assertions) { 3_000 } else { 30_000 };
    let files: Vec<_> = (0..FILES).map(|_| Mutex::new(counter())).collect();
    let get = |one: usize| files[one].lock().expect("nobody panics").clone();
    let (inner, outer) = (open(2), open(2));
    // Each registration has a number of its own: a file that another thread still holds stays watched beside the one that has
    // taken its descriptor since, and both may be reported.
    let registrations = AtomicU64::new(100);
    let in_both = event(EpollEvents::EPOLLIN, 99);
    epoll(&outer).add(&inner, 99, in_both).expect("memory");
    let work_on_files = |seed| {
        let mut random = Random(seed);
        for _ in 0..rounds {
            let one = random.below(FILES);
            match random.below(8) {
                0 => {
                    let old = core::mem::replace(&mut *files[one].lock().expect("nobody panics"), counter());
                    drop(old);
                }
                1..4 => read(&get(one)),
                _ => write(&get(one)),
            }
        }
    };
    let work_on_epoll = |own: &OpenFile, seed| {
        let mut random = Random(seed);
        for _ in 0..rounds {
            let one = random.below(FILES);
            let number = registrations.fetch_add(1, Ordering::Relaxed);
            let (file, wanted) = (get(one), event(EpollEvents::EPOLLIN, number));
            let done = match random.below(4) {
                0 => epoll(own).add(&file, one as i32, wanted),
                1 => epoll(own).modify(&file, one as i32, wanted),
                2 => epoll(own).delete(&file, one as i32),
                _ => {
                    report(epoll(own));
                    own.poll();
                    Ok(())
                }
            };
            assert!(
                matches!(done, Ok(()) | Err(Errno::EEXIST | Errno::ENOENT)),
                "{done:?}"
            );
        }
    };
    thread::scope(|threads| {
        threads.spawn(|| work_on_files(1));
        threads.spawn(|| work_on_files(2));
        threads.spawn(|| work_on_epoll(&inner, 3));
        threads.spawn(|| work_on_epoll(&outer, 4));
    });
    for own in [&inner, &outer] {
        let mut expected = BTreeMap::new();
        for one in 0..FILES {
            let (file, wanted) = (get(one), event(EpollEvents::EPOLLIN, one as u64));
            match epoll(own).add(&file, one as i32, wanted) {
                Err(Errno::EEXIST) => epoll(own).modify(&file, one as i32, wanted),
                added => added,
            }
            .expect("memory");
            if file.poll() & 1 != 0 {
                expected.insert(one as u64, EpollEvents::EPOLLIN);
            }
        }
        let mut reported = report(epoll(own));
        let is_inner_ready = reported.remove(&99).is_some();
        assert_eq!(is_inner_ready, inner.poll() != 0 && Arc::ptr_eq(own, &outer));
        assert_eq!(reported, expected);
    }
    drop(files);
    assert!(report(epoll(&inner)).is_empty());
    drop((inner, outer));
    assert_eq!(watches_of(2), 0, "everything was forgotten");
}

#[test]
fn a_file_that_ends_meanwhile_makes_no_other_come_twice() {
    let file = open(4);
    let mut files: Vec<_> = (0..4).map(|_| counter()).collect();
    for (one, ready) in files.iter().enumerate() {
        let wanted = event(EpollEvents::EPOLLIN, one as u64);
        epoll(&file).add(ready, one as i32, wanted).expect("memory");
        write(ready);
    }
    let mut reported = Vec::new();
    let count = epoll(&file).wait(Some(0), 1000, &mut |event| {
        reported.push(event.data);
        files.pop();
        Ok(())
    });
    assert_eq!((count, reported), (Ok(2), Vec::from([0, 1])));
}

#[test]
fn a_failed_allocation_leaves_nothing() {
    let (outer, inner, file) = (open(3), open(3), counter());
    for count in 0.. {
        memory::fallible::fail_after(Some(count));
        let added = epoll(&outer)
            .add(&inner, 1, event(EpollEvents::EPOLLIN, 1))
            .and_then(|()| epoll(&inner).add(&file, 2, event(EpollEvents::EPOLLOUT, 2)));
        memory::fallible::fail_after(None);
        match added {
            Ok(()) => break,
            Err(error) => assert_eq!(error, Errno::ENOMEM),
        }
        assert!(count < 100);
        let _absent = epoll(&outer).delete(&inner, 1);
        assert_eq!(watches_of(3), 0);
    }
    assert_eq!(report(epoll(&outer)), BTreeMap::from([(1, EpollEvents::EPOLLIN)]));
    assert_eq!(
        epoll(&inner).add(&outer, 3, event(EpollEvents::EPOLLIN, 1)),
        Err(Errno::ELOOP)
    );
    assert_eq!(outer.flags(), OpenFlags::O_RDWR);
    drop((inner, outer));
    assert_eq!(watches_of(3), 0);
}
