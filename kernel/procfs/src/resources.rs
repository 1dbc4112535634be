//! /proc/iomem: what lies where among physical addresses, as the device tree says it (proc_iomem(5), `kernel/resource.c`).

use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use formats::dtb::{Gic, Machine, PhysRange};

use super::access::PhysicalAddresses;
use super::seq_file;
use super::text::Text;
use klog::boot_arguments;
use vfs::file_ops::FileOps;

/// Opens the file. Addresses are for the privileged alone; others read 0 in their place.
///
/// # Errors
/// `ENOMEM`.
pub fn open() -> Result<Arc<dyn FileOps>, Errno> {
    let addresses = PhysicalAddresses::for_current();
    seq_file::open_whole(move |text| {
        list(text, addresses);
        Ok(())
    })
}

/// One line: the range, its name, and whether it lies in another one.
#[derive(Clone)]
struct Resource {
    range: Range<u64>,
    name: &'static str,
    is_inner: bool,
}

/// Adds the lines by rising address, what holds others before them.
fn list(text: &mut Text, addresses: PhysicalAddresses) {
    let key = |line: &Resource| (line.range.start, line.is_inner, line.range.end);
    let mut last = None;
    loop {
        let mut next: Option<Resource> = None;
        for_each(boot_arguments::machine(), &mut |line| {
            let is_later = last.is_none_or(|last| key(&line) > last);
            if is_later && next.as_ref().is_none_or(|next| key(&line) < key(next)) {
                next = Some(line);
            }
        });
        let Some(line) = next else {
            return;
        };
        add(text, &line, addresses);
        last = Some(key(&line));
    }
}

fn add(text: &mut Text, line: &Resource, addresses: PhysicalAddresses) {
    let (start, last) = match addresses {
        PhysicalAddresses::Shown => (line.range.start, line.range.end - 1),
        PhysicalAddresses::Hidden => (0, 0),
    };
    if line.is_inner {
        text.bytes(b"  ");
    }
    text.add(format_args!("{start:08x}-{last:08x} : {}", line.name));
    if !line.is_inner && line.name != RAM {
        text.add(format_args!("@{start:x}"));
    }
    text.bytes(b"\n");
}

const RAM: &str = "System RAM";

/// All that is known, in no order.
fn for_each(machine: &Machine, take: &mut dyn FnMut(Resource)) {
    let mut give = |range: Range<u64>, name, is_inner| {
        if !range.is_empty() {
            take(Resource {
                range,
                name,
                is_inner,
            });
        }
    };
    let (code, data) = platform::memory::image();
    give(code, "Kernel code", true);
    give(data, "Kernel data", true);
    let whole = |range: &PhysRange| range.start..range.end();
    machine
        .ram
        .iter()
        .for_each(|range| give(whole(range), RAM, false));
    for reserved in &machine.reserved {
        give(whole(&reserved.range), "reserved", true);
    }
    for (name, range) in devices(machine) {
        if let Some(range) = range {
            give(whole(&range), name, false);
        }
    }
    if let Some(Gic::V3 { redistributors, .. }) = &machine.gic {
        redistributors
            .iter()
            .for_each(|range| give(whole(range), "GICR", false));
    }
}

/// Registers of devices that have a driver here.
fn devices(machine: &Machine) -> [(&'static str, Option<PhysRange>); 7] {
    let (distributor, interface) = match &machine.gic {
        Some(Gic::V2 {
            distributor,
            cpu_interface,
        }) => (Some(*distributor), Some(*cpu_interface)),
        Some(Gic::V3 { distributor, .. }) => (Some(*distributor), None),
        None => (None, None),
    };
    [
        ("pl011", machine.uart.as_ref().map(|uart| uart.registers)),
        ("pl031", machine.wall_clock),
        ("GICD", distributor),
        ("GICC", interface),
        ("mailbox", machine.mailbox),
        ("watchdog", machine.watchdog),
        ("gpio", machine.gpio),
    ]
}
