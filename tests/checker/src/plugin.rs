//! Where QEMU calls: the callbacks, which hand everything to one [`Machine`] under one lock. What QEMU is called with is in
//! `foreign.rs`; the other plugin of this library, which counts lines, in `measure.rs`. The three have all the unsafe code of this
//! crate.

use crate::foreign::*;
use crate::instruction::{Access, Operation};
use crate::known::Known;
use crate::machine::Machine;
use crate::measure;
use crate::options::Options;
use crate::ram::is_known_ram;
use crate::rules::{Memory, Role, Value};
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The version of the interface that this file was written for; QEMU refuses a plugin that it is too old for.
// SAFETY: QEMU looks for this name; nothing else in the process has it.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 4;

struct State {
    machine: Machine,
    options: Options,
    known: Vec<Known>,
    numbers: HashMap<(u64, u32), usize>,
    registers: Registers,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);
/// A bit for each processor whose loads must all be looked at.
static WANTS_LOADS: AtomicU32 = AtomicU32::new(0);

fn lock() -> MutexGuard<'static, Option<State>> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Tells the other threads whose loads must be looked at.
    fn note_wants(&self, cpu: usize) {
        let bit = 1 << cpu;
        let wants = self.machine.wants_loads(cpu);
        if wants != (WANTS_LOADS.load(Ordering::Relaxed) & bit != 0) {
            WANTS_LOADS.fetch_xor(bit, Ordering::Relaxed);
        }
    }

    /// The number of an instruction, or with a length for a word of a block.
    fn number(&mut self, key: (u64, u32), known: Known) -> *mut c_void {
        let next = self.known.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.known.push(known);
        }
        ptr::without_provenance_mut(number)
    }

    fn known(&self, data: *mut c_void) -> Option<Known> {
        self.known.get(data.addr()).copied()
    }
}

/// QEMU loads the plugin.
///
/// # Safety
/// `arguments` are `count` strings that end with 0, as QEMU hands them over.
// SAFETY: QEMU looks for this name; nothing else in the process has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _info: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    let word = |index| {
        // SAFETY: QEMU's contract: `count` strings, which stay as long as the plugin.
        unsafe { CStr::from_ptr(*arguments.add(index)) }
            .to_str()
            .unwrap_or_default()
    };
    let words: Vec<&str> = (0..count as usize).map(word).collect();
    if words.iter().any(|word| word.starts_with("misses=")) {
        return measure::install(id, &words);
    }
    let made = Options::parse(words.into_iter()).and_then(|options| Ok((options.machine()?, options)));
    let (machine, options) = match made {
        Ok(made) => made,
        Err(error) => {
            eprintln!("checker: {error}");
            return -1;
        }
    };
    *lock() = Some(State {
        machine,
        options,
        known: Vec::new(),
        numbers: HashMap::new(),
        registers: Registers::new(),
    });
    // SAFETY: the identifier is the one that QEMU gave; the callbacks have the types that it calls them with.
    unsafe {
        qemu_plugin_register_vcpu_init_cb(id, on_cpu);
        qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
        qemu_plugin_register_atexit_cb(id, on_exit, ptr::null_mut());
    }
    0
}

/// A processor is there: its registers get their handles.
extern "C" fn on_cpu(_id: u64, cpu: c_uint) {
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    state.registers.add(cpu);
}

/// A block was translated: its instructions get their callbacks.
extern "C" fn on_block(_id: u64, block: *mut c_void) {
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    // SAFETY: QEMU's block, valid during this callback.
    let count = unsafe { qemu_plugin_tb_n_insns(block) };
    for index in 0..count {
        // SAFETY: an instruction of QEMU's block, which is valid during this callback.
        let (insn, pc, word) = unsafe { instruction_of(block, index) };
        let known = Known::new(pc, word, &state.options);
        let is_low = pc >> 63 == 0;
        if index == 0 && is_low {
            let length = Known {
                operand: count,
                ..known
            };
            let data = state.number((pc | 1 << 62, count as u32), length);
            // SAFETY: the block is valid during this callback.
            unsafe { qemu_plugin_register_vcpu_tb_exec_cb(block, on_user_block, NO_REGISTERS, data) };
        }
        // What the loader has brought is not looked at again; what was stored since must have been made visible.
        if index == 0 && !is_low && state.machine.is_stored(pc, 4 * count as u64) {
            let length = Known {
                operand: count,
                ..known
            };
            let data = state.number((pc | 1 << 62, count as u32 | 1 << 31), length);
            // SAFETY: the block is valid during this callback.
            unsafe { qemu_plugin_register_vcpu_tb_exec_cb(block, on_kernel_block, NO_REGISTERS, data) };
        }
        let data = state.number((pc, word), known);
        if !is_low && state.options.has_roles() && known.is_release() {
            // SAFETY: the instruction is valid during this callback.
            unsafe { qemu_plugin_register_vcpu_insn_exec_cb(insn, on_release, READ_REGISTERS, data) };
        }
        if known.operation.is_some() {
            // SAFETY: the instruction is valid during this callback.
            unsafe { qemu_plugin_register_vcpu_insn_exec_cb(insn, on_system, READ_REGISTERS, data) };
        }
        let is_plain = !is_low && known.site.access == Access::Plain && known.site.role == Role::Unknown;
        let callback = if is_plain { on_kernel_memory } else { on_memory };
        // SAFETY: as above.
        unsafe { qemu_plugin_register_vcpu_mem_cb(insn, callback, NO_REGISTERS, ALL_ACCESSES, data) };
    }
}

extern "C" fn on_user_block(cpu: c_uint, data: *mut c_void) {
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    let Some(known) = state.known(data) else { return };
    let length = 4 * known.operand as u64;
    state.machine.user_block(cpu as usize, known.site.pc, length);
}

extern "C" fn on_kernel_block(cpu: c_uint, data: *mut c_void) {
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    let Some(known) = state.known(data) else { return };
    let length = 4 * known.operand as u64;
    state.machine.kernel_block(cpu as usize, known.site.pc, length);
}

extern "C" fn on_system(cpu: c_uint, data: *mut c_void) {
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    let Some(known) = state.known(data) else { return };
    let Some(operation) = known.operation else { return };
    let operand = match operation {
        Operation::Tlbi(..) | Operation::Cache(_) | Operation::Write(_) => {
            state.registers.value(cpu as usize, known.operand)
        }
        Operation::Call => state.registers.value(cpu as usize, 0),
        Operation::ExceptionReturn if known.site.pc >> 63 == 1 => state.registers.any(cpu as usize),
        _ => 0,
    };
    state
        .machine
        .system(cpu as usize, known.site.pc, operation, operand);
    state.note_wants(cpu as usize);
}

/// Something is about to be released: said before it is done, for another processor may see it done before it is said.
extern "C" fn on_release(cpu: c_uint, data: *mut c_void) {
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    let Some(known) = state.known(data) else { return };
    let Some(target) = known.target else { return };
    let cpu = cpu as usize;
    let index = target.index.map_or(0, |(register, shift)| {
        state.registers.value(cpu, register) << shift
    });
    let base = state.registers.value(cpu, target.base);
    let address = base.wrapping_add(index).wrapping_add(target.offset);
    state.machine.release(cpu, &known.site, address, target.size);
}

/// The kernel's usual accesses: its loads of RAM from its own half are many, and seldom say anything.
extern "C" fn on_kernel_memory(cpu: c_uint, info: u32, address: u64, data: *mut c_void) {
    // SAFETY: QEMU's description of the access, valid during this callback.
    let is_store = unsafe { qemu_plugin_mem_is_store(info) };
    let is_ram = || {
        // SAFETY: as above, and as valid as what it says of the physical address.
        unsafe {
            let physical = qemu_plugin_get_hwaddr(info, address);
            !physical.is_null() && !qemu_plugin_hwaddr_is_io(physical)
        }
    };
    let is_wanted = is_store || address >> 63 == 0 || WANTS_LOADS.load(Ordering::Relaxed) >> cpu & 1 == 1;
    if is_wanted || !is_known_ram(address, is_ram) {
        on_memory(cpu, info, address, data);
    }
}

extern "C" fn on_memory(cpu: c_uint, info: u32, address: u64, data: *mut c_void) {
    // SAFETY: QEMU's description of the access, valid during this callback, as is what it says of the physical address.
    let (physical, is_device, is_store, size, value) = unsafe {
        let physical = qemu_plugin_get_hwaddr(info, address);
        let is_device = !physical.is_null() && qemu_plugin_hwaddr_is_io(physical);
        let known = (!physical.is_null()).then(|| qemu_plugin_hwaddr_phys_addr(physical));
        let size = 1u64 << qemu_plugin_mem_size_shift(info);
        let value = qemu_plugin_mem_get_value(info);
        (known, is_device, qemu_plugin_mem_is_store(info), size, value)
    };
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    let Some(known) = state.known(data) else { return };
    if known.is_store_exclusive && !is_store {
        return;
    }
    let loaded = if is_store { 0 } else { value.low };
    let value = match known.site.access {
        Access::Exclusive => Value::AsInRam,
        _ if value.kind == SIXTEEN_BYTES => Value::Words([value.low, value.high]),
        _ => Value::Words([value.low, 0]),
    };
    let memory = Memory {
        address,
        physical,
        size,
        stored: is_store.then_some(value),
        loaded,
    };
    let cpu = cpu as usize;
    if is_device {
        state.machine.device_access(cpu, &known.site, &memory);
    } else {
        state.machine.memory(cpu, &known.site, &memory);
    }
    state.note_wants(cpu);
}

extern "C" fn on_exit(_id: u64, _data: *mut c_void) {
    if let Some(state) = lock().as_mut() {
        state.machine.close();
    }
}
