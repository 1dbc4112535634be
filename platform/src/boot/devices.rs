//! The devices of this machine, mapped while the final map is made, woken when it is installed.

use super::error::BootError;
use crate::devices::gic::{self, Gic};
use crate::devices::gic_v2::GicV2;
use crate::devices::gic_v3::{GicV3, Redistributors};
use crate::devices::mmio::Mmio;
use crate::devices::uart::{self, Uart};
use crate::devices::watchdog::Watchdog;
use crate::devices::{map, pl031, rng200, rpi4, sd, virtio};
use crate::interrupt;
use crate::layout::page_down;
use crate::memory::kernel_tables::KernelTables;
use crate::memory::plan::{Plan, PlanError};
use crate::power::{self, PowerControl};
use crate::{board, console};
use arrayvec::ArrayVec;
use formats::dtb::{self, Conduit, Machine, PciHost, PhysRange, SdKind, VirtioTransport};
use mm::PAGE_SIZE;

/// A device of which the driver knows better how many registers it has than some device trees do.
fn sized(range: PhysRange, len: usize) -> PhysRange {
    PhysRange {
        start: range.start,
        size: len as u64,
    }
}

enum GicRegisters {
    V2 {
        distributor: Mmio,
        interface: Mmio,
    },
    V3 {
        distributor: Mmio,
        redistributors: Redistributors,
    },
}

/// The devices, mapped and untouched.
pub(super) struct Devices {
    uart: Mmio,
    uart_clock: Option<u32>,
    gic: GicRegisters,
    timer: u32,
    uart_interrupt: Option<u32>,
    psci: Option<Conduit>,
    watchdog: Option<Watchdog<Mmio>>,
    wall_clock: Option<Mmio>,
    /// Raspberry Pi.
    generator: Option<Mmio>,
    /// Raspberry Pi.
    pins: Option<Mmio>,
    /// Raspberry Pi.
    mailbox: Option<Mmio>,
    virtio: ArrayVec<virtio::Slot, { virtio::MOST }>,
    pci: Option<Pci>,
    /// Raspberry Pi.
    sd: ArrayVec<MappedSd, { sd::MOST }>,
}

/// A controller of SD cards, mapped.
struct MappedSd {
    registers: Mmio,
    interrupt: u32,
    kind: SdKind,
    sees_card: bool,
}

/// A host bridge, with the first registers of its configuration space and of its window.
struct Pci {
    host: PciHost,
    configuration: Mmio,
    window: Mmio,
}

/// The pages of registers that several devices lie in, mapped once each.
#[derive(Default)]
struct SharedPages(ArrayVec<(u64, Mmio), { virtio::MOST }>);

impl SharedPages {
    /// The registers in `range`, which lie in one page, or none if they do not. `map` maps what was not mapped yet.
    ///
    /// # Errors
    /// As `map`.
    fn registers(
        &mut self,
        range: PhysRange,
        map: impl FnOnce(PhysRange) -> Result<Mmio, BootError>,
    ) -> Result<Option<Mmio>, BootError> {
        let (page, size) = (page_down(range.start), range.size as usize);
        if size == 0 || page_down(range.end() - 1) != page {
            return Ok(None);
        }
        let known = self.0.iter().find(|(start, _)| *start == page);
        let mapped = match known {
            Some(&(_, mapped)) => mapped,
            None => {
                let start = page;
                let mapped = map(PhysRange {
                    start,
                    size: PAGE_SIZE as u64,
                })?;
                self.0.push((page, mapped));
                mapped
            }
        };
        Ok(Some(mapped.part((range.start - page) as usize, size)))
    }
}

impl Devices {
    /// Maps what `machine` has into `tables`, which are not in use yet.
    ///
    /// # Errors
    /// A device is missing without which nothing goes.
    pub(super) fn map(
        machine: &Machine,
        tables: KernelTables,
        plan: &mut Plan,
    ) -> Result<Devices, BootError> {
        let uart = machine.uart.ok_or(BootError::Missing("PL011 UART"))?;
        let gic = machine.gic.as_ref().ok_or(BootError::Missing("GICv2 or GICv3"))?;
        let timer = machine
            .timer
            .virtual_interrupt
            .ok_or(BootError::Missing("generic timer"))?;
        let mut map = |range: PhysRange| {
            // SAFETY: the device tree says that a device of this kind has its registers there; RAM is never listed as one,
            // and each device is mapped once.
            let mapped = unsafe { map::map(tables, range, &mut || plan.new_table()) };
            mapped.map_err(|_| BootError::Memory(PlanError::TooLittleRam))
        };
        let gic = match gic {
            dtb::Gic::V2 {
                distributor,
                cpu_interface,
            } => GicRegisters::V2 {
                distributor: map(*distributor)?,
                interface: map(*cpu_interface)?,
            },
            dtb::Gic::V3 {
                distributor,
                redistributors,
                stride,
            } => {
                let mut regions = [None; _];
                for (mapped, range) in regions.iter_mut().zip(redistributors) {
                    *mapped = Some(map(*range)?);
                }
                let stride = stride.map(|stride| stride as usize);
                GicRegisters::V3 {
                    distributor: map(*distributor)?,
                    redistributors: Redistributors { regions, stride },
                }
            }
        };
        let virtio = map_virtio(&machine.virtio, &mut map)?;
        let pci = map_pci(machine.pci.as_ref(), &mut map)?;
        let mut sd = ArrayVec::new();
        for controller in &machine.sd {
            sd.push(MappedSd {
                registers: map(sized(controller.registers, sd::CONTROLLER_LEN))?,
                interrupt: controller.interrupt,
                kind: controller.kind,
                sees_card: controller.sees_card,
            });
        }
        let watchdog = machine.watchdog.map(&mut map).transpose()?.map(Watchdog);
        Ok(Devices {
            uart_clock: uart.clock_hz,
            pins: machine
                .gpio
                .map(|range| map(sized(range, rpi4::GPIO_LEN)))
                .transpose()?,
            mailbox: machine.mailbox.map(&mut map).transpose()?,
            generator: machine.generator.map(&mut map).transpose()?,
            uart: map(sized(uart.registers, uart::UART_LEN))?,
            wall_clock: machine
                .wall_clock
                .map(|range| map(sized(range, pl031::PL031_LEN)))
                .transpose()?,
            psci: machine.psci,
            virtio,
            pci,
            sd,
            watchdog,
            gic,
            timer,
            uart_interrupt: uart.interrupt,
        })
    }

    /// Makes the UART the console, and finds out who turns the machine off.
    pub(super) fn set_up_console(&self) {
        let by_watchdog = self.watchdog.map(PowerControl::Watchdog);
        if let Some(power) = self.psci.map(PowerControl::Psci).or(by_watchdog) {
            power::set_control(power);
        }
        // A console first, so that nothing below can fail in silence; then at the right pins and speed.
        console::install(Uart::new(self.uart, self.uart_clock.unwrap_or(uart::USUAL_CLOCK)));
        if let Some(interrupt) = self.uart_interrupt {
            console::set_interrupt(interrupt);
        }
        if let Some(pins) = self.pins {
            rpi4::route_uart(pins);
        }
        if self.uart_clock.is_none()
            && let Some(clock) = self.mailbox.and_then(rpi4::uart_clock)
        {
            console::install(Uart::new(self.uart, clock));
        }
        if let Some(watchdog) = self.watchdog {
            power::set_watchdog(watchdog);
        }
    }

    /// Lets the processors run as fast as they may.
    pub(super) fn speed_up(&self) {
        if let Some(rates) = self.mailbox.and_then(rpi4::speed_up) {
            board::set_rates(rates);
        }
    }

    /// Random bytes, if something makes them.
    pub(super) fn random_seed(&self) -> Option<[u8; 32]> {
        self.generator.and_then(|registers| rng200::seed(&registers))
    }

    /// Seconds since 1970, if a clock runs while the power is off.
    pub(super) fn wall_clock_seconds(&self) -> Option<u64> {
        self.wall_clock.map(pl031::seconds).map(u64::from)
    }

    /// Sets up the interrupt controller, and lets through what each processor has for itself.
    pub(super) fn set_up_interrupts(self) {
        gic::install(|| match self.gic {
            GicRegisters::V2 {
                distributor,
                interface,
            } => Gic::V2(GicV2::new(distributor, interface)),
            GicRegisters::V3 {
                distributor,
                redistributors,
            } => Gic::V3(GicV3::new(distributor, redistributors)),
        });
        interrupt::set_up(self.timer);
        sd::set_slots(sd_slots(self.sd, self.mailbox));
        virtio::set_slots(self.virtio);
        if let Some(pci) = self.pci {
            virtio::pci::set_up(&pci.host, pci.configuration, pci.window);
        }
    }
}

/// Where a card may be: first where the board has it, then where QEMU has it. Not inlined: the frame of boot is large as it is.
#[inline(never)]
fn sd_slots(
    mut controllers: ArrayVec<MappedSd, { sd::MOST }>,
    mailbox: Option<Mmio>,
) -> ArrayVec<sd::Slot, { sd::MOST }> {
    controllers.sort_unstable_by_key(|controller| controller.kind != SdKind::Emmc2);
    if let (Some(mailbox), Some(first)) = (mailbox, controllers.first())
        && first.kind == SdKind::Emmc2
    {
        rpi4::set_card_voltage(mailbox);
    }
    let slot = |controller: MappedSd| {
        let clock = mailbox.and_then(|mailbox| rpi4::sd_clock(mailbox, controller.kind));
        sd::Slot {
            controller: sd::Controller::new(controller.registers, clock.unwrap_or(0)),
            interrupt: controller.interrupt,
            tells_removal: controller.sees_card,
            has_high_speed_bit: controller.kind == SdKind::Emmc2,
        }
    };
    controllers.into_iter().map(slot).collect()
}

/// Maps the places of virtio devices. One whose device does not see the caches is left out: nobody would clean them.
fn map_virtio(
    transports: &[VirtioTransport],
    map: &mut impl FnMut(PhysRange) -> Result<Mmio, BootError>,
) -> Result<ArrayVec<virtio::Slot, { virtio::MOST }>, BootError> {
    let mut pages = SharedPages::default();
    let mut slots = ArrayVec::new();
    for transport in transports.iter().filter(|transport| transport.is_coherent) {
        if let Some(registers) = pages.registers(transport.registers, &mut *map)? {
            slots.push(virtio::Slot {
                registers,
                interrupt: transport.interrupt,
            });
        }
    }
    Ok(slots)
}

/// Maps what is needed of the host bridge. One whose devices do not see the caches is left out.
fn map_pci(
    host: Option<&PciHost>,
    map: &mut impl FnMut(PhysRange) -> Result<Mmio, BootError>,
) -> Result<Option<Pci>, BootError> {
    use virtio::pci::{CONFIGURATION_LEN, WINDOW_LEN};
    let is_usable = |host: &&PciHost| {
        host.is_coherent && host.configuration.size >= CONFIGURATION_LEN && host.window.size >= WINDOW_LEN
    };
    let Some(host) = host.filter(is_usable) else {
        return Ok(None);
    };
    Ok(Some(Pci {
        configuration: map(sized(host.configuration, CONFIGURATION_LEN as usize))?,
        window: map(sized(host.window, WINDOW_LEN as usize))?,
        host: host.clone(),
    }))
}
