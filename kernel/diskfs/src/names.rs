//! Changes of names, each one call of the file system.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::S_IFREG;
use ext4::{New, RenameTarget};
use memory::fallible;
use vfs::dentry::{Dentry, keep_shape};
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::{Existing, MayChange, MayRename, NewFile, Renamed, StoredDirectory};

use crate::inode::{StoredInode, stored};

fn new<'a>(file: NewFile<'a>, attributes: &Attributes) -> New<'a> {
    let (target, device) = match file {
        NewFile::Symlink(text) => (text, (0, 0)),
        NewFile::Device(_, number) => (&[][..], (number.major, number.minor)),
        _ => (&[][..], (0, 0)),
    };
    New {
        mode: (file.kind() | attributes.mode) as u16,
        user: attributes.uid,
        group: attributes.gid,
        target,
        device,
    }
}

/// The directory as this crate's.
fn directory_of(entry: &Dentry) -> Result<&StoredInode, Errno> {
    stored(&entry.inode).ok_or(Errno::ENOTDIR)
}

/// The directory's names have changed, and how many directories are among them.
fn note_names(directory: &Arc<Dentry>, directories: i32) {
    directory.inode.change(|attributes| {
        attributes.modified = attributes.changed;
        attributes.links = attributes.links.saturating_add_signed(directories);
    });
    if let Some(inode) = stored(&directory.inode) {
        inode.refresh();
    }
}

impl StoredInode {
    /// The name is on the disk: the same in memory.
    fn name_inode(&self, directory: &Arc<Dentry>, name: &[u8], number: u32) -> Result<Arc<Dentry>, Errno> {
        let entry = Dentry::new(Some(directory), name, self.mounted.inode(number)?)?;
        self.kept_names()?.put(name, entry.clone())?;
        self.mounted.keep_name(&entry);
        Ok(entry)
    }

    /// A name is gone from the disk, and `links` are left.
    fn lose_name(&self, entry: &Arc<Dentry>, name: &[u8], links: u32) -> Result<(), Errno> {
        drop(self.kept_names()?.take(name));
        if links == 0 {
            self.kept_names()?.take_aliases(&entry.inode);
        }
        entry.mark_removed();
        entry.inode.change(|attributes| attributes.links = links);
        if links == 0 && stored(&entry.inode).is_none() {
            // What it is lives in memory alone.
            let number = entry.inode.number as u32;
            self.mounted.with(|tree| tree.release(number))?;
        }
        Ok(())
    }
}

impl StoredDirectory for StoredInode {
    fn create(
        &self,
        directory: &Arc<Dentry>,
        name: &[u8],
        file: NewFile<'_>,
        attributes: Attributes,
    ) -> Result<Arc<Dentry>, Errno> {
        let mounted = &self.mounted;
        let _alone = mounted.names();
        mounted.finish_dropped();
        let number = mounted.with(|tree| tree.create(self.number, name, &new(file, &attributes)))?;
        let is_directory = file == NewFile::Directory;
        let named = self.name_inode(directory, name, number);
        if named.is_err() {
            let _ = mounted.with(|tree| {
                match is_directory {
                    true => tree.remove_directory(self.number, name),
                    false => tree.unlink(self.number, name).map(drop),
                }
                .and_then(|()| tree.release(number))
            });
        } else {
            note_names(directory, i32::from(is_directory));
        }
        named
    }

    fn create_unnamed(&self, _directory: &Arc<Dentry>, attributes: Attributes) -> Result<Arc<Inode>, Errno> {
        let mounted = &self.mounted;
        let _alone = mounted.names();
        mounted.finish_dropped();
        let file = new(NewFile::Regular, &attributes);
        debug_assert!(u32::from(file.mode) & S_IFREG != 0);
        let number = mounted.with(|tree| tree.create_unnamed(self.number, &file))?;
        mounted.inode(number)
    }

    fn link(&self, directory: &Arc<Dentry>, name: &[u8], inode: &Arc<Inode>) -> Result<(), Errno> {
        let _alone = self.mounted.names();
        let number = inode.number as u32;
        self.mounted.with(|tree| tree.link(self.number, name, number))?;
        // Without memory for it the name is found on the disk.
        let _ = self.name_inode(directory, name, number);
        note_names(directory, 0);
        Ok(())
    }

    fn unlink(
        &self,
        directory: &Arc<Dentry>,
        name: &[u8],
        may: &MayChange<'_>,
    ) -> Result<Arc<Dentry>, Errno> {
        let _alone = self.mounted.names();
        let entry = self.look_up_alone(directory, name)?;
        may(&entry)?;
        let links = self.mounted.with(|tree| tree.unlink(self.number, name))?;
        self.lose_name(&entry, name, links)?;
        note_names(directory, 0);
        Ok(entry)
    }

    fn remove_directory(
        &self,
        directory: &Arc<Dentry>,
        name: &[u8],
        may: &MayChange<'_>,
    ) -> Result<Arc<Dentry>, Errno> {
        let _alone = self.mounted.names();
        let entry = self.look_up_alone(directory, name)?;
        may(&entry)?;
        self.mounted
            .with(|tree| tree.remove_directory(self.number, name))?;
        self.lose_name(&entry, name, 0)?;
        note_names(directory, -1);
        Ok(entry)
    }

    fn rename(
        &self,
        old: (&Arc<Dentry>, &[u8]),
        new: (&Arc<Dentry>, &[u8]),
        existing: Existing,
        may: &MayRename<'_>,
    ) -> Result<Renamed, Errno> {
        let mounted = &self.mounted;
        let _alone = mounted.names();
        let to = directory_of(new.0)?;
        let moved = self.look_up_alone(old.0, old.1)?;
        let target = match to.look_up_alone(new.0, new.1) {
            Ok(target) => Some(target),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        if !may(&moved, target.as_ref())? {
            return Ok(None);
        }
        let names = (fallible::boxed_bytes(new.1)?, fallible::boxed_bytes(old.1)?);
        let wanted = match existing {
            Existing::Replace => RenameTarget::Replaced,
            Existing::Refuse => RenameTarget::Kept,
            Existing::Exchange => RenameTarget::Exchanged,
        };
        mounted.with(|tree| tree.rename((self.number, old.1), (to.number, new.1), wanted))?;
        let is_directory = |entry: &Arc<Dentry>| i32::from(entry.inode.is_directory());
        let (moved_directories, other_directories) =
            (is_directory(&moved), target.as_ref().map_or(0, is_directory));
        drop(self.kept_names()?.take(old.1));
        self.kept_names()?.take_aliases(&moved.inode);
        if existing == Existing::Exchange {
            // Without memory for it a name is found on the disk.
            if let Some(other) = &target {
                let _ = self.kept_names()?.put(old.1, other.clone());
            }
        } else if let Some(lost) = &target {
            let links = match lost.inode.is_directory() {
                true => 0,
                false => lost.inode.attributes().links.saturating_sub(1),
            };
            to.lose_name(lost, new.1, links)?;
        }
        if to.kept_names()?.put(new.1, moved.clone()).is_err() {
            drop(to.kept_names()?.take(new.1));
        }
        {
            let _shape = keep_shape();
            moved.move_to(new.0, names.0);
            if existing == Existing::Exchange
                && let Some(other) = &target
            {
                other.move_to(old.0, names.1);
            }
        }
        let came_back = if existing == Existing::Exchange {
            other_directories
        } else {
            0
        };
        note_names(old.0, came_back - moved_directories);
        note_names(new.0, moved_directories - other_directories);
        moved.inode.change(|_| ());
        Ok(Some((moved, target)))
    }
}
