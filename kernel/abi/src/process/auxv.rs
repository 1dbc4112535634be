//! The auxiliary vector that execve(2) leaves on the stack: getauxval(3); `linux/auxvec.h`, `asm/hwcap.h`.

/// Auxiliary vector: end.
pub const AT_NULL: u64 = 0;
/// Auxiliary vector: address of the program headers.
pub const AT_PHDR: u64 = 3;
/// Auxiliary vector: size of a program header.
pub const AT_PHENT: u64 = 4;
/// Auxiliary vector: number of program headers.
pub const AT_PHNUM: u64 = 5;
/// Auxiliary vector: page size.
pub const AT_PAGESZ: u64 = 6;
/// Auxiliary vector: load address of the interpreter.
pub const AT_BASE: u64 = 7;
/// Auxiliary vector: flags, 0.
pub const AT_FLAGS: u64 = 8;
/// Auxiliary vector: entry point of the program.
pub const AT_ENTRY: u64 = 9;
/// Auxiliary vector: real user id.
pub const AT_UID: u64 = 11;
/// Auxiliary vector: effective user id.
pub const AT_EUID: u64 = 12;
/// Auxiliary vector: real group id.
pub const AT_GID: u64 = 13;
/// Auxiliary vector: effective group id.
pub const AT_EGID: u64 = 14;
/// Auxiliary vector: address of the name of the processor family, "aarch64".
pub const AT_PLATFORM: u64 = 15;
/// Auxiliary vector: `HWCAP_*`.
pub const AT_HWCAP: u64 = 16;
/// Auxiliary vector: clock ticks in a second.
pub const AT_CLKTCK: u64 = 17;
/// Auxiliary vector: 1 for a program with more rights than its caller.
pub const AT_SECURE: u64 = 23;
/// Auxiliary vector: address of 16 random bytes.
pub const AT_RANDOM: u64 = 25;
/// Auxiliary vector: `HWCAP2_*`.
pub const AT_HWCAP2: u64 = 26;
/// Auxiliary vector: address of the path given to execve.
pub const AT_EXECFN: u64 = 31;
/// Auxiliary vector: address of the vDSO.
pub const AT_SYSINFO_EHDR: u64 = 33;
/// Auxiliary vector: least stack that a signal needs.
pub const AT_MINSIGSTKSZ: u64 = 51;

/// Processor: floating point (`asm/hwcap.h`).
pub const HWCAP_FP: u64 = 1 << 0;
/// Processor: vectors.
pub const HWCAP_ASIMD: u64 = 1 << 1;
/// Processor: the timer sends events about every 100 microseconds.
pub const HWCAP_EVTSTRM: u64 = 1 << 2;
/// Processor: AES instructions.
pub const HWCAP_AES: u64 = 1 << 3;
/// Processor: polynomial multiplication.
pub const HWCAP_PMULL: u64 = 1 << 4;
/// Processor: SHA-1 instructions.
pub const HWCAP_SHA1: u64 = 1 << 5;
/// Processor: SHA-2 instructions.
pub const HWCAP_SHA2: u64 = 1 << 6;
/// Processor: CRC-32 instructions.
pub const HWCAP_CRC32: u64 = 1 << 7;
/// Processor: atomic instructions (FEAT_LSE).
pub const HWCAP_ATOMICS: u64 = 1 << 8;
/// Processor: ID registers may be read at EL0.
pub const HWCAP_CPUID: u64 = 1 << 11;
