//! A controller with a card, made of numbers, for tests: what is written to its registers does what the specifications say, and fails
//! when it is told to.

use super::super::registers::Registers;
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::vec::Vec;

/// What goes wrong with the next command of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No answer.
    Silence,
    /// The sum of the answer is wrong.
    AnswerSum,
    /// The sum of a block is wrong, after so many.
    DataSum(usize),
    /// The data do not come, or are not taken, after so many blocks.
    DataTimeout(usize),
    /// Nothing more is heard of the data after so many blocks.
    Stall(usize),
    /// The card says in its answer that it could not.
    Refused(u32),
}

pub struct State {
    registers: [u32; 64],
    pub sectors: Vec<[u8; 512]>,
    pub is_large: bool,
    pub is_old: bool,
    pub is_present: bool,
    pub is_read_only: bool,
    pub knows_high_speed: bool,
    /// Questions until it is awake.
    pub sleepy: u32,
    /// How often it says that it programs, after a write.
    pub programming: u32,
    /// For each: number of the command, and what happens.
    pub faults: VecDeque<(u8, Fault)>,
    /// Commands in the order in which they came.
    pub commands: Vec<(u8, u32)>,
    pub resets: u32,
    is_application: bool,
    /// A transfer: into or out of which sector, bytes that are to come, and what they do.
    transfer: Option<Transfer>,
    is_stopping: bool,
    busy: u32,
}

struct Transfer {
    is_read: bool,
    sector: usize,
    bytes: VecDeque<u8>,
    block_len: usize,
    blocks: usize,
    moved: usize,
    fails: Option<(usize, u32)>,
}

const STATUS: usize = 0x30 / 4;
const PRESENT: usize = 0x24;
const COMMAND_TIMEOUT: u32 = 1 << 16;
const COMMAND_SUM: u32 = 1 << 17;
const DATA_TIMEOUT: u32 = 1 << 20;
const DATA_SUM: u32 = 1 << 21;

/// The controller; a copy is the same one.
#[derive(Clone)]
pub struct Fake(pub Rc<RefCell<State>>);

impl Fake {
    pub fn new(sectors: usize) -> Fake {
        let block = |number: usize| core::array::from_fn(|at| (number * 31 + at) as u8);
        Fake(Rc::new(RefCell::new(State {
            registers: [0; 64],
            sectors: (0..sectors).map(block).collect(),
            is_large: true,
            is_old: false,
            is_present: true,
            is_read_only: false,
            knows_high_speed: true,
            sleepy: 3,
            programming: 2,
            faults: VecDeque::new(),
            commands: Vec::new(),
            resets: 0,
            is_application: false,
            transfer: None,
            is_stopping: false,
            busy: 0,
        })))
    }

    /// Whether its interrupt line is raised.
    pub fn interrupts(&self) -> bool {
        let state = self.0.borrow();
        state.registers[STATUS] & state.registers[0x38 / 4] != 0
    }

    pub fn numbers(&self) -> BTreeSet<u8> {
        self.0
            .borrow()
            .commands
            .iter()
            .map(|(number, _)| *number)
            .collect()
    }

    /// The card is taken out, or put in.
    pub fn set_present(&self, is_present: bool) {
        let mut state = self.0.borrow_mut();
        state.is_present = is_present;
        state.raise(if is_present { 1 << 6 } else { 1 << 7 });
    }
}

impl State {
    fn raise(&mut self, bits: u32) {
        let seen = bits & self.registers[0x34 / 4];
        self.registers[STATUS] |= seen;
    }

    fn answer_long(&mut self, fields: &[(usize, usize, u32)]) {
        let mut words = [0u32; 4];
        for &(first, count, value) in fields {
            for bit in 0..count {
                let at = first + bit - 8;
                words[at / 32] |= (value >> bit & 1) << (at % 32);
            }
        }
        self.registers[4..8].copy_from_slice(&words);
    }

    fn command(&mut self, bits: u32) {
        let (number, argument) = ((bits >> 24 & 0x3f) as u8, self.registers[2]);
        let is_application = core::mem::take(&mut self.is_application);
        self.commands.push((number, argument));
        let fault = self
            .faults
            .front()
            .filter(|(of, _)| *of == number)
            .map(|(_, fault)| *fault);
        if fault.is_some() {
            self.faults.pop_front();
        }
        let is_silent = !self.is_present && number != 0
            || self.is_old && number == 8
            || number == 12 && self.transfer.is_none();
        if is_silent || fault == Some(Fault::Silence) {
            return self.raise(COMMAND_TIMEOUT | 1 << 15);
        }
        if fault == Some(Fault::AnswerSum) {
            return self.raise(COMMAND_SUM | 1 << 15);
        }
        let state = if self.busy > 0 { 7 } else { 4 };
        let mut answer = state << 9 | u32::from(self.busy == 0) << 8;
        if let Some(Fault::Refused(bits)) = fault {
            answer |= bits;
        }
        match (is_application, number) {
            (false, 8) => answer = argument,
            (false, 3) => answer = 0x1234 << 16,
            (false, 55) => {
                self.is_application = true;
                answer |= 1 << 5;
            }
            (true, 41) => {
                self.sleepy = self.sleepy.saturating_sub(1);
                let is_large = self.is_large && argument & 1 << 30 != 0;
                answer = u32::from(self.sleepy == 0) << 31 | u32::from(is_large) << 30 | 0xff_8000;
            }
            (false, 2) => self.answer_long(&[(24, 32, 0xcafe_f00d)]),
            (false, 9) => {
                let sectors = self.sectors.len();
                let protection = u32::from(self.is_read_only);
                let common = [(84, 12, 1 << 10 | 0x175), (12, 1, protection), (80, 4, 9)];
                let mut fields = common.to_vec();
                if self.is_large {
                    fields.extend([(126, 2, 1), (48, 22, (sectors / 1024 - 1) as u32)]);
                } else {
                    fields.extend([(47, 3, 0), (62, 12, (sectors / 4 - 1) as u32)]);
                }
                self.answer_long(&fields);
            }
            (false, 12) => {
                self.transfer = None;
                self.is_stopping = true;
            }
            (false, 13) => self.busy = self.busy.saturating_sub(1),
            _ => {}
        }
        if !matches!((is_application, number), (false, 2 | 9)) {
            self.registers[4] = answer;
        }
        self.raise(1);
        if bits & 1 << 21 != 0 && answer & 0x7df9_8008 == 0 {
            self.begin_transfer(bits, number, is_application, argument, fault);
        }
    }

    fn begin_transfer(
        &mut self,
        bits: u32,
        number: u8,
        is_application: bool,
        argument: u32,
        fault: Option<Fault>,
    ) {
        let block = self.registers[1];
        let (block_len, count) = ((block & 0xfff) as usize, (block >> 16) as usize);
        let is_many = bits & 1 << 5 != 0;
        assert_eq!(
            is_many,
            matches!(number, 18 | 25),
            "many blocks by CMD18 and CMD25"
        );
        assert_eq!(
            is_many,
            bits & 0b110 == 0b110,
            "they are counted and stop themselves"
        );
        let is_read = bits & 1 << 4 != 0;
        let sector = match self.is_large {
            true => argument as usize,
            false => argument as usize / 512,
        };
        let blocks = if is_many { count } else { 1 };
        let mut bytes = VecDeque::new();
        match (is_application, number) {
            (true, 51) => bytes.extend([2, 0b101, 0, 0, 0, 0, 0, 0]),
            (false, 6) => {
                let mut answer = [0; 64];
                answer[13] = if self.knows_high_speed { 0b11 } else { 1 };
                answer[16] = u8::from(argument >> 31 != 0 && self.knows_high_speed);
                bytes.extend(answer);
            }
            (false, 17 | 18) => {
                let of_all = self.sectors[sector..sector + blocks].iter().flatten();
                bytes.extend(of_all);
            }
            (false, 24 | 25) => {}
            _ => panic!("CMD{number} has no data"),
        }
        let fails = match fault {
            Some(Fault::DataSum(after)) => Some((after, DATA_SUM)),
            Some(Fault::DataTimeout(after)) => Some((after, DATA_TIMEOUT)),
            Some(Fault::Stall(after)) => Some((after, 0)),
            _ => None,
        };
        self.transfer = Some(Transfer {
            is_read,
            sector,
            bytes,
            block_len,
            blocks,
            moved: 0,
            fails,
        });
        self.offer();
    }

    /// The next block can come or go, unless it fails or was the last.
    fn offer(&mut self) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        if let Some((_, error)) = transfer.fails.filter(|(after, _)| *after == transfer.moved) {
            transfer.blocks = 0;
            return match error {
                0 => {}
                error => self.raise(error | 1 << 15),
            };
        }
        if transfer.moved == transfer.blocks {
            if !transfer.is_read {
                self.busy = self.programming;
            }
            self.transfer = None;
            return self.raise(2);
        }
        let ready = if transfer.is_read { 1 << 5 } else { 1 << 4 };
        self.raise(ready);
    }

    fn take_word(&mut self) -> u32 {
        let transfer = self.transfer.as_mut().expect("there is something to fetch");
        let mut word = [0; 4];
        word.fill_with(|| transfer.bytes.pop_front().expect("not more than a block"));
        let left = (transfer.blocks - transfer.moved) * transfer.block_len;
        if transfer.bytes.len() + transfer.block_len == left {
            transfer.moved += 1;
            self.offer();
        }
        u32::from_le_bytes(word)
    }

    fn put_word(&mut self, word: u32) {
        let transfer = self.transfer.as_mut().expect("somebody takes it");
        transfer.bytes.extend(word.to_le_bytes());
        if transfer.bytes.len() == transfer.block_len {
            let block: Vec<u8> = transfer.bytes.drain(..).collect();
            let at = transfer.sector + transfer.moved;
            transfer.moved += 1;
            self.sectors[at].copy_from_slice(&block);
            self.offer();
        }
    }

    fn present(&self) -> u32 {
        let is_ready = self
            .transfer
            .as_ref()
            .filter(|transfer| transfer.moved < transfer.blocks);
        let ready = is_ready.map_or(0, |transfer| if transfer.is_read { 1 << 11 } else { 1 << 10 });
        ready | u32::from(self.is_present) << 16 | 1 << 19
    }
}

impl Registers for Fake {
    fn read(&self, offset: usize) -> u32 {
        let mut state = self.0.borrow_mut();
        match offset {
            PRESENT => state.present(),
            0x20 => state.take_word(),
            0x2c => state.registers[11] | (state.registers[11] & 1) << 1,
            0x40 => 50 << 8,
            0xfc => 2 << 16,
            _ => state.registers[offset / 4],
        }
    }

    fn write(&self, offset: usize, value: u32) {
        let mut state = self.0.borrow_mut();
        match offset {
            0x0c => state.command(value),
            0x20 => state.put_word(value),
            0x2c => {
                if value & 0b111 << 24 != 0 {
                    state.resets += 1;
                    state.registers[STATUS] = 0;
                    if value & 1 << 24 != 0 {
                        state.registers[0x38 / 4] = 0;
                        state.transfer = None;
                    }
                }
                state.registers[11] = value & 0x00ff_ffff;
            }
            0x30 => state.registers[STATUS] &= !value,
            _ => state.registers[offset / 4] = value,
        }
    }
}
