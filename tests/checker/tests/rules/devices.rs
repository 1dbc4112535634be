//! Devices, power, processors that sleep or are let go.

use crate::board::{BASE, Board, KERNEL, ONE, TWO};
use checker::instruction::{Access, Accesses, Cache, Domain, Operation, Register};

const UART: u64 = 0x0900_0000;
const GICC_EOIR: u64 = 0x0801_0010;
const GPIO: u64 = 0xfe20_0004;
const PI_UART: u64 = 0xfe20_1000;
const MAILBOX_READ: u64 = 0xfe00_b880;
const MAILBOX_WRITE: u64 = 0xfe00_b8a0;
const CPU_ON: u64 = 0xc400_0003;
const SYSTEM_OFF: u64 = 0x8400_0008;

const SYSTEM: Operation = Operation::Dsb(Domain::System, Accesses::All);
/// What is made of it.
const WEAKER: [Operation; 3] = [
    Operation::Dsb(Domain::Inner, Accesses::All),
    Operation::Dsb(Domain::System, Accesses::Stores),
    Operation::Dsb(Domain::Local, Accesses::All),
];

/// By a DSB SY all is well; by a weaker barrier the rule is broken.
fn try_barriers(rule: &str, play: impl Fn(&mut Board, Operation)) {
    for (barrier, rules) in [(SYSTEM, vec![])]
        .into_iter()
        .chain(WEAKER.map(|weaker| (weaker, vec![rule])))
    {
        let mut board = Board::new();
        play(&mut board, barrier);
        board.expect(&rules);
    }
}

#[test]
fn an_interrupt_ends_when_its_device_was_told() {
    try_barriers("END-BEFORE-DSB", |board, barrier| {
        board.device(0, UART, None);
        board.system(0, barrier, 0);
        board.device(0, GICC_EOIR, Some(30));
    });
    try_barriers("END-BEFORE-DSB", |board, barrier| {
        board.device(0, UART, Some(1));
        board.system(0, barrier, 0);
        board.write(0, Register::EndOfInterrupt, 30);
    });
}

#[test]
fn a_device_is_told_when_its_interrupt_is_active() {
    try_barriers("DEVICE-BEFORE-DSB", |board, barrier| {
        board.system(0, Operation::Acknowledge, 0);
        board.system(0, barrier, 0);
        board.write(0, Register::Timer, 0);
    });
}

#[test]
fn two_peripherals_of_the_pi_are_told_in_order() {
    try_barriers("PERIPHERAL-BEFORE-DSB", |board, barrier| {
        board.device(0, GPIO, Some(1));
        board.device(0, GPIO, None);
        board.system(0, barrier, 0);
        board.device(0, PI_UART, Some(1));
    });
}

#[test]
fn the_machine_ends_when_all_was_said() {
    try_barriers("POWER-BEFORE-DSB", |board, barrier| {
        board.device(0, UART, Some(1));
        board.system(0, barrier, 0);
        board.system(0, Operation::Call, SYSTEM_OFF);
    });
}

#[test]
fn a_processor_sleeps_when_its_stores_are_there() {
    try_barriers("SLEEP-BEFORE-DSB", |board, barrier| {
        let place = TWO - BASE + KERNEL;
        board.access(0, crate::board::KERNEL_CODE, Access::Ordered, place, Some(0));
        board.system(0, barrier, 0);
        board.system(0, Operation::WaitForInterrupt, 0);
    });
}

#[test]
fn a_processor_is_let_go_when_what_it_reads_was_cleaned() {
    for (operation, operand) in [(Operation::Call, CPU_ON), (Operation::SendEvent, 0)] {
        try_barriers("PENDING-DC", |board, barrier| {
            board.store(ONE, 1);
            board.system(
                0,
                Operation::Cache(Cache::CleanAndInvalidate),
                ONE - BASE + KERNEL,
            );
            board.system(0, barrier, 0);
            board.system(0, operation, operand);
        });
    }
}

/// A question to the VideoCore: all its steps but one, or that one by a weaker barrier.
fn ask(left_out: &str, instead: Option<Operation>) -> Board {
    let mut board = Board::new();
    let line = ONE - BASE + KERNEL;
    let barrier = |board: &mut Board, name: &str| match (name == left_out, instead) {
        (true, Some(operation)) => board.system(0, operation, 0),
        (true, None) => {}
        (false, _) => board.system(0, SYSTEM, 0),
    };
    let clean = |board: &mut Board, name: &str| {
        if name != left_out {
            board.system(0, Operation::Cache(Cache::CleanAndInvalidate), line);
        }
    };
    board.store(ONE, 8);
    clean(&mut board, "clean");
    barrier(&mut board, "cleaned");
    board.device(0, MAILBOX_WRITE, Some(ONE | 0xc000_0008));
    board.device(0, MAILBOX_READ, None);
    barrier(&mut board, "answered");
    clean(&mut board, "drop");
    barrier(&mut board, "dropped");
    board.access(0, crate::board::KERNEL_CODE, Access::Plain, line, None);
    board
}

#[test]
fn a_message_is_cleaned_and_its_answer_waited_for_and_fetched() {
    ask("", None).expect(&[]);
    for (step, rule) in [("clean", "NEVER-CLEANED"), ("drop", "READ-CACHED")] {
        ask(step, None).expect(&[rule]);
    }
    for (step, rule) in [
        ("cleaned", "PENDING-DC"),
        ("answered", "DC-BEFORE-DSB"),
        ("dropped", "PENDING-DC"),
    ] {
        ask(step, None).expect(&[rule]);
        for weaker in WEAKER {
            ask(step, Some(weaker)).expect(&[rule]);
        }
    }
}

/// The kernel stores an instruction and executes it.
fn patch(left_out: &str) -> Board {
    let mut board = Board::new();
    let line = ONE - BASE + KERNEL;
    let steps = [
        ("DC", Operation::Cache(Cache::CleanToUnification)),
        ("first DSB", Operation::Dsb(Domain::Inner, Accesses::All)),
        ("IC", Operation::Cache(Cache::InvalidateInstructions)),
        ("second DSB", Operation::Dsb(Domain::Inner, Accesses::All)),
        ("ISB", Operation::Isb),
    ];
    board.store(ONE, 0xd65f_03c0_d280_0020);
    for (name, operation) in steps {
        if name != left_out {
            board.system(0, operation, line);
        }
    }
    board.machine.kernel_block(0, line, 8);
    board
}

#[test]
fn the_kernel_executes_what_it_stored_when_it_may() {
    patch("").expect(&[]);
    patch("DC").expect(&["STALE-INSTRUCTIONS"]);
    patch("first DSB").expect(&["IC-BEFORE-DSB"]);
    patch("IC").expect(&["STALE-INSTRUCTIONS"]);
    patch("second DSB").expect(&["PENDING-IC"]);
    patch("ISB").expect(&["EXECUTE-BEFORE-ISB"]);
    for has_isb in [true, false] {
        let mut board = patch("");
        if has_isb {
            board.system(1, Operation::Isb, 0);
        }
        board.machine.kernel_block(1, ONE - BASE + KERNEL, 8);
        board.expect(if has_isb { &[] } else { &["EXECUTE-BEFORE-ISB"] });
    }
    let board = Board::new();
    assert!(!board.machine.is_stored(KERNEL, 64), "nobody stored there");
    assert!(patch("").machine.is_stored(ONE - BASE + KERNEL, 64));
}
