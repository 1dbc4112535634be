//! Damaged disks: whatever bytes there are, calls answer, and in bounded time. Nothing panics.

use crate::model::Load;
use crate::support::{Disk, Random, debugfs, make, mount, mount_read_only};
use abi::Errno;
use ext4::{Change, Ext4, New, ROOT, RenameTarget, Size};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A disk with a bit of everything, and a journal that was not replayed.
fn image(options: &[&str]) -> Vec<u8> {
    let disk = Disk::new(make(
        4 << 10,
        &[&["-t", "ext4", "-J", "size=1", "-N", "128"], options].concat(),
    ));
    let mut volume = mount(&disk).unwrap();
    let mut model = crate::model::Model::read(&mut volume);
    let load = Load {
        longest: 3000,
        largest: 20_000,
        within: 0,
        names: 60,
    };
    let (mut random, mut unnamed) = (Random(5), Vec::new());
    for _ in 0..250 {
        model.step(&mut volume, &mut random, &load, &mut unnamed);
    }
    volume.commit().unwrap();
    disk.image()
}

/// All blocks that are not zeros: damage elsewhere says little.
fn places(image: &[u8]) -> Vec<usize> {
    let used = image
        .chunks(64)
        .enumerate()
        .filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0));
    used.map(|(index, _)| 64 * index).collect()
}

/// Walks over everything, as far as it can be read.
fn walk(volume: &mut Ext4) {
    let mut left = vec![(ROOT, 0)];
    let mut seen = 0;
    let mut buffer = [0; 5000];
    while let Some((inode, depth)) = left.pop() {
        seen += 1;
        if seen > 300 || depth > 12 {
            break;
        }
        let mut names = Vec::new();
        let listed = volume.list(inode, 0, &mut |entry| {
            names.push((entry.name.to_vec(), entry.inode));
            names.len() < 500
        });
        let _ = volume.status(inode);
        let _ = volume.attribute_names(inode);
        let _ = volume.attribute(inode, b"user.1");
        let _ = volume.link_text(inode);
        let _ = volume.read(inode, 0, &mut buffer);
        let _ = volume.read(inode, 15_000, &mut buffer);
        if listed.is_ok() {
            for (name, child) in names {
                let _ = volume.lookup(inode, &name);
                left.push((child, depth + 1));
            }
        }
    }
}

/// Changes what there is.
fn change(volume: &mut Ext4, random: &mut Random) {
    let new = New {
        mode: 0o100600,
        user: 1,
        group: 1,
        target: b"x",
        device: (0, 0),
    };
    let mut names = Vec::new();
    let _ = volume.list(ROOT, 0, &mut |entry| {
        names.push((entry.name.to_vec(), entry.inode));
        names.len() < 100
    });
    for index in 0..12u64 {
        let name = format!("new-{index}");
        if let Ok(inode) = volume.create(ROOT, name.as_bytes(), &new) {
            let _ = volume.write(inode, random.below(30_000), &[7; 3000]);
        }
        if names.is_empty() {
            continue;
        }
        let (name, inode) = names[random.below(names.len() as u64) as usize].clone();
        let _ = match random.below(9) {
            0 => volume.unlink(ROOT, &name).map(|_| ()),
            1 => volume.remove_directory(ROOT, &name).map(|_| ()),
            2 => volume
                .rename((ROOT, &name), (inode, b"moved"), RenameTarget::Replaced)
                .map(|_| ()),
            3 => volume.truncate(inode, random.below(20_000)),
            4 => volume.write(inode, random.below(20_000), &[9; 2000]),
            5 => volume.set_attribute(inode, b"user.new", Some(&[1; 200])),
            6 => volume.punch(inode, 1000..random.below(20_000).max(1000)),
            7 => volume.reserve(inode, 0..random.below(30_000), Size::Grows),
            _ => volume.create(inode, b"below", &new).map(|_| ()),
        };
        let _ = volume.release(inode);
        let _ = volume.change_status(
            inode,
            &Change {
                permissions: Some(0o755),
                ..Change::default()
            },
        );
    }
    let _ = volume.commit();
    let _ = volume.unmount();
}

/// One damaged disk.
fn try_one(image: &[u8], random: &mut Random) {
    let started = Instant::now();
    let disk: Arc<Disk> = Disk::new(image.to_vec());
    if let Ok(mut volume) = mount_read_only(&disk) {
        walk(&mut volume);
    }
    if let Ok(mut volume) = mount(&disk) {
        change(&mut volume, random);
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "that took {:?}",
        started.elapsed()
    );
}

fn damage(image: &[u8], places: &[usize], seed: u64) {
    let mut random = Random(seed);
    let mut bad = image.to_vec();
    for _ in 0..1 + random.below(6) {
        let at = places[random.below(places.len() as u64) as usize] + random.below(64) as usize;
        bad[at] = match random.below(4) {
            0 => bad[at] ^ 1 << random.below(8),
            1 => 0,
            2 => 0xff,
            _ => random.next() as u8,
        };
    }
    let caught = std::panic::catch_unwind(|| try_one(&bad, &mut Random(seed)));
    assert!(caught.is_ok(), "seed {seed}");
}

/// How many, by `EXT4_DAMAGES`.
fn cases(usual: u64) -> u64 {
    std::env::var("EXT4_DAMAGES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(usual)
}

/// Without checksums damage gets further.
#[test]
fn bytes_that_changed_without_checksums() {
    let image = image(&["-O", "^metadata_csum", "-b", "1024"]);
    let places = places(&image);
    (0..cases(200)).for_each(|seed| damage(&image, &places, seed));
}

#[test]
fn bytes_that_changed_with_checksums() {
    let image = image(&["-b", "1024"]);
    let places = places(&image);
    (0..cases(60)).for_each(|seed| damage(&image, &places, 1_000_000 + seed));
}

/// A checksum that is wrong is seen, whatever it is of.
#[test]
fn wrong_checksums_are_refused() {
    let image = make(8 << 10, &["-t", "ext4"]);
    let (image, _) = debugfs(&image, "mkdir d\nwrite /etc/hostname f\n");
    for (what, at) in [("superblock", 1024 + 0x88), ("descriptor", 2048 + 0x0c)] {
        let mut bad = image.clone();
        bad[at] ^= 1;
        assert_eq!(mount(&Disk::new(bad)).err(), Some(Errno::EUCLEAN), "{what}");
    }
    let mut volume = mount_read_only(&Disk::new(image.clone())).unwrap();
    let (file, directory) = (
        volume.lookup(ROOT, b"f").unwrap(),
        volume.lookup(ROOT, b"d").unwrap(),
    );
    let mut bad = image.clone();
    let needle = b"hostname-that-is-nowhere";
    assert!(!bad.windows(needle.len()).any(|window| window == needle));
    // The entry of `f` in the root directory becomes one of `g`.
    let entry = bad
        .windows(9)
        .position(|window| window[4..6] != [0, 0] && window[6..9] == [1, 1, b'f'])
        .unwrap();
    bad[entry + 8] = b'g';
    let mut volume = mount_read_only(&Disk::new(bad)).unwrap();
    assert_eq!(volume.lookup(ROOT, b"g").unwrap_err(), Errno::EUCLEAN);
    assert!(volume.status(file).is_ok() && volume.status(directory).is_ok());
}

#[test]
fn what_is_no_file_system_or_not_understood() {
    assert_eq!(mount(&Disk::new(vec![0; 1 << 20])).err(), Some(Errno::EINVAL));
    assert_eq!(mount(&Disk::new(vec![0xff; 1 << 20])).err(), Some(Errno::EINVAL));
    assert_eq!(mount(&Disk::new(Vec::new())).err(), Some(Errno::EIO));
    let inline = make(8 << 10, &["-t", "ext4", "-O", "inline_data"]);
    assert_eq!(mount(&Disk::new(inline)).err(), Some(Errno::EINVAL));
    let clusters = make(64 << 10, &["-t", "ext4", "-O", "bigalloc"]);
    assert_eq!(mount_read_only(&Disk::new(clusters)).err(), Some(Errno::EINVAL));
    let old = make(8 << 10, &["-t", "ext3"]);
    assert_eq!(mount(&Disk::new(old)).err(), Some(Errno::EROFS));
    // The disk became shorter.
    let mut short = make(8 << 10, &["-t", "ext4"]);
    short.truncate(4 << 20);
    assert_eq!(mount(&Disk::new(short)).err(), Some(Errno::EUCLEAN));
}
