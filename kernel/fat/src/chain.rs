//! Chains of clusters: where the bytes of a file or directory are.

use crate::tree::FatFile;
use crate::volume::Fat;
use abi::Errno;
use memory::fallible::TryVec;

/// Clusters of a file that follow each other on the disk.
#[derive(Clone, Copy, Debug)]
pub struct ClusterRun {
    pub index: u32,
    pub cluster: u32,
    pub len: u32,
}

impl Fat {
    pub(crate) fn file(&self, number: u64) -> Result<&FatFile, Errno> {
        self.files.get(&number).ok_or(Errno::ESTALE)
    }

    pub(crate) fn file_mut(&mut self, number: u64) -> Result<&mut FatFile, Errno> {
        self.files.get_mut(&number).ok_or(Errno::ESTALE)
    }

    /// Follows the chain of a file until its cluster `index` is known, or it ends; how many clusters are known then.
    fn follow(&mut self, number: u64, index: u32) -> Result<u32, Errno> {
        loop {
            let file = self.file(number)?;
            let known = file.runs.last().map_or(0, |run| run.index + run.len);
            if known > index || file.is_whole || file.first == 0 {
                return Ok(known);
            }
            let next = match file.runs.last() {
                None if self.is_cluster(file.first) => Some(file.first),
                None => return Err(Errno::EUCLEAN),
                Some(run) => {
                    let last = run.cluster + run.len - 1;
                    self.after(last)?
                }
            };
            match next {
                None => self.file_mut(number)?.is_whole = true,
                // A chain that is longer than the disk goes round.
                Some(_) if known >= self.room().clusters => return Err(Errno::EUCLEAN),
                Some(cluster) => self.note_cluster(number, known, cluster)?,
            }
        }
    }

    fn note_cluster(&mut self, number: u64, index: u32, cluster: u32) -> Result<(), Errno> {
        let file = self.file_mut(number)?;
        match file.runs.last_mut() {
            Some(run) if run.cluster + run.len == cluster => run.len += 1,
            _ => file.runs.try_push(ClusterRun {
                index,
                cluster,
                len: 1,
            })?,
        }
        Ok(())
    }

    /// The cluster `index` of a file, and how many follow it on the disk; `None`: the chain is shorter.
    pub(crate) fn cluster_at(&mut self, number: u64, index: u32) -> Result<Option<(u32, u32)>, Errno> {
        if self.follow(number, index)? <= index {
            return Ok(None);
        }
        let runs = &self.file(number)?.runs;
        let at = runs.partition_point(|run| run.index + run.len <= index);
        let run = runs.get(at).ok_or(Errno::EUCLEAN)?;
        let skipped = index - run.index;
        Ok(Some((run.cluster + skipped, run.len - skipped)))
    }

    /// How many clusters a file has.
    pub(crate) fn clusters_of(&mut self, number: u64) -> Result<u32, Errno> {
        self.follow(number, u32::MAX)
    }

    /// Gives a file one more cluster. The first one is noted in the file only: its entry is the caller's affair.
    pub(crate) fn append_cluster(&mut self, number: u64) -> Result<u32, Errno> {
        let count = self.clusters_of(number)?;
        let file = self.file_mut(number)?;
        file.runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let last = file.runs.last().map(|run| run.cluster + run.len - 1);
        let cluster = self.take_cluster(last)?;
        if last.is_none() {
            self.file_mut(number)?.first = cluster;
        }
        self.note_cluster(number, count, cluster)?;
        Ok(cluster)
    }

    /// Takes all clusters of a file away but the first `keep`.
    pub(crate) fn shorten(&mut self, number: u64, keep: u32) -> Result<(), Errno> {
        if self.clusters_of(number)? <= keep {
            return Ok(());
        }
        let (gone, _) = self.cluster_at(number, keep)?.ok_or(Errno::EUCLEAN)?;
        if let Some(last) = keep.checked_sub(1) {
            let (last, _) = self.cluster_at(number, last)?.ok_or(Errno::EUCLEAN)?;
            self.end_chain(last)?;
        }
        let file = self.file_mut(number)?;
        if keep == 0 {
            file.first = 0;
        }
        while let Some(run) = file.runs.last_mut() {
            if run.index >= keep {
                file.runs.pop();
            } else {
                run.len = run.len.min(keep - run.index);
                break;
            }
        }
        file.is_whole = true;
        self.free_chain(gone)
    }
}
