//! Stories of sockets that talk to another machine: a stack of its own at the other end of a wire that loses, doubles and reorders frames.
//! It lives in the timers of this machine, whose time passes when all sleep: so what is lost is sent again at once.

use super::Story;
use super::internet::{address, error};
use super::io::{BUFFER, Io};
use abi::socket::{AF_INET, SOCK_DGRAM, SOCK_STREAM};
use abi::{Errno, nr};
use inet::link::{MAX_FRAME, NetworkLink};
use platform::timer;
use sched::time::{self, Expire, TimerPlace};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Cidr};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

pub const STORIES: &[Story] = &[
    ("a wire", plug_in),
    ("a stream over a wire that loses frames", stream),
    ("datagrams over a wire", datagrams),
    ("a neighbour that is not there", nobody),
];

const OWN: [u8; 4] = [192, 0, 2, 1];
const OTHER: [u8; 4] = [192, 0, 2, 2];
const ECHO: u16 = 7;
/// Nanoseconds from one look of the other machine to the next.
const TICK: u64 = 2_000_000;
/// One frame of so many is lost, doubled, or overtaken.
const MISHAP: u32 = 12;

/// What is on the wire.
#[derive(Default)]
struct Wire {
    to_us: VecDeque<Vec<u8>>,
    to_other: VecDeque<Vec<u8>>,
    random: u32,
    mishaps: u32,
}

impl Wire {
    fn roll(&mut self) -> u32 {
        // xorshift32, Marsaglia 2003.
        self.random = self.random.max(1);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    fn carry(&mut self, frame: &[u8], queue: fn(&mut Wire) -> &mut VecDeque<Vec<u8>>) {
        let roll = self.roll() % (3 * MISHAP);
        self.mishaps += u32::from(roll < 3);
        let queue = queue(self);
        match roll {
            0 => {}
            1 => queue.extend([frame.to_vec(), frame.to_vec()]),
            2 => queue.push_front(frame.to_vec()),
            _ => queue.push_back(frame.to_vec()),
        }
    }
}

static WIRE: Mutex<Option<Wire>> = Mutex::new(None);

fn with_wire<R>(f: impl FnOnce(&mut Wire) -> R) -> R {
    f(WIRE.lock().unwrap().get_or_insert_default())
}

/// This machine's end.
struct OwnEnd;

impl NetworkLink for OwnEnd {
    fn address(&self) -> [u8; 6] {
        [2, 0, 0, 0, 0, 1]
    }

    fn transmit(&self, frame: &[u8]) -> bool {
        with_wire(|wire| wire.carry(frame, |wire| &mut wire.to_other));
        true
    }

    fn receive(&self, to: &mut [u8; MAX_FRAME]) -> Option<usize> {
        let frame = with_wire(|wire| wire.to_us.pop_front())?;
        to[..frame.len()].copy_from_slice(&frame);
        Some(frame.len())
    }

    fn acknowledge(&self) {}
}

/// The other end, as its stack takes it.
struct OtherEnd;

struct Incoming(Vec<u8>);
struct Outgoing;

impl phy::RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Outgoing {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let answer = f(&mut frame);
        with_wire(|wire| wire.carry(&frame, |wire| &mut wire.to_us));
        answer
    }
}

impl Device for OtherEnd {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing;

    fn receive(&mut self, _now: Instant) -> Option<(Incoming, Outgoing)> {
        let frame = with_wire(|wire| wire.to_other.pop_front())?;
        Some((Incoming(frame), Outgoing))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Outgoing> {
        Some(Outgoing)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MAX_FRAME;
        capabilities
    }
}

/// The other machine: it answers everything that comes to its port with the same bytes.
struct Other {
    interface: Interface,
    sockets: SocketSet<'static>,
    stream: SocketHandle,
    datagrams: SocketHandle,
}

impl Other {
    fn new() -> Other {
        let address = HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, 2]));
        let mut interface = Interface::new(Config::new(address), &mut OtherEnd, now());
        let [a, b, c, d] = OTHER;
        interface.update_ip_addrs(|list| {
            list.push(IpCidr::new(IpAddress::v4(a, b, c, d), 24)).unwrap();
        });
        let mut sockets = SocketSet::new(vec![]);
        let room = || tcp::SocketBuffer::new(vec![0; 20_000]);
        let stream = sockets.add(tcp::Socket::new(room(), room()));
        let room = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 20_000]);
        let mut socket = udp::Socket::new(room(), room());
        socket.bind(ECHO).unwrap();
        let datagrams = sockets.add(socket);
        Other {
            interface,
            sockets,
            stream,
            datagrams,
        }
    }

    fn live(&mut self) {
        self.interface.poll(now(), &mut OtherEnd, &mut self.sockets);
        let stream = self.sockets.get_mut::<tcp::Socket<'static>>(self.stream);
        if !stream.is_open() {
            stream.listen(ECHO).unwrap();
        }
        let room = stream.send_capacity() - stream.send_queue();
        if stream.can_recv() && stream.may_send() && room > 0 {
            let bytes = stream.recv(|bytes| (bytes.len().min(room), bytes[..bytes.len().min(room)].to_vec()));
            stream.send_slice(&bytes.unwrap()).unwrap();
        } else if stream.state() == tcp::State::CloseWait {
            stream.close();
        }
        let datagrams = self.sockets.get_mut::<udp::Socket<'static>>(self.datagrams);
        if let Ok((bytes, from)) = datagrams.recv() {
            let bytes = bytes.to_vec();
            datagrams.send_slice(&bytes, from.endpoint).unwrap();
        }
        self.interface.poll(now(), &mut OtherEnd, &mut self.sockets);
    }
}

fn now() -> Instant {
    Instant::from_micros((timer::ticks_to_nanos(timer::ticks()) / 1000) as i64)
}

/// What lets the other machine live.
struct Life {
    other: Mutex<Other>,
    receiver: Arc<inet::Receiver>,
    place: TimerPlace,
}

static LIFE: OnceLock<Arc<Life>> = OnceLock::new();

impl Expire for Life {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Life>) {
        self.other.lock().unwrap().live();
        while !self.receiver.take_some() {}
        time::set(time::deadline_after(TICK), self);
    }
}

fn plug_in(io: &Io) {
    io.user.in_kernel(|| {
        let receiver = inet::attach(Arc::new(OwnEnd), 2, "eth0").unwrap();
        let [a, b, c, d] = OWN.map(u8::from);
        let own = Ipv4Cidr::new([a, b, c, d].into(), 24);
        receiver.netif().configure(&[IpCidr::Ipv4(own)], None);
        let life = Arc::new(Life {
            other: Mutex::new(Other::new()),
            receiver,
            place: TimerPlace::new(),
        });
        time::set(time::deadline_after(TICK), LIFE.get_or_init(|| life).clone());
    });
    assert!(io.text_of("/proc/net/dev").contains("eth0:"));
    assert!(io.text_of("/proc/net/route").contains("eth0\t000200C0"));
}

fn stream(io: &Io) {
    for round in 0..2 {
        let socket = io.socket(AF_INET, SOCK_STREAM, 0);
        // The other machine serves one at a time.
        while io.with_address(nr::CONNECT, socket, &address(OTHER, ECHO)) == error(Errno::ECONNREFUSED) {
            io.sleep(100_000_000);
        }
        let (mut sent, mut received) = (0_u64, 0_u64);
        let byte = |at: u64| (at % 251 + round) as u8;
        const DONTWAIT: u64 = 0x40;
        while received < 100_000 {
            let part: Vec<u8> = (sent..sent + 2_000).map(byte).collect();
            io.user.store(BUFFER, &part);
            match io.call(nr::SENDTO, &[socket, BUFFER, 2_000, DONTWAIT, 0, 0]) {
                more @ 1.. => sent += more as u64,
                full => assert_eq!(full, error(Errno::EAGAIN)),
            }
            // The window of the other side is small: what comes back is taken before more goes.
            while received + 10_000 < sent {
                for got in io.read(socket) {
                    assert_eq!(got, byte(received));
                    received += 1;
                }
            }
        }
        io.ok(nr::SHUTDOWN, &[socket, 1]);
        let rest = io.read_all(socket);
        assert_eq!(received + rest.len() as u64, sent);
        io.close(socket);
    }
    let mishaps = with_wire(|wire| wire.mishaps);
    assert!(mishaps > 20, "{mishaps} frames were lost, doubled or overtaken");
}

fn datagrams(io: &Io) {
    let socket = io.socket(AF_INET, SOCK_DGRAM, 0);
    assert_eq!(io.with_address(nr::CONNECT, socket, &address(OTHER, ECHO)), 0);
    assert_eq!(io.name_of(socket)[4..8], OWN);
    let mut answers = 0;
    for round in 0..50_u8 {
        io.write(socket, &[round; 1000]);
        io.sleep(20_000_000);
        const DONTWAIT: u64 = 0x40;
        while io.call(nr::RECVFROM, &[socket, BUFFER, 2_000, DONTWAIT, 0, 0]) == 1000 {
            assert_eq!(io.user.load(BUFFER, 1000), [round; 1000]);
            answers += 1;
        }
    }
    assert!(answers > 30, "{answers} answers");
    io.user.store(BUFFER, &[0; 2000]);
    assert_eq!(
        io.call(nr::WRITE, &[socket, BUFFER, 1_473]),
        error(Errno::EMSGSIZE)
    );
    io.close(socket);
}

fn nobody(io: &Io) {
    const IP_RECVERR: u64 = 11;
    const DONTWAIT: u64 = 0x40;
    let [socket, deaf] = [0; 2].map(|_| io.socket(AF_INET, SOCK_DGRAM, 0));
    io.user.store(BUFFER, &1_u32.to_ne_bytes());
    assert_eq!(io.call(nr::SETSOCKOPT, &[socket, 0, IP_RECVERR, BUFFER, 4]), 0);
    for one in [deaf, socket] {
        assert_eq!(
            io.with_address(nr::CONNECT, one, &address([192, 0, 2, 99], ECHO)),
            0
        );
        io.write(one, b"is there anybody?");
    }
    assert_eq!(
        io.call(nr::READ, &[socket, BUFFER, 1]),
        error(Errno::EHOSTUNREACH)
    );
    // Who did not ask for errors is not told, as on Linux.
    assert_eq!(
        io.call(nr::RECVFROM, &[deaf, BUFFER, 1, DONTWAIT, 0, 0]),
        error(Errno::EAGAIN)
    );
    let stream = io.socket(AF_INET, SOCK_STREAM, 0);
    assert_eq!(
        io.with_address(nr::CONNECT, stream, &address([192, 0, 2, 99], ECHO)),
        error(Errno::EHOSTUNREACH)
    );
    for one in [socket, deaf, stream] {
        io.close(one);
    }
}
