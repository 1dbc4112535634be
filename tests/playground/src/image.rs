//! What exec makes: text, data, heap and stack of the one program that there is, where Linux's programs have them.

use crate::file::{File, WORD};
use crate::kernel::Kernel;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::mem::ManuallyDrop;
use mm::{
    Access, AddressSpace, AreaFlags, Backing, MapError, MapRequest, NoMemory, PAGE_SIZE, PageSource,
    Placement, Protection, Purpose, Sharing, VirtAddr,
};

/// The first page of the text: two of them, from the program's file.
const TEXT: VirtAddr = VirtAddr(0x40_0000);
/// The page of the data: the third of the file.
const DATA: VirtAddr = VirtAddr(0x40_2000);
/// Where the break begins.
const HEAP: VirtAddr = VirtAddr(0x50_0000);
/// Pages of the heap.
const HEAP_PAGES: u64 = 4;
/// The lowest page of the stack.
const STACK: VirtAddr = VirtAddr(0x7f_ffff_e000);
/// Pages of the stack.
const STACK_PAGES: u64 = 2;
/// The page that the stack pointer is in.
pub const STACK_POINTER: VirtAddr = VirtAddr(0x7f_ffff_f000);
/// What exec puts there, instead of the arguments.
const ARGUMENTS: u64 = 3001;

/// A mapping as exec and mmap(2) make it.
pub fn request(
    placement: Placement,
    pages: u64,
    (protection, sharing): (Protection, Sharing),
    file: Option<(&Arc<File>, u64)>,
    purpose: Purpose,
) -> MapRequest {
    let backing = match file {
        None => Backing::Anonymous,
        Some((file, first)) => Backing::Source {
            source: Arc::clone(file) as Arc<dyn PageSource>,
            first,
        },
    };
    MapRequest {
        placement,
        len: pages * PAGE_SIZE as u64,
        protection,
        sharing,
        flags: AreaFlags::NONE,
        backing,
        purpose,
    }
}

impl Kernel {
    /// A space with the program in it, made by `cpu`; its number.
    ///
    /// # Errors
    /// [`NoMemory`]: nothing has changed.
    pub fn new_image(&mut self, cpu: usize) -> Result<usize, NoMemory> {
        let memory = Rc::clone(&self.memory);
        let program = Arc::clone(&self.files[0]);
        // A heart that panics half way is thrown away with its machine.
        let mut space = ManuallyDrop::new(self.in_kernel(cpu, || AddressSpace::new(&memory))?);
        let built = self.in_kernel(cpu, || -> Result<(), MapError> {
            let private = |protection| (protection, Sharing::Private);
            let fixed = Placement::FixedNoReplace;
            let mapping = Purpose::Mapping;
            let text = private(Protection::READ_EXECUTE);
            space.map(
                &memory,
                request(fixed(TEXT), 2, text, Some((&program, 0)), mapping),
            )?;
            let data = private(Protection::READ_WRITE);
            space.map(
                &memory,
                request(fixed(DATA), 1, data, Some((&program, 2)), mapping),
            )?;
            space.start_break(HEAP);
            let end = VirtAddr(HEAP.0 + HEAP_PAGES * PAGE_SIZE as u64);
            if space.set_break(&memory, end, AreaFlags::NONE) != end {
                return Err(MapError::NoMemory);
            }
            space.map(
                &memory,
                request(fixed(STACK), STACK_PAGES, data, None, Purpose::Stack),
            )?;
            let frame = space
                .privatise(&memory, STACK_POINTER, Access::Write)
                .map_err(|_| MapError::NoMemory)?;
            memory.mmu().write_probe(frame, WORD, ARGUMENTS);
            Ok(())
        });
        if built.is_err() {
            self.in_kernel(cpu, || ManuallyDrop::into_inner(space).release(&memory));
            return Err(NoMemory);
        }
        let expected = BTreeMap::from([(STACK_POINTER.0 >> 12, ARGUMENTS)]);
        Ok(self.add_space(ManuallyDrop::into_inner(space), expected))
    }
}
