//! The vDSO: a shared object of the kernel's that every program finds in its address space (vdso(7)). Programs ask it for the time and for
//! the processor that they run on without a call, and handlers return to it.
//!
//! Two pages, one frame each for all processes, mapped at the same place in each: the clock page (`sched::time::clock_page`), which the
//! code reads, and behind it the object, made at boot (`formats::shared_object`) of the code in `platform`.

use alloc::sync::Arc;

use formats::shared_object::{self, CODE, ExportedFunction};
use memory::{self, FrameHandle};
use mm::{
    AddressSpace, AreaFlags, Backing, FileIdentity, Frame, MapError, MapRequest, NoMemory, PAGE_SIZE,
    PageError, PageSource, Placement, Protection, Purpose, Sharing, VirtAddr,
};
use sched::time;
use spin::Once;

const PAGE: u64 = PAGE_SIZE as u64;

/// Where the object is mapped, with the clock page before it: on top of the region for mmap.
pub const VDSO: u64 = 0x7f_bfff_f000;
const CLOCK_PAGE: u64 = VDSO - PAGE;

/// Where a handler returns to if sigaction(2) named no restorer: the code begins with four instructions that do nothing.
pub const RT_SIGRETURN: u64 = VDSO + CODE as u64 + 16;

/// As Linux calls the object, and the version of what it exports.
const NAME: &str = "linux-vdso.so.1";
const VERSION: &str = "LINUX_2.6.39";

/// A page of the kernel's as something to map.
struct KernelPage {
    frame: FrameHandle,
    name: &'static [u8],
    write: Write,
}

/// Whether a program may make its mapping one that can be written: a debugger does, and gets a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Copy,
    Never,
}

struct MappedPages {
    clock: Arc<KernelPage>,
    object: Arc<KernelPage>,
}

static PAGES: Once<MappedPages> = Once::new();

impl PageSource for KernelPage {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        if index != 0 {
            return Err(PageError::BeyondEnd);
        }
        Ok(self.frame.clone().into_reference())
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity::default()
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        write(self.name);
    }

    fn may_write(&self) -> bool {
        self.write == Write::Copy
    }
}

/// Makes both pages. Called once, at boot.
///
/// # Errors
/// There are no frames for them.
///
/// # Panics
/// If the object does not fit into its page: a test would have noticed.
pub fn make() -> Result<(), NoMemory> {
    time::make_clock_page()?;
    let frame = FrameHandle::allocate()?;
    memory::get().frames().note_object(frame.frame());
    let mut image = memory::try_list::<u8>(PAGE_SIZE).map_err(|_| NoMemory)?;
    write_object(&mut image).expect("the vDSO fits into one page");
    platform::frame::write(frame.frame(), 0, &image);
    let clock = KernelPage {
        frame: time::clock_page::page().clone(),
        name: b"[vvar]",
        write: Write::Never,
    };
    let object = KernelPage {
        frame,
        name: b"[vdso]",
        write: Write::Copy,
    };
    PAGES.call_once(|| MappedPages {
        clock: Arc::new(clock),
        object: Arc::new(object),
    });
    Ok(())
}

fn write_object(image: &mut [u8]) -> Option<()> {
    let functions = platform::vdso::functions().map(|(name, code)| ExportedFunction {
        name,
        start: code.start,
        end: code.end,
    });
    let image = image.first_chunk_mut()?;
    shared_object::write(image, NAME, VERSION, platform::vdso::code(), &functions)
}

/// Maps both pages into a new address space.
///
/// # Errors
/// [`MapError::NoMemory`]: there are no frames for its tables.
pub fn map(space: &mut AddressSpace) -> Result<(), MapError> {
    let pages = PAGES.get().expect("the vDSO is made at boot");
    let read = Protection {
        execute: false,
        ..Protection::READ_EXECUTE
    };
    map_page(space, CLOCK_PAGE, &pages.clock, read, AreaFlags::DONT_DUMP)?;
    map_page(
        space,
        VDSO,
        &pages.object,
        Protection::READ_EXECUTE,
        AreaFlags::NONE,
    )
}

fn map_page(
    space: &mut AddressSpace,
    at: u64,
    page: &Arc<KernelPage>,
    protection: Protection,
    flags: AreaFlags,
) -> Result<(), MapError> {
    let request = MapRequest {
        placement: Placement::Fixed(VirtAddr(at)),
        len: PAGE,
        protection,
        sharing: Sharing::Private,
        flags,
        backing: Backing::Source {
            source: page.clone(),
            first: 0,
        },
        purpose: Purpose::Kernel,
    };
    space.map(memory::get(), request).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_return_to_the_call() {
        let functions = platform::vdso::functions();
        assert_eq!(functions[0].0, "__kernel_rt_sigreturn");
        assert_eq!(VDSO + (CODE + functions[0].1.start) as u64, RT_SIGRETURN);
        let mut image = [0; PAGE_SIZE];
        assert!(write_object(&mut image).is_some());
        assert_eq!(
            &image[CODE..][..platform::vdso::code().len()],
            platform::vdso::code()
        );
    }
}
