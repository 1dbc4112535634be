//! Which pages stand where. A row of the map is the same pages of all processes, so that what a fork shared stands side by side.

use alloc::vec::Vec;
use core::ops::Range;

/// Columns that the numbers of pages take.
pub const GUTTER: usize = 7;
/// Columns of a process beside its cells: a space and its table.
pub const BESIDE: usize = 2;
/// As few cells of a process as are still a map, and as many as one table's eighth.
const CELLS: Range<usize> = 8..64;

/// The rows of a map.
pub struct Layout {
    /// Cells of a process in a row, and pages of a cell: powers of two.
    pub cells: usize,
    pub zoom: usize,
    /// Processes side by side.
    pub processes: usize,
    /// Runs of rows in which some process has an area, lowest first: a row's number is that of its first page, divided by its pages.
    runs: Vec<Range<usize>>,
}

impl Layout {
    /// Of processes with these areas (in pages), in a terminal of so many columns.
    pub fn new(
        columns: usize,
        processes: usize,
        zoom: usize,
        areas: impl Iterator<Item = Range<usize>>,
    ) -> Layout {
        let room = columns.saturating_sub(GUTTER);
        let shown = processes.clamp(1, (room / (CELLS.start + BESIDE)).max(1));
        let mut cells = CELLS.start;
        while cells < CELLS.end && shown * (2 * cells + BESIDE) <= room {
            cells *= 2;
        }
        let pages = cells * zoom;
        let mut rows: Vec<Range<usize>> = areas
            .map(|area| area.start / pages..area.end.div_ceil(pages))
            .collect();
        rows.sort_unstable_by_key(|run| run.start);
        let mut runs: Vec<Range<usize>> = Vec::new();
        for run in rows {
            match runs.last_mut().filter(|last| run.start <= last.end) {
                Some(last) => last.end = last.end.max(run.end),
                None => runs.push(run),
            }
        }
        Layout {
            cells,
            zoom,
            processes: shown,
            runs,
        }
    }

    /// Pages of one process in a row.
    pub fn pages_of_row(&self) -> usize {
        self.cells * self.zoom
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.runs.iter().map(ExactSizeIterator::len).sum()
    }

    /// The first page of a row.
    pub fn first_page(&self, mut row: usize) -> Option<usize> {
        for run in &self.runs {
            if row < run.len() {
                return Some((run.start + row) * self.pages_of_row());
            }
            row -= run.len();
        }
        None
    }

    /// The row that shows a page, or the one behind it if none does; the last one at most.
    pub fn row_of(&self, page: usize) -> usize {
        let number = page / self.pages_of_row();
        let mut row = 0;
        for run in &self.runs {
            if number < run.end {
                return row + number.saturating_sub(run.start);
            }
            row += run.len();
        }
        row.saturating_sub(1)
    }

    /// Where the cells of a process begin, the table's before them.
    pub fn column(&self, process: usize) -> usize {
        GUTTER + process * (self.cells + BESIDE) + BESIDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_of_all_processes_share_rows() {
        // Two processes on 80 columns: 32 cells each.
        let areas = [0x400..0x410, 0x3e1..0x3e3, 0x40f..0x421, 0x10000..0x10001];
        let layout = Layout::new(80, 2, 1, areas.into_iter());
        assert_eq!((layout.cells, layout.processes, layout.rows()), (32, 2, 4));
        let firsts: Vec<_> = (0..5).map_while(|row| layout.first_page(row)).collect();
        assert_eq!(firsts, [0x3e0, 0x400, 0x420, 0x10000]);
        assert_eq!(layout.row_of(0x407), 1);
        assert_eq!((layout.row_of(0), layout.row_of(0x9000)), (0, 3));
        assert_eq!(layout.row_of(usize::MAX), 3);
    }

    #[test]
    fn as_many_cells_as_the_terminal_has_room_for() {
        let cells = |columns, processes| {
            let layout = Layout::new(columns, processes, 1, core::iter::empty());
            let end = layout.column(layout.processes - 1) + layout.cells;
            assert!(end <= columns || columns < 17, "{columns} {processes}");
            (layout.processes, layout.cells)
        };
        assert_eq!(
            [1, 2, 3, 4, 5, 9].map(|processes| cells(80, processes)),
            [(1, 64), (2, 32), (3, 16), (4, 16), (5, 8), (7, 8)]
        );
        assert_eq!(cells(140, 2), (2, 64));
        assert_eq!(cells(10, 3), (1, 8));
    }
}
