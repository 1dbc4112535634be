//! From the nodes of the tree to [`Machine`]: one walk for what others refer to, one for everything.

use super::device::Device;
use super::machine::{
    Conduit, Cpu, EnableMethod, Gic, InitrdRange, Machine, PhysRange, Reserved, ReservedBy, SdController,
    SdKind, Stdout, Uart, VirtioTransport,
};
use super::pci;
use super::place::{Place, cells, cut, valid_text};
use super::{DeviceTree, DtbError};
use arrayvec::ArrayVec;
use dtoolkit::Node;

/// Reads the whole tree.
///
/// # Errors
/// What [`DtbError`] lists: the tree is damaged, or says of memory what cannot be trusted.
pub fn machine(tree: &DeviceTree) -> Result<Machine, DtbError> {
    let mut machine = Machine::default();
    let context = Context::read(tree)?;
    for range in tree.memory_reservations() {
        reserve(&mut machine, range, ReservedBy::Block)?;
    }
    tree.visit(&mut |place| take_node(&mut machine, &context, tree, place))?;
    machine.chosen.stdout = context.stdout;
    Ok(machine)
}

/// What must be known before the nodes that refer to it.
#[derive(Default)]
struct Context {
    gic: Option<GicReference>,
    stdout: Option<Stdout>,
}

/// How interrupts of the GIC are written.
#[derive(Clone, Copy)]
pub(super) struct GicReference {
    pub(super) phandle: Option<u32>,
    pub(super) interrupt_cells: usize,
    /// Cells of its address where others name it.
    pub(super) address_cells: usize,
}

impl Context {
    fn read(tree: &DeviceTree) -> Result<Context, DtbError> {
        let mut context = Context::default();
        let mut stdout = None;
        tree.visit(&mut |place| {
            if context.gic.is_none() && matches!(Device::of(place), Some(Device::GicV2 | Device::GicV3)) {
                let interrupt_cells = place.cell("#interrupt-cells").unwrap_or(3) as usize;
                context.gic = Some(GicReference {
                    phandle: place.phandle(),
                    interrupt_cells,
                    address_cells: place.cell("#address-cells").unwrap_or(0) as usize,
                });
            } else if place.is_top("chosen") {
                stdout = place
                    .text("stdout-path")
                    .or_else(|| place.text("linux,stdout-path"));
            }
            Ok(())
        })?;
        context.stdout = stdout.map(|stdout| resolve_stdout(tree, stdout)).transpose()?;
        Ok(context)
    }
}

/// `path:options` or `alias:options`.
fn resolve_stdout(tree: &DeviceTree, stdout: &str) -> Result<Stdout, DtbError> {
    let (target, options) = stdout.split_once(':').unwrap_or((stdout, ""));
    let mut path = if target.starts_with('/') {
        Some(target)
    } else {
        None
    };
    tree.visit(&mut |place| {
        if path.is_none() && place.is_top("aliases") {
            path = place.text(target);
        }
        Ok(())
    })?;
    Ok(Stdout {
        path: cut(path.unwrap_or(target)),
        options: cut(options),
    })
}

fn take_node(
    machine: &mut Machine,
    context: &Context,
    tree: &DeviceTree,
    place: &Place,
) -> Result<(), DtbError> {
    if place.parent.is_none() {
        machine.model = cut(place.text("model").unwrap_or_default());
        machine.compatible = place.texts("compatible").take(8).map(cut).collect();
    } else if place.is_top("chosen") {
        take_chosen(machine, place);
    } else if place.is_top("memory") && place.text("device_type") == Some("memory") {
        take_memory(machine, place)?;
    } else if place.is_in("reserved-memory") {
        take_reserved(machine, place)?;
    } else if place.is_in("cpus") && place.node.name_without_address() == "cpu" {
        take_cpu(machine, place);
    } else if let Some(device) = Device::of(place) {
        take_device(machine, context, tree, place, device)?;
    }
    Ok(())
}

fn take_chosen(machine: &mut Machine, place: &Place) {
    let chosen = &mut machine.chosen;
    let bootargs = place.bytes("bootargs").unwrap_or_default();
    chosen.bootargs = cut(valid_text(bootargs));
    chosen.initrd = match (place.bytes("linux,initrd-start"), place.bytes("linux,initrd-end")) {
        (None, None) => InitrdRange::None,
        _ => match (
            place.number("linux,initrd-start"),
            place.number("linux,initrd-end"),
        ) {
            (Some(start), Some(end)) if start == end => InitrdRange::None,
            (Some(start), Some(end)) if start < end => InitrdRange::At(PhysRange {
                start,
                size: end - start,
            }),
            _ => InitrdRange::Malformed,
        },
    };
    chosen.rng_seed = place
        .bytes("rng-seed")
        .unwrap_or_default()
        .iter()
        .copied()
        .take(64)
        .collect();
    chosen.kaslr_seed = place.number("kaslr-seed");
}

fn take_memory(machine: &mut Machine, place: &Place) -> Result<(), DtbError> {
    if !place.is_enabled() {
        return Ok(());
    }
    let ranges = place.reg().ok_or(DtbError::BadProperty("memory", "reg"))?;
    for range in ranges.filter(|range| range.size != 0) {
        range
            .start
            .checked_add(range.size)
            .ok_or(DtbError::BadProperty("memory", "reg"))?;
        machine
            .ram
            .try_push(range)
            .map_err(|_| DtbError::TooMany("ranges of memory"))?;
    }
    Ok(())
}

fn take_reserved(machine: &mut Machine, place: &Place) -> Result<(), DtbError> {
    // A node without `reg` asks for memory anywhere: nothing is there yet.
    if !place.is_enabled() || place.bytes("reg").is_none() {
        return Ok(());
    }
    let by = if place.bytes("no-map").is_some() {
        ReservedBy::NodeNoMap
    } else {
        ReservedBy::Node
    };
    let bad = DtbError::BadProperty("reserved-memory", "reg");
    for range in place.reg().ok_or(bad.clone())? {
        reserve(machine, place.translate(range).ok_or(bad.clone())?, by)?;
    }
    Ok(())
}

fn reserve(machine: &mut Machine, range: PhysRange, by: ReservedBy) -> Result<(), DtbError> {
    if range.size == 0 {
        return Ok(());
    }
    let reserved = Reserved { range, by };
    machine
        .reserved
        .try_push(reserved)
        .map_err(|_| DtbError::TooMany("reserved ranges of memory"))
}

fn take_cpu(machine: &mut Machine, place: &Place) {
    let Some(reg) = place.reg().and_then(|mut reg| reg.next()) else {
        return;
    };
    if place
        .text("status")
        .is_some_and(|status| status.starts_with("fail"))
    {
        return;
    }
    let method = place
        .text("enable-method")
        .or_else(|| place.parent?.text("enable-method"));
    let enable = match (method, place.number("cpu-release-addr")) {
        (Some("psci"), _) => EnableMethod::Psci,
        (Some("spin-table"), Some(release_address)) => EnableMethod::SpinTable { release_address },
        _ => EnableMethod::Unknown,
    };
    // Further processors stay where they are.
    let _ = machine.cpus.try_push(Cpu {
        mpidr: reg.start,
        enable,
    });
}

fn take_device(
    machine: &mut Machine,
    context: &Context,
    tree: &DeviceTree,
    place: &Place,
    device: Device,
) -> Result<(), DtbError> {
    match device {
        Device::Uart => take_uart(machine, context, tree, place)?,
        Device::GicV2 => machine.gic = machine.gic.take().or_else(|| gic_v2(place)),
        Device::GicV3 => machine.gic = machine.gic.take().or_else(|| gic_v3(place)),
        Device::Timer => take_timer(machine, context, place),
        Device::WallClock => machine.wall_clock = machine.wall_clock.or_else(|| place.registers(0)),
        Device::Psci => machine.psci = conduit(place),
        Device::Mailbox => machine.mailbox = machine.mailbox.or_else(|| place.registers(0)),
        Device::Watchdog => machine.watchdog = machine.watchdog.or_else(|| place.registers(0)),
        Device::Gpio => machine.gpio = machine.gpio.or_else(|| place.registers(0)),
        Device::Generator => machine.generator = machine.generator.or_else(|| place.registers(0)),
        Device::Sd(kind) => take_sd(machine, context, place, kind),
        Device::Virtio => take_virtio(machine, context, place),
        Device::Pci => {
            let gic = context.gic;
            machine.pci = machine
                .pci
                .take()
                .or_else(|| gic.and_then(|gic| pci::host(place, &gic)));
        }
    }
    Ok(())
}

fn take_uart(
    machine: &mut Machine,
    context: &Context,
    tree: &DeviceTree,
    place: &Place,
) -> Result<(), DtbError> {
    let stdout = context.stdout.as_ref();
    let is_stdout = stdout.is_some_and(|stdout| place.is_at(&stdout.path));
    let (Some(registers), true) = (place.registers(0), machine.uart.is_none() || is_stdout) else {
        return Ok(());
    };
    let clock = place.bytes("clocks").and_then(|clocks| cells(clocks).next());
    let clock_hz = clock.map(|clock| fixed_clock(tree, clock)).transpose()?.flatten();
    let interrupt = interrupt(context, place, 0);
    machine.uart = Some(Uart {
        registers,
        interrupt,
        clock_hz,
        is_stdout,
    });
    Ok(())
}

fn take_sd(machine: &mut Machine, context: &Context, place: &Place, kind: SdKind) {
    if let (Some(registers), Some(interrupt)) = (place.registers(0), interrupt(context, place, 0)) {
        let says = |name| place.bytes(name).is_some();
        let _ = machine.sd.try_push(SdController {
            registers,
            interrupt,
            kind,
            sees_card: !says("broken-cd") && !says("non-removable"),
        });
    }
}

fn take_virtio(machine: &mut Machine, context: &Context, place: &Place) {
    if let (Some(registers), Some(interrupt)) = (place.registers(0), interrupt(context, place, 0)) {
        let is_coherent = place.upwards().any(|node| node.bytes("dma-coherent").is_some());
        let _ = machine.virtio.try_push(VirtioTransport {
            registers,
            interrupt,
            is_coherent,
        });
    }
}

/// The frequency of a clock that never changes it.
fn fixed_clock(tree: &DeviceTree, phandle: u32) -> Result<Option<u32>, DtbError> {
    let mut frequency = None;
    tree.visit(&mut |place| {
        if place.phandle() == Some(phandle) && place.texts("compatible").any(|name| name == "fixed-clock") {
            frequency = place.cell("clock-frequency").filter(|&hz| hz != 0);
        }
        Ok(())
    })?;
    Ok(frequency)
}

fn gic_v2(place: &Place) -> Option<Gic> {
    Some(Gic::V2 {
        distributor: place.registers(0)?,
        cpu_interface: place.registers(1)?,
    })
}

fn gic_v3(place: &Place) -> Option<Gic> {
    let distributor = place.registers(0)?;
    let count = place.cell("#redistributor-regions").unwrap_or(1) as usize;
    let redistributors: ArrayVec<PhysRange, 8> = (1..=count.min(8))
        .filter_map(|index| place.registers(index))
        .collect();
    let stride = place.number("redistributor-stride").filter(|&stride| stride != 0);
    (!redistributors.is_empty()).then_some(Gic::V3 {
        distributor,
        redistributors,
        stride,
    })
}

fn conduit(place: &Place) -> Option<Conduit> {
    match place.text("method") {
        Some("hvc") => Some(Conduit::Hvc),
        Some("smc") => Some(Conduit::Smc),
        _ => None,
    }
}

/// The binding fixes the order secure physical, physical, virtual, EL2 physical; names may say another.
fn take_timer(machine: &mut Machine, context: &Context, place: &Place) {
    let index = |name: &str, usual: usize| match place.bytes("interrupt-names") {
        Some(_) => place.texts("interrupt-names").position(|known| known == name),
        None => Some(usual),
    };
    let find = |name: &str, usual: usize| interrupt(context, place, index(name, usual)?);
    machine.timer.physical_interrupt = find("phys", 1);
    machine.timer.virtual_interrupt = find("virt", 2);
}

/// An entry of `interrupts` as INTID of the GIC: SPIs begin at 32, PPIs at 16 (bindings `arm,gic.yaml`).
fn interrupt(context: &Context, place: &Place, index: usize) -> Option<u32> {
    let gic = context.gic?;
    if place.interrupt_parent() != gic.phandle || gic.interrupt_cells < 3 {
        return None;
    }
    let mut entry = cells(place.bytes("interrupts")?).skip(index.checked_mul(gic.interrupt_cells)?);
    intid(entry.next()?, entry.next()?)
}

/// The INTID of that kind and number.
pub(super) fn intid(kind: u32, number: u32) -> Option<u32> {
    match (kind, number) {
        (0, number @ 0..988) => Some(number + 32),
        (1, number @ 0..16) => Some(number + 16),
        _ => None,
    }
}
