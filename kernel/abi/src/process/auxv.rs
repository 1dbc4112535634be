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
/// Auxiliary vector: bytes of `struct rseq` that the kernel knows.
pub const AT_RSEQ_FEATURE_SIZE: u64 = 27;
/// Auxiliary vector: how `struct rseq` is aligned.
pub const AT_RSEQ_ALIGN: u64 = 28;
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
/// Processor: half-precision floating point.
pub const HWCAP_FPHP: u64 = 1 << 9;
/// Processor: half-precision vectors.
pub const HWCAP_ASIMDHP: u64 = 1 << 10;
/// Processor: rounding multiply-add of vectors.
pub const HWCAP_ASIMDRDM: u64 = 1 << 12;
/// Processor: conversion as JavaScript has it.
pub const HWCAP_JSCVT: u64 = 1 << 13;
/// Processor: complex numbers.
pub const HWCAP_FCMA: u64 = 1 << 14;
/// Processor: loads with acquire-RCpc order.
pub const HWCAP_LRCPC: u64 = 1 << 15;
/// Processor: cleaning of caches to persistence.
pub const HWCAP_DCPOP: u64 = 1 << 16;
/// Processor: SHA-3 instructions.
pub const HWCAP_SHA3: u64 = 1 << 17;
/// Processor: SM3 instructions.
pub const HWCAP_SM3: u64 = 1 << 18;
/// Processor: SM4 instructions.
pub const HWCAP_SM4: u64 = 1 << 19;
/// Processor: dot products of vectors.
pub const HWCAP_ASIMDDP: u64 = 1 << 20;
/// Processor: SHA-512 instructions.
pub const HWCAP_SHA512: u64 = 1 << 21;
/// Processor: widening half-precision multiply-add.
pub const HWCAP_ASIMDFHM: u64 = 1 << 23;
/// Processor: loads with acquire-RCpc order and an offset.
pub const HWCAP_ILRCPC: u64 = 1 << 26;
/// Processor: flags that are set by instructions.
pub const HWCAP_FLAGM: u64 = 1 << 27;
