//! What lies on the stack of a handler: `struct rt_sigframe` of `arch/arm64/kernel/signal.c`, made of `asm/ucontext.h`
//! and `asm/sigcontext.h`. The handler gets x1 = address of [`SigInfo`], x2 = address of [`UContext`]; SP points to the
//! frame. Behind it Linux lays a frame record (x29, x30) for unwinders.

use super::{SigInfo, SigSet, StackT};
use core::mem::offset_of;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Marks the record of FP and vector registers.
pub const FPSIMD_MAGIC: u32 = 0x4650_8001;
/// Marks the record of the exception syndrome.
pub const ESR_MAGIC: u32 = 0x4553_5201;
/// Marks the record that says where further records lie.
pub const EXTRA_MAGIC: u32 = 0x4558_5401;

/// The head of each record in [`SigContext::reserved`]. The last record is all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecordHead {
    /// What it is.
    pub magic: u32,
    /// Its length, head included, a multiple of 16.
    pub size: u32,
}

/// FP and vector registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FpsimdContext {
    /// `FPSIMD_MAGIC`, 528.
    pub head: RecordHead,
    /// FPSR.
    pub fpsr: u32,
    /// FPCR.
    pub fpcr: u32,
    /// V0 to V31.
    pub vregs: [u128; 32],
}
const _: () = assert!(size_of::<FpsimdContext>() == 0x210);

impl FpsimdContext {
    /// The head of such a record.
    pub const HEAD: RecordHead = RecordHead {
        magic: FPSIMD_MAGIC,
        size: size_of::<FpsimdContext>() as u32,
    };
}

/// ESR_EL1 of the exception behind the signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EsrContext {
    /// `ESR_MAGIC`, 16.
    pub head: RecordHead,
    /// ESR_EL1.
    pub esr: u64,
}
const _: () = assert!(size_of::<EsrContext>() == 0x10);

/// The interrupted registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct SigContext {
    /// FAR_EL1 of the fault behind the signal, else 0.
    pub fault_address: u64,
    /// x0 to x30.
    pub regs: [u64; 31],
    /// Stack pointer.
    pub sp: u64,
    /// Program counter.
    pub pc: u64,
    /// SPSR_EL1.
    pub pstate: u64,
    /// Aligns what follows.
    pub pad: u64,
    /// Records, ended by one that is all zero.
    pub reserved: [u8; 4096],
}
const _: () = assert!(size_of::<SigContext>() == 4384);
const _: () = assert!(offset_of!(SigContext, pc) == 264 && offset_of!(SigContext, reserved) == 288);

impl Default for SigContext {
    fn default() -> SigContext {
        SigContext::new_zeroed()
    }
}

/// Why a list of records is none that sigreturn(2) accepts, or cannot be judged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordsError {
    /// Linux ends the process by SIGSEGV.
    Bad,
    /// It goes on behind the bytes that were given.
    Short,
}

/// Bytes of [`SigContext::reserved`].
const RECORDS: usize = 4096;

/// Where the record of FP registers begins in a list of records that the program may have changed. `records` is the start of
/// [`SigContext::reserved`], or all of it. The list must be whole, end by a record that is all zero, and hold that record once
/// (`parse_user_sigframe` of Linux). Records that say where further ones lie are not accepted: nothing here writes them.
///
/// # Errors
/// The list is not like that.
pub fn find_fpsimd(records: &[u8]) -> Result<usize, RecordsError> {
    let missing = if records.len() < RECORDS {
        RecordsError::Short
    } else {
        RecordsError::Bad
    };
    let (mut at, mut found) = (0, None);
    loop {
        let rest = records.get(at..).ok_or(missing)?;
        let (head, _) = RecordHead::read_from_prefix(rest).map_err(|_| missing)?;
        let size = head.size as usize;
        match head.magic {
            0 if size == 0 => return found.ok_or(RecordsError::Bad),
            FPSIMD_MAGIC if found.is_none() && size == size_of::<FpsimdContext>() => found = Some(at),
            ESR_MAGIC if size >= size_of::<RecordHead>() => {}
            _ => return Err(RecordsError::Bad),
        }
        at += size;
        if at > RECORDS - size_of::<RecordHead>() || !at.is_multiple_of(16) {
            return Err(RecordsError::Bad);
        }
    }
}

/// The context that sigreturn(2) restores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct UContext {
    /// Zero.
    pub flags: u64,
    /// Zero.
    pub link: u64,
    /// The alternate stack.
    pub stack: StackT,
    /// The mask to restore.
    pub sigmask: SigSet,
    /// Room for glibc's 1024-bit set, and alignment of what follows.
    pub unused: [u8; 128],
    /// The interrupted registers.
    pub mcontext: SigContext,
}
const _: () = assert!(size_of::<UContext>() == 4560);
const _: () = assert!(offset_of!(UContext, sigmask) == 40 && offset_of!(UContext, mcontext) == 176);

impl Default for UContext {
    fn default() -> UContext {
        UContext::new_zeroed()
    }
}

/// The whole frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct RtSigFrame {
    /// What the handler is told.
    pub info: SigInfo,
    /// What sigreturn restores.
    pub ucontext: UContext,
}
const _: () = assert!(size_of::<RtSigFrame>() == 4688);
const _: () = assert!(offset_of!(RtSigFrame, ucontext) == 128);

/// The part of an [`RtSigFrame`] that is written: no further records follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct WrittenFrame {
    /// [`RtSigFrame::info`].
    pub info: SigInfo,
    /// [`UContext::flags`].
    pub flags: u64,
    /// [`UContext::link`].
    pub link: u64,
    /// [`UContext::stack`].
    pub stack: StackT,
    /// [`UContext::sigmask`].
    pub sigmask: SigSet,
    /// [`UContext::unused`].
    pub unused: [u8; 128],
    /// [`SigContext::fault_address`].
    pub fault_address: u64,
    /// [`SigContext::regs`].
    pub regs: [u64; 31],
    /// [`SigContext::sp`].
    pub sp: u64,
    /// [`SigContext::pc`].
    pub pc: u64,
    /// [`SigContext::pstate`].
    pub pstate: u64,
    /// [`SigContext::pad`].
    pub pad: u64,
    /// The first record.
    pub fpsimd: FpsimdContext,
    /// The second, if the signal is about a fault; else the end of the list.
    pub esr: EsrContext,
    /// The end of a list of two.
    pub end: [u64; 2],
}
const _: () = assert!(offset_of!(WrittenFrame, fault_address) == 128 + 176);
const _: () = assert!(offset_of!(WrittenFrame, fpsimd) == WrittenFrame::RECORDS_AT);
const _: () = assert!(size_of::<WrittenFrame>() == WrittenFrame::RECORDS_AT + 0x210 + 32);

impl WrittenFrame {
    /// Where [`SigContext::reserved`] lies in a frame.
    pub const RECORDS_AT: usize = 128 + 176 + 288;

    /// A record of the syndrome.
    pub fn set_syndrome(&mut self, esr: u64) {
        let head = RecordHead {
            magic: ESR_MAGIC,
            size: size_of::<EsrContext>() as u32,
        };
        self.esr = EsrContext { head, esr };
    }

    /// What of it must be written: the list ends behind the first record or the second.
    pub fn used(&self) -> &[u8] {
        let has_second = self.esr.head.magic != 0;
        let len = size_of::<WrittenFrame>() - if has_second { 0 } else { size_of::<EsrContext>() };
        &self.as_bytes()[..len]
    }
}

/// The frame record (x29, x30) above [`RtSigFrame`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FrameRecord {
    /// x29 of the interrupted code.
    pub fp: u64,
    /// x30 of the interrupted code.
    pub lr: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(records: &mut [u8], at: usize, magic: u32, size: u32) {
        records[at..at + 4].copy_from_slice(&magic.to_le_bytes());
        records[at + 4..at + 8].copy_from_slice(&size.to_le_bytes());
    }

    #[test]
    fn the_fp_registers_are_found_wherever_they_are() {
        let mut records = [0; RECORDS];
        put(&mut records, 0, FPSIMD_MAGIC, 0x210);
        put(&mut records, 0x210, ESR_MAGIC, 16);
        assert_eq!(find_fpsimd(&records), Ok(0));
        assert_eq!(find_fpsimd(&records[..0x220]), Err(RecordsError::Short));
        assert_eq!(find_fpsimd(&records[..0x230]), Ok(0));
        let mut records = [0; RECORDS];
        put(&mut records, 0, ESR_MAGIC, 48);
        put(&mut records, 48, FPSIMD_MAGIC, 0x210);
        assert_eq!(find_fpsimd(&records), Ok(48));
    }

    #[test]
    fn a_list_that_was_tampered_with_is_bad() {
        let is_bad = |edit: &dyn Fn(&mut [u8; RECORDS])| {
            let mut records = [0; RECORDS];
            put(&mut records, 0, FPSIMD_MAGIC, 0x210);
            edit(&mut records);
            find_fpsimd(&records) == Err(RecordsError::Bad)
        };
        assert!(is_bad(&|records| records[0] = 0), "no end");
        assert!(is_bad(&|records| records[..16].fill(0)), "missing");
        assert!(
            is_bad(&|records| put(records, 0x210, FPSIMD_MAGIC, 0x210)),
            "twice"
        );
        assert!(
            is_bad(&|records| put(records, 0x210, 0, 16)),
            "an end with a size"
        );
        assert!(is_bad(&|records| put(records, 0x210, 0x1234_5678, 16)), "unknown");
        for size in [0, 4, 8, 24, 4096, 4080, u32::MAX] {
            assert!(
                is_bad(&|records| put(records, 0x210, ESR_MAGIC, size)),
                "size {size}"
            );
        }
    }
}
