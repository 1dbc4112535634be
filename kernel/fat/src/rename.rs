//! Renaming.

use crate::ROOT;
use crate::directory::Entered;
use crate::entry::FatKind;
use crate::name;
use crate::volume::Fat;
use abi::Errno;

impl Fat {
    /// Renames a file; one that has the new name is taken away.
    ///
    /// # Errors
    /// `EINVAL` if a directory would get below itself; as of [`Fat::remove`] and [`Fat::create`].
    pub fn rename(&mut self, old: (u64, &[u8]), new: (u64, &[u8])) -> Result<(), Errno> {
        self.open_directory(old.0)?;
        self.open_directory(new.0)?;
        let name = name::checked(new.1)?;
        let entered = self.find_entry(old.0, name::checked(old.1)?)?;
        let number = self.hold(old.0, &entered)?;
        let done = self.move_held(old.0, (new.0, name), entered, number);
        done.and(self.forget(number, 1))
    }

    fn move_held(
        &mut self,
        from: u64,
        (to, name): (u64, &str),
        entered: Entered,
        number: u64,
    ) -> Result<(), Errno> {
        let is_directory = entered.raw.is_directory();
        let mut above = to;
        while is_directory && above != ROOT {
            if above == number {
                return Err(Errno::EINVAL);
            }
            above = self.file(above)?.directory;
        }
        match self.find_entry(to, name) {
            // Only the case of its letters changes.
            Ok(other) if from == to && other.slot == entered.slot => {}
            Ok(other) => {
                let kind = if is_directory {
                    FatKind::Directory
                } else {
                    FatKind::Regular
                };
                let gone = self.hold(to, &other)?;
                let removed = self.remove_held(to, &other, gone, kind);
                removed.and(self.forget(gone, 1))?;
            }
            Err(Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
        let raw = self.entry_of(number)?;
        let (slot, first) = self.enter(to, name, &raw)?;
        let (old_key, new_key) = (
            (self.file(from)?.first, entered.slot),
            (self.file(to)?.first, slot),
        );
        self.places.insert(new_key, number)?;
        self.places.remove(&old_key);
        self.strike(from, entered.first, entered.slot)?;
        let file = self.file_mut(number)?;
        (file.place, file.directory) = (Some((first, slot)), to);
        if from != to {
            self.file_mut(to)?.holders += 1;
            self.forget(from, 1)?;
        }
        if is_directory && from != to {
            let above = self.dots_of(to)?;
            let mut dots = self.raw_entry(number, 1)?.ok_or(Errno::EUCLEAN)?;
            dots.set_cluster(above);
            self.put_entry(number, 1, &dots)?;
        }
        Ok(())
    }
}
