//! The calls of the model that change files themselves.

use crate::model::{Kind, Load, Model, agree, text};
use crate::support::Random;
use crate::trees::read_all;
use abi::Errno;
use ext4::{Change, Ext4, Moment, Size};
use std::ops::Range;

impl Model {
    fn bytes_mut(&mut self, file: u32) -> &mut Vec<u8> {
        match &mut self.node_mut(file).kind {
            Kind::File(bytes) => bytes,
            _ => panic!("{file} is no file"),
        }
    }

    pub fn write(&mut self, volume: &mut Ext4, random: &mut Random, file: u32, load: &Load) -> String {
        let size = self.bytes_mut(file).len() as u64;
        let mut at = if random.below(2) == 0 {
            size
        } else {
            random.below(load.largest)
        };
        let mut len = 1 + random.below(load.longest);
        if load.within > 0 {
            at = at.min(load.largest);
            len = len.min(load.within - at % load.within);
        }
        let fill = 1 + random.below(255) as u8;
        let new: Vec<u8> = (0..len).map(|index| fill ^ (index as u8 & 0x3f)).collect();
        let done = volume.write(file, at, &new);
        let bytes = self.bytes_mut(file);
        let mut whole = bytes.clone();
        whole.resize(whole.len().max((at + len) as usize), 0);
        whole[at as usize..(at + len) as usize].copy_from_slice(&new);
        if agree(done, None) {
            *bytes = whole;
        } else {
            // No room: what came before the block that had none is written.
            let is = read_all(volume, file);
            let old = bytes.clone();
            let is_prefix = is
                .iter()
                .enumerate()
                .all(|(place, byte)| *byte == whole[place] || *byte == old.get(place).copied().unwrap_or(0));
            assert!(
                is.len() >= old.len() && is_prefix,
                "a write that failed left something else"
            );
            *bytes = is;
        }
        format!("write {file} {at}+{len}")
    }

    pub fn resize(&mut self, volume: &mut Ext4, random: &mut Random, file: u32, load: &Load) -> String {
        let (start, end) = (random.below(load.largest), random.below(load.largest));
        let (start, end) = (start.min(end), start.max(end) + 1);
        let bytes = self.bytes_mut(file);
        let size = bytes.len() as u64;
        match random.below(6) {
            0 | 1 => {
                if agree(volume.truncate(file, start), None) {
                    bytes.resize(start as usize, 0);
                }
                format!("truncate {file} {start}")
            }
            2 => {
                let change = if random.below(2) == 0 {
                    Size::Grows
                } else {
                    Size::Stays
                };
                if agree(volume.reserve(file, start..end, change), None) && change == Size::Grows {
                    bytes.resize(end.max(size) as usize, 0);
                }
                format!("reserve {file} {start}..{end} {change:?}")
            }
            3 => {
                if agree(volume.punch(file, start..end), None) {
                    let block = volume.block_size() as u64;
                    let (first, last) = (start.div_ceil(block) * block, end / block * block);
                    let last = last.min(size);
                    if first < last {
                        bytes[first as usize..last as usize].fill(0);
                    }
                }
                format!("punch {file} {start}..{end}")
            }
            way => self.shift(volume, file, start..end, way == 4),
        }
    }

    /// Takes a range out, or puts one in.
    fn shift(&mut self, volume: &mut Ext4, file: u32, range: Range<u64>, goes: bool) -> String {
        let block = volume.block_size() as u64;
        let (start, end) = (range.start / block * block, range.end.next_multiple_of(block));
        let bytes = self.bytes_mut(file);
        let last = if goes { end } else { start };
        let expected = (last >= bytes.len() as u64).then_some(Errno::EINVAL);
        let (name, done) = match goes {
            true => ("collapse", volume.collapse(file, start..end)),
            false => ("insert", volume.insert(file, start..end)),
        };
        if agree(done, expected) {
            let (gone, new) = match goes {
                true => (start as usize..end as usize, Vec::new()),
                false => (start as usize..start as usize, vec![0; (end - start) as usize]),
            };
            bytes.splice(gone, new);
        }
        format!("{name} {file} {start}..{end}")
    }

    pub fn change(&mut self, volume: &mut Ext4, random: &mut Random) -> String {
        let inode = self.some(random, |_| true).unwrap();
        // 34 bits of seconds, from 1901 to 2446.
        let seconds = random.below(17_179_869_183) as i64 - 2_147_483_648;
        let accessed = Moment {
            seconds,
            nanoseconds: random.below(1_000_000_000) as u32,
        };
        let permissions = random.below(0o10000) as u16;
        let owner = (random.next() as u32, random.next() as u32);
        let change = Change {
            permissions: Some(permissions),
            user: Some(owner.0),
            group: Some(owner.1),
            accessed: Some(accessed),
            ..Change::default()
        };
        if agree(volume.change_status(inode, &change), None) {
            let node = self.node_mut(inode);
            node.mode = node.mode & 0xf000 | permissions;
            (node.owner, node.accessed) = (owner, accessed);
        }
        format!("change {inode}")
    }

    pub fn attribute(&mut self, volume: &mut Ext4, random: &mut Random) -> String {
        let inode = self.some(random, |_| true).unwrap();
        let prefix = ["user.", "trusted.", "security."][random.below(3) as usize];
        let name = format!("{prefix}{}", random.below(6)).into_bytes();
        let node = self.node_mut(inode);
        if random.below(3) == 0 {
            let expected = (!node.attributes.contains_key(&name)).then_some(Errno::ENODATA);
            if agree(volume.set_attribute(inode, &name, None), expected) {
                node.attributes.remove(&name);
            }
        } else {
            let longest = if random.below(4) == 0 { 400 } else { 40 };
            let value = vec![b'v'; random.below(longest) as usize];
            if agree(volume.set_attribute(inode, &name, Some(&value)), None) {
                node.attributes.insert(name.clone(), value);
            }
        }
        format!("attribute {inode} {}", text(&name))
    }
}
