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

    /// Each of two files gets the other's name: what stands behind the names changes places.
    ///
    /// # Errors
    /// As of [`Fat::rename`]; `ENOENT`.
    pub fn exchange(&mut self, one: (u64, &[u8]), other: (u64, &[u8])) -> Result<(), Errno> {
        self.open_directory(one.0)?;
        self.open_directory(other.0)?;
        let entered = self.find_entry(one.0, name::checked(one.1)?)?;
        let entered_other = self.find_entry(other.0, name::checked(other.1)?)?;
        let number = self.hold(one.0, &entered)?;
        let other_number = match self.hold(other.0, &entered_other) {
            Ok(number) => number,
            Err(error) => {
                self.forget(number, 1)?;
                return Err(error);
            }
        };
        let done = if number == other_number {
            Ok(())
        } else {
            self.exchange_held((one.0, number), (other.0, other_number))
        };
        let forgotten = self.forget(number, 1);
        done.and(forgotten).and(self.forget(other_number, 1))
    }

    fn exchange_held(&mut self, one: (u64, u64), other: (u64, u64)) -> Result<(), Errno> {
        self.must_not_be_below(other.0, one.1)?;
        self.must_not_be_below(one.0, other.1)?;
        let (raw, other_raw) = (self.entry_of(one.1)?, self.entry_of(other.1)?);
        let (place, other_place) = (self.place_of(one.1)?, self.place_of(other.1)?);
        let (key, other_key) = (
            (self.file(one.0)?.first, place.1),
            (self.file(other.0)?.first, other_place.1),
        );
        self.put_entry(one.0, place.1, &other_raw.named_as(&raw))?;
        self.put_entry(other.0, other_place.1, &raw.named_as(&other_raw))?;
        // Both keys are there: nothing has to be made.
        self.places.insert(key, other.1)?;
        self.places.insert(other_key, one.1)?;
        let file = self.file_mut(one.1)?;
        (file.place, file.directory) = (Some(other_place), other.0);
        let file = self.file_mut(other.1)?;
        (file.place, file.directory) = (Some(place), one.0);
        if one.0 != other.0 {
            self.note_above(one.1, other.0)?;
            self.note_above(other.1, one.0)?;
        }
        Ok(())
    }

    fn place_of(&self, number: u64) -> Result<(u32, u32), Errno> {
        self.file(number)?.place.ok_or(Errno::ENOENT)
    }

    /// `EINVAL` if the directory is below `number`, or it.
    fn must_not_be_below(&self, directory: u64, number: u64) -> Result<(), Errno> {
        let mut above = directory;
        while above != ROOT {
            if above == number {
                return Err(Errno::EINVAL);
            }
            above = self.file(above)?.directory;
        }
        Ok(())
    }

    /// What is a directory notes which one it is in now.
    fn note_above(&mut self, number: u64, directory: u64) -> Result<(), Errno> {
        if !self.file(number)?.is_directory() {
            return Ok(());
        }
        let above = self.dots_of(directory)?;
        let mut dots = self.raw_entry(number, 1)?.ok_or(Errno::EUCLEAN)?;
        dots.set_cluster(above);
        self.put_entry(number, 1, &dots)
    }

    fn move_held(
        &mut self,
        from: u64,
        (to, name): (u64, &str),
        entered: Entered,
        number: u64,
    ) -> Result<(), Errno> {
        let is_directory = entered.raw.is_directory();
        if is_directory {
            self.must_not_be_below(to, number)?;
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
        if from != to {
            self.note_above(number, to)?;
        }
        Ok(())
    }
}
