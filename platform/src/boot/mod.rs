//! From `head.s` to `main`: reads the device tree, makes the final map, wakes the devices. Whatever stops it is said on the
//! serial port before the machine is turned off.

mod devices;
mod error;
pub(crate) mod secondary;
mod tree;
pub(crate) mod window;

use crate::devices::likely;
use crate::handover::Boot;
use crate::layout::{IMAGE_BASE, image, linear};
use crate::memory::kernel_tables::KernelTables;
use crate::memory::plan::Plan;
use crate::memory::{self, Found, ram};
use crate::{arch, board, cpu, crash, random, timer};
use aarch64_cpu::registers::{ID_AA64MMFR0_EL1, Readable, TCR_EL1};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use devices::Devices;
use error::BootError;
use formats::dtb::Machine;
use formats::symbols::Payload;
use mm::{FrameInfos, FrameWord, PhysAddr};
use spin::Once;

static IMAGE_START: AtomicU64 = AtomicU64::new(0);
static LEVEL: AtomicU8 = AtomicU8::new(0);
static IS_MAPPED: AtomicBool = AtomicBool::new(false);
static MACHINE: Once<Machine> = Once::new();
/// TCR_EL1 as head.s set it on the boot processor.
static TRANSLATION_CONTROL: AtomicU64 = AtomicU64::new(0);

/// Where the image lies in RAM.
pub(crate) fn image_start() -> u64 {
    IMAGE_START.load(Ordering::Relaxed)
}

/// The physical address of something in the image.
pub(crate) fn image_physical(address: usize) -> u64 {
    image_start() + (address - IMAGE_BASE) as u64
}

/// The exception level at entry.
pub(crate) fn exception_level() -> u8 {
    LEVEL.load(Ordering::Relaxed)
}

/// Whether the final map has replaced the boot tables, and the boot window is gone.
pub(crate) fn is_mapped() -> bool {
    IS_MAPPED.load(Ordering::Relaxed)
}

/// What the device tree says; it was read before anybody can ask.
fn machine() -> &'static Machine {
    known_machine().expect("the device tree is read first")
}

/// What the device tree says, once it was read.
pub(crate) fn known_machine() -> Option<&'static Machine> {
    MACHINE.get()
}

/// TCR_EL1 of the boot processor.
fn translation_control() -> u64 {
    TRANSLATION_CONTROL.load(Ordering::Relaxed)
}

unsafe extern "Rust" {
    /// The kernel's `main`, named by `platform::entry!`.
    safe fn holstein_main(boot: Boot) -> !;
}

/// First Rust, called by head.s: at the link address, on the boot stack, .bss zeroed, the boot tables in use.
#[unsafe(no_mangle)]
extern "C" fn start(device_tree: u64, image: u64, exception_level: u64) -> ! {
    IMAGE_START.store(image, Ordering::Relaxed);
    LEVEL.store(exception_level as u8, Ordering::Relaxed);
    TRANSLATION_CONTROL.store(TCR_EL1.get(), Ordering::Relaxed);
    cpu::become_boot_processor();
    arch::unmask_system_errors();
    likely::stage(b"B");
    match prepare(device_tree) {
        Ok(boot) => holstein_main(boot),
        Err(error) => crash::cannot_start(format_args!("{error}")),
    }
}

/// Everything between `start` and `main`. Never a part of `start`: what it holds is two thirds of the boot stack, which the kernel needs
/// from then on.
#[inline(never)]
fn prepare(device_tree: u64) -> Result<Boot, BootError> {
    let machine = tree::read_machine(device_tree)?;
    let machine = MACHINE.call_once(|| machine);
    likely::stage(b"D");
    // What is refused from here on is said on the tree's UART.
    check_processor()?;
    let payload_start = image_physical(image::end());
    let image = image_start()..payload_start + tree::payload_len(payload_start);
    let mut plan = Plan::new(machine, image).map_err(BootError::Memory)?;
    let tables = plan.make_map().map_err(BootError::Memory)?;
    let devices = Devices::map(machine, tables, &mut plan)?;
    plan.close_pool();
    likely::stage(b"P\r\n");
    install(tables);

    devices.set_up_console();
    devices.speed_up();
    let payload = in_linear_map(payload_start..plan.image.end);
    if let Ok(payload) = Payload::parse(payload) {
        crash::set_symbols(payload);
    }
    hand_over_ram(&plan);
    // SAFETY: the final map is installed; its tables are RAM, which it holds.
    memory::set_kernel_tables(unsafe { tables.in_linear_map() });
    timer::set_up();
    board::measure_rate();
    random::set_up(&machine.chosen, || devices.random_seed());
    let wall_clock_seconds = devices.wall_clock_seconds();
    devices.set_up_interrupts();
    let initrd = plan.initrd.map(|range| range.map(keep_initrd));
    let command_line = &machine.chosen.bootargs;
    Ok(Boot {
        machine,
        command_line,
        initrd,
        payload,
        wall_clock_seconds,
        exception_level: exception_level(),
    })
}

/// Checks what the kernel takes for granted.
fn check_processor() -> Result<(), BootError> {
    let has_small_pages = !ID_AA64MMFR0_EL1.matches_all(ID_AA64MMFR0_EL1::TGran4::NotSupported);
    let has_long_asids = ID_AA64MMFR0_EL1.matches_all(ID_AA64MMFR0_EL1::ASIDBits::Bits_16);
    if has_small_pages && has_long_asids {
        Ok(())
    } else {
        Err(BootError::Processor)
    }
}

/// Replaces the boot tables by the final map, and empties the user half.
fn install(tables: KernelTables) {
    unsafe extern "C" {
        /// head.s: `root`, and a table without entries.
        fn replace_kernel_root(root: u64, empty: u64);
    }
    let physical = image_physical((replace_kernel_root as *const ()).expose_provenance());
    // SAFETY: head.s: the routine runs at its physical address, which the identity map of boot holds executable.
    let replace: unsafe extern "C" fn(u64, u64) = unsafe { core::mem::transmute(physical as usize) };
    // SAFETY: the new tree maps the image, with its data and this stack, where the old one did (Plan::make_map).
    unsafe { replace(tables.root().0, memory::empty_table()) };
    IS_MAPPED.store(true, Ordering::Relaxed);
    memory::deactivate();
    arch::tlbi_vmalle1();
    arch::dsb_nsh();
    arch::isb();
}

/// Makes the records of all frames, and gives the free RAM to the buddy allocator.
fn hand_over_ram(plan: &Plan) {
    let (first_frame, count) = plan.frames();
    let records: *mut FrameWord =
        core::ptr::with_exposed_provenance_mut(linear(PhysAddr(plan.frame_infos.start)));
    // SAFETY: RAM in the linear map, kept apart for the records, page aligned and long enough for two words of each frame
    // (Plan). All zeros is a valid `FrameWord`, and what `mm::Frames` wants.
    let words = unsafe {
        records.write_bytes(0, 2 * count);
        core::slice::from_raw_parts(records, 2 * count)
    };
    let (counts, words) = words.split_at(count);
    let frame_infos = FrameInfos { counts, words };
    memory::set_found(Found {
        first_frame: first_frame.frame(),
        frame_infos,
        ram_bytes: plan.ram_bytes,
    });
    for range in plan.free.iter() {
        // SAFETY: RAM in the linear map that is neither reserved nor image, initrd, table or record (Plan); added once.
        unsafe { ram::add(range) }
    }
}

fn keep_initrd(range: Range<u64>) -> &'static [u8] {
    memory::set_initrd(range.clone());
    in_linear_map(range)
}

/// Bytes of RAM that stay as they are from now on.
fn in_linear_map(range: Range<u64>) -> &'static [u8] {
    let start = core::ptr::with_exposed_provenance(linear(PhysAddr(range.start)));
    // SAFETY: RAM in the linear map, planned to be kept: nobody writes it (the image is read-only there, the initrd is given
    // to the buddy allocator only by `give_back_initrd`).
    unsafe { core::slice::from_raw_parts(start, (range.end - range.start) as usize) }
}
