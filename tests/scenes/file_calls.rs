//! What files and terminals answer: locks and their owners (`tests/programs/advisory.c`), the terminal of a session
//! (`terminal.c`), pseudo-terminals (`ptys.c`), how much a pipe holds (`pipes.c`), what goes through pipes without a program's memory (`splices.c`), sockets of one machine (`sockets.c`), files in memory (`tmpfs.c`), flags of mounts (`mounts.c`), what becomes of an initramfs of several pieces (`unpacked.c`).

use crate::program;
use anyhow::Result;
use std::process::Command;
use tests::{Machine, Scene, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::portable("file_calls.advisory", |stage| play(stage, "advisory")),
    Scene::portable("file_calls.terminal", |stage| play(stage, "terminal")),
    Scene::portable("file_calls.ptys", |stage| play(stage, "ptys")),
    Scene::portable("file_calls.pipes", |stage| play(stage, "pipes")),
    Scene::portable("file_calls.splices", |stage| play(stage, "splices")),
    Scene::portable("file_calls.sockets", |stage| play(stage, "sockets")),
    Scene::portable("file_calls.tmpfs", |stage| play(stage, "tmpfs")),
    Scene::portable("file_calls.mounts", |stage| play(stage, "mounts")),
    Scene::portable("file_calls.unpacked", unpacked),
];

fn play(stage: &mut Stage, name: &str) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", name, "")?;
    program::expect_success(&mut board, name)
}

/// An entry of a cpio archive, with the time 99.
struct Entry<'a> {
    name: &'a str,
    mode: u32,
    inode: u32,
    links: u32,
    data: &'a str,
}

impl Entry<'_> {
    fn file<'a>(name: &'a str, data: &'a str) -> Entry<'a> {
        Entry {
            name,
            mode: 0o100644,
            inode: 500,
            links: 1,
            data,
        }
    }

    fn linked<'a>(name: &'a str, data: &'a str) -> Entry<'a> {
        Entry {
            links: 2,
            ..Entry::file(name, data)
        }
    }

    fn directory<'a>(name: &'a str, data: &'a str) -> Entry<'a> {
        Entry {
            mode: 0o040755,
            ..Entry::file(name, data)
        }
    }

    fn write(&self, archive: &mut Vec<u8>) {
        let (data_len, name_len) = (self.data.len() as u32, self.name.len() as u32 + 1);
        let fields = [
            self.inode, self.mode, 0, 0, self.links, 99, data_len, 8, 1, 0, 0, name_len, 0,
        ];
        archive.extend(b"070701");
        fields
            .iter()
            .for_each(|field| archive.extend(format!("{field:08X}").bytes()));
        archive.extend(self.name.bytes().chain([0]));
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(self.data.bytes());
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
}

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    entries.iter().for_each(|entry| entry.write(&mut archive));
    Entry::file("TRAILER!!!", "").write(&mut archive);
    archive
}

fn compressed(stage: &Stage, bytes: &[u8]) -> Result<Vec<u8>> {
    let plain = stage.file("piece.cpio");
    std::fs::write(&plain, bytes)?;
    files::run(Command::new("gzip").args(["-n", "-f", "-k"]).arg(&plain))?;
    Ok(std::fs::read(stage.file("piece.cpio.gz"))?)
}

fn unpacked(stage: &mut Stage) -> Result<()> {
    stage.compile("unpacked")?;
    let folder = stage.file("");
    let base = stage.initramfs(
        "dir /proc 755\ndir /dev 755\nnod /dev/console c 5 1 600\nfile /init unpacked 755",
        &[&folder],
    )?;
    let mut bytes = std::fs::read(base)?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(archive(&[
        Entry::directory("first", ""),
        Entry::linked("first/one", "the first"),
        Entry::linked("first/same", ""),
    ]));
    bytes.extend(archive(&[
        Entry::directory("second", ""),
        Entry::linked("second/two", "the second"),
        Entry::linked("second/again", "the other one"),
        Entry::file(&"n".repeat(5000), "too long a name"),
        Entry::file(&format!("second/{}", "n".repeat(300)), "too long a part of one"),
        Entry::directory("second/with data", "which no directory has"),
        Entry::file("second/after", "still here"),
    ]));
    bytes.extend(compressed(stage, &archive(&[Entry::file("packed", "packed")]))?);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(archive(&[Entry::file("last", "last")]));
    let initramfs = stage.file("pieces.cpio");
    std::fs::write(&initramfs, bytes)?;
    let load = stage.load_with(initramfs, "rdinit=/init");
    let mut board = stage.boot(&Machine::Virt(Virt::default()), &load)?;
    program::expect_success(&mut board, "unpacked")
}
