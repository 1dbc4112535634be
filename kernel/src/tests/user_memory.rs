//! Stories inside the kernel: what it copies to and from a program's memory, by the program's addresses and page by page through its
//! space, against a model of that memory. Pages of an object come late.

use super::Story;
use super::late_object::{LateObject, content};
use abi::Errno;
use abi::file::IoVec;
use alloc::sync::Arc;
use core::ops::Range;
use mm::{AreaFlags, Backing, MapRequest, PAGE_SIZE, Placement, Protection, Purpose, Sharing, VirtAddr};
use sched::HasMemory;
use sched::scheduler;
use sched::space::Space;
use uaccess::{self, Sink, Source, UserBuffer};

pub const STORIES: &[Story] = &[("copies against a model", |io| {
    io.user.in_kernel(|| (1..4).for_each(copies))
})];

pub const BASE: u64 = 0x2000_0000;
pub const PAGE: u64 = PAGE_SIZE as u64;
/// Where lists of ranges lie.
const LIST: u64 = BASE + (1 << 20);
/// Pages of the ground, and of the object.
const ALL: usize = 24;
const OF_OBJECT: usize = 12;

/// What a program may do with a page.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Right {
    Nothing,
    Read,
    Write,
}

/// Parts of the ground: pages, rights, the first page of the object if it is one's.
const PARTS: [(Range<usize>, Right, Option<u64>); 5] = [
    (0..8, Right::Write, None),
    (8..16, Right::Write, Some(0)),
    (16..17, Right::Nothing, None),
    (17..20, Right::Read, Some(8)),
    (20..ALL, Right::Write, None),
];

fn right_at(offset: usize) -> Right {
    let holds = |pages: &Range<usize>| pages.contains(&(offset / PAGE_SIZE));
    let part = PARTS.iter().find(|(pages, ..)| holds(pages));
    part.map_or(Right::Nothing, |(_, right, _)| *right)
}

/// What lies in a page that nobody has written to.
fn fresh(page: usize, byte: usize) -> u8 {
    let part = PARTS.iter().find(|(pages, ..)| pages.contains(&page));
    let (pages, _, first) = part.expect("all pages have a part");
    first.map_or(0, |first| content(first + (page - pages.start) as u64, byte))
}

pub fn map(space: &Space, at: u64, len: u64, protection: Protection, backing: Backing) {
    let request = MapRequest {
        placement: Placement::Fixed(VirtAddr(at)),
        len,
        protection,
        sharing: Sharing::Private,
        flags: AreaFlags::NONE,
        backing,
        purpose: Purpose::Mapping,
    };
    let mapped = space.edit(|space| space.map(memory::get(), request));
    assert_eq!(mapped, Ok(VirtAddr(at)));
}

/// Memory of the running process, and what must be in it.
struct Ground {
    space: Arc<Space>,
    object: Arc<LateObject>,
    model: Vec<u8>,
    random: u64,
}

impl Ground {
    fn new(seed: u64) -> Ground {
        let space = scheduler::current()
            .address_space()
            .expect("a program has memory");
        let object = LateObject::new(OF_OBJECT);
        for (pages, right, first) in PARTS {
            let protection = match right {
                Right::Nothing => continue,
                Right::Read => Protection::READ,
                Right::Write => Protection::READ_WRITE,
            };
            let backing = first.map_or(Backing::Anonymous, |first| Backing::Source {
                source: object.clone(),
                first,
            });
            let at = BASE + pages.start as u64 * PAGE;
            map(&space, at, pages.len() as u64 * PAGE, protection, backing);
        }
        map(&space, LIST, PAGE, Protection::READ_WRITE, Backing::Anonymous);
        let fresh = (0..ALL * PAGE_SIZE).map(|at| fresh(at / PAGE_SIZE, at % PAGE_SIZE));
        Ground {
            space,
            object,
            model: fresh.collect(),
            random: seed * 0x9e37_79b9,
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % end
    }

    /// A range of the ground, and how much of it there is before the first byte for which one has not the right.
    fn range(&mut self, right: Right) -> (usize, usize, usize) {
        let at = self.below(ALL * PAGE_SIZE);
        let most = [16, 300, 3 * PAGE_SIZE][self.below(3)];
        let len = (1 + self.below(most)).min(ALL * PAGE_SIZE - at);
        (at, len, self.reach(at, len, right))
    }

    fn reach(&self, at: usize, len: usize, right: Right) -> usize {
        (at..at + len).take_while(|at| right_at(*at) >= right).count()
    }

    /// Bytes of which few are 0: what ends strings.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.below(400)).min(255) as u8).collect()
    }

    fn step(&mut self) {
        match self.below(11) {
            0 => self.write_by_address(),
            1 => self.read_by_address(),
            2 => self.write_by_space(),
            3 => self.read_by_space(),
            4 => self.clear_by_space(),
            5 => self.write_forced(),
            6 => self.read_string(),
            7 => self.move_lists(),
            8 => self.exchange(),
            9 => self.discard(),
            _ => self.fork(),
        }
    }

    fn write_by_address(&mut self) {
        let (at, len, reach) = self.range(Right::Write);
        let bytes = self.bytes(len);
        let written = uaccess::write_bytes(BASE + at as u64, &bytes);
        assert_eq!(written, if reach == len { Ok(()) } else { Err(Errno::EFAULT) });
        // What lies before a fault has been written.
        self.model[at..at + reach].copy_from_slice(&bytes[..reach]);
        self.check(at, reach);
    }

    fn read_by_address(&mut self) {
        let (at, len, reach) = self.range(Right::Read);
        let mut bytes = vec![0; len];
        let read = uaccess::read_bytes(BASE + at as u64, &mut bytes);
        assert_eq!(read, if reach == len { Ok(()) } else { Err(Errno::EFAULT) });
        assert_eq!(bytes[..reach], self.model[at..at + reach]);
    }

    fn write_by_space(&mut self) {
        let (at, len, reach) = self.range(Right::Write);
        let bytes = self.bytes(len);
        assert_eq!(self.space.write(BASE + at as u64, &bytes), done(reach));
        self.model[at..at + reach].copy_from_slice(&bytes[..reach]);
    }

    fn read_by_space(&mut self) {
        let (at, len, reach) = self.range(Right::Read);
        let mut bytes = vec![0; len];
        assert_eq!(self.space.read(BASE + at as u64, &mut bytes), done(reach));
        assert_eq!(bytes[..reach], self.model[at..at + reach]);
    }

    fn clear_by_space(&mut self) {
        let (at, len, reach) = self.range(Right::Write);
        assert_eq!(self.space.clear(BASE + at as u64, len), done(reach));
        self.model[at..at + reach].fill(0);
    }

    fn write_forced(&mut self) {
        let (at, len, reach) = self.range(Right::Read);
        let bytes = self.bytes(len);
        assert_eq!(self.space.write_forced(BASE + at as u64, &bytes), done(reach));
        self.model[at..at + reach].copy_from_slice(&bytes[..reach]);
    }

    fn read_string(&mut self) {
        let (at, most, reach) = self.range(Right::Read);
        let within = &self.model[at..at + reach];
        let expected = match within.iter().position(|byte| *byte == 0) {
            Some(len) => Ok(within[..len].to_vec()),
            None if reach == most => Err(Errno::ENAMETOOLONG),
            None => Err(Errno::EFAULT),
        };
        assert_eq!(uaccess::read_string(BASE + at as u64, most), expected);
    }

    /// readv(2) and writev(2): some ranges, one behind the other.
    fn move_lists(&mut self) {
        let ranges: Vec<_> = (0..1 + self.below(4)).map(|_| self.range(Right::Write)).collect();
        let list = ranges.iter().map(|(at, len, _)| IoVec {
            base: BASE + *at as u64,
            len: *len as u64,
        });
        let list: Vec<IoVec> = list.collect();
        uaccess::write_value(LIST, list.as_slice()).expect("there is room for the list");
        let buffer = || UserBuffer::from_list(LIST, list.len() as u64).expect("a list of ranges");
        let stop = ranges.iter().position(|(_, len, reach)| reach < len);
        let reached = &ranges[..stop.map_or(ranges.len(), |stop| stop + 1)];
        let bytes = self.bytes(ranges.iter().map(|(_, len, _)| len).sum());
        let mut moved = 0;
        for (at, _, reach) in reached {
            self.model[*at..at + reach].copy_from_slice(&bytes[moved..moved + reach]);
            moved += reach;
        }
        assert_eq!(buffer().put(&bytes), done(moved));
        let mut back = vec![0; moved];
        assert_eq!(buffer().take(&mut back), Ok(moved));
        let there = reached
            .iter()
            .flat_map(|(at, _, reach)| &self.model[*at..at + reach]);
        assert!(back.iter().eq(there), "what was put there last is taken");
    }

    fn exchange(&mut self) {
        let at = self.below(ALL * PAGE_SIZE) & !3;
        let word = u32::from_le_bytes(self.model[at..at + 4].try_into().expect("four bytes"));
        let (old, new) = (word ^ self.below(2) as u32, self.below(1 << 30) as u32);
        let expect = |right| (right_at(at) >= right).then_some(word).ok_or(Errno::EFAULT);
        let address = BASE + at as u64;
        let found = uaccess::compare_exchange_u32(address, old, new);
        // What is not as expected is only read.
        let needed = if old == word { Right::Write } else { Right::Read };
        assert_eq!(found, expect(needed));
        if found == Ok(old) {
            self.model[at..at + 4].copy_from_slice(&new.to_le_bytes());
        }
        let is_new = found == Ok(old);
        let now = expect(Right::Read).map(|word| if is_new { new } else { word });
        assert_eq!(uaccess::load_u32(address), now);
    }

    /// madvise(2), MADV_DONTNEED: the next access faults anew.
    fn discard(&mut self) {
        let (pages, right, _) = PARTS[self.below(PARTS.len())].clone();
        if right == Right::Nothing {
            return;
        }
        let first = pages.start + self.below(pages.len());
        let len = ((pages.end - first) * PAGE_SIZE) as u64;
        let at = VirtAddr(BASE + first as u64 * PAGE);
        let discarded = self.space.edit(|space| space.discard(memory::get(), at, len));
        assert_eq!(discarded, Ok(()));
        for page in first..pages.end {
            let there = &mut self.model[page * PAGE_SIZE..][..PAGE_SIZE];
            there
                .iter_mut()
                .enumerate()
                .for_each(|(at, byte)| *byte = fresh(page, at));
        }
    }

    /// A child has what its parent has, and keeps it whatever either writes.
    fn fork(&mut self) {
        let child = self.space.fork(BASE).expect("there is memory for a child");
        let before = self.model.clone();
        self.write_by_address();
        let (at, len, reach) = self.range(Right::Read);
        let mut bytes = vec![0; len];
        assert_eq!(child.read(BASE + at as u64, &mut bytes), done(reach));
        assert_eq!(bytes[..reach], before[at..at + reach]);
        let (at, len, reach) = self.range(Right::Write);
        assert_eq!(child.write(BASE + at as u64, &vec![0xaa; len]), done(reach));
        child.let_go();
        self.check(at, reach);
    }

    /// Looks at memory that can be read.
    #[track_caller]
    fn check(&self, at: usize, len: usize) {
        let mut bytes = vec![0; len];
        assert_eq!(self.space.read(BASE + at as u64, &mut bytes), Ok(len));
        assert_eq!(bytes, self.model[at..at + len]);
    }

    fn leave(self) {
        let len = LIST + PAGE - BASE;
        let unmapped = self
            .space
            .edit(|space| space.unmap(memory::get(), VirtAddr(BASE), len));
        assert_eq!(unmapped, Ok(()));
        self.space.let_go();
    }
}

/// What is said of so many bytes before a fault.
fn done(reach: usize) -> Result<usize, Errno> {
    if reach > 0 { Ok(reach) } else { Err(Errno::EFAULT) }
}

fn copies(seed: u64) {
    let mut ground = Ground::new(seed);
    (0..1_000).for_each(|_| ground.step());
    let waits = ground.object.waits();
    assert!(waits > 50, "{waits} pages were waited for");
    ground.leave();
}
