//! What a file system should have: the same calls on a tree in memory.

use crate::support::Random;
use crate::trees::read_node;
use abi::Errno;
use ext4::{Ext4, Moment, New, ROOT, RenameTarget};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    File(Vec<u8>),
    Directory(BTreeMap<Vec<u8>, u32>),
    Symlink(Vec<u8>),
    Node(u32, u32),
}

/// A file by its inode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    pub kind: Kind,
    pub mode: u16,
    pub owner: (u32, u32),
    pub accessed: Moment,
    pub links: u16,
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// All files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Model {
    pub nodes: BTreeMap<u32, Arc<Node>>,
}

/// How calls are chosen.
#[derive(Clone, Copy)]
pub struct Load {
    /// Longest write.
    pub longest: u64,
    /// Where files end at most.
    pub largest: u64,
    /// Writes stay in one block of this size; 0: they need not.
    pub within: u64,
    /// Names to choose from.
    pub names: u64,
}

impl Model {
    /// A new file system has `lost+found`; it is read like everything else.
    pub fn read(volume: &mut Ext4) -> Model {
        let mut model = Model::default();
        let mut left = vec![ROOT];
        while let Some(inode) = left.pop() {
            if model.nodes.contains_key(&inode) {
                continue;
            }
            let node = read_node(volume, inode);
            if let Kind::Directory(entries) = &node.kind {
                left.extend(entries.values());
            }
            model.nodes.insert(inode, Arc::new(node));
        }
        model
    }

    pub fn node_mut(&mut self, inode: u32) -> &mut Node {
        Arc::make_mut(self.nodes.get_mut(&inode).unwrap())
    }

    fn entries(&self, directory: u32) -> &BTreeMap<Vec<u8>, u32> {
        match &self.nodes[&directory].kind {
            Kind::Directory(entries) => entries,
            _ => panic!("{directory} is no directory"),
        }
    }

    fn entries_mut(&mut self, directory: u32) -> &mut BTreeMap<Vec<u8>, u32> {
        match &mut self.node_mut(directory).kind {
            Kind::Directory(entries) => entries,
            _ => panic!("{directory} is no directory"),
        }
    }

    pub fn some(&self, random: &mut Random, wanted: impl Fn(&Node) -> bool) -> Option<u32> {
        let all: Vec<u32> = self
            .nodes
            .iter()
            .filter(|(_, node)| wanted(node))
            .map(|(inode, _)| *inode)
            .collect();
        (!all.is_empty()).then(|| all[random.below(all.len() as u64) as usize])
    }

    fn is_below(&self, directory: u32, above: u32) -> bool {
        directory == above
            || self.nodes.iter().any(|(inode, node)| match &node.kind {
                Kind::Directory(entries) => {
                    entries.values().any(|child| *child == directory) && self.is_below(*inode, above)
                }
                _ => false,
            })
    }

    fn drop_name(&mut self, inode: u32) -> Option<u32> {
        let node = self.node_mut(inode);
        node.links = if matches!(node.kind, Kind::Directory(_)) {
            0
        } else {
            node.links - 1
        };
        if node.links == 0 {
            self.nodes.remove(&inode);
            return Some(inode);
        }
        None
    }

    /// Makes one call on both; a description of it. What has no name any more is put into `unnamed`.
    pub fn step(
        &mut self,
        volume: &mut Ext4,
        random: &mut Random,
        load: &Load,
        unnamed: &mut Vec<u32>,
    ) -> String {
        let is_directory = |node: &Node| matches!(node.kind, Kind::Directory(_));
        let directory = self.some(random, is_directory).unwrap();
        let name = format!(
            "n\u{e4}me-{}-{}",
            random.below(load.names),
            "x".repeat(random.below(40) as usize / 13 * 20)
        );
        let name = name.into_bytes();
        let file = self.some(random, |node| matches!(node.kind, Kind::File(_)));
        match random.below(24) {
            0..=5 => self.create(volume, random, directory, &name),
            6 => {
                let Some(inode) = self.some(random, |node| !is_directory(node)) else {
                    return String::new();
                };
                let done = volume.link(directory, &name, inode);
                let exists = self.entries(directory).contains_key(&name);
                if agree(done, exists.then_some(Errno::EEXIST)) {
                    self.entries_mut(directory).insert(name.clone(), inode);
                    self.node_mut(inode).links += 1;
                }
                format!("link {inode} {directory}/{}", text(&name))
            }
            7..=9 => self.remove(volume, random, directory, unnamed),
            10 | 11 => self.rename(volume, random, directory, &name, unnamed),
            12..=16 => file.map_or(String::new(), |file| self.write(volume, random, file, load)),
            17 | 18 => file.map_or(String::new(), |file| self.resize(volume, random, file, load)),
            19 | 20 => self.change(volume, random),
            21 | 22 => self.attribute(volume, random),
            _ => {
                while let Some(inode) = unnamed.pop() {
                    agree(volume.release(inode), None);
                }
                "release".into()
            }
        }
    }

    fn create(&mut self, volume: &mut Ext4, random: &mut Random, directory: u32, name: &[u8]) -> String {
        let longest = if random.below(2) == 0 { 59 } else { 900 };
        let target: Vec<u8> = b"../target/"
            .iter()
            .copied()
            .cycle()
            .take(1 + random.below(longest) as usize)
            .collect();
        let device = (random.below(300) as u32, random.below(70000) as u32);
        let (kind, format) = match random.below(10) {
            0..=5 => (Kind::File(Vec::new()), 0x8000),
            6 | 7 => (Kind::Directory(BTreeMap::new()), 0x4000),
            8 => (Kind::Symlink(target.clone()), 0xa000),
            _ => (Kind::Node(device.0, device.1), 0x2000),
        };
        let mode = format | random.below(0o10000) as u16;
        let owner = (random.below(200_000) as u32, random.below(200_000) as u32);
        let new = New {
            mode,
            user: owner.0,
            group: owner.1,
            target: &target,
            device,
        };
        let done = volume.create(directory, name, &new);
        let exists = self.entries(directory).contains_key(name);
        if agree(done.map(|_| ()), exists.then_some(Errno::EEXIST)) {
            let inode = done.unwrap();
            let accessed = volume.status(inode).unwrap().accessed;
            let links = if format == 0x4000 { 2 } else { 1 };
            let node = Node {
                kind,
                mode,
                owner,
                accessed,
                links,
                attributes: BTreeMap::new(),
            };
            assert!(
                self.nodes.insert(inode, Arc::new(node)).is_none(),
                "inode {inode} is in use"
            );
            self.entries_mut(directory).insert(name.to_vec(), inode);
            if format == 0x4000 {
                self.node_mut(directory).links += 1;
            }
        }
        format!("create {format:x} {directory}/{}", text(name))
    }

    fn remove(
        &mut self,
        volume: &mut Ext4,
        random: &mut Random,
        directory: u32,
        unnamed: &mut Vec<u32>,
    ) -> String {
        let entries = self.entries(directory);
        if entries.is_empty() {
            return String::new();
        }
        let at = random.below(entries.len() as u64) as usize;
        let (name, inode) = entries
            .iter()
            .nth(at)
            .map(|(name, inode)| (name.clone(), *inode))
            .unwrap();
        if let Kind::Directory(below) = &self.nodes[&inode].kind {
            let expected = (!below.is_empty()).then_some(Errno::ENOTEMPTY);
            assert_eq!(volume.unlink(directory, &name).unwrap_err(), Errno::EISDIR);
            if agree(volume.remove_directory(directory, &name).map(|_| ()), expected) {
                self.entries_mut(directory).remove(&name);
                self.node_mut(directory).links -= 1;
                unnamed.extend(self.drop_name(inode));
            }
        } else {
            let done = volume.unlink(directory, &name);
            if agree(done.map(|_| ()), None) {
                self.entries_mut(directory).remove(&name);
                unnamed.extend(self.drop_name(inode));
            }
        }
        format!("remove {directory}/{}", text(&name))
    }

    fn rename(
        &mut self,
        volume: &mut Ext4,
        random: &mut Random,
        to: u32,
        fresh: &[u8],
        unnamed: &mut Vec<u32>,
    ) -> String {
        let Some(from) = self.some(random, |node| match &node.kind {
            Kind::Directory(entries) => !entries.is_empty(),
            _ => false,
        }) else {
            return String::new();
        };
        let pick = |entries: &BTreeMap<Vec<u8>, u32>, random: &mut Random| {
            let at = random.below(entries.len() as u64) as usize;
            entries.keys().nth(at).cloned()
        };
        let old = pick(self.entries(from), random).unwrap();
        let new = match random.below(2) {
            0 => fresh.to_vec(),
            _ => pick(self.entries(to), random).unwrap_or(fresh.to_vec()),
        };
        let target = [
            RenameTarget::Replaced,
            RenameTarget::Replaced,
            RenameTarget::Kept,
            RenameTarget::Exchanged,
        ][random.below(4) as usize];
        let moved = self.entries(from)[&old];
        let other = self.entries(to).get(&new).copied();
        let is_directory = |model: &Model, inode: u32| matches!(model.nodes[&inode].kind, Kind::Directory(_));
        let done = volume.rename((from, &old), (to, &new), target);
        let described = format!("rename {from}/{} {to}/{} {target:?}", text(&old), text(&new));
        let moves_directory = is_directory(self, moved);
        let expected = match other {
            _ if moves_directory && self.is_below(to, moved) => Some(Errno::EINVAL),
            Some(_) if target == RenameTarget::Kept => Some(Errno::EEXIST),
            None if target == RenameTarget::Exchanged => Some(Errno::ENOENT),
            Some(other) if other == moved => None,
            Some(other) if target == RenameTarget::Exchanged => {
                (is_directory(self, other) && self.is_below(from, other)).then_some(Errno::EINVAL)
            }
            Some(other) if moves_directory => match &self.nodes[&other].kind {
                Kind::Directory(below) if below.is_empty() => None,
                Kind::Directory(_) => Some(Errno::ENOTEMPTY),
                _ => Some(Errno::ENOTDIR),
            },
            Some(other) if is_directory(self, other) => Some(Errno::EISDIR),
            _ => None,
        };
        if !agree(done.map(|_| ()), expected) || other == Some(moved) {
            return described;
        }
        if moves_directory {
            self.node_mut(from).links -= 1;
            self.node_mut(to).links += 1;
        }
        self.entries_mut(from).remove(&old);
        self.entries_mut(to).insert(new, moved);
        if let Some(other) = other {
            let other_is = is_directory(self, other);
            if target == RenameTarget::Exchanged {
                self.entries_mut(from).insert(old, other);
                if other_is {
                    self.node_mut(to).links -= 1;
                    self.node_mut(from).links += 1;
                }
            } else {
                if other_is {
                    self.node_mut(to).links -= 1;
                }
                unnamed.extend(self.drop_name(other));
            }
        }
        described
    }
}

pub fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Whether a call did what it should; a lack of room is no disagreement, if the call was to succeed.
pub fn agree(done: Result<(), Errno>, expected: Option<Errno>) -> bool {
    match (done, expected) {
        (Ok(()), None) => true,
        (Err(Errno::ENOSPC | Errno::EMLINK), None) => false,
        // The disk has died.
        (Err(Errno::EIO | Errno::EROFS), _) => false,
        (Err(is), Some(should)) if is == should => false,
        (done, expected) => panic!(
            "it says {}, and should say {}",
            done.err().map_or("ok", Errno::name),
            expected.map_or("ok", Errno::name)
        ),
    }
}
