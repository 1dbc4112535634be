//! Trees as a file system has them, and where two differ.

use crate::model::{Kind, Model, Node};
use ext4::Ext4;
use std::collections::BTreeMap;

/// All bytes of a file.
pub fn read_all(volume: &mut Ext4, file: u32) -> Vec<u8> {
    let size = volume.status(file).unwrap().size;
    let mut bytes = vec![0xee; size as usize];
    assert_eq!(volume.read(file, 0, &mut bytes).unwrap() as u64, size);
    bytes
}

pub fn read_node(volume: &mut Ext4, inode: u32) -> Node {
    let status = volume.status(inode).unwrap();
    let kind = match status.mode & 0xf000 {
        0x8000 => Kind::File(read_all(volume, inode)),
        0x4000 => {
            let mut entries = BTreeMap::new();
            let mut from = 0;
            // Few at a time, so that positions are used.
            loop {
                let mut taken = 0;
                let next = volume.list(inode, from, &mut |entry| {
                    if taken == 7 {
                        return false;
                    }
                    taken += 1;
                    assert!(
                        entries.insert(entry.name.to_vec(), entry.inode).is_none(),
                        "listed twice"
                    );
                    true
                });
                from = next.unwrap();
                if taken < 7 {
                    break;
                }
            }
            Kind::Directory(entries)
        }
        0xa000 => Kind::Symlink(volume.link_text(inode).unwrap()),
        _ => Kind::Node(status.device.0, status.device.1),
    };
    let names = volume.attribute_names(inode).unwrap();
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let attributes = names
        .map(|name| (name.to_vec(), volume.attribute(inode, name).unwrap()))
        .collect();
    Node {
        kind,
        mode: status.mode,
        owner: (status.user, status.group),
        accessed: status.accessed,
        links: status.links,
        attributes,
    }
}

/// Says where two trees differ.
pub fn compare(is: &Model, should: &Model) -> Result<(), String> {
    for (inode, node) in &should.nodes {
        match is.nodes.get(inode) {
            None => return Err(format!("inode {inode} is missing: {node:?}")),
            Some(found) if found != node => {
                return Err(format!("inode {inode}\n   is {found:.300?}\nshould {node:.300?}"));
            }
            Some(_) => {}
        }
    }
    match is.nodes.keys().find(|inode| !should.nodes.contains_key(inode)) {
        Some(inode) => Err(format!("inode {inode} should not be there")),
        None => Ok(()),
    }
}
