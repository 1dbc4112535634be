//! The commands of a history, as they stand in an address of the page: `f1` forks process 1, `s2.500` is a store of process 2 to
//! page 0x500. A history is commands with commas between them.

use crate::settings::{ForkScheme, StackPage};
use alloc::format;
use alloc::string::{String, ToString};
use machine::Temper;
use machine::sabotage::Sabotage;
use mm::{PAGE_SHIFT, Protection, VirtAddr};

/// What a process does to one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageAct {
    /// `l`: ldr.
    Load,
    /// `s`: str.
    Store,
    /// `i`: an instruction of the page is executed.
    Fetch,
    /// `u`: munmap(2).
    Unmap,
    /// `d`: madvise(2), MADV_DONTNEED.
    Discard,
    /// `t`: it is taken out, madvise(2), MADV_PAGEOUT.
    PageOut,
    /// `r`, `w`, `n`: mprotect(2) to reading, reading and writing, nothing.
    Protect(Protection),
}

/// What a process does besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessAct {
    /// `f`: fork(2).
    Fork,
    /// `v`: vfork(2).
    Vfork,
    /// `x`: execve(2).
    Exec,
    /// `e`: exit(2).
    Exit,
    /// `m`: mmap(2) of two private pages of zeros.
    MapZeros,
    /// `p`: mmap(2) of two pages of a file, private.
    MapPrivate,
    /// `h`: mmap(2) of the same two pages, shared.
    MapShared,
    /// `b`: brk(2), one page more.
    Grow,
    /// `c`: it goes on on the other processor.
    Migrate,
    /// `t`: all its pages that can are taken out.
    PageOut,
}

/// What is changed about the machine and the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// `+classic`, `-classic`.
    Scheme(ForkScheme),
    /// `+stack`, `-stack`.
    StackPage(StackPage),
    /// `+unkind`, `-unkind`.
    Temper(Temper),
    /// `=Name`, and `=` for none.
    Sabotage(Option<Sabotage>),
    /// `o5`: all free frames but 5 are taken by somebody else; `o` gives them back.
    Leave(Option<usize>),
}

/// One command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// To a page of a process.
    Page(u32, VirtAddr, PageAct),
    /// By a process.
    Process(u32, ProcessAct),
    /// Of a setting.
    Change(Change),
    /// `y`: the device writes the pages that are out, whose frames are free then.
    WriteOut,
    /// `n`: the next record of a recording.
    Next,
}

impl Command {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Command, String> {
        let unknown = || format!("{text}: no such command");
        if let Some(change) = change(text) {
            return Ok(Command::Change(change));
        }
        match text {
            "n" => return Ok(Command::Next),
            "y" => return Ok(Command::WriteOut),
            _ => {}
        }
        let letter = text.chars().next().ok_or_else(unknown)?;
        let rest = &text[letter.len_utf8()..];
        match rest.split_once('.') {
            Some((process, page)) => {
                let process = process.parse().map_err(|_| unknown())?;
                let page = u64::from_str_radix(page, 16).map_err(|_| unknown())?;
                if page > u64::MAX >> PAGE_SHIFT {
                    return Err(unknown());
                }
                let act = page_act(letter).ok_or_else(unknown)?;
                Ok(Command::Page(process, VirtAddr(page << PAGE_SHIFT), act))
            }
            None => {
                let process = rest.parse().map_err(|_| unknown())?;
                let act = process_act(letter).ok_or_else(unknown)?;
                Ok(Command::Process(process, act))
            }
        }
    }
}

fn page_act(letter: char) -> Option<PageAct> {
    Some(match letter {
        'l' => PageAct::Load,
        's' => PageAct::Store,
        'i' => PageAct::Fetch,
        'u' => PageAct::Unmap,
        'd' => PageAct::Discard,
        't' => PageAct::PageOut,
        'r' => PageAct::Protect(Protection::READ),
        'w' => PageAct::Protect(Protection::READ_WRITE),
        'n' => PageAct::Protect(Protection::NONE),
        _ => return None,
    })
}

fn process_act(letter: char) -> Option<ProcessAct> {
    Some(match letter {
        'f' => ProcessAct::Fork,
        'v' => ProcessAct::Vfork,
        'x' => ProcessAct::Exec,
        'e' => ProcessAct::Exit,
        'm' => ProcessAct::MapZeros,
        'p' => ProcessAct::MapPrivate,
        'h' => ProcessAct::MapShared,
        'b' => ProcessAct::Grow,
        'c' => ProcessAct::Migrate,
        't' => ProcessAct::PageOut,
        _ => return None,
    })
}

fn change(text: &str) -> Option<Change> {
    if let Some(name) = text.strip_prefix('=') {
        return match name {
            "" => Some(Change::Sabotage(None)),
            name => sabotage(name).map(|found| Change::Sabotage(Some(found))),
        };
    }
    if let Some(frames) = text.strip_prefix('o') {
        return match frames {
            "" => Some(Change::Leave(None)),
            frames => frames.parse().ok().map(|frames| Change::Leave(Some(frames))),
        };
    }
    Some(match text {
        "+classic" => Change::Scheme(ForkScheme::Classic),
        "-classic" => Change::Scheme(ForkScheme::Shared),
        "+stack" => Change::StackPage(StackPage::Copied),
        "-stack" => Change::StackPage(StackPage::Shared),
        "+unkind" => Change::Temper(Temper::Unkind),
        "-unkind" => Change::Temper(Temper::Plain),
        _ => return None,
    })
}

/// The name of a sabotage: that of its variant.
pub fn sabotage_name(sabotage: Sabotage) -> String {
    format!("{sabotage:?}")
}

fn sabotage(name: &str) -> Option<Sabotage> {
    Sabotage::ALL
        .into_iter()
        .find(|sabotage| sabotage_name(*sabotage) == name)
}

/// The commands of a history.
pub fn split(history: &str) -> impl Iterator<Item = &str> {
    history
        .split(|separator: char| separator == ',' || separator.is_whitespace())
        .filter(|command| !command.is_empty())
}

/// A process that is not there.
pub fn no_process(process: u32) -> String {
    format!("there is no process {process}").to_string()
}
