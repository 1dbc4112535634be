//! How ticks become nanoseconds and back, without a division: by rounded fixed-point factors.

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The two factors of a counter.
pub(crate) struct Scale {
    frequency: u64,
    /// Nanoseconds per tick, times 2^32.
    nanos_per_tick: u64,
    /// Ticks per nanosecond, times 2^32.
    ticks_per_nano: u64,
}

impl Scale {
    /// Of a counter with so many ticks in a second, which are not 0.
    pub(crate) const fn new(frequency: u64) -> Scale {
        Scale {
            frequency,
            nanos_per_tick: (((NANOS_PER_SECOND as u128) << 32) / frequency as u128) as u64,
            ticks_per_nano: (((frequency as u128) << 32) / NANOS_PER_SECOND as u128) as u64,
        }
    }

    /// The bit of the counter whose changes come closest to 10,000 events in a second, as Linux has them
    /// (`arch_timer_configure_evtstream`).
    pub(crate) const fn event_bit(&self) -> u64 {
        const EVENTS: u64 = 10_000;
        let divisor = self.frequency / EVENTS;
        if divisor == 0 {
            return 0;
        }
        let highest = divisor.ilog2();
        let is_closer_above = highest > 0 && divisor & 1 << (highest - 1) != 0;
        let bit = if is_closer_above {
            highest
        } else {
            highest.saturating_sub(1)
        };
        if bit > 15 { 15 } else { bit as u64 }
    }

    /// Ticks in a second.
    #[inline]
    pub(crate) fn frequency(&self) -> u64 {
        self.frequency
    }

    /// Nanoseconds per tick, times 2^32.
    pub(crate) fn nanos_per_tick(&self) -> u64 {
        self.nanos_per_tick
    }

    /// A count of ticks as nanoseconds, rounded down.
    #[inline]
    pub(crate) fn ticks_to_nanos(&self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.nanos_per_tick)) >> 32) as u64
    }

    /// Nanoseconds as ticks, rounded up. What does not fit is the largest count.
    #[inline]
    pub(crate) fn nanos_to_ticks(&self, nanos: u64) -> u64 {
        let product = u128::from(nanos) * u128::from(self.ticks_per_nano);
        u64::try_from(product.div_ceil(1 << 32)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_every_hundred_microseconds_or_so() {
        for (frequency, bit) in [
            (54_000_000, 11),
            (62_500_000, 12),
            (19_200_000, 10),
            (1_000_000_000, 15),
            (1000, 0),
        ] {
            assert_eq!(Scale::new(frequency).event_bit(), bit, "{frequency}");
        }
    }

    #[test]
    fn nobody_is_woken_early() {
        for frequency in [1_000_000, 19_200_000, 54_000_000, 62_500_000, 1_000_000_000] {
            let scale = Scale::new(frequency);
            for nanos in [
                0,
                1,
                15,
                16,
                17,
                999,
                1_000_000,
                1_000_000_007,
                86_400_000_000_000,
            ] {
                let ticks = scale.nanos_to_ticks(nanos);
                let exact = u128::from(nanos) * u128::from(frequency);
                // The factor is rounded down by less than 2^-32.
                let slack = u128::from(nanos >> 32) + 1;
                assert!(
                    (u128::from(ticks) + slack) * 1_000_000_000 >= exact,
                    "{frequency} {nanos}"
                );
                assert!(scale.ticks_to_nanos(ticks) <= nanos + 1_000_000_000_u64.div_ceil(frequency));
            }
            assert!(scale.ticks_to_nanos(frequency).abs_diff(1_000_000_000) <= 1);
            assert_eq!(
                scale.nanos_to_ticks(u64::MAX) == u64::MAX,
                frequency == 1_000_000_000
            );
        }
    }
}
