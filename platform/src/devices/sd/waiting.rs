//! The requests of a card, in the order in which they came. All memory is taken when the card is woken.

use super::request::Request;
use super::start::CardError;
use crate::disk::{TICKETS, Ticket};
use crate::heap;
use alloc::vec::Vec;
use arrayvec::ArrayVec;

/// Requests that wait, the first of which the card has.
pub(super) struct WaitingRequests {
    by_ticket: Vec<Option<Request>>,
    order: ArrayVec<Ticket, TICKETS>,
}

impl WaitingRequests {
    /// None.
    ///
    /// # Errors
    /// [`CardError::NoMemory`].
    pub(super) fn new() -> Result<WaitingRequests, CardError> {
        let mut by_ticket = Vec::new();
        by_ticket
            .try_reserve_exact(TICKETS)
            .map_err(|_| CardError::NoMemory)?;
        heap::fill_within_capacity(&mut by_ticket, TICKETS, &None);
        Ok(WaitingRequests {
            by_ticket,
            order: ArrayVec::new(),
        })
    }

    /// Adds one.
    ///
    /// # Panics
    /// If there is one with that ticket: a bug of the caller.
    pub(super) fn add(&mut self, ticket: Ticket, request: Request) {
        let slot = &mut self.by_ticket[usize::from(ticket.0)];
        assert!(slot.is_none(), "a card has no two requests of one ticket");
        *slot = Some(request);
        self.order.push(ticket);
    }

    /// The one that came first.
    pub(super) fn first(&self) -> Option<&Request> {
        self.by_ticket[usize::from(self.order.first()?.0)].as_ref()
    }

    /// Its ticket; it is done.
    pub(super) fn take_first(&mut self) -> Option<Ticket> {
        let ticket = self.order.pop_at(0)?;
        self.by_ticket[usize::from(ticket.0)] = None;
        Some(ticket)
    }
}
