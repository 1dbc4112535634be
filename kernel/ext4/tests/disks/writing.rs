//! Random calls, compared with a model; e2fsck finds nothing wrong.

use crate::model::{Load, Model};
use crate::support::{Disk, Random, check, make, mount};
use crate::trees::compare;

/// Rounds of so many calls each; after each round the file system is mounted anew.
fn play(name: &str, image: Vec<u8>, seed: u64, rounds: usize, calls: usize, load: &Load) {
    let disk = Disk::new(image);
    let mut random = Random(seed);
    let mut volume = mount(&disk).unwrap();
    let mut model = Model::read(&mut volume);
    for round in 0..rounds {
        let mut unnamed = Vec::new();
        for call in 0..calls {
            let done = model.step(&mut volume, &mut random, load, &mut unnamed);
            if std::env::var_os("SHOW_CALLS").is_some() {
                println!("{round}.{call} {done}");
            }
            if random.below(40) == 0 {
                volume.commit().unwrap();
            }
        }
        // The last ones stay without a name: whoever mounts it next frees them.
        if round % 2 == 0 {
            for inode in unnamed.drain(..) {
                volume.release(inode).unwrap();
            }
        }
        volume.unmount().unwrap();
        drop(volume);
        volume = mount(&disk).unwrap();
        let is = Model::read(&mut volume);
        compare(&is, &model).unwrap_or_else(|error| panic!("{name}, seed {seed}, round {round}: {error}"));
        volume.unmount().unwrap();
        check(&disk.image()).unwrap_or_else(|error| panic!("{name}, seed {seed}, round {round}: {error}"));
        volume = mount(&disk).unwrap();
    }
}

const USUAL: Load = Load {
    longest: 20_000,
    largest: 200_000,
    within: 0,
    names: 300,
};

/// How much longer the long run is, by `EXT4_ROUNDS`.
fn rounds(usual: usize) -> usize {
    std::env::var("EXT4_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(usual)
}

#[test]
fn small_blocks() {
    let image = make(32 << 10, &["-t", "ext4", "-b", "1024"]);
    play("small blocks", image, 1, rounds(2), 400, &USUAL);
}

#[test]
fn large_blocks() {
    let image = make(
        64 << 10,
        &["-t", "ext4", "-b", "4096", "-O", "metadata_csum_seed"],
    );
    play("large blocks", image, 2, rounds(2), 400, &USUAL);
}

#[test]
fn without_checksums_and_wide_descriptors() {
    let image = make(
        32 << 10,
        &[
            "-t",
            "ext4",
            "-b",
            "1024",
            "-O",
            "^metadata_csum,^64bit",
            "-I",
            "128",
        ],
    );
    let load = Load { names: 300, ..USUAL };
    // Inodes of 128 bytes say seconds until 2038 only, and have no room for attributes.
    play_without_times("no checksums", image, 3, &load);
}

fn play_without_times(name: &str, image: Vec<u8>, seed: u64, load: &Load) {
    let disk = Disk::new(image);
    let mut random = Random(seed);
    let mut volume = mount(&disk).unwrap();
    let mut model = Model::read(&mut volume);
    let strip = |model: &Model| {
        let mut model = model.clone();
        let all: Vec<u32> = model.nodes.keys().copied().collect();
        all.into_iter()
            .for_each(|inode| model.node_mut(inode).accessed = ext4::Moment::default());
        model
    };
    for _ in 0..rounds(2) {
        let mut unnamed = Vec::new();
        for _ in 0..400 {
            model.step(&mut volume, &mut random, load, &mut unnamed);
        }
        volume.unmount().unwrap();
        volume = mount(&disk).unwrap();
        let is = strip(&Model::read(&mut volume));
        compare(&is, &strip(&model)).unwrap_or_else(|error| panic!("{name}: {error}"));
        volume.unmount().unwrap();
        check(&disk.image()).unwrap_or_else(|error| panic!("{name}: {error}"));
        volume = mount(&disk).unwrap();
    }
}

#[test]
fn without_a_journal() {
    let image = make(
        32 << 10,
        &[
            "-t",
            "ext4",
            "-b",
            "2048",
            "-O",
            "^has_journal,uninit_bg,^metadata_csum",
        ],
    );
    play("no journal", image, 4, rounds(2), 300, &USUAL);
}

#[test]
fn many_groups_and_a_full_disk() {
    // 2 MiB groups of which few have their bitmaps written; too small for the load.
    let image = make(
        8 << 10,
        &[
            "-t", "ext4", "-b", "1024", "-g", "1024", "-G", "4", "-J", "size=1",
        ],
    );
    let load = Load {
        longest: 60_000,
        largest: 400_000,
        within: 0,
        names: 1000,
    };
    play("full disk", image, 5, rounds(2), 400, &load);
}
