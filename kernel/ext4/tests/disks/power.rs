//! Disks that lose power at any write: what was not flushed is lost, or written in another order, or torn.
//!
//! What must hold after the journal was replayed: e2fsck finds nothing; the tree is that of a moment not before the last commit that
//! returned; the bytes of a file are those of some moment since then, sector by sector, and of no other file.

use crate::model::{Kind, Load, Model, Node};
use crate::support::{Disk, Random, check, make, mount, repair, with_needs_recovery};
use ext4::Ext4;

/// Calls so far and the trees after them, from the last commit on.
struct History {
    models: Vec<Model>,
}

/// Where two trees differ but for the bytes of files.
fn difference(is: &Model, should: &Model) -> Option<String> {
    let differs = |inode: &u32| match (is.nodes.get(inode), should.nodes.get(inode)) {
        (Some(a), Some(b)) => {
            let is_alike = match (&a.kind, &b.kind) {
                (Kind::File(a), Kind::File(b)) => a.len() == b.len(),
                (a, b) => a == b,
            };
            let others = |node: &Node| {
                (
                    node.mode,
                    node.owner,
                    node.accessed,
                    node.links,
                    node.attributes.clone(),
                )
            };
            !is_alike || others(a) != others(b)
        }
        _ => true,
    };
    let inode = is
        .nodes
        .keys()
        .chain(should.nodes.keys())
        .find(|inode| differs(inode))?;
    Some(format!(
        "inode {inode}\n   is {:.400?}\nshould {:.400?}",
        is.nodes.get(inode),
        should.nodes.get(inode)
    ))
}

fn bytes(node: Option<&Node>) -> Option<&[u8]> {
    match &node?.kind {
        Kind::File(bytes) => Some(bytes),
        _ => None,
    }
}

impl History {
    /// Whether what was found is a moment of it.
    fn explains(&self, is: &Model) -> Result<(), String> {
        if !self.models.iter().any(|model| difference(is, model).is_none()) {
            let first = difference(is, &self.models[0]).unwrap_or_default();
            let last = difference(is, self.models.last().unwrap()).unwrap_or_default();
            return Err(format!(
                "no moment of {} has this tree\nfirst: {first}\nlast: {last}",
                self.models.len()
            ));
        }
        for (inode, node) in &is.nodes {
            let Some(now) = bytes(Some(node.as_ref())) else {
                continue;
            };
            for (index, sector) in now.chunks(512).enumerate() {
                let has = |model: &Model| {
                    let old = bytes(model.nodes.get(inode).map(AsRef::as_ref))
                        .and_then(|old| old.get(512 * index..));
                    let old = old.unwrap_or(&[]);
                    // Behind its end a file has zeros, should it become longer.
                    sector
                        .iter()
                        .enumerate()
                        .all(|(at, byte)| *byte == old.get(at).copied().unwrap_or(0))
                };
                if !self.models.iter().any(has) {
                    return Err(format!("inode {inode}: sector {index} is of no moment"));
                }
            }
        }
        Ok(())
    }
}

/// Calls until the power goes; what the disk has then, and what it may show.
fn live(image: &[u8], random: &mut Random, load: &Load, ends: u64) -> (Vec<u8>, History) {
    let disk = Disk::dying(image.to_vec(), random.below(ends));
    let mut history = History { models: Vec::new() };
    let Ok(mut volume) = mount(&disk) else {
        let calm = Disk::new(image.to_vec());
        history.models.push(Model::read(&mut mount(&calm).unwrap()));
        return (disk.after_loss(random), history);
    };
    let mut model = Model::read(&mut volume);
    history.models.push(model.clone());
    let mut unnamed = Vec::new();
    while volume.commit_is_possible() {
        model.step(&mut volume, random, load, &mut unnamed);
        history.models.push(model.clone());
        if random.below(12) == 0 && volume.commit().is_ok() {
            history.models.drain(..history.models.len() - 1);
        }
    }
    (disk.after_loss(random), history)
}

/// What makes the test go on: the file system has not seen its disk die.
trait Alive {
    fn commit_is_possible(&mut self) -> bool;
}

impl Alive for Ext4 {
    fn commit_is_possible(&mut self) -> bool {
        // A call that changes nothing fails as soon as writing has failed.
        self.change_status(ext4::ROOT, &ext4::Change::default()).is_ok()
    }
}

fn lose_power(image: &[u8], seed: u64, load: &Load, ends: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let (mut left, history) = live(image, &mut random, load, ends);
    // It may go again while the journal is replayed.
    for _ in 0..random.below(3) {
        let disk = Disk::dying(left, random.below(30));
        mount(&disk).ok();
        left = disk.after_loss(&mut random);
    }
    let disk = Disk::new(left.clone());
    let mut volume = mount(&disk).unwrap_or_else(|error| panic!("seed {seed}: mount: {}", error.name()));
    assert!(!volume.is_damaged(), "seed {seed}: damaged");
    let is = Model::read(&mut volume);
    history
        .explains(&is)
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    volume.unmount().unwrap();
    check(&disk.image()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    // e2fsck replays the same; but it makes lost+found anew.
    let has_lost_and_found = volume_has(&is, b"lost+found");
    if seed.is_multiple_of(4) && has_lost_and_found {
        let repaired = match repair(&left, "-p") {
            // The power went while it was mounted: the journal has the superblock that says that there is a journal to be replayed, but
            // the superblock itself does not say so yet. The kernel looks; -p asks its user. What the user would say is said for it: to
            // answer yes to all, by -y, would also change the times that it takes to be wrong (those beyond 2310).
            Err(error) if error.contains("needs_recovery flag is clear, but journal has data") => {
                repair(&with_needs_recovery(&left), "-p")
            }
            done => done,
        };
        match repaired {
            Ok(repaired) => {
                let other = Model::read(&mut mount(&Disk::new(repaired)).unwrap());
                crate::trees::compare(&other, &is)
                    .unwrap_or_else(|error| panic!("seed {seed}: e2fsck: {error}"));
            }
            // The power went while the superblock was written: it does not look into the journal then.
            Err(error) if error.contains("The superblock could not be read") => {}
            Err(error) => panic!("seed {seed}: e2fsck: {error}"),
        }
    }
    disk.image()
}

/// Whether the root directory has that name.
fn volume_has(model: &Model, name: &[u8]) -> bool {
    matches!(&model.nodes[&ext4::ROOT].kind, Kind::Directory(entries) if entries.contains_key(name))
}

/// How many times the power goes, by `EXT4_CUTS`.
fn cuts(usual: u64) -> u64 {
    std::env::var("EXT4_CUTS")
        .ok()
        .and_then(|cuts| cuts.parse().ok())
        .unwrap_or(usual)
}

#[test]
fn a_life_of_losses() {
    let load = Load {
        longest: 1024,
        largest: 40_000,
        within: 1024,
        names: 100,
    };
    let mut image = make(8 << 10, &["-t", "ext4", "-b", "1024", "-J", "size=1"]);
    for seed in 0..cuts(24) {
        image = lose_power(&image, seed, &load, 250);
    }
}

#[test]
fn losses_with_large_blocks_and_little_room() {
    let load = Load {
        longest: 4096,
        largest: 60_000,
        within: 4096,
        names: 1000,
    };
    let mut image = make(
        12 << 10,
        &["-t", "ext4", "-b", "4096", "-J", "size=4", "-O", "^metadata_csum"],
    );
    for seed in 1000..1000 + cuts(16) {
        image = lose_power(&image, seed, &load, 250);
    }
}
