//! Extended attributes: behind the fields of the inode, and in one block of their own.

use crate::allocation::Contents;
use crate::bytes::{byte, le16, le32, put, put16, put32, slice, slice_mut};
use crate::cache::Bytes;
use crate::inode::{DiskInode, Stamp};
use crate::seal::Seal;
use crate::superblock::compatible;
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};

/// `EXT4_XATTR_MAGIC`.
const MAGIC: u32 = 0xea02_0000;

/// Bytes before the entries of a block.
const HEAD: usize = 32;

/// Bytes of an entry before its name.
const ENTRY: usize = 16;

/// What the numbers stand for with which names begin. Access control lists have another form on the disk, and are not shown.
const PREFIXES: &[(u8, &[u8])] = &[(1, b"user."), (4, b"trusted."), (6, b"security.")];

/// One of them.
struct Attribute {
    prefix: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Attribute {
    fn entry_len(&self) -> usize {
        (ENTRY + self.name.len()).next_multiple_of(4)
    }

    fn value_len(&self) -> usize {
        self.value.len().next_multiple_of(4)
    }

    fn is(&self, (prefix, name): (u8, &[u8])) -> bool {
        self.prefix == prefix && self.name == name
    }

    fn hash(&self) -> u32 {
        let name = self
            .name
            .iter()
            .fold(0u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte));
        self.value.chunks(4).fold(name, |hash, word| {
            let mut padded = [0; 4];
            padded.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
            hash.rotate_left(16) ^ u32::from_le_bytes(padded)
        })
    }
}

/// Number and rest of a name. `EOPNOTSUPP` if the number is not known.
fn split(name: &[u8]) -> Result<(u8, &[u8]), Errno> {
    let known = PREFIXES
        .iter()
        .find_map(|(prefix, text)| Some((*prefix, name.strip_prefix(*text)?)));
    match known {
        Some((_, [])) => Err(Errno::EINVAL),
        Some((_, rest)) if rest.len() > 255 => Err(Errno::ERANGE),
        Some(known) => Ok(known),
        None => Err(Errno::EOPNOTSUPP),
    }
}

/// Reads the entries from `start` on; offsets of values count from `base`.
fn read(bytes: &[u8], start: usize, base: usize) -> Result<Vec<Attribute>, Errno> {
    let mut all: Vec<Attribute> = Vec::new();
    let mut at = start;
    // The end of the list may be the end of the bytes.
    while at + 4 <= bytes.len() && le32(bytes, at)? != 0 {
        let len = usize::from(byte(bytes, at)?);
        let value = (usize::from(le16(bytes, at + 2)?), le32(bytes, at + 8)? as usize);
        if le32(bytes, at + 4)? != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        all.try_push(Attribute {
            prefix: byte(bytes, at + 1)?,
            name: fallible::bytes(slice(bytes, at + ENTRY, len)?)?,
            value: match value.1 {
                0 => Vec::new(),
                size => fallible::bytes(slice(bytes, base + value.0, size)?)?,
            },
        })?;
        at += (ENTRY + len).next_multiple_of(4);
    }
    Ok(all)
}

/// Writes entries from `start` on, and their values from the end back.
fn write(bytes: &mut [u8], start: usize, base: usize, all: &[Attribute]) -> Result<(), Errno> {
    slice_mut(bytes, start, bytes.len() - start)?.fill(0);
    let (mut at, mut end) = (start, bytes.len());
    for attribute in all {
        let has_value = !attribute.value.is_empty();
        end -= attribute.value_len();
        put(bytes, at, &[attribute.name.len() as u8, attribute.prefix])?;
        put16(bytes, at + 2, if has_value { (end - base) as u16 } else { 0 })?;
        put32(bytes, at + 8, attribute.value.len() as u32)?;
        put32(bytes, at + 12, attribute.hash())?;
        put(bytes, at + ENTRY, &attribute.name)?;
        put(bytes, end, &attribute.value)?;
        at += attribute.entry_len();
    }
    Ok(())
}

/// Whether entries have room in so many bytes.
fn fits(all: &[Attribute], room: usize) -> bool {
    let needed: usize = all.iter().map(|one| one.entry_len() + one.value_len()).sum();
    needed + 4 <= room
}

impl Ext4 {
    /// Where those in the inode begin; `None` if it has no room for any.
    fn inner_start(&self, inode: &DiskInode) -> Result<Option<usize>, Errno> {
        let start = 128 + inode.extra()?;
        let has_room =
            inode.raw.len() > 128 && inode.extra()? > 0 && start + 4 + ENTRY + 8 <= inode.raw.len();
        Ok(has_room.then_some(start))
    }

    fn inner(&self, inode: &DiskInode) -> Result<Vec<Attribute>, Errno> {
        match self.inner_start(inode)? {
            Some(start) if le32(&inode.raw, start)? == MAGIC => read(&inode.raw, start + 4, start + 4),
            _ => Ok(Vec::new()),
        }
    }

    /// The block with extended attributes, checked.
    pub(crate) fn attribute_bytes(&mut self, block: u64) -> Result<Bytes, Errno> {
        if self.is_system(block, 1) {
            return Err(Errno::EUCLEAN);
        }
        let bytes = self.block(block, Seal::Attributes(block))?;
        let is_sound = le32(&bytes, 0)? == MAGIC && le32(&bytes, 8)? == 1 && le32(&bytes, 4)? > 0;
        if is_sound { Ok(bytes) } else { Err(Errno::EUCLEAN) }
    }

    fn outer(&mut self, inode: &DiskInode) -> Result<Vec<Attribute>, Errno> {
        match inode.attribute_block()? {
            0 => Ok(Vec::new()),
            block => read(&self.attribute_bytes(block)?, HEAD, 0),
        }
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`; `EOPNOTSUPP` for a name of another kind; `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn attribute(&mut self, number: u32, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let wanted = split(name)?;
        let inode = self.live_inode(number)?;
        for all in [self.inner(&inode)?, self.outer(&inode)?] {
            if let Some(found) = all.into_iter().find(|one| one.is(wanted)) {
                return Ok(found.value);
            }
        }
        Err(Errno::ENODATA)
    }

    /// The names of all extended attributes, each with a zero behind it.
    ///
    /// # Errors
    /// `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn attribute_names(&mut self, number: u32) -> Result<Vec<u8>, Errno> {
        let inode = self.live_inode(number)?;
        let mut names = Vec::new();
        for all in [self.inner(&inode)?, self.outer(&inode)?] {
            for one in &all {
                let prefix = PREFIXES.iter().find(|(prefix, _)| *prefix == one.prefix);
                if let Some((_, text)) = prefix {
                    names.try_extend(text)?;
                    names.try_extend(&one.name)?;
                    names.try_push(0)?;
                }
            }
        }
        Ok(names)
    }

    /// Sets an extended attribute, or takes it away (`None`).
    ///
    /// # Errors
    /// `ENODATA` if there is none to be taken away; `ENOSPC` if it has no room; `EROFS`, as of [`Ext4::attribute`].
    pub fn set_attribute(&mut self, number: u32, name: &[u8], value: Option<&[u8]>) -> Result<(), Errno> {
        let wanted = split(name)?;
        self.transact(|volume| {
            let mut inode = volume.live_inode(number)?;
            let (mut inner, mut outer) = (volume.inner(&inode)?, volume.outer(&inode)?);
            let before = inner.len() + outer.len();
            inner.retain(|one| !one.is(wanted));
            let had = outer.len();
            outer.retain(|one| !one.is(wanted));
            let mut changes_outer = outer.len() != had;
            match value {
                None if inner.len() + outer.len() == before => return Err(Errno::ENODATA),
                None => {}
                Some(value) => {
                    let (prefix, name) = (wanted.0, fallible::bytes(wanted.1)?);
                    inner.try_push(Attribute {
                        prefix,
                        name,
                        value: fallible::bytes(value)?,
                    })?;
                    let room = volume
                        .inner_start(&inode)?
                        .map_or(0, |start| inode.raw.len() - start - 4);
                    if !fits(&inner, room)
                        && let Some(new) = inner.pop()
                    {
                        outer.try_push(new)?;
                        changes_outer = true;
                    }
                }
            }
            volume.put_inner(&mut inode, &inner)?;
            if changes_outer {
                volume.put_outer(&mut inode, outer)?;
            }
            volume.touch(&mut inode, &[Stamp::Change])?;
            volume.put_inode(&mut inode)
        })
    }

    fn put_inner(&self, inode: &mut DiskInode, inner: &[Attribute]) -> Result<(), Errno> {
        let Some(start) = self.inner_start(inode)? else {
            return Ok(());
        };
        put32(&mut inode.raw, start, if inner.is_empty() { 0 } else { MAGIC })?;
        write(&mut inode.raw, start + 4, start + 4, inner)
    }

    /// Writes the block, in place if no other inode has it too.
    fn put_outer(&mut self, inode: &mut DiskInode, mut outer: Vec<Attribute>) -> Result<(), Errno> {
        if !fits(&outer, self.geometry.block_size - HEAD) {
            return Err(Errno::ENOSPC);
        }
        let old = inode.attribute_block()?;
        let is_shared = old != 0 && le32(&self.attribute_bytes(old)?, 4)? > 1;
        if old != 0 && (is_shared || outer.is_empty()) {
            self.drop_attribute_block(inode)?;
        }
        if outer.is_empty() {
            return Ok(());
        }
        let block = match inode.attribute_block()? {
            0 => {
                let (block, _) = self.allocate_blocks(self.inode_goal(inode.number), 1)?;
                inode.add_blocks(&self.geometry, 1)?;
                inode.set_attribute_block(block)?;
                self.create_block(block, Seal::Attributes(block))?;
                block
            }
            block => block,
        };
        self.note_attributes()?;
        outer.sort_unstable_by(|a, b| {
            (a.prefix, a.name.len(), &a.name).cmp(&(b.prefix, b.name.len(), &b.name))
        });
        let hash = outer
            .iter()
            .fold(0u32, |hash, one| hash.rotate_left(16) ^ one.hash());
        let bytes = self.change(block, Seal::Attributes(block))?;
        write(bytes, HEAD, 0, &outer)?;
        put32(bytes, 0, MAGIC)?;
        put32(bytes, 4, 1)?;
        put32(bytes, 8, 1)?;
        put32(bytes, 12, hash)
    }

    /// The superblock says that there are some.
    fn note_attributes(&mut self) -> Result<(), Errno> {
        if self.geometry.has_compatible(compatible::EXTENDED_ATTRIBUTES) {
            return Ok(());
        }
        let features = self.geometry.compatible | compatible::EXTENDED_ATTRIBUTES;
        put32(self.change_superblock()?, 0x5c, features)
    }

    /// Frees the block of extended attributes that an inode has, unless others have it too.
    pub(crate) fn drop_attribute_block(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        let block = inode.attribute_block()?;
        if block == 0 {
            return Ok(());
        }
        let count = le32(&self.attribute_bytes(block)?, 4)?;
        inode.set_attribute_block(0)?;
        inode.add_blocks(&self.geometry, -1)?;
        if count > 1 {
            return put32(self.change(block, Seal::Attributes(block))?, 4, count - 1);
        }
        self.free_blocks(block, 1, Contents::Metadata)
    }
}
