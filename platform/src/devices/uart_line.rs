//! A PL011 made of numbers, with FIFOs of 32 bytes on a line of 115,200 baud, for the tests of its driver: time passes by 100 ns with
//! each access to a register, as on a bus, and bytes come and go at the speed of the line.

use super::super::registers::Registers;
use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::vec::Vec;

/// Ten bits.
pub const BYTE_NANOS: u64 = 86_806;
const ACCESS_NANOS: u64 = 100;
const DEPTH: usize = 32;
/// The receive timeout: 32 bits without a new byte.
const TIMEOUT_NANOS: u64 = 32 * BYTE_NANOS / 10;
const LCR_H_FIFOS: u32 = 0x10;

#[derive(Default)]
struct State {
    now: u64,
    accesses: u64,
    control: u32,
    line_control: u32,
    mask: u32,
    transmit: VecDeque<u8>,
    /// When the byte that is on the line has left.
    leaves: Option<u64>,
    sent: Vec<u8>,
    is_held_up: bool,
    receive: VecDeque<u32>,
    has_overrun: bool,
    last_received: u64,
    /// What the other side types, the first at its time and the others right behind it.
    typed: VecDeque<u8>,
    next_typed: u64,
}

/// The UART and its line.
pub struct Line(RefCell<State>);

impl Line {
    pub fn new() -> Line {
        Line(RefCell::default())
    }

    /// What has left completely.
    pub fn sent(&self) -> Vec<u8> {
        self.0.borrow().sent.clone()
    }

    /// How often a register was read or written.
    pub fn accesses(&self) -> u64 {
        self.0.borrow().accesses
    }

    /// The other side begins to type.
    pub fn type_bytes(&self, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        state.next_typed = state.now + BYTE_NANOS;
        state.typed.extend(bytes);
    }

    /// Something is in the FIFO already, with marks of damage.
    pub fn put(&self, word: u32) {
        self.0.borrow_mut().receive.push_back(word);
    }

    /// The other side lets nothing leave.
    pub fn hold_up(&self, is_held_up: bool) {
        self.0.borrow_mut().is_held_up = is_held_up;
    }

    /// Time passes.
    pub fn pass(&self, nanos: u64) {
        self.0.borrow_mut().pass(nanos);
    }

    pub fn is_interrupting(&self) -> bool {
        let state = self.0.borrow();
        let is_late = state.now >= state.last_received + TIMEOUT_NANOS && !state.receive.is_empty();
        let pending = if state.receive.len() >= DEPTH / 8 {
            INTERRUPT_RECEIVE
        } else {
            0
        } | if is_late { INTERRUPT_RECEIVE_TIMEOUT } else { 0 };
        pending & state.mask != 0
    }
}

impl State {
    fn depth(&self) -> usize {
        if self.line_control & LCR_H_FIFOS != 0 {
            DEPTH
        } else {
            1
        }
    }

    fn pass(&mut self, nanos: u64) {
        self.now += nanos;
        self.transmit();
        while !self.typed.is_empty() && self.next_typed <= self.now {
            let came = self.next_typed;
            self.next_typed += BYTE_NANOS;
            if let Some(byte) = self.typed.pop_front() {
                self.receive(byte, came);
            }
        }
    }

    fn transmit(&mut self) {
        if self.is_held_up {
            self.leaves = self.leaves.map(|_| self.now + BYTE_NANOS);
            return;
        }
        while let Some(at) = self.leaves.filter(|&at| at <= self.now) {
            let left = self.transmit.pop_front();
            self.sent.extend(left);
            if let Some(byte) = left.filter(|_| self.control & CR_LOOP_BACK != 0) {
                self.receive(byte, at);
            }
            self.leaves = (!self.transmit.is_empty()).then_some(at + BYTE_NANOS);
        }
    }

    fn receive(&mut self, byte: u8, came: u64) {
        if self.control & CR_RECEIVE == 0 {
            return;
        }
        self.last_received = came;
        if self.receive.len() == self.depth() {
            self.has_overrun = true;
            return;
        }
        let overrun = if core::mem::take(&mut self.has_overrun) {
            DR_OVERRUN
        } else {
            0
        };
        self.receive.push_back(u32::from(byte) | overrun);
    }

    fn flags(&self) -> u32 {
        let mut flags = 0;
        if !self.transmit.is_empty() {
            flags |= FR_BUSY;
        }
        // The byte that is on the line has left the FIFO.
        if self.transmit.len() > self.depth() {
            flags |= FR_TRANSMIT_FULL;
        }
        if self.receive.is_empty() {
            flags |= FR_RECEIVE_EMPTY;
        }
        flags
    }
}

impl Registers for &Line {
    fn read(&self, offset: usize) -> u32 {
        let mut state = self.0.borrow_mut();
        state.accesses += 1;
        state.pass(ACCESS_NANOS);
        match offset {
            DR => state.receive.pop_front().unwrap_or_default(),
            FR => state.flags(),
            CR => state.control,
            IMSC => state.mask,
            _ => 0,
        }
    }

    fn write(&self, offset: usize, value: u32) {
        let mut state = self.0.borrow_mut();
        state.accesses += 1;
        state.pass(ACCESS_NANOS);
        match offset {
            DR => {
                assert!(
                    state.transmit.len() <= state.depth(),
                    "a byte is sent into a full FIFO"
                );
                assert!(state.control & CR_TRANSMIT != 0, "the UART does not send yet");
                let leaves = state.now + BYTE_NANOS;
                state.leaves.get_or_insert(leaves);
                state.transmit.push_back(value as u8);
            }
            LCR_H => {
                assert_eq!(state.control & CR_ENABLE, 0, "line control changes while it runs");
                if value & LCR_H_FIFOS == 0 {
                    state.receive.clear();
                }
                state.line_control = value;
            }
            CR => state.control = value,
            IMSC => state.mask = value,
            _ => {}
        }
    }
}
