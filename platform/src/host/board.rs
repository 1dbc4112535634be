//! A host is no board: nothing is known of it.

#[path = "../board/rates.rs"]
mod rates;

pub use rates::Rates;

/// Nobody can be asked.
pub fn rates() -> Option<Rates> {
    None
}

/// Nothing is measured.
pub fn measured_rate() -> Option<u64> {
    None
}

/// None is known.
pub fn registers() -> [(&'static str, u64); 0] {
    []
}
