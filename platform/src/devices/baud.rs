//! The divisors of a PL011 (Arm DDI 0183, 3.3.6): pure arithmetic, tested on the host.

/// Bits per second on the line.
const BAUD: u64 = 115_200;
/// The Raspberry Pi firmware's default clock, which also does where nobody knows better.
pub(crate) const USUAL_CLOCK: u32 = 48_000_000;

/// IBRD and FBRD: clock / (16 * baud) in 64ths, rounded. A clock that is too slow for the baud rate, or 0, gives the divisors
/// of the usual one rather than 0, which would stop the UART.
pub(crate) fn divisors(clock: u32) -> (u32, u32) {
    let sixty_fourths = |clock: u32| (u64::from(clock) * 4 + BAUD / 2) / BAUD;
    let divisor = match sixty_fourths(clock) {
        ..64 => sixty_fourths(USUAL_CLOCK),
        divisor => divisor,
    };
    ((divisor / 64) as u32, (divisor % 64) as u32)
}

#[cfg(test)]
mod tests {
    use super::divisors;

    #[test]
    fn the_boards_clocks_give_the_manual_s_divisors() {
        assert_eq!(divisors(48_000_000), (26, 3));
        assert_eq!(divisors(24_000_000), (13, 1));
        assert_eq!(divisors(3_000_000), (1, 40));
    }

    #[test]
    fn a_clock_that_cannot_be_is_replaced() {
        assert_eq!(divisors(0), (26, 3));
        assert_eq!(divisors(1_000_000), (26, 3));
    }
}
