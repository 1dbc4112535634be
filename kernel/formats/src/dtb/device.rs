//! Which nodes of the tree describe devices that are looked for.

use super::machine::SdKind;
use super::place::Place;

/// The devices that are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    Uart,
    GicV2,
    GicV3,
    Timer,
    WallClock,
    Psci,
    Mailbox,
    Watchdog,
    Gpio,
    Generator,
    Sd(SdKind),
    Virtio,
    Pci,
}

/// Their names in `compatible`.
const DEVICES: &[(&str, Device)] = &[
    ("arm,pl011", Device::Uart),
    ("arm,gic-400", Device::GicV2),
    ("arm,cortex-a15-gic", Device::GicV2),
    ("arm,cortex-a9-gic", Device::GicV2),
    ("arm,cortex-a7-gic", Device::GicV2),
    ("arm,gic-v3", Device::GicV3),
    ("arm,armv8-timer", Device::Timer),
    ("arm,armv7-timer", Device::Timer),
    ("arm,pl031", Device::WallClock),
    ("arm,psci-1.0", Device::Psci),
    ("arm,psci-0.2", Device::Psci),
    ("arm,psci", Device::Psci),
    ("brcm,bcm2835-mbox", Device::Mailbox),
    ("brcm,bcm2711-pm", Device::Watchdog),
    ("brcm,bcm2835-pm-wdt", Device::Watchdog),
    ("brcm,bcm2711-gpio", Device::Gpio),
    ("brcm,bcm2835-gpio", Device::Gpio),
    ("brcm,bcm2711-rng200", Device::Generator),
    ("brcm,bcm2711-emmc2", Device::Sd(SdKind::Emmc2)),
    ("brcm,bcm2835-sdhci", Device::Sd(SdKind::Emmc1)),
    ("virtio,mmio", Device::Virtio),
    ("pci-host-ecam-generic", Device::Pci),
];

impl Device {
    /// What the node describes, if it is looked for and enabled.
    pub(super) fn of(place: &Place) -> Option<Device> {
        let known = |name| {
            DEVICES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|&(_, device)| device)
        };
        place
            .texts("compatible")
            .find_map(known)
            .filter(|_| place.is_enabled())
    }
}
