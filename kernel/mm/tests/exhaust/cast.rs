//! Who plays in a search: what spaces can do, and what they begin with.

use super::PAGES;
use mm::PAGE_SIZE;
use std::fmt;

/// Where pages move to.
pub const ELSEWHERE: u64 = 0x8000_0000;
/// The first page of a table that moves whole, below the entry of the root that `PAGES[3]` lies below, and of the table that it comes to.
pub const WHOLE: [u64; 2] = [0x4020_0000, 0x1_0000_0000];
/// The first page of text.
pub const TEXT: u64 = 0x40_0000;
/// The processor of a second thread of the first space.
pub const SECOND_THREAD: usize = 3;

/// What a space can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Fork,
    /// fork(2) with the stack on the first page.
    ForkWithStack,
    Store(u64),
    /// The same, by the oldest that its processor remembers of the page, which may forbid it.
    StoreByOld(u64),
    Load(u64),
    /// An instruction of the page is executed.
    Fetch(u64),
    Unmap(u64, u64),
    Protect(u64, u64),
    Allow(u64, u64),
    Discard(u64, u64),
    Move(u64),
    /// All that one table of level 3 translates moves.
    MoveTable,
    /// Pages go out to swap, also from tables that spaces share.
    PageOut(u64, u64),
    /// What is on its way to swap is written, and its frames are given back: who wants such a page waits until it is read.
    WriteOut,
    Exit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = |number: &u64| if *number == 1 { "page" } else { "pages" };
        match self {
            Step::Fork => write!(f, "forks"),
            Step::ForkWithStack => write!(f, "forks, with its stack on page {:#x}", PAGES[0]),
            Step::Store(page) => write!(f, "stores to page {page:#x}"),
            Step::StoreByOld(page) => {
                write!(
                    f,
                    "stores to page {page:#x}, by the oldest that its processor remembers"
                )
            }
            Step::Load(page) => write!(f, "loads from page {page:#x}"),
            Step::Fetch(page) => write!(f, "executes page {page:#x}"),
            Step::Unmap(page, number) => write!(f, "unmaps {number} {} at {page:#x}", pages(number)),
            Step::Protect(page, number) => {
                write!(f, "makes {number} {} at {page:#x} read-only", pages(number))
            }
            Step::Allow(page, number) => write!(f, "makes {number} {} at {page:#x} writable", pages(number)),
            Step::Discard(page, number) => write!(f, "discards {number} {} at {page:#x}", pages(number)),
            Step::Move(page) => write!(f, "moves page {page:#x} to {ELSEWHERE:#x}"),
            Step::MoveTable => write!(
                f,
                "moves all pages of the table at {:#x} to {:#x}",
                WHOLE[0], WHOLE[1]
            ),
            Step::PageOut(page, number) => write!(f, "loses {number} {} at {page:#x} to swap", pages(number)),
            Step::WriteOut => write!(f, "has what goes to swap written"),
            Step::Exit => write!(f, "ends"),
        }
    }
}

/// A step, and whose: of the space of that number, or of [`SECOND_THREAD`].
pub type Act = (usize, Step);

/// A search's cast.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub name: &'static str,
    /// What each space can do.
    pub steps: &'static [Step],
    /// What the second thread of the first space can do, if there is one.
    pub of_thread: &'static [Step],
    /// There are as few ASIDs as can be, and but one of them was not used yet: they roll over.
    pub has_few_asids: bool,
    /// So many spaces live at once.
    pub spaces: usize,
    /// So many steps far in `make test`, and in `make exhaust`; [`TO_THE_END`].
    pub depths: [u64; 2],
}

/// Until a step leads to no new state: then all histories are done, however long.
pub const TO_THE_END: u64 = u64::MAX;

/// Memory as programs use it.
pub const MEMORY: Cast = Cast {
    name: "memory",
    steps: &[
        Step::Fork,
        Step::ForkWithStack,
        Step::Store(PAGES[0]),
        Step::Store(PAGES[1]),
        Step::Store(PAGES[3]),
        Step::Load(PAGES[0]),
        Step::Load(PAGES[2]),
        Step::Unmap(PAGES[0], 1),
        Step::Unmap(PAGES[1], 3),
        Step::Unmap(PAGES[3], 1),
        Step::Protect(PAGES[0], 1),
        Step::Allow(PAGES[0], 1),
        Step::Discard(PAGES[1], 2),
        Step::Move(PAGES[0]),
        Step::Move(PAGES[3]),
        Step::Exit,
    ],
    of_thread: &[],
    has_few_asids: false,
    spaces: 3,
    depths: [3, 5],
};

/// Two spaces with two pages, of two entries of the root.
pub const PAIR: Cast = Cast {
    name: "pair",
    steps: &[
        Step::Fork,
        Step::Store(PAGES[0]),
        Step::Store(PAGES[3]),
        Step::Load(PAGES[0]),
        Step::Unmap(PAGES[0], 1),
        Step::Exit,
    ],
    of_thread: &[],
    has_few_asids: false,
    spaces: 2,
    depths: [TO_THE_END; 2],
};

/// Two spaces with three pages, two of one table, and a stack.
pub const LARGER_PAIR: Cast = Cast {
    name: "larger pair",
    steps: &[
        Step::Fork,
        Step::ForkWithStack,
        Step::Store(PAGES[0]),
        Step::Store(PAGES[1]),
        Step::Store(PAGES[3]),
        Step::Load(PAGES[0]),
        Step::Unmap(PAGES[0], 1),
        Step::Exit,
    ],
    of_thread: &[],
    has_few_asids: false,
    spaces: 2,
    depths: [3, TO_THE_END],
};

/// Three spaces with one page that is stored to.
pub const THREE: Cast = Cast {
    name: "three",
    steps: &[Step::Fork, Step::Store(PAGES[0]), Step::Exit],
    of_thread: &[],
    has_few_asids: false,
    spaces: 3,
    depths: [TO_THE_END; 2],
};

/// Two spaces with a page that goes out and comes in.
pub const SWAPPED_PAIR: Cast = Cast {
    name: "swapped pair",
    steps: &[
        Step::Fork,
        Step::Store(PAGES[0]),
        Step::PageOut(PAGES[0], 1),
        Step::WriteOut,
        Step::Exit,
    ],
    of_thread: &[],
    has_few_asids: false,
    spaces: 2,
    depths: [TO_THE_END; 2],
};

/// Two threads on two processors in a space, and its child.
pub const THREADS_PAIR: Cast = Cast {
    name: "threads and a child",
    steps: &[
        Step::Fork,
        Step::Store(PAGES[0]),
        Step::Unmap(PAGES[0], 1),
        Step::Exit,
    ],
    of_thread: &[Step::Store(PAGES[0]), Step::Load(PAGES[0])],
    has_few_asids: false,
    spaces: 2,
    depths: [TO_THE_END; 2],
};

/// Pages go out and come in.
pub const SWAP: Cast = Cast {
    name: "swap",
    steps: &[
        Step::Fork,
        Step::Store(PAGES[0]),
        Step::Store(PAGES[3]),
        Step::Load(PAGES[0]),
        Step::Unmap(PAGES[1], 3),
        Step::PageOut(PAGES[0], 1),
        Step::PageOut(PAGES[1], 2),
        Step::PageOut(PAGES[3], 1),
        Step::WriteOut,
        Step::Exit,
    ],
    of_thread: &[],
    has_few_asids: false,
    spaces: 3,
    depths: [4, 7],
};

/// Two threads on two processors in the first space.
pub const THREADS: Cast = Cast {
    name: "threads",
    steps: &[
        Step::Fork,
        Step::Store(PAGES[0]),
        Step::Load(PAGES[0]),
        Step::Unmap(PAGES[0], 1),
        Step::Protect(PAGES[0], 1),
        Step::Allow(PAGES[0], 1),
        Step::Discard(PAGES[1], 2),
        Step::Move(PAGES[0]),
        Step::PageOut(PAGES[0], 1),
        Step::Exit,
    ],
    of_thread: &[
        Step::Fork,
        Step::Store(PAGES[0]),
        Step::Load(PAGES[0]),
        Step::Unmap(PAGES[0], 1),
        Step::Discard(PAGES[1], 2),
    ],
    has_few_asids: false,
    spaces: 3,
    depths: [3, 6],
};

/// What is rare: tables that move whole, text, and ASIDs that roll over.
pub const RARE: Cast = Cast {
    name: "rare",
    steps: &[
        Step::Fork,
        Step::Store(WHOLE[0]),
        Step::Load(WHOLE[1]),
        Step::MoveTable,
        Step::Fetch(TEXT),
        Step::Exit,
    ],
    of_thread: &[],
    has_few_asids: true,
    spaces: 3,
    depths: [4, 7],
};

impl Cast {
    /// Whether some space may do that.
    pub fn can(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    /// Pages that only this cast uses.
    pub fn further_pages(&self) -> Vec<u64> {
        let of_table = WHOLE.into_iter().filter(|_| self.can(Step::MoveTable));
        let of_text = [TEXT].into_iter().filter(|_| self.can(Step::Fetch(TEXT)));
        of_table.chain(of_text).collect()
    }

    /// All that can be done next, while so many spaces may be there.
    pub fn acts(&self, spaces: usize) -> impl Iterator<Item = Act> {
        let (steps, of_thread) = (self.steps, self.of_thread);
        let of_spaces = (0..spaces).flat_map(move |space| each_way(steps).map(move |step| (space, step)));
        of_spaces.chain(each_way(of_thread).map(|step| (SECOND_THREAD, step)))
    }
}

/// Each step, and each way that a processor may take it.
fn each_way(steps: &[Step]) -> impl Iterator<Item = Step> {
    let other_way = |step: &Step| match step {
        Step::Store(page) => Some(Step::StoreByOld(*page)),
        _ => None,
    };
    steps
        .iter()
        .flat_map(move |step| [Some(*step), other_way(step)].into_iter().flatten())
}

/// As a story: one line for each step.
pub fn story(history: &[Act]) -> String {
    let who = |number: &usize| match number {
        0 => "the first space".to_owned(),
        &SECOND_THREAD => "its second thread".to_owned(),
        number => format!("space {number}"),
    };
    let lines = history
        .iter()
        .map(|(number, step)| format!("  {} {step}\n", who(number)));
    lines.collect()
}

/// Bytes of so many pages.
pub fn bytes(pages: u64) -> u64 {
    pages * PAGE_SIZE as u64
}
