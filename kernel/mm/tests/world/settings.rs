//! What a world is made of.

use super::{Negligence, SwapMistake, WaitMistake};
use machine::sabotage::Sabotage;

/// What the world is made of.
#[derive(Clone, Copy)]
pub struct Settings {
    /// Decides everything.
    pub seed: u64,
    /// Frames of RAM.
    pub frames: usize,
    /// Processors.
    pub cpus: usize,
    /// ASIDs are below this; `None`: all spaces have the same.
    pub asid_limit: Option<u32>,
    /// How the machine disobeys.
    pub sabotage: Option<Sabotage>,
    /// How the kernel disobeys when a file loses pages.
    pub negligence: Option<Negligence>,
    /// One in so many requests for a page of an object finds that it has to be waited for.
    pub late_pages: Option<usize>,
    /// What the kernel does wrong about such a page.
    pub wait_mistake: Option<WaitMistake>,
    /// What the kernel does wrong about pages that go out.
    pub swap_mistake: Option<SwapMistake>,
    /// The swap device fails now and then.
    pub has_swap_errors: bool,
    /// A fork does not look at what the child does not inherit.
    pub forgets_advice: bool,
    /// Somebody catches the panic of a complaint, so that it need not be printed where it arises.
    pub is_caught: bool,
}

impl Settings {
    /// Ample memory, four processors, an honest machine.
    pub fn new(seed: u64) -> Settings {
        Settings {
            seed,
            frames: 640,
            cpus: 4,
            asid_limit: Some(1 << 16),
            sabotage: None,
            negligence: None,
            late_pages: None,
            wait_mistake: None,
            swap_mistake: None,
            has_swap_errors: false,
            forgets_advice: false,
            is_caught: false,
        }
    }
}
