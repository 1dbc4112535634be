//! The machine: uname(2), sysinfo(2), getrandom(2), reboot(2), getcpu(2), and the calls of sched(7) that have an answer here.

use super::flags::decode;
use super::target::meant_thread;
use super::writeback;
use abi::Errno;
use abi::capability::{CAP_SYS_ADMIN, CAP_SYS_BOOT};
use abi::process::{SysInfo, UtsName};
use abi::random::GrndFlags;
use abi::reboot::{
    LINUX_REBOOT_CMD_CAD_OFF, LINUX_REBOOT_CMD_CAD_ON, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF,
    LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_RESTART2, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
    LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C,
};
use alloc::sync::Arc;
use klog::power;
use mm::PAGE_SIZE;
use procfs::load_averages;
use sched::scheduler;
use sched::time;
use task::process;
use task::thread::{Thread, ThreadExt};
use task::uts::{self, MachineName, NAME_LEN};

/// Bits behind the point in the loads of sysinfo(2) (`SI_LOAD_SHIFT`).
const LOAD_SHIFT: u32 = 16;

/// uname(2).
///
/// # Errors
/// Those of user memory.
pub fn uname(at: u64) -> Result<usize, Errno> {
    let names = UtsName {
        sysname: UtsName::field("Linux"),
        nodename: uts::HOST.field(),
        release: UtsName::field(uts::RELEASE),
        version: UtsName::field(uts::VERSION),
        machine: UtsName::field("aarch64"),
        domainname: uts::DOMAIN.field(),
    };
    uaccess::write_value(at, &names)?;
    Ok(0)
}

/// sethostname(2).
///
/// # Errors
/// `EPERM`: without `CAP_SYS_ADMIN`. `EINVAL`: longer than 64 bytes. Those of user memory.
pub fn sethostname(current: &Thread, at: u64, len: u64) -> Result<usize, Errno> {
    set_name(current, &uts::HOST, at, len)
}

/// setdomainname(2).
///
/// # Errors
/// As for [`sethostname`].
pub fn setdomainname(current: &Thread, at: u64, len: u64) -> Result<usize, Errno> {
    set_name(current, &uts::DOMAIN, at, len)
}

fn set_name(current: &Thread, name: &MachineName, at: u64, len: u64) -> Result<usize, Errno> {
    current.process().credentials().require(CAP_SYS_ADMIN)?;
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len <= NAME_LEN)
        .ok_or(Errno::EINVAL)?;
    let mut bytes = [0; NAME_LEN];
    uaccess::read_bytes(at, &mut bytes[..len])?;
    name.set(&bytes[..len]);
    Ok(0)
}

/// sysinfo(2).
///
/// # Errors
/// Those of user memory.
pub fn sysinfo(at: u64) -> Result<usize, Errno> {
    let swap = memory::get().swap().usage();
    let answer = SysInfo {
        uptime: (time::now_monotonic_nanos() / time::SECOND) as i64,
        loads: load_averages().map(|load| load.fixed_point(LOAD_SHIFT)),
        totalram: platform::memory::ram_bytes() / PAGE_SIZE as u64,
        freeram: memory::free_frames() as u64,
        totalswap: swap.slots,
        freeswap: swap.slots - swap.used,
        procs: process::thread_count().min(usize::from(u16::MAX)) as u16,
        mem_unit: PAGE_SIZE as u32,
        ..SysInfo::default()
    };
    uaccess::write_value(at, &answer)?;
    Ok(0)
}

/// getrandom(2): the generator is seeded at boot, so it never waits.
///
/// # Errors
/// `EINVAL`: unknown flags, or two kinds. Those of user memory: before the first bytes.
pub fn getrandom(at: u64, len: u64, flags: u64) -> Result<usize, Errno> {
    const PIECE: usize = 256;
    let flags = decode(flags as u32, GrndFlags::all())?;
    if flags.contains(GrndFlags::GRND_RANDOM | GrndFlags::GRND_INSECURE) {
        return Err(Errno::EINVAL);
    }
    let len = usize::try_from(len)
        .unwrap_or(usize::MAX)
        .min(uaccess::MOST_BYTES);
    let mut done = 0;
    while done < len {
        let mut bytes = [0; PIECE];
        let piece = &mut bytes[..PIECE.min(len - done)];
        platform::random::fill(piece);
        let written = scheduler::cond_resched_killable()
            .and_then(|()| uaccess::write_bytes(at.wrapping_add(done as u64), piece));
        match written {
            Ok(()) => done += piece.len(),
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// getcpu(2).
///
/// # Errors
/// Those of user memory.
pub fn getcpu(cpu_at: u64, node_at: u64) -> Result<usize, Errno> {
    uaccess::write_wanted(cpu_at, &(platform::cpu::number() as u32))?;
    uaccess::write_wanted(node_at, &0u32)?;
    Ok(0)
}

/// sched_yield(2).
///
/// # Errors
/// Never fails.
pub fn sched_yield(current: &Arc<Thread>) -> Result<usize, Errno> {
    scheduler::yield_now(current);
    Ok(0)
}

/// Bytes of the set of processors, of which there are at most 64.
const SET_BYTES: usize = 8;

/// sched_getaffinity(2): how many bytes of the set were written.
///
/// # Errors
/// `EINVAL`: less than 8 bytes, or no whole words. `ESRCH`: no such thread. Those of user memory.
pub fn sched_getaffinity(current: &Arc<Thread>, tid: u64, len: u64, at: u64) -> Result<usize, Errno> {
    if !len.is_multiple_of(8) || len < SET_BYTES as u64 {
        return Err(Errno::EINVAL);
    }
    let allowed = meant_thread(current, tid)?.scheduling.allowed();
    uaccess::write_value(at, &allowed)?;
    Ok(SET_BYTES)
}

/// sched_setaffinity(2).
///
/// # Errors
/// `EINVAL`: a set without a processor that there is. `ESRCH`: no such thread. `EPERM`: somebody else's thread. Those
/// of user memory.
pub fn sched_setaffinity(current: &Arc<Thread>, tid: u64, len: u64, at: u64) -> Result<usize, Errno> {
    let mut set = [0; SET_BYTES];
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(set.len());
    uaccess::read_bytes(at, &mut set[..len])?;
    let thread = meant_thread(current, tid)?;
    let own = current.process().credentials();
    if !own.may_schedule(&thread.process().credentials()) {
        return Err(Errno::EPERM);
    }
    scheduler::set_affinity(current, &thread, u64::from_le_bytes(set))?;
    Ok(0)
}

/// reboot(2).
///
/// Not supported: `LINUX_REBOOT_CMD_KEXEC`, `LINUX_REBOOT_CMD_SW_SUSPEND` (`EINVAL`).
///
/// # Errors
/// `EPERM`: without `CAP_SYS_BOOT`. `EINVAL`: no magic numbers, or no such command.
pub fn reboot(current: &Thread, [magic, magic2, command, _, _, _]: [u64; 6]) -> Result<usize, Errno> {
    current.process().credentials().require(CAP_SYS_BOOT)?;
    let known = [
        LINUX_REBOOT_MAGIC2,
        LINUX_REBOOT_MAGIC2A,
        LINUX_REBOOT_MAGIC2B,
        LINUX_REBOOT_MAGIC2C,
    ];
    if magic as u32 != LINUX_REBOOT_MAGIC1 || !known.contains(&(magic2 as u32)) {
        return Err(Errno::EINVAL);
    }
    let is_end = !matches!(command as u32, LINUX_REBOOT_CMD_CAD_ON | LINUX_REBOOT_CMD_CAD_OFF);
    if is_end {
        // Linux leaves that to init. Who forgets it loses nothing here.
        writeback::end();
    }
    match command as u32 {
        LINUX_REBOOT_CMD_RESTART | LINUX_REBOOT_CMD_RESTART2 => power::restart(),
        LINUX_REBOOT_CMD_POWER_OFF => power::power_off(),
        LINUX_REBOOT_CMD_HALT => power::halt(),
        // What Ctrl-Alt-Del does: neither board has a keyboard that could say it.
        LINUX_REBOOT_CMD_CAD_ON | LINUX_REBOOT_CMD_CAD_OFF => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
