//! Processors of a host: each is a thread. A thread that asks for its number gets one that no other has, for as long as it
//! lives.

use core::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};

pub use crate::per_cpu::PerCpu;
pub use mm::MAX_CPUS;

/// A bit for each number that some thread has.
static TAKEN: Mutex<u32> = Mutex::new(0);
/// A number was given back.
static GIVEN_BACK: Condvar = Condvar::new();

/// The number of a thread, given back when it ends.
struct Number(Cell<Option<usize>>);

impl Number {
    fn get(&self) -> usize {
        self.0.get().unwrap_or_else(|| {
            let number = take();
            self.0.set(Some(number));
            number
        })
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if let Some(number) = self.0.take() {
            give_back(number);
        }
    }
}

std::thread_local! {
    static NUMBER: Number = const { Number(Cell::new(None)) };
}

/// Waits until a number is free, and takes it.
fn take() -> usize {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let number = taken.trailing_ones() as usize;
        if number < MAX_CPUS {
            *taken |= 1 << number;
            return number;
        }
        taken = GIVEN_BACK.wait(taken).unwrap_or_else(PoisonError::into_inner);
    }
}

fn give_back(number: usize) {
    *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) &= !(1 << number);
    GIVEN_BACK.notify_one();
}

/// The running thread's number, below [`MAX_CPUS`]. Where as many threads have one already it waits until one of them ends.
pub fn number() -> usize {
    NUMBER.with(Number::get)
}
