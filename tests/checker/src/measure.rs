//! The library's second plugin, `misses=LOG`: each instruction and access of the guest goes to the model of caches and TLBs of crate
//! `misses`, once the benchmark has announced its first row. One processor.
//!
//! Further words: `ram=FILE,base=ADDRESS,size=BYTES` as for the checker; `begin`, `end` and `deed`, the addresses of the benchmark's
//! marks; `zva=fill`: DC ZVA reads its line; `lines=on`: each missed line is logged.

use crate::foreign::*;
use crate::instruction::{self, Cache, Operation, Register, Scope};
use crate::options::number;
use crate::prefetch::{Prefetch, prefetch};
use crate::ram::{Ram, Store};
use misses::ledger::{Ledger, Mark};
use misses::model::{Memory, Model, Zva};
use misses::regime::Regime;
use misses::tlb::Forget;
use std::ffi::{c_int, c_uint, c_void};
use std::fs::File;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Tables(Ram);

impl Memory for Tables {
    fn word(&self, address: u64) -> u64 {
        self.0.word(address)
    }
}

struct State {
    model: Model<Tables>,
    ledger: Ledger,
    registers: Registers,
    log: String,
    begin: u64,
    end: u64,
    deed: u64,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);
/// The first row was announced.
static IS_RUNNING: AtomicBool = AtomicBool::new(false);

fn lock() -> MutexGuard<'static, Option<State>> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is done with an instruction besides fetching it.
#[derive(Clone, Copy)]
enum Deed {
    System(Operation),
    Prefetch(Prefetch),
}

fn parse(words: &[&str]) -> Result<State, String> {
    let value = |name: &str| {
        let found = words.iter().filter_map(|word| word.split_once('='));
        let mut values = found.filter(|(own, _)| *own == name).map(|(_, value)| value);
        values.next().ok_or_else(|| format!("{name}=VALUE is wanted"))
    };
    let ram = File::open(value("ram")?).map_err(|error| error.to_string())?;
    let ram = Ram::new(number(value("base")?)?, number(value("size")?)?, Store::File(ram));
    let zva = if value("zva") == Ok("fill") {
        Zva::Fills
    } else {
        Zva::Claims
    };
    let mut model = Model::new(Tables(ram), zva);
    model.missed = (value("lines") == Ok("on")).then(Vec::new);
    Ok(State {
        model,
        ledger: Ledger::default(),
        registers: Registers::new(),
        log: value("misses")?.to_owned(),
        begin: number(value("begin")?)?,
        end: number(value("end")?)?,
        deed: number(value("deed")?)?,
    })
}

/// QEMU loads the library as this plugin; what `qemu_plugin_install` answers.
pub fn install(id: u64, words: &[&str]) -> c_int {
    match parse(words) {
        Ok(state) => *lock() = Some(state),
        Err(error) => {
            eprintln!("misses: {error}");
            return -1;
        }
    }
    // SAFETY: the identifier is the one that QEMU gave; the callbacks have the types that it calls them with.
    unsafe {
        qemu_plugin_register_vcpu_init_cb(id, on_cpu);
        qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
        qemu_plugin_register_atexit_cb(id, on_exit, ptr::null_mut());
    }
    0
}

extern "C" fn on_cpu(_id: u64, cpu: c_uint) {
    if let Some(state) = lock().as_mut() {
        state.registers.add(cpu);
    }
}

/// A block was translated: its instructions get their callbacks.
extern "C" fn on_block(_id: u64, block: *mut c_void) {
    let guard = lock();
    let Some(state) = guard.as_ref() else { return };
    let marks = [state.begin, state.end, state.deed];
    // SAFETY: QEMU's block, valid during this callback.
    let count = unsafe { qemu_plugin_tb_n_insns(block) };
    for index in 0..count {
        // SAFETY: an instruction of QEMU's block, which is valid during this callback.
        let (insn, pc, word) = unsafe { instruction_of(block, index) };
        let at = ptr::without_provenance_mut(pc as usize);
        let what = ptr::without_provenance_mut(word as usize);
        // SAFETY: the instruction is valid during this callback; the callbacks take addresses and words for what they are.
        unsafe {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fetch, NO_REGISTERS, at);
            if marks.contains(&pc) {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, READ_REGISTERS, at);
            }
            if deed_of(word).is_some() {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_deed, READ_REGISTERS, what);
            }
            qemu_plugin_register_vcpu_mem_cb(insn, on_memory, NO_REGISTERS, ALL_ACCESSES, what);
        }
    }
}

fn deed_of(word: u32) -> Option<Deed> {
    let system = instruction::decode(word).map(Deed::System);
    system.or_else(|| prefetch(word).map(Deed::Prefetch))
}

extern "C" fn on_fetch(_cpu: c_uint, data: *mut c_void) {
    let pc = data.addr() as u64;
    if !IS_RUNNING.load(Ordering::Relaxed) {
        return;
    }
    if let Some(state) = lock().as_mut() {
        state.model.fetch(pc);
    }
}

extern "C" fn on_mark(cpu: c_uint, data: *mut c_void) {
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    let pc = data.addr() as u64;
    if pc == state.begin {
        state.ledger.begin(&mut state.model);
    } else if pc == state.end {
        state.ledger.end(&mut state.model);
    } else if let Some(mark) = Mark::of(state.registers.value(cpu as usize, 0)) {
        IS_RUNNING.store(true, Ordering::Relaxed);
        state.ledger.mark(mark);
    }
}

extern "C" fn on_deed(cpu: c_uint, data: *mut c_void) {
    let word = data.addr() as u32;
    let mut guard = lock();
    let Some(state) = guard.as_mut() else { return };
    let register = |number| state.registers.value(cpu as usize, number);
    match deed_of(word) {
        Some(Deed::Prefetch(prefetch)) if IS_RUNNING.load(Ordering::Relaxed) => {
            let index = prefetch
                .index
                .map_or(0, |(number, shift)| register(number) << shift);
            let address = register(prefetch.base).wrapping_add(index);
            state.model.prefetch(address.wrapping_add(prefetch.offset));
        }
        Some(Deed::System(operation)) => {
            let operand = register(instruction::source_register(word));
            state.system(operation, operand);
        }
        _ => {}
    }
}

impl State {
    fn system(&mut self, operation: Operation, operand: u64) {
        let counts = &mut self.model.counts;
        match operation {
            Operation::Dsb(..) => counts.dsb += 1,
            Operation::Isb => counts.isb += 1,
            Operation::ExceptionReturn => counts.returns += 1,
            Operation::Tlbi(scope, _) => {
                counts.tlbi += 1;
                let (what, has_tables) = forgotten(scope, operand);
                self.model.forget(what, has_tables);
            }
            Operation::Cache(Cache::Zero) if IS_RUNNING.load(Ordering::Relaxed) => self.model.zero(operand),
            Operation::Write(register) => self.write(register, operand),
            _ => {}
        }
    }

    fn write(&mut self, register: Register, value: u64) {
        let mut regime: Regime = self.model.regime;
        match register {
            Register::Ttbr0 => regime.ttbr[0] = value,
            Register::Ttbr1 => regime.ttbr[1] = value,
            Register::Tcr => regime.tcr = value,
            _ => return,
        }
        self.model.set_regime(regime);
    }
}

/// What a TLBI with this operand forgets, and whether tables are among it.
fn forgotten(scope: Scope, operand: u64) -> (Forget, bool) {
    // The page's number without the bits that say which half, as the processor extends them.
    let page = ((operand << 20) as i64 >> 20) as u64 & (u64::MAX >> 12);
    let asid = operand >> 48;
    match scope {
        Scope::All => (Forget::All, true),
        Scope::Asid => (Forget::Space(asid), true),
        Scope::Address => (Forget::Page(page, asid), true),
        Scope::Leaf => (Forget::Page(page, asid), false),
        Scope::AddressAnyAsid => (Forget::PageOfAll(page), true),
        Scope::LeafAnyAsid => (Forget::PageOfAll(page), false),
    }
}

extern "C" fn on_memory(_cpu: c_uint, info: u32, address: u64, data: *mut c_void) {
    if !IS_RUNNING.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: QEMU's description of the access, valid during this callback, as is what it says of the physical address.
    let (is_device, is_store, size) = unsafe {
        let physical = qemu_plugin_get_hwaddr(info, address);
        let is_device = !physical.is_null() && qemu_plugin_hwaddr_is_io(physical);
        let size = 1u64 << qemu_plugin_mem_size_shift(info);
        (is_device, qemu_plugin_mem_is_store(info), size)
    };
    // A store-exclusive is carried out by a load and a store: the load is no access of the program.
    let is_half = !is_store && instruction::is_store_exclusive(data.addr() as u32);
    if is_device || is_half {
        return;
    }
    if let Some(state) = lock().as_mut() {
        state.model.access(address, size, is_store);
    }
}

extern "C" fn on_exit(_id: u64, _data: *mut c_void) {
    if let Some(state) = lock().as_ref()
        && let Err(error) = std::fs::write(&state.log, state.ledger.text())
    {
        eprintln!("misses: {}: {error}", state.log);
    }
}
