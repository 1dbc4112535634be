//! The file system on disks in memory: what fsck.fat says of them, and mtools, which read and write the same.

mod disk;

use abi::Errno;
use disk::{Disk, Random, check, copy_in, copy_out, make};
use fat::{Changes, Fat, FatKind, ROOT};
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW: i64 = 1_900_000_000;

/// What a directory should have.
#[derive(Default)]
struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    directories: BTreeMap<String, Tree>,
}

impl Tree {
    fn has(&self, name: &str) -> bool {
        let is_it = |other: &String| other.to_lowercase() == name.to_lowercase();
        self.files.keys().any(is_it) || self.directories.keys().any(is_it)
    }

    fn pick(&self, random: &mut Random) -> Option<String> {
        (!self.files.is_empty())
            .then(|| {
                self.files
                    .keys()
                    .nth(random.below(self.files.len() as u64) as usize)
                    .cloned()
            })
            .flatten()
    }
}

fn read_all(volume: &mut Fat, file: u64) -> Vec<u8> {
    let size = volume.status(file).unwrap().size;
    let mut bytes = vec![0xee; size as usize];
    assert_eq!(volume.read(file, 0, &mut bytes).unwrap() as u64, size);
    bytes
}

fn compare(volume: &mut Fat, directory: u64, tree: &Tree) {
    let (mut names, mut at) = (Vec::new(), 0);
    loop {
        let mut taken = 0;
        at = volume
            .list(directory, at, &mut |name, kind| {
                taken += 1;
                let is_taken = taken <= 3;
                if is_taken {
                    names.push((String::from_utf8(name.to_vec()).unwrap(), kind));
                }
                is_taken
            })
            .unwrap();
        if taken <= 3 {
            break;
        }
    }
    assert_eq!(names.len(), tree.files.len() + tree.directories.len());
    for (name, kind) in names {
        let number = volume.lookup(directory, name.as_bytes()).unwrap();
        match kind {
            FatKind::Regular => assert!(read_all(volume, number) == tree.files[&name], "{name}"),
            FatKind::Directory => compare(volume, number, &tree.directories[&name]),
        }
        volume.forget(number, 1).unwrap();
    }
}

fn compare_with_host(path: &std::path::Path, tree: &Tree) {
    let mut count = 0;
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        count += 1;
        match tree.directories.get(&name) {
            Some(below) => compare_with_host(&entry.path(), below),
            None => assert!(
                std::fs::read(entry.path()).unwrap() == tree.files[&name],
                "{name}"
            ),
        }
    }
    assert_eq!(
        count,
        tree.files.len() + tree.directories.len(),
        "{}",
        path.display()
    );
}

fn some_name(random: &mut Random) -> String {
    let number = random.below(40);
    match random.below(4) {
        0 => format!("N{number}.TXT"),
        1 => format!("small{number}.c"),
        2 => format!("a long name, with \u{fc}mlauts and {number} more letters, that needs several places"),
        _ => format!("Name {number}.with.dots"),
    }
}

fn step(volume: &mut Fat, directory: u64, tree: &mut Tree, random: &mut Random) {
    let name = some_name(random);
    match random.below(12) {
        0..=2 => {
            let done = volume.create(directory, name.as_bytes(), FatKind::Regular, NOW);
            match tree.has(&name) {
                true => assert_eq!(done.unwrap_err(), Errno::EEXIST),
                false => {
                    volume.forget(done.unwrap(), 1).unwrap();
                    tree.files.insert(name, Vec::new());
                }
            }
        }
        3 if !tree.has(&name) => {
            let made = volume
                .create(directory, name.as_bytes(), FatKind::Directory, NOW)
                .unwrap();
            let mut below = Tree::default();
            (0..5).for_each(|_| step(volume, made, &mut below, random));
            volume.forget(made, 1).unwrap();
            tree.directories.insert(name, below);
        }
        4 | 5 => {
            let Some(name) = tree.pick(random) else { return };
            // Open while its name goes.
            let held = volume.lookup(directory, name.as_bytes()).unwrap();
            volume
                .remove(directory, name.as_bytes(), FatKind::Regular)
                .unwrap();
            assert!(read_all(volume, held) == tree.files.remove(&name).unwrap());
            volume.forget(held, 1).unwrap();
        }
        6 => {
            let Some(old) = tree.pick(random) else { return };
            if tree
                .directories
                .keys()
                .any(|other| other.to_lowercase() == name.to_lowercase())
            {
                let done = volume.rename((directory, old.as_bytes()), (directory, name.as_bytes()));
                assert_eq!(done.unwrap_err(), Errno::EISDIR);
                return;
            }
            volume
                .rename((directory, old.as_bytes()), (directory, name.as_bytes()))
                .unwrap();
            let bytes = tree.files.remove(&old).unwrap();
            tree.files.insert(name, bytes);
        }
        7..=9 => {
            let Some(name) = tree.pick(random) else { return };
            let file = volume.lookup(directory, name.as_bytes()).unwrap();
            let (at, len) = (random.below(9000), 1 + random.below(5000));
            let new = vec![random.next() as u8; len as usize];
            volume.write(file, at, &new, NOW).unwrap();
            let bytes = tree.files.get_mut(&name).unwrap();
            bytes.resize(bytes.len().max((at + len) as usize), 0);
            bytes[at as usize..(at + len) as usize].copy_from_slice(&new);
            volume.forget(file, 1).unwrap();
        }
        10 => {
            let Some(name) = tree.pick(random) else { return };
            let file = volume.lookup(directory, name.as_bytes()).unwrap();
            let size = random.below(12_000);
            volume.truncate(file, size, NOW).unwrap();
            tree.files.get_mut(&name).unwrap().resize(size as usize, 0);
            volume.forget(file, 1).unwrap();
        }
        _ => {
            let Some(name) = tree.directories.keys().next().cloned() else {
                return;
            };
            let done = volume.remove(directory, name.as_bytes(), FatKind::Directory);
            let below = &tree.directories[&name];
            match below.files.is_empty() && below.directories.is_empty() {
                true => {
                    done.unwrap();
                    tree.directories.remove(&name);
                }
                false => {
                    assert_eq!(done.unwrap_err(), Errno::ENOTEMPTY);
                    let number = volume.lookup(directory, name.as_bytes()).unwrap();
                    let below = tree.directories.get_mut(&name).unwrap();
                    (0..4).for_each(|_| step(volume, number, below, random));
                    volume.forget(number, 1).unwrap();
                }
            }
        }
    }
}

#[test]
fn random_calls() {
    for seed in 0..2 {
        let disk = Disk::new(make(1 + seed % 2));
        let mut volume = Fat::mount(disk.clone(), 3600).unwrap();
        let (mut random, mut tree) = (Random(seed), Tree::default());
        for _ in 0..500 {
            step(&mut volume, ROOT, &mut tree, &mut random);
        }
        compare(&mut volume, ROOT, &tree);
        volume.sync().unwrap();
        drop(volume);
        let image = disk.image();
        check(&image).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        compare(&mut Fat::mount(Disk::new(image.clone()), 0).unwrap(), ROOT, &tree);
        let folder = copy_out(&image);
        compare_with_host(&folder.0, &tree);
    }
}

#[test]
fn what_mtools_wrote_is_read() {
    let image = make(1);
    let (image, folder) = copy_in(&image);
    let mut volume = Fat::mount(Disk::new(image), 0).unwrap();
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let file = volume.lookup(ROOT, name.to_uppercase().as_bytes()).unwrap();
        assert_eq!(read_all(&mut volume, file), std::fs::read(entry.path()).unwrap());
    }
}

#[test]
fn rules() {
    let disk = Disk::new(make(1));
    let mut volume = Fat::mount(disk.clone(), 0).unwrap();
    let before = volume.room();
    let upper = volume.create(ROOT, b"Upper", FatKind::Directory, NOW).unwrap();
    let lower = volume.create(upper, b"lower", FatKind::Directory, NOW).unwrap();
    assert_eq!(
        volume.rename((ROOT, b"Upper"), (lower, b"x")).unwrap_err(),
        Errno::EINVAL
    );
    assert_eq!(volume.lookup(ROOT, b"uPPER").unwrap(), upper);
    volume.forget(upper, 1).unwrap();
    volume.rename((ROOT, b"upper"), (ROOT, b"UPPER")).unwrap();
    volume.rename((upper, b"lower"), (ROOT, b"lower")).unwrap();
    let file = volume.create(lower, b"f", FatKind::Regular, NOW).unwrap();
    volume.set_times(file, None, Some(4_000_000_000)).unwrap();
    assert_eq!(volume.status(file).unwrap().modified, 4_000_000_000);
    assert_eq!(
        volume.write(file, (1 << 32) - 1, b"xy", NOW).unwrap_err(),
        Errno::EFBIG
    );
    // A file and a directory, then two directories, get each other's names, and have them after all.
    volume.write(file, 0, b"kept", NOW).unwrap();
    volume.exchange((lower, b"f"), (ROOT, b"upper")).unwrap();
    check(&{
        volume.sync().unwrap();
        disk.image()
    })
    .unwrap();
    assert_eq!(volume.lookup(ROOT, b"UPPER").unwrap(), file);
    volume.forget(file, 1).unwrap();
    assert_eq!(read_all(&mut volume, file), b"kept");
    assert_eq!(
        volume.exchange((ROOT, b"lower"), (lower, b"f")).unwrap_err(),
        Errno::EINVAL
    );
    volume.exchange((ROOT, b"upper"), (lower, b"f")).unwrap();
    volume.exchange((ROOT, b"upper"), (ROOT, b"lower")).unwrap();
    volume.exchange((ROOT, b"upper"), (ROOT, b"lower")).unwrap();
    assert_eq!(
        volume.exchange((ROOT, b"upper"), (ROOT, b"nothing")).unwrap_err(),
        Errno::ENOENT
    );
    // Room that is made and not used comes back.
    volume.allocate(file, 40).unwrap();
    for number in [file, lower, upper] {
        volume.forget(number, 1).unwrap();
    }
    volume.sync().unwrap();
    check(&disk.image()).unwrap();
    assert_eq!(before.free - volume.room().free, 3);
    // A full disk loses nothing.
    let file = volume.create(ROOT, b"large", FatKind::Regular, NOW).unwrap();
    let free = volume.room().free;
    assert_eq!(volume.allocate(file, free).unwrap_err(), Errno::ENOSPC);
    assert_eq!(volume.room().free, free);
    assert!(volume.allocate(file, free - 1).is_ok());
    assert_eq!(
        volume.create(ROOT, b"d", FatKind::Directory, NOW).unwrap_err(),
        Errno::ENOSPC
    );
    volume.forget(file, 1).unwrap();
    volume.set_read_only(Changes::Refused).unwrap();
    assert_eq!(
        volume.create(ROOT, b"d", FatKind::Directory, NOW).unwrap_err(),
        Errno::EROFS
    );
    check(&disk.image()).unwrap();
}

#[test]
fn damage_is_answered() {
    let disk: Arc<Disk> = Disk::new(make(1));
    let mut volume = Fat::mount(disk.clone(), 0).unwrap();
    let (mut random, mut tree) = (Random(9), Tree::default());
    for _ in 0..200 {
        step(&mut volume, ROOT, &mut tree, &mut random);
    }
    volume.sync().unwrap();
    let image = disk.image();
    let used: Vec<usize> = (0..image.len())
        .step_by(16)
        .filter(|at| image[*at..at + 16] != [0; 16])
        .collect();
    for seed in 0..60 {
        let (mut random, mut bad) = (Random(seed), image.clone());
        for _ in 0..1 + random.below(8) {
            let at = used[random.below(used.len() as u64) as usize] + random.below(16) as usize;
            bad[at] = random.next() as u8;
        }
        let Ok(mut volume) = Fat::mount(Disk::new(bad), 0) else {
            continue;
        };
        let mut names = Vec::new();
        let _ = volume.list(ROOT, 0, &mut |name, _| {
            names.push(name.to_vec());
            names.len() < 200
        });
        for name in names {
            let Ok(number) = volume.lookup(ROOT, &name) else {
                continue;
            };
            let mut bytes = [0; 5000];
            let _ = volume.status(number);
            let _ = volume.read(number, 0, &mut bytes);
            let _ = volume.list(number, 0, &mut |_, _| true);
            let _ = volume.write(number, 3000, &bytes, NOW);
            let _ = volume.create(number, b"below", FatKind::Directory, NOW);
            let _ = volume.truncate(number, 100, NOW);
            let _ = volume.forget(number, 1);
            let _ = volume.remove(ROOT, &name, FatKind::Regular);
        }
        let _ = volume.sync();
    }
    assert_eq!(
        Fat::mount(Disk::new(vec![0; 1 << 20]), 0).err(),
        Some(Errno::EINVAL)
    );
    assert_eq!(Fat::mount(Disk::new(Vec::new()), 0).err(), Some(Errno::EIO));
}
