//! The places of this machine where a card may be.

use super::{CardError, SdCard, Slot};
use arrayvec::ArrayVec;
use spin::Mutex;

/// How many places there can be.
pub(crate) const MOST: usize = 2;

static SLOTS: Mutex<ArrayVec<Slot, MOST>> = Mutex::new(ArrayVec::new_const());

/// Cards may be in these places; they are tried in this order.
pub(crate) fn set_slots(slots: ArrayVec<Slot, MOST>) {
    *SLOTS.lock() = slots;
}

/// How many places a card may be in that has not been found.
pub fn places() -> usize {
    SLOTS.lock().len()
}

/// Looks for a card, once, in the first of the places, and in the next if that has none. Sleeps for the nanoseconds that `sleep` is told. A place whose card was
/// found is looked at no more, nor are those behind it: on a Raspberry Pi they have other things than cards.
///
/// # Errors
/// Why there is none in the last of the places.
pub fn find(sleep: &mut dyn FnMut(u64)) -> Result<SdCard, CardError> {
    let slots = SLOTS.lock().clone();
    let mut last = CardError::NoCard;
    for slot in slots {
        match slot.wake(sleep) {
            Ok(card) => {
                SLOTS.lock().clear();
                return Ok(card);
            }
            Err(CardError::NoCard) => {}
            Err(reason) => last = reason,
        }
    }
    Err(last)
}
