//! What a page, or a group of pages, is shown as.

/// A page of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Page {
    /// No area has it.
    Outside,
    /// An area has it, and no frame.
    Absent,
    /// It is in swap space.
    Swapped,
    /// A page of a file or of shared memory.
    File,
    /// The one frame of zeros.
    Zero,
    /// Nobody else has its frame: stores go through.
    Own,
    /// Its frame is mapped so often, over all processes: a store copies it. 0: it was not counted.
    Shared(u64),
}

impl Page {
    /// Its letter on the map.
    pub fn letter(self) -> char {
        match self {
            Page::Outside => ' ',
            Page::Absent => '.',
            Page::Swapped => 's',
            Page::File => 'f',
            Page::Zero => 'z',
            Page::Own => 'o',
            // Mapped once, and not its own: through a table that others have too but do not use.
            Page::Shared(times @ 1..=9) => char::from(b'0' + times as u8),
            Page::Shared(_) => '+',
        }
    }
}

/// A cell of the map: what most of its pages are, and whether some are something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    pub page: Page,
    pub is_mixed: bool,
}

impl Cell {
    /// Of a group of pages. Those that are there count before those that are not.
    pub fn of(pages: &[Page]) -> Cell {
        let mut counts: [(Page, usize); 8] = [(Page::Outside, 0); 8];
        for &page in pages {
            // Who is shared differently still is shared: more kinds than there is room for are one.
            let known = counts
                .iter()
                .position(|&(kind, count)| count == 0 || kind == page);
            let place = known.unwrap_or(counts.len() - 1);
            counts[place] = (page, counts[place].1 + 1);
        }
        let is_there = |page: Page| page > Page::Absent;
        let (page, _) = counts
            .into_iter()
            .max_by_key(|&(page, count)| (count > 0 && is_there(page), count, page))
            .unwrap_or((Page::Outside, 0));
        let page = if is_there(page) {
            page
        } else {
            pages.iter().copied().max().unwrap_or(Page::Outside)
        };
        Cell {
            page,
            is_mixed: pages.iter().any(|&other| is_there(other) && other != page),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_what_most_of_its_pages_are() {
        let of = |pages: &[Page]| {
            let cell = Cell::of(pages);
            (cell.page.letter(), cell.is_mixed)
        };
        let (own, two) = (Page::Own, Page::Shared(2));
        assert_eq!(of(&[two, own, two, two]), ('2', true));
        assert_eq!(of(&[Page::Absent, Page::Absent, Page::Absent, own]), ('o', false));
        assert_eq!(of(&[Page::Outside, Page::Absent]), ('.', false));
        assert_eq!(of(&[Page::Outside, Page::Outside]), (' ', false));
        assert_eq!(of(&[]), (' ', false));
        assert_eq!(of(&[Page::Shared(12)]), ('+', false));
        assert_eq!(of(&[Page::Zero, Page::File, Page::File]), ('f', true));
        let many: Vec<Page> = (2..14).map(Page::Shared).chain([own]).collect();
        assert!(of(&many).1);
    }
}
