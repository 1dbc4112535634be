//! Sockets of the Internet's families: on the loopback interface (`tests/programs/internet.c`, `internet_details.c`), and behind a virtio device on QEMU's user
//! network, where this host visits the guest through a port that is bound to 127.0.0.1 (`visitors.c`).

use crate::program;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("network.loopback", |stage| loopback(stage, "internet")),
    Scene::portable("network.details", |stage| loopback(stage, "internet_details")),
    Scene::holstein("network.visitors", visitors),
    Scene::holstein("network.neighbours", |stage| {
        neighbours(stage, "virtio-net-device")
    }),
    Scene::holstein("network.neighbours_by_pci", |stage| {
        neighbours(stage, "virtio-net-pci")
    }),
];

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that a visitor has echoed.
const BYTES: usize = 300_000;

fn loopback(stage: &mut Stage, name: &str) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", name, "")?;
    program::expect_success(&mut board, name)
}

/// QEMU's user network, which lets nobody out: its own end answers, other addresses of it do not.
fn neighbours(stage: &mut Stage, device: &str) -> Result<()> {
    let device = format!("{device},netdev=n0");
    let options = ["-netdev", "user,id=n0,restrict=on", "-device", &device];
    let mut board = program::boot_beside(stage, &Machine::Virt(Virt::default()), &options, "neighbours")?;
    program::expect_success(&mut board, "neighbours")
}

/// A port of 127.0.0.1 that is free at the moment, for TCP and for UDP.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok(port)
}

fn visitors(stage: &mut Stage) -> Result<()> {
    let port = free_port()?;
    let network = format!("user,id=n0,hostfwd=tcp:127.0.0.1:{port}-:7,hostfwd=udp:127.0.0.1:{port}-:7");
    let arguments = ["-netdev", &network, "-device", "virtio-net-device,netdev=n0"];
    let machine = Machine::Virt(Virt::default());
    let mut board = program::boot_beside(stage, &machine, &arguments, "visitors")?;
    board.expect("visitors are welcome")?;
    visit_by_udp(port).context("by UDP")?;
    // Two at once, then one that stays until the end.
    let [first, second] = [start_visit(port)?, start_visit(port)?];
    for visit in [first, second, start_visit(port)?] {
        end_visit(visit).context("by TCP")?;
    }
    program::expect_success(&mut board, "visitors")
}

fn visit_by_udp(port: u16) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(b"who is there?")?;
    let mut answer = [0; 100];
    let len = socket.recv(&mut answer)?;
    ensure!(&answer[..len] == b"who is there?", "another answer");
    Ok(())
}

fn start_visit(port: u16) -> Result<TcpStream> {
    let visit = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    visit.set_read_timeout(Some(PATIENCE))?;
    Ok(visit)
}

fn end_visit(mut visit: TcpStream) -> Result<()> {
    let bytes: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
    let mut sender = visit.try_clone()?;
    let sent = bytes.clone();
    let sending = std::thread::spawn(move || {
        sender.write_all(&sent)?;
        sender.shutdown(Shutdown::Write)
    });
    let mut answer = Vec::new();
    visit.read_to_end(&mut answer)?;
    sending.join().expect("it does not panic")?;
    ensure!(answer == bytes, "{} bytes came back, of {BYTES}", answer.len());
    Ok(())
}
