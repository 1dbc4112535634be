//! The driver beside a controller and a card made of numbers.

use super::card::Card;
use super::controller::Controller;
use super::fake::{Fake, Fault};
use super::start::CardError;
use crate::disk::{Completion, DiskCommand, DiskError, Piece, Ticket};
use crate::memory::ram::{self, Block};
use crate::{frame, timer};
use mm::{Frame, PAGE_SIZE};
use std::sync::Once;
use std::vec::Vec;

const SECTORS: usize = 4096;
/// A card that is small, for cards whose bytes are counted.
const FEW: usize = 1024;

/// Frames of the machine of this process.
fn frames(count: usize) -> (Block, Vec<Frame>) {
    static MACHINE: Once = Once::new();
    MACHINE.call_once(|| drop(crate::host::boot(16 << 20, "", None)));
    let block = ram::take(count * PAGE_SIZE).unwrap();
    let first = block.physical();
    let frame = |index: usize| mm::PhysAddr(first.0 + (index * PAGE_SIZE) as u64).frame();
    let all = (0..count).map(frame).collect();
    (block, all)
}

fn whole(frames: &[Frame]) -> Vec<Piece> {
    let piece = |&frame: &Frame| Piece {
        frame,
        offset: 0,
        len: PAGE_SIZE as u16,
    };
    frames.iter().map(piece).collect()
}

fn wake(fake: &Fake) -> Result<Card<Fake>, CardError> {
    let controller = Controller::new(fake.clone(), 0);
    Card::wake(controller, true, true, &mut |nanos| timer::advance(nanos))
}

/// Does a request to its end, interrupt by interrupt.
fn run(
    card: &mut Card<Fake>,
    fake: &Fake,
    command: DiskCommand,
    sector: u64,
    pieces: &[Piece],
) -> Result<(), DiskError> {
    assert!(card.submit(Ticket(3), command, sector, pieces));
    card.notify();
    for _ in 0..10_000 {
        if let Some(completion) = card.complete() {
            assert_eq!(completion.ticket, Ticket(3));
            return completion.result;
        }
        assert!(fake.interrupts(), "somebody waits, and nothing will come");
        card.serve();
    }
    panic!("the request does not end")
}

fn bytes_of(frame: Frame) -> Vec<u8> {
    let mut bytes = std::vec![0; PAGE_SIZE];
    frame::read(frame, 0, &mut bytes);
    bytes
}

fn card_bytes(fake: &Fake, first: usize, count: usize) -> Vec<u8> {
    fake.0.borrow().sectors[first..first + count].concat()
}

#[test]
fn cards_of_each_kind_are_woken() {
    for (is_large, is_old, knows_high_speed) in [
        (true, false, true),
        (true, false, false),
        (false, false, true),
        (false, true, false),
    ] {
        let fake = Fake::new(if is_large { SECTORS } else { FEW });
        {
            let mut state = fake.0.borrow_mut();
            (state.is_large, state.is_old, state.knows_high_speed) = (is_large, is_old, knows_high_speed);
        }
        let card = wake(&fake).unwrap();
        assert_eq!(card.sectors(), if is_large { SECTORS } else { FEW } as u64);
        assert_eq!(card.kind(), (is_large, 4, knows_high_speed));
        assert_eq!(&card.serial()[..11], b"0xcafef00d\0");
        assert!(!card.is_read_only());
        assert_eq!(
            fake.numbers().contains(&16),
            !is_large,
            "blocks of bytes have a length"
        );
    }
}

#[test]
fn what_is_no_card_is_told() {
    let fake = Fake::new(SECTORS);
    fake.0.borrow_mut().is_present = false;
    assert_eq!(wake(&fake).err(), Some(CardError::NoCard));
    assert!(!fake.interrupts());
    let fake = Fake::new(SECTORS);
    fake.0.borrow_mut().sleepy = u32::MAX;
    assert_eq!(wake(&fake).err(), Some(CardError::Command(41)));
    for number in [2, 3, 9, 7, 51] {
        let fake = Fake::new(SECTORS);
        fake.0.borrow_mut().faults.push_back((number, Fault::AnswerSum));
        assert_eq!(wake(&fake).err(), Some(CardError::Command(number)));
    }
    let fake = Fake::new(SECTORS);
    fake.0.borrow_mut().is_read_only = true;
    assert!(wake(&fake).unwrap().is_read_only());
}

#[test]
fn blocks_come_and_go_whatever_the_pieces() {
    for is_large in [true, false] {
        let fake = Fake::new(if is_large { SECTORS } else { FEW });
        fake.0.borrow_mut().is_large = is_large;
        let mut card = wake(&fake).unwrap();
        let (_block, frames) = frames(8);
        let pieces = whole(&frames);
        run(&mut card, &fake, DiskCommand::Read, 100, &pieces).unwrap();
        let read: Vec<u8> = frames.iter().flat_map(|&frame| bytes_of(frame)).collect();
        assert!(read == card_bytes(&fake, 100, 64));
        // Pieces that end in the middle of a block.
        let odd = [(frames[0], 100, 300), (frames[1], 8, 212), (frames[2], 3584, 512)];
        let odd = odd.map(|(frame, offset, len)| Piece { frame, offset, len });
        let expected = [
            &bytes_of(frames[0])[100..400],
            &bytes_of(frames[1])[8..220],
            &bytes_of(frames[2])[3584..],
        ];
        run(&mut card, &fake, DiskCommand::Write, 7, &odd).unwrap();
        assert!(card_bytes(&fake, 7, 2) == expected.concat());
        run(&mut card, &fake, DiskCommand::Write, 9, &odd[2..]).unwrap();
        let singles = fake.numbers();
        assert!(singles.contains(&24) && singles.contains(&25) && !singles.contains(&17));
        assert_eq!(card.retries(), 0);
        run(&mut card, &fake, DiskCommand::Flush, 0, &[]).unwrap();
        let behind = card.sectors() - 1;
        let late = run(&mut card, &fake, DiskCommand::Read, behind, &pieces[..1]);
        assert_eq!(late, Err(DiskError::Failed));
        let discard = run(&mut card, &fake, DiskCommand::Discard(8), 0, &[]);
        assert_eq!(discard, Err(DiskError::Unsupported));
    }
}

/// Whatever fails three times is done by the fourth try; what fails always has failed, and the next request is done.
#[test]
fn failures_are_tried_again() {
    let kinds = [
        Fault::Silence,
        Fault::AnswerSum,
        Fault::DataSum(0),
        Fault::DataSum(5),
        Fault::DataTimeout(3),
        Fault::Refused(1 << 21),
    ];
    for kind in kinds {
        for (command, number) in [(DiskCommand::Read, 18), (DiskCommand::Write, 25)] {
            for times in [1, 3, 4] {
                let fake = Fake::new(SECTORS);
                let mut card = wake(&fake).unwrap();
                let (_block, frames) = frames(2);
                frames
                    .iter()
                    .for_each(|&frame| frame::write(frame, 0, &[times as u8; PAGE_SIZE]));
                let pieces = whole(&frames);
                fake.0
                    .borrow_mut()
                    .faults
                    .extend([(number, kind); 4].into_iter().take(times));
                let result = run(&mut card, &fake, command, 40, &pieces);
                let expected = if times < 4 { Ok(()) } else { Err(DiskError::Failed) };
                assert_eq!(result, expected, "{kind:?} of CMD{number}, {times} times");
                assert!(card.retries() > 0 && !card.is_gone());
                run(&mut card, &fake, command, 40, &pieces).unwrap();
                let bytes: Vec<u8> = frames.iter().flat_map(|&frame| bytes_of(frame)).collect();
                assert!(bytes == card_bytes(&fake, 40, 16));
            }
        }
    }
}

#[test]
fn a_write_is_done_when_the_card_says_so() {
    let fake = Fake::new(SECTORS);
    fake.0.borrow_mut().programming = 9;
    let mut card = wake(&fake).unwrap();
    let (_block, frames) = frames(1);
    run(&mut card, &fake, DiskCommand::Write, 0, &whole(&frames)).unwrap();
    let asked = fake
        .0
        .borrow()
        .commands
        .iter()
        .filter(|(number, _)| *number == 13)
        .count();
    assert_eq!(asked, 10, "nine times it programs");
    // What the card could not program.
    fake.0
        .borrow_mut()
        .faults
        .extend([(13, Fault::Refused(1 << 19)); 4]);
    let mut failing = || run(&mut card, &fake, DiskCommand::Write, 0, &whole(&frames));
    failing().unwrap();
    fake.0.borrow_mut().faults.clear();
    fake.0
        .borrow_mut()
        .faults
        .push_back((25, Fault::Refused(1 << 26)));
    assert_eq!(
        failing(),
        Err(DiskError::Failed),
        "a protected card is not asked again"
    );
}

#[test]
fn a_card_that_is_taken_out_fails_all() {
    for tells in [true, false] {
        let fake = Fake::new(SECTORS);
        let controller = Controller::new(fake.clone(), 0);
        let mut card = Card::wake(controller, tells, true, &mut |nanos| timer::advance(nanos)).unwrap();
        let (_block, frames) = frames(4);
        let pieces = whole(&frames);
        for ticket in 0..3 {
            assert!(card.submit(Ticket(ticket), DiskCommand::Read, 8, &pieces));
        }
        card.notify();
        card.serve();
        fake.set_present(false);
        let mut failed = Vec::new();
        for _ in 0..1000 {
            while let Some(completion) = card.complete() {
                failed.push((completion.ticket.0, completion.result));
            }
            if failed.len() == 3 {
                break;
            }
            if fake.interrupts() {
                card.serve();
            } else {
                // What is not told is found by the next command.
                fake.0.borrow_mut().faults.clear();
                card.serve();
            }
        }
        failed.sort_unstable_by_key(|(ticket, _)| *ticket);
        let expected: Vec<_> = (0..3).map(|ticket| (ticket, Err(DiskError::Failed))).collect();
        if tells {
            assert_eq!(failed, expected);
            assert!(card.is_gone() && !fake.interrupts());
            assert!(!card.submit(Ticket(0), DiskCommand::Read, 8, &pieces));
        } else {
            // The fake's transfer goes on to its end; the next command finds that nobody answers.
            assert!(card.is_gone(), "nobody answers");
        }
    }
}

/// A transfer of which nothing more is heard is tried again after two seconds; a card that was pulled out in the midst of it is gone then.
#[test]
fn silence_in_a_transfer_is_looked_into() {
    for is_pulled in [false, true] {
        for (command, number) in [(DiskCommand::Read, 18), (DiskCommand::Write, 25)] {
            let fake = Fake::new(SECTORS);
            let mut card = wake(&fake).unwrap();
            let (_block, frames) = frames(2);
            fake.0.borrow_mut().faults.push_back((number, Fault::Stall(3)));
            assert!(card.submit(Ticket(0), command, 8, &whole(&frames)));
            assert!(card.submit(Ticket(1), command, 8, &whole(&frames)));
            card.notify();
            while fake.interrupts() {
                card.serve();
            }
            fake.0.borrow_mut().is_present = !is_pulled;
            card.check_up();
            assert!(!fake.interrupts(), "it is given its time");
            timer::advance(2_100_000_000);
            card.check_up();
            while fake.interrupts() {
                card.serve();
            }
            let results = [card.complete(), card.complete()];
            let expected = if is_pulled { Err(DiskError::Failed) } else { Ok(()) };
            for (ticket, completion) in (0..).zip(results) {
                assert_eq!(
                    completion,
                    Some(Completion {
                        ticket: Ticket(ticket),
                        result: expected
                    })
                );
            }
            assert_eq!((card.is_gone(), card.retries()), (is_pulled, 1));
        }
    }
}

#[test]
fn a_controller_that_is_given_up_is_left_alone() {
    let fake = Fake::new(SECTORS);
    let mut card = wake(&fake).unwrap();
    let (_block, frames) = frames(4);
    assert!(card.submit(Ticket(5), DiskCommand::Read, 8, &whole(&frames)));
    card.notify();
    card.give_up();
    assert!(!fake.interrupts());
    assert_eq!(
        card.complete().map(|completion| completion.result),
        Some(Err(DiskError::Failed))
    );
    assert_eq!(card.complete(), None);
}
