use super::queue::{EventQueue, QueuedEvent};
use super::watch::{InotifyInstance, NumberedWatch};
use crate::users::User;
use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::S_IFREG;
use std::sync::Arc;
use std::thread;
use std::vec::Vec;
use vfs::filesystem::FileSystem;
use vfs::inode::Attributes;
use vfs::inode_ops::InodeOps;
use vfs::super_block::SuperBlock;
use vfs::{Dentry, Inode};

extern crate std;

const ATTRIB: InotifyEvents = InotifyEvents::IN_ATTRIB;
const OPEN: InotifyEvents = InotifyEvents::IN_OPEN;

fn event(watch: i32, mask: InotifyEvents, name: &[u8]) -> Option<Arc<QueuedEvent>> {
    QueuedEvent::new(watch, mask, 0, name).ok()
}

fn taken(queue: &EventQueue) -> Vec<(i32, InotifyEvents)> {
    let mut all = Vec::new();
    while let Some(event) = queue.take(usize::MAX) {
        let event = event.expect("there is room");
        all.push((event.watch, event.mask));
    }
    all
}

#[test]
fn what_repeats_the_last_event_is_told_once() {
    let queue = EventQueue::new(100).unwrap();
    for (watch, mask, name) in [
        (1, ATTRIB, &b"a"[..]),
        (1, ATTRIB, b"a"),
        (1, ATTRIB, b"b"),
        (2, ATTRIB, b"b"),
        (2, OPEN, b"b"),
        (2, ATTRIB, b"b"),
        (2, ATTRIB, b"b"),
    ] {
        queue.add(event(watch, mask, name));
    }
    assert_eq!(queue.bytes(), 5 * 32);
    assert_eq!(
        taken(&queue),
        [(1, ATTRIB), (1, ATTRIB), (2, ATTRIB), (2, OPEN), (2, ATTRIB)]
    );
    // What was read already is no last event.
    queue.add(event(2, ATTRIB, b"b"));
    queue.add(event(3, InotifyEvents::IN_IGNORED, b""));
    queue.add(event(3, InotifyEvents::IN_IGNORED, b""));
    assert_eq!((queue.count(), queue.bytes()), (3, 32 + 16 + 16));
}

#[test]
fn losses_are_told_once_where_they_were() {
    let queue = EventQueue::new(2).unwrap();
    for watch in 1..6 {
        queue.add(event(watch, OPEN, b""));
    }
    let overflow = (-1, InotifyEvents::IN_Q_OVERFLOW);
    assert_eq!(taken(&queue), [(1, OPEN), (2, OPEN), overflow]);
    // So is one that found no memory.
    queue.add(None);
    queue.add(None);
    queue.add(event(7, OPEN, b""));
    assert_eq!(taken(&queue), [overflow, (7, OPEN)]);
    assert_eq!((queue.count(), queue.bytes()), (0, 0));
}

#[test]
fn an_event_is_taken_whole() {
    let queue = EventQueue::new(9).unwrap();
    queue.add(event(1, OPEN, b"fifteen_letters"));
    queue.add(event(1, OPEN, b"sixteen_letters_"));
    assert_eq!(queue.take(31).unwrap().err(), Some(Errno::EINVAL));
    assert_eq!(queue.take(32).unwrap().unwrap().len(), 32);
    assert_eq!(queue.take(47).unwrap().err(), Some(Errno::EINVAL));
    assert_eq!(queue.take(48).unwrap().unwrap().len(), 48);
    assert!(queue.take(48).is_none());
}

/// A file system of one file.
struct OneFile;

struct File;

impl FileSystem for OneFile {
    fn name(&self) -> &'static str {
        "one"
    }

    fn magic(&self) -> u64 {
        1
    }

    fn mount(&'static self, _device: u64, _options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        Err(Errno::ENODEV)
    }
}

impl InodeOps for File {}

fn file() -> Arc<Inode> {
    let super_block = SuperBlock::new(&OneFile, 1, 0).unwrap();
    Inode::new(
        &super_block,
        S_IFREG,
        Arc::new(File),
        Attributes::new(0o600, 0, 0),
    )
    .unwrap()
}

fn instance() -> Arc<InotifyInstance> {
    super::set_most_watches(1000).unwrap();
    let user = User::of(4711).unwrap();
    assert!(user.counts().inotify_instances.take_one(u64::MAX));
    Arc::new(InotifyInstance::new(EventQueue::new(100_000).unwrap(), user))
}

#[test]
fn a_watch_is_told_and_ends_once_whoever_ends_it() {
    const ROUNDS: usize = 300;
    let instance = instance();
    for _ in 0..ROUNDS {
        let inode = file();
        let number = NumberedWatch::add(&instance, &inode, ATTRIB).unwrap();
        let watch = instance.find(number).unwrap();
        let name = Dentry::detached(b"name", inode.clone()).unwrap();
        inode.change(|attributes| attributes.links = 0);
        thread::scope(|scope| {
            scope.spawn(|| name.note(ATTRIB, vfs::inode_watch::NoteCause::Attributes));
            scope.spawn(|| watch.end());
            // The last name goes: the file is gone.
            let gone = Dentry::detached(b"gone", inode.clone()).unwrap();
            scope.spawn(move || drop(gone));
        });
        assert!(instance.find(number).is_none());
        let told = taken(&instance.queue);
        let ends = told.iter().filter(|(_, mask)| *mask == InotifyEvents::IN_IGNORED);
        assert_eq!(ends.count(), 1, "{told:?}");
        drop((watch, name));
        assert_eq!(Arc::strong_count(&inode), 1, "nobody keeps the file");
    }
    let user = User::of(4711).unwrap();
    assert_eq!(user.counts().inotify_watches.get(), 0);
    assert_eq!(Arc::strong_count(&instance), 1);
    drop(instance);
    assert_eq!(user.counts().inotify_instances.get(), 0);
}

#[test]
fn numbers_come_again_late() {
    let instance = instance();
    let files: Vec<_> = (0..4).map(|_| file()).collect();
    let numbers: Vec<_> = files
        .iter()
        .map(|file| NumberedWatch::add(&instance, file, OPEN).unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    instance.find(2).unwrap().end();
    assert_eq!(NumberedWatch::add(&instance, &files[1], OPEN), Ok(5));
    for number in [1, 3, 4, 5] {
        instance.find(number).unwrap().end_silently();
    }
    assert_eq!(instance.count(), 0);
}
