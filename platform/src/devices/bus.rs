//! Where the BCM2711's masters of 32 bits find RAM: pure arithmetic, tested on the host.

/// They reach the first GiB, and no more: it stands at this address of theirs, where their own caches are passed by (BCM2711 ARM
/// Peripherals, 1.2).
const ALIAS: u32 = 0xc000_0000;
const REACH: u64 = 1 << 30;

/// The address by which such a master reaches `len` bytes at `physical`; `None` if it cannot.
pub(crate) fn bus_address(physical: u64, len: usize) -> Option<u32> {
    let end = physical.checked_add(len as u64)?;
    let within = u32::try_from(physical).ok()?;
    (end <= REACH).then_some(ALIAS | within)
}

#[cfg(test)]
mod tests {
    use super::bus_address;

    #[test]
    fn the_videocore_is_told_of_no_memory_that_it_would_look_for_elsewhere() {
        assert_eq!(bus_address(0x20_0000, 64), Some(0xc020_0000));
        assert_eq!(bus_address((1 << 30) - 64, 64), Some(0xffff_ffc0));
        assert_eq!(bus_address((1 << 30) - 32, 64), None);
        assert_eq!(bus_address(1 << 30, 64), None);
        assert_eq!(bus_address((4 << 30) + 0x20_0000, 64), None);
        assert_eq!(bus_address(u64::MAX, 64), None);
    }
}
