//! Two processors in one space, to whom the tests let things happen.

use checker::instruction::{Access, Accesses, Cache, Domain, Operation, Register, Scope};
use checker::machine::Machine;
use checker::ram::{Ram, Store};
use checker::report::Report;
use checker::rules::{Memory, Role, Site, TakesFrame, Value};

pub const BASE: u64 = 0x4000_0000;
pub const PAGES: u64 = 64;
pub const ROOT: u64 = BASE;
pub const LEVEL2: u64 = BASE + 0x1000;
pub const LEVEL3: u64 = BASE + 0x2000;
pub const OTHER_LEVEL3: u64 = BASE + 0x3000;
pub const KERNEL_ROOT: u64 = BASE + 0x4000;
pub const ONE: u64 = BASE + 0x10000;
pub const TWO: u64 = BASE + 0x11000;
/// The program's page.
pub const ADDRESS: u64 = 0x40_0000;
pub const KERNEL: u64 = 0xffff_ff80_4000_0000;
pub const KERNEL_CODE: u64 = 0xffff_ffff_8000_0000;
pub const CODE: u64 = 0x1000;
/// Where the kernel has its devices.
pub const DEVICES: u64 = 0xffff_ffd0_0000_0000;

pub const TABLE: u64 = 3;
pub const READ_ONLY: u64 = 1 << 7;
pub const NO_EL0_EXECUTE: u64 = 1 << 54;
/// Page, Normal, inner shareable, accessed, not global, EL0, never executed at EL1.
pub const PAGE: u64 = 3 | 1 << 6 | 3 << 8 | 1 << 10 | 1 << 11 | 1 << 53;
/// A block of the kernel's.
pub const BLOCK: u64 = 1 | 3 << 8 | 1 << 10 | 1 << 53 | NO_EL0_EXECUTE;
pub const ASID: u64 = 5;

/// Two processors in one space, whose page [`ADDRESS`] is [`ONE`].
pub struct Board {
    /// What is tested.
    pub machine: Machine,
}

impl Board {
    pub fn new() -> Board {
        let mut ram = Ram::new(BASE, PAGES << 12, Store::Bytes(vec![0; (PAGES << 12) as usize]));
        let entry = |table: u64, index: u64| table + 8 * index;
        ram.write(entry(ROOT, 0), LEVEL2 | TABLE);
        ram.write(entry(LEVEL2, 2), LEVEL3 | TABLE);
        ram.write(entry(LEVEL3, 0), ONE | PAGE);
        ram.write(entry(KERNEL_ROOT, 1), BASE | BLOCK);
        let machine = Machine::new(ram, Report::new(Box::new(std::io::sink())));
        let mut board = Board { machine };
        for cpu in 0..2 {
            board.write(cpu, Register::Tcr, 25 << 16 | 25);
            board.write(cpu, Register::Ttbr1, KERNEL_ROOT);
            board.write(cpu, Register::Ttbr0, ROOT | ASID << 48);
            board.system(cpu, Operation::Tlbi(Scope::All, Domain::Local), 0);
            board.system(cpu, Operation::Cache(Cache::InvalidateAllInstructions), 0);
            board.system(cpu, Operation::Dsb(Domain::Inner, Accesses::All), 0);
            board.system(cpu, Operation::Isb, 0);
            board.write(cpu, Register::Sctlr, 1);
            board.machine.system(cpu, KERNEL_CODE, Operation::Isb, 0);
            board.go_to_user(cpu);
        }
        board
    }

    pub fn write(&mut self, cpu: usize, register: Register, value: u64) {
        self.system(cpu, Operation::Write(register), value);
    }

    pub fn system(&mut self, cpu: usize, operation: Operation, operand: u64) {
        self.machine.system(cpu, KERNEL_CODE, operation, operand);
    }

    pub fn dsb(&mut self, accesses: Accesses) {
        self.system(0, Operation::Dsb(Domain::Inner, accesses), 0);
    }

    pub fn tlbi(&mut self, scope: Scope, domain: Domain) {
        self.system(0, Operation::Tlbi(scope, domain), ASID << 48 | ADDRESS >> 12);
    }

    pub fn go_to_user(&mut self, cpu: usize) {
        self.system(cpu, Operation::ExceptionReturn, 1);
        self.machine.user_block(cpu, CODE, 4);
    }

    /// A program's first instruction: its registers are all 0.
    pub fn begin_program(&mut self, cpu: usize) {
        self.system(cpu, Operation::ExceptionReturn, 0);
        self.machine.user_block(cpu, CODE, 4);
    }

    pub fn access(&mut self, cpu: usize, pc: u64, access: Access, address: u64, stored: Option<u64>) {
        let physical = if address >> 63 == 1 {
            Some(address - KERNEL + BASE)
        } else {
            self.machine.translate(cpu, address)
        };
        if let (Some(value), Some(physical)) = (stored, physical) {
            self.machine.ram.write(physical & !7, value);
        }
        let site = Site {
            pc,
            access,
            is_ordered: access == Access::Ordered,
            role: Role::Unknown,
            drops_reference: false,
            takes_frame: TakesFrame::No,
        };
        let memory = Memory {
            address,
            physical,
            size: 8,
            stored: stored.map(|value| Value::Words([value, 0])),
            loaded: 0,
        };
        self.machine.memory(cpu, &site, &memory);
    }

    /// The kernel on this processor goes to a register of a device.
    pub fn device(&mut self, cpu: usize, physical: u64, stored: Option<u64>) {
        let site = Site {
            pc: KERNEL_CODE,
            access: Access::Plain,
            is_ordered: false,
            role: Role::Unknown,
            drops_reference: false,
            takes_frame: TakesFrame::No,
        };
        let memory = Memory {
            address: physical + DEVICES,
            physical: Some(physical),
            size: 4,
            stored: stored.map(|value| Value::Words([value, 0])),
            loaded: 0,
        };
        self.machine.device_access(cpu, &site, &memory);
    }

    /// An access of processor 2, whose MMU is off.
    pub fn access_uncached(&mut self, access: Access, physical: u64, stored: Option<u64>) {
        let site = Site {
            pc: BASE,
            access,
            is_ordered: access == Access::Ordered,
            role: Role::Unknown,
            drops_reference: false,
            takes_frame: TakesFrame::No,
        };
        let memory = Memory {
            address: physical,
            physical: Some(physical),
            size: 8,
            stored: stored.map(|value| Value::Words([value, 0])),
            loaded: 0,
        };
        self.machine.memory(2, &site, &memory);
    }

    /// The kernel on processor 0 stores to RAM.
    pub fn store(&mut self, physical: u64, value: u64) {
        self.access(
            0,
            KERNEL_CODE,
            Access::Plain,
            physical - BASE + KERNEL,
            Some(value),
        );
    }

    pub fn load_as_program(&mut self, cpu: usize) {
        self.access(cpu, CODE, Access::Plain, ADDRESS, None);
    }

    pub fn store_as_program(&mut self, cpu: usize) {
        self.access(cpu, CODE, Access::Plain, ADDRESS, Some(1));
    }

    /// What is said so far is all that was expected: these rules, and no other.
    pub fn expect(&self, rules: &[&str]) {
        let report = &self.machine.report;
        for rule in rules {
            assert!(report.count(rule) > 0, "{rule} was not noticed");
        }
        let expected: u64 = rules.iter().map(|rule| report.count(rule)).sum();
        assert_eq!(report.total(), expected, "something else than {rules:?}");
    }
}
