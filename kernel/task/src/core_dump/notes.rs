//! The notes of a core: what the process was, why it ended, its threads' registers (`linux/elfcore.h`, `asm/elf.h`).

use super::Bytes;
use super::registers::Registers;
use super::segments::Segments;
use crate::process::Process;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::signal::SigInfo;
use abi::zerocopy::IntoBytes;
use alloc::vec::Vec;
use platform::timer;
use platform::user::UserContext;

const NT_PRSTATUS: u32 = 1;
const NT_PRFPREG: u32 = 2;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_SIGINFO: u32 = 0x5349_4749;
const NT_FILE: u32 = 0x4649_4c45;
const NT_ARM_TLS: u32 = 0x401;

/// Bytes of the arguments in `NT_PRPSINFO` (`ELF_PRARGSZ`).
const ARGUMENTS: usize = 80;

/// All notes: those of the thread that took the signal first, then those of the others.
///
/// # Errors
/// `ENOMEM`.
#[inline(never)]
pub(super) fn collect(
    thread: &Thread,
    context: &UserContext,
    info: &SigInfo,
    others: &[Registers],
    segments: &Segments,
) -> Result<Vec<u8>, Errno> {
    let process = thread.process();
    let own = Registers::of_running(thread, context);
    let mut notes = Bytes::default();
    notes.note(b"CORE\0", NT_PRSTATUS, &status(process, &own, info)?.0)?;
    notes.note(b"CORE\0", NT_PRPSINFO, &description(process)?.0)?;
    notes.note(b"CORE\0", NT_SIGINFO, info.as_bytes())?;
    notes.note(b"CORE\0", NT_AUXV, &auxiliary_vector(process)?)?;
    if segments.has_short_names() {
        notes.note(b"CORE\0", NT_FILE, &files(segments)?.0)?;
    }
    further_registers(&mut notes, &own)?;
    for other in others {
        notes.note(b"CORE\0", NT_PRSTATUS, &status(process, other, info)?.0)?;
        further_registers(&mut notes, other)?;
    }
    Ok(notes.0)
}

impl Bytes {
    /// One note; name and contents are padded to words.
    fn note(&mut self, name: &[u8], kind: u32, contents: &[u8]) -> Result<(), Errno> {
        self.words32(&[name.len() as u32, contents.len() as u32, kind])?;
        self.put(name)?;
        self.pad(4)?;
        self.put(contents)?;
        self.pad(4)
    }
}

fn further_registers(notes: &mut Bytes, registers: &Registers) -> Result<(), Errno> {
    let mut floating = Bytes::default();
    floating.put(registers.vectors.as_bytes())?;
    floating.words32(&registers.floating)?;
    floating.pad(16)?;
    notes.note(b"CORE\0", NT_PRFPREG, &floating.0)?;
    notes.note(b"LINUX\0", NT_ARM_TLS, &registers.tpidr.to_le_bytes())
}

/// `struct elf_prstatus`.
fn status(process: &Process, registers: &Registers, info: &SigInfo) -> Result<Bytes, Errno> {
    let mut status = Bytes::default();
    // Signal, code and error: Linux tells the first only, the rest is in `NT_SIGINFO`.
    status.words32(&[info.signo as u32, 0, 0])?;
    status.words32(&[info.signo as u32])?;
    status.words64(&registers.signals)?;
    status.words32(&[
        registers.tid,
        process.parent(),
        process.group(),
        process.session(),
    ])?;
    for totals in [process.own_totals(), process.children_totals()] {
        for ticks in [totals.user, totals.system] {
            let micros = timer::ticks_to_nanos(ticks) / 1000;
            status.words64(&[micros / 1_000_000, micros % 1_000_000])?;
        }
    }
    status.words64(&registers.general.x)?;
    let UserContext { sp, pc, pstate, .. } = registers.general;
    status.words64(&[sp, pc, pstate.flags()])?;
    status.words32(&[1, 0])?;
    Ok(status)
}

/// `struct elf_prpsinfo`.
fn description(process: &Process) -> Result<Bytes, Errno> {
    let ids = process.credentials();
    let mut about = Bytes::default();
    about.put(&[0, b'R', 0, 0])?;
    about.pad(8)?;
    about.words64(&[0])?;
    about.words32(&[ids.uid, ids.gid])?;
    about.words32(&[process.pid, process.parent(), process.group(), process.session()])?;
    about.put(process.name().padded())?;
    about.put(&arguments(process))?;
    Ok(about)
}

/// The first arguments, with blanks between them.
fn arguments(process: &Process) -> [u8; ARGUMENTS] {
    let mut line = [0; ARGUMENTS];
    let Some(space) = process.space() else { return line };
    let (start, len) = space.strings.arguments();
    let len = len.min(ARGUMENTS - 1);
    let read = space.read(start, &mut line[..len]).unwrap_or(0);
    line[read..].fill(0);
    let end = line
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    let gaps = line[..end].iter_mut().filter(|byte| **byte == 0);
    gaps.for_each(|byte| *byte = b' ');
    line
}

fn auxiliary_vector(process: &Process) -> Result<Vec<u8>, Errno> {
    let space = process.space().ok_or(Errno::ESRCH)?;
    let (start, len) = space.strings.auxiliary();
    let mut words = memory::fallible::filled(len, 0u8)?;
    let read = space.read(start, &mut words).unwrap_or(0);
    words.truncate(read);
    Ok(words)
}

/// `NT_FILE`: how many, the page size, where each lies, their names.
fn files(segments: &Segments) -> Result<Bytes, Errno> {
    let mut files = Bytes::default();
    files.words64(&[segments.files.len() as u64, mm::PAGE_SIZE as u64])?;
    for place in &segments.files {
        files.words64(place)?;
    }
    files.put(&segments.names.0)?;
    Ok(files)
}
