//! Q1 and Q14: faults that the kernel serves, and faults that are the program's own.

use alloc::format;
use alloc::string::String;

use super::sibling::{Fault, Sibling, fault_of};
use super::story::{Story, faults, minor_faults};
use crate::compressed::CompressedDisk;
use crate::pages::{self, Translation};
use crate::runtime::Result;
use crate::runtime::file::{self, File};
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use abi::file::{AtFlags, OpenFlags};
use abi::memory::ProtFlags;
use abi::signal::Signal;
use abi::signal::info::{BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR};

/// How the faults are named in signal handlers.
fn name(fault: Option<Fault>) -> String {
    let Some(fault) = fault else {
        return "no signal".into();
    };
    let signal = Signal::new(fault.signal).map_or("?", Signal::name);
    let code = match (fault.signal as u8, fault.code) {
        (11, SEGV_MAPERR) => "SEGV_MAPERR",
        (11, SEGV_ACCERR) => "SEGV_ACCERR",
        (7, BUS_ADRERR) => "BUS_ADRERR",
        _ => "another code",
    };
    format!("{signal}, {code}, at {:#x}", fault.address)
}

fn is_fault(fault: Option<Fault>, signal: Signal, code: i32, address: usize) -> bool {
    fault
        == Some(Fault {
            signal: u64::from(signal.number()),
            code,
            address: address as u64,
        })
}

/// Q1
pub fn why_no_signal(story: &mut Story) -> Result<()> {
    story.say(
        "Two truths about a page: the area (what mmap promised) and the descriptor (what the MMU obeys). After fork \
         the area still says writable, the descriptors say read-only: one on the path down to the page is enough.",
    );
    let memory = Mapping::anonymous(2 * PAGE, Sharing::Private)?;
    memory.store(0, 1);
    memory.store(PAGE, 1);
    let child = Sibling::start(&mut |_| Ok(0))?;
    let address = memory.page_address(0);
    let rights = pages::area_of(address)
        .map(|area| area.rights)
        .unwrap_or_default();
    story.row(&format!("area of {address:#x}: {rights}"));
    story.check(rights.starts_with("rw"), "the area says: readable and writable");
    show_descriptor(story, address, "after fork");
    let is_read_only = Translation::of("self")
        .ok()
        .map(|tables| tables.walk(address).iter().any(pages::Entry::is_read_only));
    story.check_if_known(is_read_only, "the descriptors on the path say: read-only");

    let faults = minor_faults(|| memory.store(0, 2))?;
    story.say(
        "The store faults. The kernel looks at the area: it allows the store, so the page is copied (another process \
         has it too), the descriptor made writable, and the store runs again. The program sees nothing.",
    );
    story.row(&format!(
        "minor faults of the store: {faults}, value now {}",
        memory.load(0)
    ));
    show_descriptor(story, address, "after the store");
    story.check(faults == 1, "one minor fault, served by the kernel");
    story.check(memory.load(0) == 2, "the store has happened");
    let is_writable = Translation::of("self")
        .ok()
        .map(|tables| !tables.walk(address).iter().any(pages::Entry::is_read_only));
    story.check_if_known(is_writable, "now the descriptors allow stores");
    child.end()?;

    story
        .say("Beside it, a store that really is not allowed: the second page is made read-only by mprotect.");
    memory.protect(1, 1, ProtFlags::PROT_READ)?;
    let fault = fault_of(|| memory.store(PAGE, 2))?;
    story.row(&format!("a child that tried: {}", name(fault)));
    let address = memory.page_address(1);
    story.check(
        is_fault(fault, Signal::SIGSEGV, SEGV_ACCERR, address),
        "SIGSEGV: here the area itself forbids it",
    );
    story.check(memory.load(PAGE) == 1, "and the page is as it was");
    Ok(())
}

/// The last descriptor of the walk and what it allows, where the kernel shows it.
fn show_descriptor(story: &Story, address: usize, when: &str) {
    let Ok(tables) = Translation::of("self") else {
        return;
    };
    for entry in tables.walk(address) {
        let what = match (entry.level, entry.is_read_only()) {
            (3, true) => "AP[2]=1: read-only",
            (3, false) => "AP[2]=0: writable",
            (_, true) => "APTable[1]=1: read-only below",
            (_, false) => "APTable[1]=0",
        };
        story.row(&format!(
            "{when}: L{} {:016x}  {what}",
            entry.level, entry.descriptor
        ));
    }
}

/// A file of one page and a bit.
fn small_file() -> Result<File> {
    let path = "/tmp/.cow-q14";
    let file = File::open(
        path,
        OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC,
        0o600,
    )?;
    file::unlink(path, AtFlags::empty())?;
    file.write(&[b'x'; 100])?;
    Ok(file)
}

/// A page of a file that has to be read first: of a disk in memory, which forgets what it has cached.
fn not_yet_read(story: &mut Story) -> Result<()> {
    let Some(disk) = CompressedDisk::take(16 * PAGE) else {
        story.not_here("a page that is still on a disk wants /dev/zram0, unused");
        return Ok(());
    };
    story.say("A page of a file that is still on a disk is read first. Such a fault is called major, and counted apart:");
    let file = disk.open()?;
    file.write(&[b'x'; PAGE])?;
    file.flush_buffers()?;
    let mapped = Mapping::file(&file, 0, PAGE, ProtFlags::PROT_READ, Sharing::Shared)?;
    let (minor, major) = faults(|| mapped.touch(0))?;
    story.row(&format!(
        "first load of a page of /dev/zram0: {minor} minor, {major} major"
    ));
    let is_right = mapped.load(0) == u64::from_le_bytes([b'x'; 8]);
    story.check(is_right && major == 1, "one major fault, and what the disk holds");
    Ok(())
}

/// Q14
pub fn which_faults(story: &mut Story) -> Result<()> {
    story.say("Faults that the kernel serves, and the program never sees but in its count of minor faults:");
    let memory = Mapping::anonymous(4 * PAGE, Sharing::Private)?;
    let first_read = minor_faults(|| memory.touch(0))?;
    let write_after_read = minor_faults(|| memory.store(0, 1))?;
    let first_write = minor_faults(|| memory.store(PAGE, 1))?;
    let child = Sibling::start(&mut |_| Ok(0))?;
    let copy = minor_faults(|| memory.store(PAGE, 2))?;
    child.end()?;
    for (what, faults) in [
        ("first load: the zero frame is put there", first_read),
        ("store after that: the zero frame is copied", write_after_read),
        ("first store: a frame of zeros is put there", first_write),
        ("store after fork: copy-on-write", copy),
    ] {
        story.row(&format!("{faults} fault   {what}"));
        story.check(faults == 1, what);
    }
    let file = small_file()?;
    let mapped = Mapping::file(
        &file,
        0,
        2 * PAGE,
        ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        Sharing::Private,
    )?;
    let file_read = minor_faults(|| mapped.touch(0))?;
    let is_right = mapped.load(0) == u64::from_le_bytes([b'x'; 8]);
    story.row(&format!("{file_read} fault   first load of a mapped file"));
    story.check(
        is_right && file_read <= 1,
        "first load of a mapped file: at most one fault, and the file's content",
    );

    not_yet_read(story)?;
    story.say("(Linux can also watch writes by faults, soft-dirty; not on arm64, and not here.)");

    story.say("Faults that are the program's own, each tried in a child:");
    let hole = {
        let gone = Mapping::anonymous(PAGE, Sharing::Private)?;
        gone.page_address(0)
    };
    let unmapped = fault_of(|| crate::runtime::trespass::load(hole))?;
    story.row(&format!("load where nothing is: {}", name(unmapped)));
    story.check(
        is_fault(unmapped, Signal::SIGSEGV, SEGV_MAPERR, hole),
        "SIGSEGV with MAPERR: nothing is mapped there",
    );
    memory.protect(3, 1, ProtFlags::PROT_READ)?;
    let forbidden = fault_of(|| memory.store(3 * PAGE, 1))?;
    story.row(&format!("store to a read-only page: {}", name(forbidden)));
    let address = memory.page_address(3);
    story.check(
        is_fault(forbidden, Signal::SIGSEGV, SEGV_ACCERR, address),
        "SIGSEGV with ACCERR: mapped, but not for this",
    );
    let behind = fault_of(|| mapped.touch(PAGE))?;
    story.row(&format!("load behind a file's end: {}", name(behind)));
    let address = mapped.page_address(1);
    story.check(
        is_fault(behind, Signal::SIGBUS, BUS_ADRERR, address),
        "SIGBUS with ADRERR: mapped, but the file has nothing there",
    );
    Ok(())
}
