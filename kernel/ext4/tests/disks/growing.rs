//! A file system becomes as large as its disk: what was there stays, what came can be filled, e2fsck finds nothing; and a loss of power
//! leaves the old one or the new one.

use crate::model::{Load, Model};
use crate::support::{Disk, Random, check, make, mount};
use crate::trees::compare;

const LOAD: Load = Load {
    longest: 20_000,
    largest: 200_000,
    within: 0,
    names: 100,
};

/// What a card has behind a file system: anything.
fn lengthened(mut image: Vec<u8>, kibibytes: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let old = image.len();
    image.resize(old + kibibytes * 1024, 0);
    for word in image[old..].chunks_exact_mut(8) {
        word.copy_from_slice(&random.next().to_le_bytes());
    }
    image
}

/// Grows that image by so many KiB; how many KiB it has then.
fn grow(name: &str, image: Vec<u8>, more: usize) -> u64 {
    let disk = Disk::new(lengthened(image, more, 7));
    let mut random = Random(3);
    let mut volume = mount(&disk).unwrap();
    let mut model = Model::read(&mut volume);
    let mut unnamed = Vec::new();
    for _ in 0..60 {
        model.step(&mut volume, &mut random, &LOAD, &mut unnamed);
    }
    let blocks = volume.grow_to_disk().unwrap();
    let free = volume.usage().unwrap().free_blocks;
    for _ in 0..200 {
        model.step(&mut volume, &mut random, &LOAD, &mut unnamed);
    }
    for inode in unnamed {
        volume.release(inode).unwrap();
    }
    let kibibytes = blocks * volume.block_size() as u64 / 1024;
    volume.unmount().unwrap();
    check(&disk.image()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut volume = mount(&disk).unwrap();
    compare(&Model::read(&mut volume), &model).unwrap_or_else(|error| panic!("{name}: {error}"));
    // There is no more to be had.
    assert_eq!(volume.grow_to_disk().unwrap(), blocks, "{name}");
    assert!(free > 0, "{name}");
    volume.unmount().unwrap();
    check(&disk.image()).unwrap_or_else(|error| panic!("{name}, again: {error}"));
    kibibytes
}

/// As `make sdcard` makes its root.
const CARD: &[&str] = &["-t", "ext4", "-b", "4096", "-O", "meta_bg,^resize_inode"];

#[test]
fn the_last_group_gets_what_it_lacks() {
    assert_eq!(grow("one group", make(24 << 10, CARD), 40 << 10), 64 << 10);
    let small = &["-t", "ext4", "-b", "1024", "-O", "^resize_inode"];
    assert_eq!(
        grow("small blocks", make(12 << 10, small), 3000),
        (12 << 10) + 3000
    );
}

#[test]
fn further_groups_come() {
    let meta = &["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"];
    // Groups of 8 MiB, sixteen descriptors in a block: several blocks of descriptors.
    assert_eq!(grow("many groups", make(20 << 10, meta), 380 << 10), 400 << 10);
    // The last would have less than it needs for itself.
    assert_eq!(
        grow("no group of a few blocks", make(16 << 10, meta), (8 << 10) + 300),
        (24 << 10) + 1
    );
    assert_eq!(grow("a card", make(64 << 10, CARD), 300 << 10), 364 << 10);
}

/// Where all descriptors stand in one table, it grows as far as the table's last block has room.
#[test]
fn a_table_of_descriptors_is_filled() {
    let usual = &["-t", "ext4", "-b", "1024"];
    assert_eq!(
        grow("resize_inode", make(20 << 10, usual), 200 << 10),
        (128 << 10) + 1
    );
    let sums = &[
        "-t",
        "ext4",
        "-b",
        "1024",
        "-O",
        "^metadata_csum,uninit_bg,^64bit",
    ];
    assert_eq!(grow("CRC-16", make(20 << 10, sums), 100 << 10), 120 << 10);
}

#[test]
fn without_checksums_it_stays() {
    let image = make(
        8 << 10,
        &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^uninit_bg"],
    );
    let disk = Disk::new(lengthened(image, 1 << 10, 1));
    let mut volume = mount(&disk).unwrap();
    assert_eq!(volume.grow_to_disk(), Err(abi::Errno::EOPNOTSUPP));
}

/// The power goes at each write: the file system is of the old size or of the new one, whole, and the next boot goes on.
#[test]
fn a_loss_of_power_leaves_the_old_one_or_the_new_one() {
    // Groups of 1 MiB, sixteen descriptors in a block: a block of descriptors comes too.
    let meta = &[
        "-t",
        "ext4",
        "-b",
        "1024",
        "-g",
        "1024",
        "-O",
        "meta_bg,^resize_inode",
    ];
    let image = lengthened(make(6 << 10, meta), 14 << 10, 5);
    let mut random = Random(11);
    let mut sizes = std::collections::BTreeSet::new();
    for left in 0..400 {
        let disk = Disk::dying(image.clone(), left);
        let done = mount(&disk).and_then(|mut volume| volume.grow_to_disk());
        let after = Disk::new(disk.after_loss(&mut random));
        let mut volume = mount(&after).unwrap_or_else(|error| panic!("after {left} writes: {error:?}"));
        sizes.insert(volume.usage().unwrap().blocks);
        volume.unmount().unwrap();
        check(&after.image()).unwrap_or_else(|error| panic!("after {left} writes: {error}"));
        let mut volume = mount(&after).unwrap();
        volume.grow_to_disk().unwrap();
        volume.unmount().unwrap();
        check(&after.image()).unwrap_or_else(|error| panic!("after {left} writes, grown: {error}"));
        if done.is_ok() {
            assert_eq!(sizes.len(), 2, "{sizes:?}");
            return;
        }
    }
    panic!("it needs more than 400 writes");
}
