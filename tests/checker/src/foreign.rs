//! QEMU's plugin interface (`qemu-plugin.h`, version 4: QEMU 9.2 and later), as far as it is needed, and the general registers of its
//! processors, which both plugins read.

use crate::machine::PROCESSORS;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

/// `qemu_plugin_reg_descriptor`
#[repr(C)]
pub struct RegisterDescriptor {
    handle: *mut c_void,
    name: *const c_char,
    feature: *const c_char,
}

/// `GArray` and `GByteArray`
#[repr(C)]
pub struct GlibArray {
    data: *mut u8,
    len: c_uint,
}

/// `qemu_plugin_mem_value`: `kind` is the binary logarithm of the bytes.
#[repr(C)]
pub struct MemoryValue {
    pub kind: c_uint,
    pub low: u64,
    pub high: u64,
}

/// `QEMU_PLUGIN_CB_NO_REGS`, `QEMU_PLUGIN_CB_R_REGS`
pub const NO_REGISTERS: c_int = 0;
/// Registers may be read in the callback.
pub const READ_REGISTERS: c_int = 1;
/// `QEMU_PLUGIN_MEM_RW`
pub const ALL_ACCESSES: c_int = 3;
/// `QEMU_PLUGIN_MEM_VALUE_U128`
pub const SIXTEEN_BYTES: c_uint = 4;

pub type OnCpu = extern "C" fn(u64, c_uint);
pub type OnBlock = extern "C" fn(u64, *mut c_void);
pub type OnExit = extern "C" fn(u64, *mut c_void);
pub type OnExecution = extern "C" fn(c_uint, *mut c_void);
pub type OnMemory = extern "C" fn(c_uint, u32, u64, *mut c_void);

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_init_cb(id: u64, callback: OnCpu);
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: OnBlock);
    pub fn qemu_plugin_register_atexit_cb(id: u64, callback: OnExit, data: *mut c_void);
    pub fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut c_void,
        callback: OnExecution,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        insn: *mut c_void,
        callback: OnExecution,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_mem_cb(
        insn: *mut c_void,
        callback: OnMemory,
        flags: c_int,
        accesses: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    pub fn qemu_plugin_insn_data(insn: *const c_void, to: *mut c_void, len: usize) -> usize;
    pub fn qemu_plugin_insn_vaddr(insn: *const c_void) -> u64;
    pub fn qemu_plugin_mem_size_shift(info: u32) -> c_uint;
    pub fn qemu_plugin_mem_is_store(info: u32) -> bool;
    pub fn qemu_plugin_mem_get_value(info: u32) -> MemoryValue;
    pub fn qemu_plugin_get_hwaddr(info: u32, address: u64) -> *mut c_void;
    pub fn qemu_plugin_hwaddr_is_io(physical: *const c_void) -> bool;
    pub fn qemu_plugin_hwaddr_phys_addr(physical: *const c_void) -> u64;
    pub fn qemu_plugin_get_registers() -> *mut GlibArray;
    pub fn qemu_plugin_read_register(handle: *mut c_void, to: *mut GlibArray) -> c_int;
    pub fn g_array_free(array: *mut GlibArray, free_data: c_int) -> *mut c_char;
    pub fn g_byte_array_new() -> *mut GlibArray;
    pub fn g_byte_array_set_size(array: *mut GlibArray, len: c_uint) -> *mut GlibArray;
}

/// Instruction `index` of a block: QEMU's handle of it, where it stands, its word.
///
/// # Safety
/// The block is the one that QEMU has just handed over, and has that many instructions.
pub unsafe fn instruction_of(block: *const c_void, index: usize) -> (*mut c_void, u64, u32) {
    let mut word = 0u32;
    // SAFETY: an instruction of the block, of four bytes, which the buffer has room for.
    unsafe {
        let insn = qemu_plugin_tb_get_insn(block, index);
        qemu_plugin_insn_data(insn, ptr::from_mut(&mut word).cast(), size_of::<u32>());
        (insn, qemu_plugin_insn_vaddr(insn), word)
    }
}

/// How the general registers of each processor are read.
pub struct Registers {
    /// QEMU's handles of X0 to X30, as numbers; 0 where it has none.
    handles: [usize; 31],
    /// A `GByteArray` for each processor.
    buffers: [usize; PROCESSORS],
}

impl Registers {
    /// Of no processor yet.
    pub const fn new() -> Registers {
        Registers {
            handles: [0; 31],
            buffers: [0; PROCESSORS],
        }
    }

    /// A processor is there. Only the callback of `qemu_plugin_register_vcpu_init_cb` may ask for its registers.
    pub fn add(&mut self, cpu: c_uint) {
        let Some(buffer) = self.buffers.get_mut(cpu as usize) else {
            return;
        };
        // SAFETY: glib's allocator; the array is never freed.
        *buffer = unsafe { g_byte_array_new() }.expose_provenance();
        // SAFETY: this is the callback in which QEMU's list of registers may be asked for; it is an array of descriptors of the
        // length that it says, their names end with 0, and it is ours to free.
        unsafe {
            let list = qemu_plugin_get_registers();
            let descriptors =
                std::slice::from_raw_parts((*list).data.cast::<RegisterDescriptor>(), (*list).len as usize);
            for descriptor in descriptors {
                let name = CStr::from_ptr(descriptor.name).to_str().unwrap_or_default();
                let number = name
                    .strip_prefix('x')
                    .and_then(|number| number.parse::<usize>().ok());
                if let Some(slot) = number.and_then(|number| self.handles.get_mut(number)) {
                    *slot = descriptor.handle.expose_provenance();
                }
            }
            g_array_free(list, 1);
        }
    }

    /// The value of a general register of the processor that calls, in a callback that was registered with [`READ_REGISTERS`].
    pub fn value(&self, cpu: usize, register: usize) -> u64 {
        let Some(&handle) = self.handles.get(register) else {
            return 0; // XZR
        };
        let buffer: *mut GlibArray = ptr::with_exposed_provenance_mut(self.buffers[cpu]);
        if handle == 0 || buffer.is_null() {
            return 0;
        }
        // SAFETY: the buffer was made by `add` for this processor alone and is never freed, the handle is QEMU's, and the caller
        // is in a callback that may read registers. The array holds as many bytes as it says.
        unsafe {
            g_byte_array_set_size(buffer, 0);
            qemu_plugin_read_register(ptr::with_exposed_provenance_mut(handle), buffer);
            if (*buffer).len < 8 {
                return 0;
            }
            (*buffer).data.cast::<u64>().read_unaligned()
        }
    }

    /// The first general register that is not 0, of the processor that calls; 0 if all are.
    pub fn any(&self, cpu: usize) -> u64 {
        let all = (0..self.handles.len()).map(|register| self.value(cpu, register));
        all.into_iter().find(|&value| value != 0).unwrap_or_default()
    }
}
