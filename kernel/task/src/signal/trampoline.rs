//! The page that handlers return to when sigaction(2) named no restorer: `mov x8, #__NR_rt_sigreturn; svc #0`. One frame
//! for all processes, mapped r-x at the same place in each, as Linux's vDSO would be.

use abi::nr::RT_SIGRETURN;
use alloc::sync::Arc;
use memory::{self, FrameHandle};
use mm::{
    AddressSpace, Backing, FileIdentity, Frame, MapError, MapRequest, PAGE_SIZE, PageError, PageSource,
    Placement, Protection, Purpose, Sharing, VirtAddr,
};
use spin::Once;

/// Where the page is mapped: on top of the region for mmap.
pub const TRAMPOLINE: u64 = 0x7f_bfff_f000;

/// `mov x8, #n` (MOVZ, Arm ARM C6.2.225) and `svc #0` (C6.2.365).
const CODE: [u32; 2] = [0xd280_0008 | (RT_SIGRETURN as u32) << 5, 0xd400_0001];

/// The page as something to map.
struct Trampoline {
    frame: FrameHandle,
}

impl PageSource for Trampoline {
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
        write(b"[sigpage]");
    }
}

static PAGE: Once<Arc<Trampoline>> = Once::new();

/// Makes the page. Called once, at boot.
///
/// # Errors
/// There is no frame for it.
pub fn make_trampoline() -> Result<(), mm::NoMemory> {
    let frame = FrameHandle::allocate()?;
    memory::get().frames().note_object(frame.frame());
    for (index, instruction) in CODE.iter().enumerate() {
        platform::frame::write(frame.frame(), index * 4, &instruction.to_le_bytes());
    }
    PAGE.call_once(|| Arc::new(Trampoline { frame }));
    Ok(())
}

/// Maps the page into a new address space.
///
/// # Errors
/// [`MapError::NoMemory`]: there are no frames for its tables.
pub fn map_trampoline(space: &mut AddressSpace) -> Result<(), MapError> {
    let page = PAGE.get().expect("the trampoline is made at boot").clone();
    let request = MapRequest {
        placement: Placement::Fixed(VirtAddr(TRAMPOLINE)),
        len: PAGE_SIZE as u64,
        protection: Protection::READ_EXECUTE,
        sharing: Sharing::Private,
        flags: mm::AreaFlags::NONE,
        backing: Backing::Source {
            source: page,
            first: 0,
        },
        purpose: Purpose::SignalReturn,
    };
    space.map(memory::get(), request).map(drop)
}
