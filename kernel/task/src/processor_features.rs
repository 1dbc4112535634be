//! What the processors can do that programs may use: AT_HWCAP and /proc/cpuinfo, from the ID registers
//! (`Documentation/arch/arm64/elf_hwcaps.rst`). Only what needs nothing of the kernel: no state that it would have to save, no
//! registers that it would have to emulate.

use abi::process::{
    HWCAP_AES, HWCAP_ASIMD, HWCAP_ASIMDDP, HWCAP_ASIMDFHM, HWCAP_ASIMDHP, HWCAP_ASIMDRDM, HWCAP_ATOMICS,
    HWCAP_CRC32, HWCAP_DCPOP, HWCAP_FCMA, HWCAP_FLAGM, HWCAP_FP, HWCAP_FPHP, HWCAP_ILRCPC, HWCAP_JSCVT,
    HWCAP_LRCPC, HWCAP_PMULL, HWCAP_SHA1, HWCAP_SHA2, HWCAP_SHA3, HWCAP_SHA512, HWCAP_SM3, HWCAP_SM4,
};
use platform::cpu::IdRegisters;
use spin::Once;

/// A feature, and where it is told.
pub struct Feature {
    /// Its bit in AT_HWCAP.
    bit: u64,
    /// Its name in /proc/cpuinfo.
    name: &'static str,
    register: fn(&IdRegisters) -> u64,
    shift: u32,
    /// The field's least value.
    least: u64,
}

const fn feature(
    bit: u64,
    name: &'static str,
    register: fn(&IdRegisters) -> u64,
    shift: u32,
    least: u64,
) -> Feature {
    Feature {
        bit,
        name,
        register,
        shift,
        least,
    }
}

/// A field of all ones: there is no such unit.
const ABSENT: u64 = 0xf;

static FEATURES: [Feature; 23] = [
    feature(HWCAP_FP, "fp", |id| id.features0, 16, 0),
    feature(HWCAP_ASIMD, "asimd", |id| id.features0, 20, 0),
    feature(HWCAP_AES, "aes", |id| id.instructions0, 4, 1),
    feature(HWCAP_PMULL, "pmull", |id| id.instructions0, 4, 2),
    feature(HWCAP_SHA1, "sha1", |id| id.instructions0, 8, 1),
    feature(HWCAP_SHA2, "sha2", |id| id.instructions0, 12, 1),
    feature(HWCAP_CRC32, "crc32", |id| id.instructions0, 16, 1),
    feature(HWCAP_ATOMICS, "atomics", |id| id.instructions0, 20, 2),
    feature(HWCAP_FPHP, "fphp", |id| id.features0, 16, 1),
    feature(HWCAP_ASIMDHP, "asimdhp", |id| id.features0, 20, 1),
    feature(HWCAP_ASIMDRDM, "asimdrdm", |id| id.instructions0, 28, 1),
    feature(HWCAP_JSCVT, "jscvt", |id| id.instructions1, 12, 1),
    feature(HWCAP_FCMA, "fcma", |id| id.instructions1, 16, 1),
    feature(HWCAP_LRCPC, "lrcpc", |id| id.instructions1, 20, 1),
    feature(HWCAP_DCPOP, "dcpop", |id| id.instructions1, 0, 1),
    feature(HWCAP_SHA3, "sha3", |id| id.instructions0, 32, 1),
    feature(HWCAP_SM3, "sm3", |id| id.instructions0, 36, 1),
    feature(HWCAP_SM4, "sm4", |id| id.instructions0, 40, 1),
    feature(HWCAP_ASIMDDP, "asimddp", |id| id.instructions0, 44, 1),
    feature(HWCAP_SHA512, "sha512", |id| id.instructions0, 12, 2),
    feature(HWCAP_ASIMDFHM, "asimdfhm", |id| id.instructions0, 48, 1),
    feature(HWCAP_ILRCPC, "ilrcpc", |id| id.instructions1, 20, 2),
    feature(HWCAP_FLAGM, "flagm", |id| id.instructions0, 52, 1),
];

impl Feature {
    fn is_in(&self, id: &IdRegisters) -> bool {
        let field = (self.register)(id) >> self.shift & 0xf;
        field != ABSENT && field >= self.least
    }
}

/// The names of what there is.
pub fn names() -> impl Iterator<Item = &'static str> {
    let id = platform::cpu::id_registers();
    FEATURES
        .iter()
        .filter(move |feature| feature.is_in(&id))
        .map(|feature| feature.name)
}

/// AT_HWCAP. The processors are alike: it is found out once.
pub fn bits() -> u64 {
    static BITS: Once<u64> = Once::new();
    *BITS.call_once(find_bits)
}

fn find_bits() -> u64 {
    let id = platform::cpu::id_registers();
    let present = FEATURES.iter().filter(|feature| feature.is_in(&id));
    present.fold(0, |bits, feature| bits | feature.bit)
}
