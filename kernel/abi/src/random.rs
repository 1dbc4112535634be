//! getrandom(2); `linux/random.h`.

flags! {
    /// From where random bytes come: getrandom(2).
    pub struct GrndFlags: u32 {
        /// Do not wait for the generator to be seeded: `EAGAIN`.
        const GRND_NONBLOCK = 0x0001;
        /// Read what /dev/random would give.
        const GRND_RANDOM = 0x0002;
        /// Give bytes even if the generator is not seeded yet.
        const GRND_INSECURE = 0x0004;
    }
}
