//! Stories of sockets of the Internet's families, on the loopback interface.

use super::io::{BUFFER, Io};
use super::{DATA, Story};
use abi::file::{POLLERR, POLLHUP, POLLIN, POLLOUT};
use abi::inet::IPPROTO_ICMP;
use abi::socket::option::{SO_ERROR, SO_REUSEADDR, SOL_SOCKET};
use abi::socket::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, SOCK_STREAM};
use abi::{Errno, nr};

pub const STORIES: &[Story] = &[
    ("a stream", stream),
    ("a stream of IPv6", stream_of_ipv6),
    ("many bytes", many_bytes),
    ("a connection that nobody takes", refused),
    ("ports", ports),
    ("datagrams", datagrams),
    ("echoes", echoes),
    ("a connection that is reset", reset),
    ("connecting without waiting", connecting),
    ("connections by the hundred", by_the_hundred),
];

const ADDRESS: u64 = DATA + 0x300;
const LENGTH: u64 = DATA + 0x340;

pub fn error(errno: Errno) -> i64 {
    -i64::from(errno.number())
}

pub fn address(of: [u8; 4], port: u16) -> Vec<u8> {
    let mut address = (AF_INET as u16).to_ne_bytes().to_vec();
    address.extend(port.to_be_bytes());
    address.extend(of);
    address.extend([0; 8]);
    address
}

fn here(port: u16) -> Vec<u8> {
    address([127, 0, 0, 1], port)
}

fn here_by_ipv6(port: u16) -> Vec<u8> {
    let mut address = (AF_INET6 as u16).to_ne_bytes().to_vec();
    address.extend(port.to_be_bytes());
    address.extend([0; 4 + 15]);
    address.push(1);
    address.extend([0; 4]);
    address
}

impl Io<'_> {
    pub fn socket(&self, family: u32, kind: u32, protocol: u32) -> u64 {
        self.ok(nr::SOCKET, &[family, kind, protocol].map(u64::from))
    }

    pub fn with_address(&self, number: usize, socket: u64, address: &[u8]) -> i64 {
        self.user.store(ADDRESS, address);
        self.call(number, &[socket, ADDRESS, address.len() as u64])
    }

    pub fn name_of(&self, socket: u64) -> Vec<u8> {
        self.user.store(LENGTH, &128_u32.to_ne_bytes());
        self.ok(nr::GETSOCKNAME, &[socket, ADDRESS, LENGTH]);
        let len = self.user.word(LENGTH) as u32;
        self.user.load(ADDRESS, len as usize)
    }

    fn port_of(&self, socket: u64) -> u16 {
        let name = self.name_of(socket);
        u16::from_be_bytes([name[2], name[3]])
    }

    fn listener(&self, address: &[u8]) -> (u64, u16) {
        let family = u32::from(u16::from_ne_bytes([address[0], address[1]]));
        let socket = self.socket(family, SOCK_STREAM, 0);
        assert_eq!(self.with_address(nr::BIND, socket, address), 0);
        self.ok(nr::LISTEN, &[socket, 128]);
        (socket, self.port_of(socket))
    }

    fn accept(&self, listener: u64) -> u64 {
        self.ok(nr::ACCEPT4, &[listener, 0, 0, 0])
    }

    fn events(&self, socket: u64, wanted: i16) -> i16 {
        let [a, b, c, d] = (socket as u32).to_ne_bytes();
        let [e, f] = wanted.to_ne_bytes();
        self.user
            .store(BUFFER, &[a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        self.user.store(BUFFER + 16, &[0; 16]);
        self.ok(nr::PPOLL, &[BUFFER, 1, BUFFER + 16, 0]);
        (self.user.word(BUFFER) >> 48) as i16
    }

    fn pending(&self, socket: u64) -> u32 {
        self.user.store(LENGTH, &4_u32.to_ne_bytes());
        let arguments = [socket, u64::from(SOL_SOCKET), u64::from(SO_ERROR), BUFFER, LENGTH];
        self.ok(nr::GETSOCKOPT, &arguments);
        self.user.word(BUFFER) as u32
    }
}

fn converse(io: &Io, address: &[u8], connect_to: impl Fn(u16) -> Vec<u8>) {
    let (listener, port) = io.listener(address);
    assert_eq!(io.events(listener, POLLIN), 0);
    let family = u32::from(u16::from_ne_bytes([address[0], address[1]]));
    let client = io.socket(family, SOCK_STREAM, 0);
    assert_eq!(io.with_address(nr::CONNECT, client, &connect_to(port)), 0);
    assert_eq!(io.events(listener, POLLIN), POLLIN);
    let server = io.accept(listener);
    assert_eq!(io.name_of(server), connect_to(port));
    for round in 0..10_u8 {
        io.write(client, &[round; 100]);
        assert_eq!(io.read(server), [round; 100]);
        io.write(server, &[round; 7]);
        assert_eq!(io.read(client), [round; 7]);
    }
    assert_eq!(io.events(client, POLLIN | POLLOUT), POLLOUT);
    io.write(client, b"the last");
    io.ok(nr::SHUTDOWN, &[client, 1]);
    assert_eq!(io.read_all(server), b"the last");
    io.write(server, b"an answer");
    io.close(server);
    assert_eq!(io.read_all(client), b"an answer");
    assert_eq!(io.events(client, POLLIN), POLLIN | POLLHUP);
    io.close(client);
    io.close(listener);
}

fn stream(io: &Io) {
    converse(io, &here(0), here);
}

fn stream_of_ipv6(io: &Io) {
    converse(io, &here_by_ipv6(0), here_by_ipv6);
}

fn many_bytes(io: &Io) {
    let (listener, port) = io.listener(&here(0));
    let client = io.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    let begun = io.with_address(nr::CONNECT, client, &here(port));
    assert_eq!(begun, error(Errno::EINPROGRESS));
    let server = io.accept(listener);
    let (mut sent, mut received) = (0_u64, 0_u64);
    let byte = |at: u64| (at % 251) as u8;
    while received < 1_000_000 {
        let part: Vec<u8> = (sent..sent + 3_000).map(byte).collect();
        io.user.store(BUFFER, &part);
        let result = io.call(nr::WRITE, &[client, BUFFER, 3_000]);
        if result > 0 {
            sent += result as u64;
            continue;
        }
        assert_eq!(result, error(Errno::EAGAIN));
        while received < sent {
            for got in io.read(server) {
                assert_eq!(got, byte(received));
                received += 1;
            }
        }
    }
    io.close(client);
    assert_eq!(io.read_all(server), b"");
    io.close(server);
    io.close(listener);
}

fn refused(io: &Io) {
    let (listener, port) = io.listener(&here(0));
    io.close(listener);
    let client = io.socket(AF_INET, SOCK_STREAM, 0);
    assert_eq!(io.events(client, POLLOUT), POLLOUT | POLLHUP);
    let refused = io.with_address(nr::CONNECT, client, &here(port));
    assert_eq!(refused, error(Errno::ECONNREFUSED));
    assert_eq!(io.call(nr::READ, &[client, BUFFER, 1]), error(Errno::ENOTCONN));
    let (listener, port) = io.listener(&here(port));
    assert_eq!(
        io.with_address(nr::CONNECT, client, &here(port)),
        0,
        "it can be tried again"
    );
    let again = io.with_address(nr::CONNECT, client, &here(port));
    assert_eq!(again, error(Errno::EISCONN));
    io.close(client);
    io.close(listener);
}

fn ports(io: &Io) {
    let (listener, port) = io.listener(&here(0));
    let other = io.socket(AF_INET, SOCK_STREAM, 0);
    assert_eq!(
        io.with_address(nr::BIND, other, &here(port)),
        error(Errno::EADDRINUSE)
    );
    io.user.store(BUFFER, &1_u32.to_ne_bytes());
    let reuse = [other, u64::from(SOL_SOCKET), u64::from(SO_REUSEADDR), BUFFER, 4];
    io.ok(nr::SETSOCKOPT, &reuse);
    assert_eq!(
        io.with_address(nr::BIND, other, &here(port)),
        error(Errno::EADDRINUSE)
    );
    let mut elsewhere = here(port);
    elsewhere[4..8].copy_from_slice(&[192, 0, 2, 1]);
    assert_eq!(
        io.with_address(nr::BIND, other, &elsewhere),
        error(Errno::EADDRNOTAVAIL)
    );
    assert_eq!(
        io.with_address(nr::BIND, other, &here(port)[..8]),
        error(Errno::EINVAL)
    );
    elsewhere[4..8].copy_from_slice(&[127, 9, 9, 9]);
    assert_eq!(io.with_address(nr::BIND, other, &elsewhere), 0);
    assert_eq!(io.with_address(nr::BIND, other, &elsewhere), error(Errno::EINVAL));
    io.close(listener);
    io.close(other);
}

fn datagrams(io: &Io) {
    let [one, two] = [0, 1].map(|_| io.socket(AF_INET, SOCK_DGRAM, 0));
    assert_eq!(io.with_address(nr::BIND, one, &here(0)), 0);
    let port = io.port_of(one);
    io.user.store(BUFFER, b"a message");
    io.user.store(ADDRESS, &here(port));
    assert_eq!(io.ok(nr::SENDTO, &[two, BUFFER, 9, 0, ADDRESS, 16]), 9);
    assert_eq!(io.ok(nr::SENDTO, &[two, BUFFER, 0, 0, ADDRESS, 16]), 0);
    assert_eq!(io.events(one, POLLIN), POLLIN);
    io.user.store(LENGTH, &16_u32.to_ne_bytes());
    assert_eq!(
        io.ok(nr::RECVFROM, &[one, BUFFER, 4, 0x20, ADDRESS, LENGTH]),
        9,
        "MSG_TRUNC"
    );
    assert_eq!(io.user.load(BUFFER, 4), b"a me");
    let from = io.user.load(ADDRESS, 16);
    assert_eq!(from, here(io.port_of(two)));
    assert_eq!(io.ok(nr::RECVFROM, &[one, BUFFER, 4, 0, 0, 0]), 0, "an empty one");
    // Nobody has that port any more: the next call of who is connected hears of it.
    io.close(one);
    assert_eq!(io.call(nr::WRITE, &[two, BUFFER, 1]), error(Errno::EDESTADDRREQ));
    assert_eq!(io.with_address(nr::CONNECT, two, &here(port)), 0);
    io.write(two, b"x");
    assert_eq!(io.events(two, POLLIN), POLLERR);
    assert_eq!(io.pending(two), u32::from(Errno::ECONNREFUSED.number()));
    assert_eq!(io.pending(two), 0);
    io.close(two);
}

fn echoes(io: &Io) {
    let socket = io.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    let mut echo = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    echo.extend(b"hello");
    let mut sum: u32 = echo
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    sum = (sum & 0xffff) + (sum >> 16);
    echo[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    io.user.store(BUFFER, &echo);
    io.user.store(ADDRESS, &here(0));
    io.ok(nr::SENDTO, &[socket, BUFFER, echo.len() as u64, 0, ADDRESS, 16]);
    // The socket sees its own request, too, then the answer; both with a header of IP.
    let request = io.read(socket);
    assert_eq!(request[20], 8);
    let answer = io.read(socket);
    assert_eq!(answer[9], IPPROTO_ICMP as u8);
    assert_eq!(answer[20], 0, "an answer");
    assert_eq!(answer[24..], echo[4..]);
    io.close(socket);
}

fn reset(io: &Io) {
    let (listener, port) = io.listener(&here(0));
    let client = io.socket(AF_INET, SOCK_STREAM, 0);
    assert_eq!(io.with_address(nr::CONNECT, client, &here(port)), 0);
    let server = io.accept(listener);
    io.write(client, b"nobody reads this");
    io.close(server);
    assert_eq!(io.events(client, POLLIN | POLLOUT) & POLLERR, POLLERR);
    assert_eq!(io.call(nr::READ, &[client, BUFFER, 1]), error(Errno::ECONNRESET));
    assert_eq!(io.call(nr::READ, &[client, BUFFER, 1]), 0);
    io.close(client);
    io.close(listener);
}

fn connecting(io: &Io) {
    let client = io.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    let mut far = here(80);
    far[4..8].copy_from_slice(&[192, 0, 2, 1]);
    let no_way = io.with_address(nr::CONNECT, client, &far);
    assert_eq!(no_way, error(Errno::ENETUNREACH));
    io.close(client);
}

fn by_the_hundred(io: &Io) {
    let (listener, port) = io.listener(&here(0));
    for round in 0..300 {
        let client = io.socket(AF_INET, SOCK_STREAM, 0);
        assert_eq!(io.with_address(nr::CONNECT, client, &here(port)), 0, "{round}");
        let server = io.accept(listener);
        io.write(client, b"?");
        assert_eq!(io.read(server), b"?");
        io.close(if round % 2 == 0 { client } else { server });
        io.close(if round % 2 == 0 { server } else { client });
    }
    io.close(listener);
}
