//! How a card is found and woken (SD Physical Layer Simplified Specification 9.00, chapter 4.2): the identification at the slowest clock,
//! then four lines and high speed if the card has them. The caller sleeps in between; no interrupt is used.

use super::super::registers::{Registers, apart};
use super::controller::{Answer, Command, Controller, Data, SLOWEST_HZ, status};
use super::properties::{self, CardData};
use core::fmt;

/// How long it is slept before it is looked again, in nanoseconds.
const PAUSE: u64 = 200_000;
/// Looks until a command has failed: the controller's own limits come first.
const LOOKS: usize = 5_000;
/// A card may take a second to wake, at so many nanoseconds between two questions.
const WAKING: u64 = 5_000_000;
const WAKING_QUESTIONS: usize = 250;
const DEFAULT_HZ: u32 = 25_000_000;
const HIGH_SPEED_HZ: u32 = 50_000_000;

/// CMD8: 2.7 to 3.6 V, and a pattern that comes back.
const CONDITION: u32 = 0x1aa;
/// ACMD41: 3.2 to 3.4 V and around; the host knows cards of more than 2 GB.
const WANTED: u32 = 0x40ff_8000;
const WITHOUT_LARGE: u32 = 0x00ff_8000;
const IS_AWAKE: u32 = 1 << 31;
const IS_LARGE: u32 = 1 << 30;
/// CMD6: what could be had of group 1, and taking it.
const ASK_HIGH_SPEED: u32 = 0x00ff_fff1;
const TAKE_HIGH_SPEED: u32 = 0x80ff_fff1;

/// Why a card cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CardError {
    /// Nothing answers: there is no card, or what is there is none of SD.
    NoCard,
    /// The controller does not get ready.
    Controller,
    /// The card does not answer to this command, or says that it failed.
    Command(u8),
    /// What the card says of itself is not known.
    Unknown,
    /// There is no memory for its requests.
    NoMemory,
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CardError::NoCard => f.write_str("no card answers"),
            CardError::Controller => f.write_str("the controller does not get ready"),
            CardError::Command(number) => write!(f, "the card failed at CMD{number}"),
            CardError::NoMemory => f.write_str("there is no memory for its requests"),
            CardError::Unknown => f.write_str("what the card says of itself is not known"),
        }
    }
}

/// A card that is awake, and was selected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Woken {
    /// Its address, where commands want it.
    pub address: u32,
    pub data: CardData,
    /// Its sectors have numbers; else bytes have.
    pub counts_sectors: bool,
    pub serial: [u8; 20],
    pub has_four_lines: bool,
    pub is_high_speed: bool,
}

/// Wakes the card of a controller, if there is one.
///
/// # Errors
/// What [`CardError`] lists.
pub(super) fn wake<R: Registers>(
    controller: &mut Controller<R>,
    has_high_speed_bit: bool,
    sleep: &mut dyn FnMut(u64),
) -> Result<Woken, CardError> {
    if !apart(|| controller.reset()) {
        return Err(CardError::Controller);
    }
    // The supply rises, and the card counts 74 cycles.
    sleep(2_000_000);
    let mut waking = Waking { controller, sleep };
    waking.send(0, 0, Answer::None)?;
    let knows_condition = match waking.send(8, CONDITION, Answer::Short) {
        Ok(()) if waking.controller.answer() & 0xfff != CONDITION => return Err(CardError::Unknown),
        answer => answer.is_ok(),
    };
    let counts_sectors = waking.wait_until_awake(knows_condition)?;
    waking.send(2, 0, Answer::Long)?;
    let serial = properties::serial(waking.controller.long_answer());
    waking.send(3, 0, Answer::Short)?;
    let address = waking.controller.answer() & 0xffff_0000;
    waking.send(9, address, Answer::Long)?;
    let csd = waking.controller.long_answer();
    let data = CardData::of(csd).ok_or(CardError::Unknown)?;
    waking.send(7, address, Answer::Busy)?;
    waking.set_clock(DEFAULT_HZ)?;
    if !counts_sectors {
        waking.send(16, 512, Answer::Short)?;
    }
    let mut scr = [0; 8];
    waking.send(55, address, Answer::Short)?;
    waking.read(51, 0, &mut scr)?;
    let has_four_lines = properties::has_four_lines(scr);
    if has_four_lines {
        waking.send(55, address, Answer::Short)?;
        waking.send(6, 2, Answer::Short)?;
        apart(|| waking.controller.use_four_lines());
    }
    let is_high_speed = data.knows_switch && waking.hurry(has_high_speed_bit)?;
    Ok(Woken {
        address,
        data,
        counts_sectors,
        serial,
        has_four_lines,
        is_high_speed,
    })
}

struct Waking<'a, R> {
    controller: &'a mut Controller<R>,
    sleep: &'a mut dyn FnMut(u64),
}

impl<R: Registers> Waking<'_, R> {
    /// Sends a command, and waits for its answer.
    fn send(&mut self, number: u8, argument: u32, answer: Answer) -> Result<(), CardError> {
        let is_done = |status| status & status::COMMAND_DONE != 0;
        let data = None;
        self.begin(Command {
            number,
            argument,
            answer,
            data,
        })?;
        self.wait(number, is_done)
    }

    fn begin(&mut self, command: Command) -> Result<(), CardError> {
        let is_sent = apart(|| {
            self.controller.take_status();
            self.controller.send(command)
        });
        is_sent.then_some(()).ok_or(CardError::Controller)
    }

    fn wait(&mut self, number: u8, mut is_done: impl FnMut(u32) -> bool) -> Result<(), CardError> {
        let mut seen = 0;
        for _ in 0..LOOKS {
            seen |= apart(|| self.controller.take_status());
            if seen & status::ERRORS != 0 {
                apart(|| self.controller.reset_lines());
                return Err(CardError::Command(number));
            }
            if is_done(seen) {
                return Ok(());
            }
            (self.sleep)(PAUSE);
        }
        Err(CardError::Command(number))
    }

    /// Reads what comes with the answer.
    fn read(&mut self, number: u8, argument: u32, to: &mut [u8]) -> Result<(), CardError> {
        self.begin(Command {
            number,
            argument,
            answer: Answer::Short,
            data: Some(Data {
                is_read: true,
                blocks: 1,
                block_len: to.len() as u16,
            }),
        })?;
        let ready = status::COMMAND_DONE | status::BUFFER_READ;
        self.wait(number, |seen| seen & ready == ready)?;
        apart(|| self.controller.fetch(to));
        self.wait(number, |seen| seen & status::TRANSFER_DONE != 0)
    }

    /// Asks until the card is awake. Whether its sectors have numbers.
    fn wait_until_awake(&mut self, knows_condition: bool) -> Result<bool, CardError> {
        let wanted = if knows_condition { WANTED } else { WITHOUT_LARGE };
        for _ in 0..WAKING_QUESTIONS {
            // A card that is none of SD does not know the prefix.
            self.send(55, 0, Answer::Short).map_err(|_| CardError::NoCard)?;
            self.send(41, wanted, Answer::Open)
                .map_err(|_| CardError::NoCard)?;
            let answer = self.controller.answer();
            if answer & IS_AWAKE != 0 {
                return Ok(answer & IS_LARGE != 0);
            }
            (self.sleep)(WAKING);
        }
        Err(CardError::Command(41))
    }

    fn set_clock(&mut self, hz: u32) -> Result<(), CardError> {
        debug_assert!(hz > SLOWEST_HZ, "a card that is awake goes faster");
        let is_set = apart(|| self.controller.set_clock(hz));
        is_set.then_some(()).ok_or(CardError::Controller)
    }

    /// Goes to high speed, if the card has it. A card that refuses stays as it is.
    fn hurry(&mut self, has_high_speed_bit: bool) -> Result<bool, CardError> {
        let mut answer = [0; 64];
        let is_offered =
            self.read(6, ASK_HIGH_SPEED, &mut answer).is_ok() && properties::offers_high_speed(&answer);
        if !is_offered {
            return Ok(false);
        }
        self.read(6, TAKE_HIGH_SPEED, &mut answer)?;
        if !properties::is_high_speed(&answer) {
            return Ok(false);
        }
        if has_high_speed_bit {
            apart(|| self.controller.use_high_speed());
        }
        self.set_clock(HIGH_SPEED_HZ)?;
        Ok(true)
    }
}
