//! Addresses of sockets: bytes with a length, which begin with the family (`struct sockaddr`).

use abi::Errno;
use abi::socket::STORAGE_LEN;
use arrayvec::ArrayVec;

/// An address of any family.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Address(ArrayVec<u8, STORAGE_LEN>);

impl Address {
    /// No bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of all parts, one behind the other.
    ///
    /// # Errors
    /// `EINVAL`: they are more than an address has.
    pub fn of(parts: &[&[u8]]) -> Result<Self, Errno> {
        let mut address = ArrayVec::new();
        for part in parts {
            address.try_extend_from_slice(part).map_err(|_| Errno::EINVAL)?;
        }
        Ok(Address(address))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The family that such bytes begin with; `None` for fewer than it has.
    pub fn family_of(bytes: &[u8]) -> Option<u32> {
        let family = bytes.first_chunk::<2>()?;
        Some(u16::from_ne_bytes(*family).into())
    }
}
