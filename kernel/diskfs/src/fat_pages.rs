//! Pages of files on FAT: clusters may be smaller than a page, and what lies behind the end of a file is anything.

use core::ops::Range;

use abi::Errno;
use block::SECTOR_SIZE;
use ext4::Surroundings;
use mm::PAGE_SIZE;

use crate::PAGE;
use crate::fat_tree::FatTree;
use crate::mounted::KernelSurroundings;
use crate::tree::PageRun;

impl FatTree {
    /// [`DiskTree::page_run`](crate::tree::DiskTree::page_run).
    pub(crate) fn find_pages(&mut self, number: u32, page: u64, most: u32) -> Result<Option<PageRun>, Errno> {
        let size = self.fat.status(number.into())?.size;
        if page * PAGE >= size {
            return Ok(Some(PageRun { sector: None, len: 1 }));
        }
        // The last page is not zeros behind the end.
        let whole = size / PAGE - page;
        match whole {
            0 => Ok(None),
            _ => self.run_at(number, page, whole.min(most.into())),
        }
    }

    /// [`DiskTree::allocate_run`](crate::tree::DiskTree::allocate_run).
    pub(crate) fn allocate_pages(
        &mut self,
        number: u32,
        page: u64,
        most: u32,
        size: u64,
    ) -> Result<Option<PageRun>, Errno> {
        let old = self.fat.status(number.into())?.size;
        let start = page * PAGE;
        if start > old || start >= size {
            // What lies between has to be zeros.
            return Ok(None);
        }
        let end = size.min(start + u64::from(most) * PAGE);
        self.make_room(number, start..end)?;
        self.run_at(number, page, most.into())
    }

    /// Whole pages of the disk from the page on, of a file that has the clusters.
    fn run_at(&mut self, number: u32, page: u64, most: u64) -> Result<Option<PageRun>, Errno> {
        let cluster = self.cluster_size();
        let start = page * PAGE;
        let Some(place) = self.fat.map(number.into(), (start / cluster) as u32)? else {
            return Ok(None);
        };
        let inside = start % cluster;
        let pages = (u64::from(place.len) * cluster - inside) / PAGE;
        Ok((pages > 0).then(|| PageRun {
            sector: Some(place.sector + inside / SECTOR_SIZE as u64),
            len: pages.min(most) as u32,
        }))
    }

    /// Makes room for bytes, cluster by cluster, so that none is filled with zeros that is written next.
    pub(crate) fn make_room(&mut self, number: u32, bytes: Range<u64>) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        let cluster = self.cluster_size();
        let last = (bytes.end - 1) / cluster;
        let last = u32::try_from(last).map_err(|_| Errno::EFBIG)?;
        let had = self.fat.status(number.into())?.clusters;
        let step = (PAGE_SIZE as u64 / cluster).max(1) as u32;
        for at in had..=last {
            self.fat.allocate(number.into(), at)?;
            if at % step == 0 {
                KernelSurroundings.breathe();
            }
        }
        Ok(())
    }
}
