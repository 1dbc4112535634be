//! getrandom(2); `linux/random.h`.

/// Do not wait for the generator to be seeded: `EAGAIN`.
pub const GRND_NONBLOCK: u32 = 0x0001;
/// Read what /dev/random would give.
pub const GRND_RANDOM: u32 = 0x0002;
/// Give bytes even if the generator is not seeded yet.
pub const GRND_INSECURE: u32 = 0x0004;
