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
    /// A record of those registers.
    pub fn new(vregs: [u128; 32], fpsr: u32, fpcr: u32) -> FpsimdContext {
        let head = RecordHead {
            magic: FPSIMD_MAGIC,
            size: size_of::<FpsimdContext>() as u32,
        };
        FpsimdContext {
            head,
            fpsr,
            fpcr,
            vregs,
        }
    }
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

impl SigContext {
    /// Lays down the records: FP registers, the syndrome if the signal is about a fault, the end.
    pub fn set_records(&mut self, fpsimd: &FpsimdContext, esr: Option<u64>) {
        let (first, rest) = self.reserved.split_at_mut(size_of::<FpsimdContext>());
        first.copy_from_slice(fpsimd.as_bytes());
        rest.fill(0);
        if let Some(esr) = esr {
            let head = RecordHead {
                magic: ESR_MAGIC,
                size: size_of::<EsrContext>() as u32,
            };
            rest[..size_of::<EsrContext>()].copy_from_slice(EsrContext { head, esr }.as_bytes());
        }
    }

    /// The record of FP registers, from a frame that the program may have changed. `None` if there is no whole record
    /// before the end: Linux then ends the process by SIGSEGV.
    pub fn fpsimd(&self) -> Option<FpsimdContext> {
        let mut rest = &self.reserved[..];
        loop {
            let (head, _) = RecordHead::read_from_prefix(rest).ok()?;
            let size = head.size as usize;
            if head.magic == FPSIMD_MAGIC && size == size_of::<FpsimdContext>() {
                return FpsimdContext::read_from_prefix(rest)
                    .ok()
                    .map(|(record, _)| record);
            }
            if head.magic == 0 || size < size_of::<RecordHead>() || !size.is_multiple_of(16) {
                return None;
            }
            rest = rest.get(size..)?;
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

    #[test]
    fn fp_registers_come_back_from_the_records() {
        let mut context = SigContext::default();
        assert_eq!(context.fpsimd(), None, "an empty list has none");
        let record = FpsimdContext::new(core::array::from_fn(|i| i as u128 * 3), 1, 2);
        context.set_records(&record, Some(0x9200_0047));
        assert_eq!(context.fpsimd(), Some(record));
        assert_eq!(context.reserved[0x210..0x218], *b"\x01\x52\x53\x45\x10\0\0\0");
    }

    #[test]
    fn a_forged_list_of_records_ends() {
        let mut context = SigContext::default();
        for size in [0u32, 8, 15, 16, 4096, 4080, u32::MAX] {
            context.reserved[..4].copy_from_slice(&ESR_MAGIC.to_le_bytes());
            context.reserved[4..8].copy_from_slice(&size.to_le_bytes());
            assert_eq!(context.fpsimd(), None);
        }
    }
}
