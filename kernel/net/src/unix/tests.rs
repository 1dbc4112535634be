//! The family beside simple models of what it promises, and the sockets that only messages hold.

use abi::Errno;
use abi::file::OpenFlags;
use abi::process::Pid;
use abi::socket::option::SOL_SOCKET;
use abi::socket::{CMsgHdr, MessageFlags, SCM_RIGHTS, SOCK_DGRAM, SOCK_STREAM};
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard};
use uaccess::{KernelSink, KernelSource};
use vfs::caller::{Caller, IoFailure, Requester};
use vfs::{Credentials, FsContext, OpenFile};

use super::rights::REGISTRY;
use super::ring::GrowingRing;
use super::*;
use crate::control::{ControlSink, NoControl};
use crate::file;
use crate::request::{ProgramContext, ReceivedMessage, SentMessage};

struct Administrator;

impl Requester for Administrator {
    fn credentials(&self) -> Arc<Credentials> {
        Arc::default()
    }

    fn file_size_limit(&self) -> u64 {
        u64::MAX
    }

    fn process_id(&self) -> Pid {
        1
    }
}

/// A program whose descriptors are places in a list.
#[derive(Default)]
struct Files(RefCell<Vec<Arc<OpenFile>>>);

impl ProgramContext for Files {
    fn fs_context(&self) -> Result<Arc<FsContext>, Errno> {
        Err(Errno::ENOENT)
    }

    fn file(&self, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
        self.0
            .borrow()
            .get(descriptor as usize)
            .cloned()
            .ok_or(Errno::EBADF)
    }

    fn descriptor_limit(&self) -> usize {
        1024
    }

    fn process_exists(&self, _id: Pid) -> bool {
        true
    }
}

/// Takes received files.
#[derive(Default)]
struct Received(Vec<Arc<OpenFile>>);

impl ControlSink for Received {
    fn put(&mut self, _level: u32, _kind: u32, _data: &[u8]) {}

    fn put_files(&mut self, files: Vec<Arc<OpenFile>>) {
        self.0.extend(files);
    }
}

/// What is in flight is one for all tests.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn with_request<R>(files: &Files, work: impl FnOnce(&Request<'_>) -> R) -> (R, IoFailure) {
    let caller = Caller::new(&Administrator);
    let result = work(&Request {
        caller: &caller,
        program: files,
        is_nonblocking: true,
    });
    (result, caller.failure())
}

fn pair(kind: u32) -> [Arc<dyn SocketOps>; 2] {
    with_request(&Files::default(), |request| {
        UnixFamily.create_pair(request, kind, 0).unwrap()
    })
    .0
}

fn open_pair(kind: u32) -> [Arc<OpenFile>; 2] {
    pair(kind).map(|ops| file::open(ops, &Credentials::default(), OpenFlags::empty()).unwrap())
}

fn send_with(
    socket: &dyn SocketOps,
    bytes: &[u8],
    files: &Files,
    control: &[u8],
) -> (Result<usize, Errno>, IoFailure) {
    with_request(files, |request| {
        let mut message = SentMessage {
            name: None,
            data: &mut KernelSource(bytes),
            control,
            flags: MessageFlags::MSG_DONTWAIT,
        };
        socket.send(request, &mut message)
    })
}

fn send(socket: &dyn SocketOps, bytes: &[u8]) -> Result<usize, Errno> {
    send_with(socket, bytes, &Files::default(), &[]).0
}

/// Receives up to `room` bytes: how many the call says, and what came; and what is said of it.
fn receive(
    socket: &dyn SocketOps,
    room: usize,
    flags: MessageFlags,
    control: &mut dyn ControlSink,
) -> Result<(usize, Vec<u8>, MessageFlags), Errno> {
    let mut bytes = vec![0; room];
    let mut sink = KernelSink::new(&mut bytes);
    let mut message = ReceivedMessage {
        data: &mut sink,
        name: None,
        control,
        flags: flags | MessageFlags::MSG_DONTWAIT,
        told: MessageFlags::empty(),
    };
    let len = socket.receive(&mut message)?;
    let told = message.told;
    bytes.truncate(len.min(room));
    Ok((len, bytes, told))
}

/// splitmix64.
struct Random(u64);

impl Random {
    /// A number below one of these bounds.
    fn size(&mut self, bounds: &[usize]) -> usize {
        let bound = self.one_of(bounds);
        self.below(bound)
    }

    fn one_of(&mut self, choices: &[usize]) -> usize {
        choices[self.below(choices.len())]
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ mixed >> 29) % bound as u64) as usize
    }
}

/// What is read is what was written, in order, however it is cut; and it never waits for room if there is any.
#[test]
fn a_stream_is_a_queue_of_bytes() {
    let _alone = alone();
    for seed in 0..40 {
        let mut random = Random(seed);
        let [one, other] = pair(SOCK_STREAM);
        let mut model: VecDeque<u8> = VecDeque::new();
        let mut next = 0_u8;
        for _ in 0..600 {
            if random.below(2) == 0 {
                let len = 1 + random.size(&[3, 200, 1000]);
                let bytes: Vec<u8> = (0..len).map(|index| next.wrapping_add(index as u8)).collect();
                match send(&*one, &bytes) {
                    Ok(sent) => {
                        assert!(sent > 0 && sent <= len);
                        model.extend(&bytes[..sent]);
                        next = next.wrapping_add(sent as u8);
                    }
                    Err(error) => assert!(error == Errno::EAGAIN && model.len() > 300),
                }
            } else {
                let room = 1 + random.size(&[2, 1500, 9000]);
                let is_peeking = random.below(4) == 0;
                let flags = if is_peeking {
                    MessageFlags::MSG_PEEK
                } else {
                    MessageFlags::empty()
                };
                match receive(&*other, room, flags, &mut NoControl) {
                    Ok((len, bytes, _)) => {
                        assert_eq!(len, room.min(model.len()));
                        assert!(model.iter().take(len).eq(bytes.iter()));
                        if !is_peeking {
                            model.drain(..len);
                        }
                    }
                    Err(error) => assert!(error == Errno::EAGAIN && model.is_empty()),
                }
            }
        }
        one.close();
        let rest = receive(&*other, 1 << 20, MessageFlags::empty(), &mut NoControl)
            .unwrap()
            .1;
        assert!(model.iter().eq(rest.iter()));
        assert_eq!(
            receive(&*other, 1, MessageFlags::empty(), &mut NoControl)
                .unwrap()
                .0,
            0
        );
        assert_eq!(
            send_with(&*other, b"x", &Files::default(), &[]),
            (Err(Errno::EPIPE), IoFailure::BrokenPipe)
        );
        other.close();
    }
}

/// Each datagram is received alone, or its beginning is.
#[test]
fn datagrams_are_a_queue_of_messages() {
    let _alone = alone();
    for seed in 0..40 {
        let mut random = Random(seed);
        let [one, other] = pair(SOCK_DGRAM);
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        for round in 0..400 {
            if random.below(2) == 0 {
                let bytes = vec![round as u8; random.size(&[2, 300, 1024])];
                match send(&*one, &bytes) {
                    Ok(sent) => {
                        assert_eq!(sent, bytes.len());
                        model.push_back(bytes);
                    }
                    Err(error) => assert!(error == Errno::EAGAIN && model.len() > 20),
                }
                continue;
            }
            let room = random.below(1200);
            let flags = MessageFlags::from_bits_retain([0, 2, 0x20, 0x22][random.below(4)]);
            match (receive(&*other, room, flags, &mut NoControl), model.front()) {
                (Ok((len, bytes, told)), Some(sent)) => {
                    let cut = &sent[..sent.len().min(room)];
                    assert_eq!(bytes, cut);
                    let is_whole = flags.contains(MessageFlags::MSG_TRUNC);
                    assert_eq!(len, if is_whole { sent.len() } else { cut.len() });
                    assert_eq!(told.contains(MessageFlags::MSG_TRUNC), cut.len() < sent.len());
                    if !flags.contains(MessageFlags::MSG_PEEK) {
                        model.pop_front();
                    }
                }
                (outcome, front) => {
                    assert!(outcome.is_err_and(|error| error == Errno::EAGAIN) && front.is_none())
                }
            }
        }
        one.close();
        other.close();
    }
}

/// Control messages that bring the first so many of a program's files.
fn rights(count: i32) -> Vec<u8> {
    let head = CMsgHdr {
        len: 16 + 4 * count as u64,
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
    };
    let mut bytes = head.as_bytes().to_vec();
    (0..count).for_each(|descriptor| bytes.extend(descriptor.to_ne_bytes()));
    bytes
}

/// Sends these files over a socket.
fn send_files(over: &Arc<OpenFile>, files: &[&Arc<OpenFile>]) {
    let program = Files(RefCell::new(files.iter().map(|file| (*file).clone()).collect()));
    let socket = file::of(over).unwrap().ops();
    let sent = send_with(&**socket, b"f", &program, &rights(files.len() as i32));
    assert_eq!(sent.0, Ok(1));
}

fn in_flight() -> usize {
    let registry = REGISTRY.lock();
    assert_eq!(registry.sockets.is_empty(), registry.edges.is_empty());
    registry.edges.len()
}

#[test]
fn sockets_that_only_messages_hold_are_collected() {
    let _alone = alone();
    // One in its own queue.
    let [one, other] = open_pair(SOCK_STREAM);
    send_files(&one, &[&other]);
    drop(other);
    assert_eq!(in_flight(), 1);
    drop(one);
    assert_eq!(in_flight(), 0);
    // Rings of random sizes; in each one more is held by a descriptor for a while.
    for seed in 0..60 {
        let mut random = Random(seed);
        let pairs: Vec<_> = (0..2 + random.below(5)).map(|_| open_pair(SOCK_DGRAM)).collect();
        for (index, pair) in pairs.iter().enumerate() {
            let next = &pairs[(index + 1) % pairs.len()];
            send_files(&pair[0], &[&next[0], &next[1]]);
            if random.below(2) == 0 {
                send_files(&pair[1], &[&pairs[random.below(pairs.len())][0]]);
            }
        }
        let kept = pairs[random.below(pairs.len())][1].clone();
        drop(pairs);
        collect::collect();
        let mut received = Received::default();
        let ops = file::of(&kept).unwrap().ops().clone();
        assert!(receive(&*ops, 1, MessageFlags::empty(), &mut received).is_ok());
        assert!(received.0.len() == 2 && in_flight() > 0);
        drop((received, ops, kept));
        collect::collect();
        assert_eq!(in_flight(), 0, "seed {seed}");
    }
}

/// What one leaves who closes a socket while somebody else collects is wanted of the thread.
#[test]
fn who_cannot_collect_asks_for_it() {
    let _alone = alone();
    let [one, other] = open_pair(SOCK_STREAM);
    send_files(&one, &[&other]);
    drop(other);
    assert_eq!(collector::take_wish(), None);
    collect::IS_RUNNING.store(true, Ordering::Relaxed);
    drop(one);
    collect::IS_RUNNING.store(false, Ordering::Relaxed);
    assert_eq!((in_flight(), collector::take_wish()), (1, Some(())));
    assert!(collect::try_collect());
    assert_eq!((in_flight(), collector::take_wish()), (0, None));
}

/// Who can be received is kept, and a chain of any length ends without a chain of calls.
#[test]
fn what_can_be_received_is_kept() {
    let _alone = alone();
    let [first, last] = open_pair(SOCK_STREAM);
    let [one, other] = open_pair(SOCK_STREAM);
    send_files(&one, &[&first]);
    send_files(&first, &[&one]);
    drop((first, one));
    collect::collect();
    assert_eq!(in_flight(), 2);
    let mut received = Received::default();
    let ops = file::of(&other).unwrap().ops().clone();
    receive(&*ops, 1, MessageFlags::empty(), &mut received).unwrap();
    assert_eq!(received.0.len(), 1);
    drop((received, ops, other, last));
    assert_eq!(in_flight(), 0);
    let [mut sender, mut receiver] = open_pair(SOCK_STREAM);
    for _ in 0..600 {
        let [next_sender, next_receiver] = open_pair(SOCK_STREAM);
        send_files(&next_sender, &[&receiver]);
        (sender, receiver) = (next_sender, next_receiver);
    }
    drop((sender, receiver));
    assert_eq!(in_flight(), 0);
}

#[test]
fn a_ring_is_a_queue() {
    let (mut ring, mut model) = (GrowingRing::new(), VecDeque::new());
    let mut random = Random(7);
    for round in 0..5000 {
        if random.below(5) < 3 {
            ring.reserve().unwrap();
            ring.push(round);
            model.push_back(round);
        } else {
            assert_eq!(ring.pop(), model.pop_front());
        }
        assert_eq!((ring.len(), ring.is_empty()), (model.len(), model.is_empty()));
        assert!(ring.iter().eq(model.iter()));
        let index = random.below(20);
        assert_eq!(ring.get(index), model.get(index));
        assert_eq!(ring.get_mut(index).copied(), model.get(index).copied());
    }
}
