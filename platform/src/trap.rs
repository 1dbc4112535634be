//! Why a program at EL0 stopped, decoded from ESR_EL1 and FAR_EL1 (Arm ARM D24.2.40, "ESR_EL1").

use crate::arch;
use mm::{Access, VirtAddr};
use tock_registers::{LocalRegisterCopy, register_bitfields};

register_bitfields! { u64,
    /// The syndrome: exception class, and the fields of the classes that are told apart here.
    pub(crate) Syndrome [
        /// Exception class.
        CLASS OFFSET(26) NUMBITS(6) [
            Unknown = 0x00,
            TrappedWfx = 0x01,
            FpTrapped = 0x07,
            IllegalState = 0x0e,
            Svc64 = 0x15,
            TrappedSystemRegister = 0x18,
            InstructionAbortUser = 0x20,
            InstructionAbortKernel = 0x21,
            PcAlignment = 0x22,
            DataAbortUser = 0x24,
            DataAbortKernel = 0x25,
            SpAlignment = 0x26,
            FloatingPoint = 0x2c,
            SystemError = 0x2f,
            BreakpointUser = 0x30,
            SingleStepUser = 0x32,
            WatchpointUser = 0x34,
            Brk64 = 0x3c
        ],
        /// Aborts: FAR is not valid.
        FAR_NOT_VALID OFFSET(10) NUMBITS(1) [],
        /// Data aborts: the access was cache maintenance or an address translation instruction.
        CACHE_MAINTENANCE OFFSET(8) NUMBITS(1) [],
        /// Data aborts: write, not read.
        WRITE_NOT_READ OFFSET(6) NUMBITS(1) [],
        /// Aborts: what went wrong (DFSC, IFSC).
        FAULT_STATUS OFFSET(0) NUMBITS(6) []
    ]
}

/// A syndrome value.
pub(crate) type SyndromeValue = LocalRegisterCopy<u64, Syndrome::Register>;

/// What `user::run` came back with. The most frequent cause is told apart from the others before those are decoded.
#[must_use]
pub struct Exception(u64);

impl Exception {
    /// From what the vectors returned.
    #[inline(always)]
    pub(crate) fn from_vector(word: u64) -> Exception {
        Exception(word)
    }

    /// An interrupt is pending.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn interrupt() -> Exception {
        Exception(INTERRUPT)
    }

    /// SVC: number and arguments are in the registers, pc is behind it. (No class has the marks of [`INTERRUPT`] and
    /// [`SYSTEM_ERROR`].)
    #[inline(always)]
    pub fn is_system_call(&self) -> bool {
        self.0 >> Syndrome::CLASS.shift == Syndrome::CLASS::Svc64.value >> Syndrome::CLASS.shift
    }

    /// The cause, of one that is no system call. Nothing may have been done since that takes an exception: FAR_EL1 is read.
    #[inline(always)]
    pub fn decode(self) -> Trap {
        // The most frequent first: one comparison tells it from all others, marks included, and leaves nothing of the class to decode.
        // The field alone is compared: were it the same shifted word as in `is_system_call`, the compiler would make one switch of
        // both, and ask for this class before that of the calls.
        if SyndromeValue::new(self.0).matches_all(Syndrome::CLASS::DataAbortUser) {
            Trap::Abort(Abort::from_syndrome(self.0))
        } else if self.0 == INTERRUPT {
            Trap::Interrupt
        } else {
            Trap::from_syndrome(self.0)
        }
    }
}

/// Why a program stopped that made no system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// An interrupt is pending: `interrupt::take`.
    Interrupt,
    /// Memory could not be used as the program wanted to.
    Abort(Abort),
    /// WFI or WFE that would wait; pc is at it.
    WaitForEvent,
    /// No instruction of this processor, or one that EL0 may not use.
    IllegalInstruction,
    /// FP or SIMD, which the program has not used before; pc is at the instruction. See `user::open_vectors`.
    ClosedVectors,
    /// A system register, or an instruction of that form, that EL0 may not use.
    TrappedRegister {
        /// The syndrome, which says which: `board::Counter::decode`.
        esr: u64,
    },
    /// pc is not a multiple of four.
    PcAlignment,
    /// sp was used and is not a multiple of sixteen.
    SpAlignment,
    /// BRK, or a hardware breakpoint or watchpoint.
    Breakpoint,
    /// A software step is done.
    SingleStep,
    /// A floating-point exception (only where the processor can trap them).
    FloatingPoint,
    /// SError: the system reports an error that cannot be tied to an instruction.
    SystemError {
        /// The syndrome.
        esr: u64,
    },
    /// Any other cause.
    Unknown {
        /// The syndrome.
        esr: u64,
    },
}

/// An access that the MMU or the memory system refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abort {
    /// The faulting byte, with the tag byte of a user address. For causes that do not say (FAR not valid): 0.
    pub address: VirtAddr,
    /// How it was to be used. Cache maintenance counts as a read, for it needs no more.
    pub access: Access,
    /// What was wrong.
    pub cause: AbortCause,
    /// The syndrome (ESR_EL1); 0 for an abort that was foreseen, not taken.
    pub syndrome: u64,
}

/// What was wrong with an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AbortCause {
    /// No valid descriptor.
    Translation,
    /// The descriptors do not allow it.
    Permission,
    /// AF is 0 (never in our tables).
    AccessFlag,
    /// The address is not a multiple of what the access needs.
    Alignment,
    /// A descriptor points beyond the physical addresses.
    AddressSize,
    /// The memory system refused.
    External,
    /// Another fault status code.
    Other(u8),
}

/// Whether an abort of the kernel may be one that was true a moment ago only: a translation fault on an address of the kernel's
/// half. Without FEAT_ETS a processor may take one on a page that another has mapped, and published by DSB, as long as it was not
/// synchronised itself since (Arm ARM B2.3.10; Linux, `is_spurious_el1_translation_fault`): a new stack, switched to without an
/// ISB. Whether it is one, the MMU says, which taking the exception has synchronised.
pub(crate) fn may_be_spurious(esr: u64, far: u64) -> bool {
    let syndrome = SyndromeValue::new(esr);
    let is_kernel_abort = syndrome.matches_any(&[
        Syndrome::CLASS::DataAbortKernel,
        Syndrome::CLASS::InstructionAbortKernel,
    ]);
    is_kernel_abort
        && !syndrome.is_set(Syndrome::FAR_NOT_VALID)
        && Abort::decode(esr, far).cause == AbortCause::Translation
        && !VirtAddr(far).is_user()
}

impl AbortCause {
    /// Decodes DFSC or IFSC (Arm ARM D24.2.40, "ISS encoding for an exception from a Data Abort").
    pub(crate) const fn from_fault_status(status: u8) -> AbortCause {
        // The lower two bits are the level, of those that have one.
        match (status >> 2, status) {
            (0b0001, _) => AbortCause::Translation,
            (0b0011, _) => AbortCause::Permission,
            (0b0000, _) => AbortCause::AddressSize,
            (0b0010, _) => AbortCause::AccessFlag,
            (0b0101, _) | (_, 0x10) => AbortCause::External,
            (_, 0x21) => AbortCause::Alignment,
            (_, other) => AbortCause::Other(other),
        }
    }
}

impl Abort {
    /// Decodes an instruction or data abort that was just taken. FAR_EL1 must still be its own: no exception in between.
    #[inline(always)]
    pub(crate) fn from_syndrome(esr: u64) -> Abort {
        Abort::decode(esr, arch::fault_address())
    }

    /// The syndrome as a program may see it: of an access to the kernel's half it learns no more than that it failed, as if
    /// nothing were mapped there (`set_thread_esr` of Linux).
    pub fn shown_syndrome(&self) -> u64 {
        /// Class, instruction length, cache maintenance, write.
        const HARMLESS: u64 = 0xfe00_0000 | 1 << 8 | 1 << 6;
        /// Translation fault, level 0.
        const NOT_MAPPED: u64 = 0x4;
        if self.address.0 >> 55 & 1 == 0 {
            return self.syndrome;
        }
        self.syndrome & HARMLESS | NOT_MAPPED
    }

    /// Decodes the two registers of an abort.
    #[inline(always)]
    pub(crate) fn decode(esr: u64, far: u64) -> Abort {
        let syndrome = SyndromeValue::new(esr);
        let address = if syndrome.is_set(Syndrome::FAR_NOT_VALID) {
            0
        } else {
            far
        };
        let is_fetch = syndrome.matches_any(&[
            Syndrome::CLASS::InstructionAbortUser,
            Syndrome::CLASS::InstructionAbortKernel,
        ]);
        let is_write =
            syndrome.is_set(Syndrome::WRITE_NOT_READ) && !syndrome.is_set(Syndrome::CACHE_MAINTENANCE);
        let access = match (is_fetch, is_write) {
            (true, _) => Access::Execute,
            (false, true) => Access::Write,
            (false, false) => Access::Read,
        };
        let cause = AbortCause::from_fault_status(syndrome.read(Syndrome::FAULT_STATUS) as u8);
        Abort {
            address: VirtAddr(address),
            access,
            cause,
            syndrome: esr,
        }
    }
}

/// What an abort with that syndrome (ESR_EL1) was for.
pub fn access_of(syndrome: u64) -> Access {
    Abort::decode(syndrome, 0).access
}

/// What the vectors put in place of a syndrome for IRQ and FIQ, and the bit that they add for SError (arch/vectors.s).
const INTERRUPT: u64 = u64::MAX;
const SYSTEM_ERROR: u64 = 1 << 63;

impl Trap {
    #[inline(always)]
    fn from_syndrome(word: u64) -> Trap {
        if word & SYSTEM_ERROR != 0 {
            return Trap::SystemError {
                esr: word & !SYSTEM_ERROR,
            };
        }
        use Syndrome::CLASS::Value as Class;
        match SyndromeValue::new(word).read_as_enum(Syndrome::CLASS) {
            Some(Class::DataAbortUser | Class::InstructionAbortUser) => {
                Trap::Abort(Abort::from_syndrome(word))
            }
            Some(Class::Unknown | Class::IllegalState) => Trap::IllegalInstruction,
            Some(Class::TrappedWfx) => Trap::WaitForEvent,
            Some(Class::FpTrapped) => Trap::ClosedVectors,
            Some(Class::TrappedSystemRegister) => Trap::TrappedRegister { esr: word },
            Some(Class::PcAlignment) => Trap::PcAlignment,
            Some(Class::SpAlignment) => Trap::SpAlignment,
            Some(Class::Brk64 | Class::BreakpointUser | Class::WatchpointUser) => Trap::Breakpoint,
            Some(Class::SingleStepUser) => Trap::SingleStep,
            Some(Class::FloatingPoint) => Trap::FloatingPoint,
            _ => Trap::Unknown { esr: word },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_spurious;

    const KERNEL: u64 = 0xffff_ff80_0001_7ff0;
    const USER: u64 = 0x0000_0000_0040_1000;
    const LENGTH: u64 = 1 << 25;

    fn abort(class: u64, status: u64) -> u64 {
        class << 26 | LENGTH | status
    }

    #[test]
    fn a_translation_fault_of_the_kernel_on_its_own_half_is_looked_at_again() {
        for level in 4..8 {
            assert!(may_be_spurious(abort(0x25, level), KERNEL), "load, level {level}");
            assert!(
                may_be_spurious(abort(0x25, level | 1 << 6), KERNEL),
                "store, level {level}"
            );
            assert!(
                may_be_spurious(abort(0x21, level), KERNEL),
                "fetch, level {level}"
            );
        }
    }

    #[test]
    fn nothing_else_is() {
        assert!(!may_be_spurious(abort(0x25, 7), USER), "memory of a program");
        assert!(!may_be_spurious(abort(0x25, 0xf), KERNEL), "permission");
        assert!(!may_be_spurious(abort(0x25, 0x21), KERNEL), "alignment");
        assert!(!may_be_spurious(abort(0x25, 0x10), KERNEL), "external");
        assert!(!may_be_spurious(abort(0x24, 7), KERNEL), "a program's");
        assert!(!may_be_spurious(abort(0x20, 7), KERNEL), "a program's fetch");
        assert!(!may_be_spurious(abort(0x25, 7 | 1 << 10), KERNEL), "no address");
        assert!(!may_be_spurious(abort(0x3c, 7), KERNEL), "BRK");
    }
}
