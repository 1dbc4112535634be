//! What uname(2) tells: the names of the machine, which can be set, and the release that the kernel stands for.

use lock::Mutex;

/// The Linux release whose interface this is: glibc asks.
pub const RELEASE: &str = "6.12.0-holstein";

/// Which build of it this is, as uname(2) says it.
pub const VERSION: &str = concat!("#1 Holstein ", env!("CARGO_PKG_VERSION"));

/// Longest host or domain name (`__NEW_UTS_LEN`).
pub const NAME_LEN: usize = 64;

/// The name of the machine.
pub static HOST: MachineName = MachineName(Mutex::new(UtsField::new(b"holstein")));
/// Its NIS domain.
pub static DOMAIN: MachineName = MachineName(Mutex::new(UtsField::new(b"(none)")));

/// A name of the machine.
pub struct MachineName(Mutex<UtsField>);

impl MachineName {
    /// Shows it to `look`.
    pub fn with_bytes<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        let name = self.0.cloned();
        look(&name.bytes[..name.len])
    }

    /// The name with zeros behind it, as uname(2) gives it.
    pub fn field(&self) -> [u8; NAME_LEN + 1] {
        self.with_bytes(|name| {
            let mut field = [0; NAME_LEN + 1];
            field[..name.len()].copy_from_slice(name);
            field
        })
    }

    /// Changes it; what does not fit is cut.
    pub fn set(&self, given: &[u8]) {
        let len = given.len().min(NAME_LEN);
        let mut bytes = [0; NAME_LEN];
        bytes[..len].copy_from_slice(&given[..len]);
        *self.0.lock() = UtsField { bytes, len };
    }
}

/// A name that can be set.
#[derive(Clone, Copy)]
struct UtsField {
    bytes: [u8; NAME_LEN],
    len: usize,
}

impl UtsField {
    const fn new(name: &[u8]) -> UtsField {
        let mut bytes = [0; NAME_LEN];
        let (start, _) = bytes.split_at_mut(name.len());
        start.copy_from_slice(name);
        UtsField {
            bytes,
            len: name.len(),
        }
    }
}
