//! Packet mode: each read of the master begins with a byte that says what the rest is: 0 for what the slave sent, or what
//! happened there since the last time, alone (`TIOCPKT`, ioctl_tty(2)).

/// Whether packet mode is on, and what is to be told.
#[derive(Default)]
pub struct Packets(Option<u8>);

impl Packets {
    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// What happened before it was turned on is not told.
    pub fn turn_on(&mut self) {
        self.0 = self.0.or(Some(0));
    }

    pub fn turn_off(&mut self) {
        self.0 = None;
    }

    /// Notes what happened, `TIOCPKT_*`, and forgets what that makes untrue; whether anybody wants to know.
    pub fn note(&mut self, untrue: u8, news: u8) -> bool {
        let Some(status) = &mut self.0 else { return false };
        *status = *status & !untrue | news;
        true
    }

    /// What is to be told; 0: nothing.
    pub fn status(&self) -> u8 {
        self.0.unwrap_or(0)
    }

    /// The same, told now.
    pub fn take_status(&mut self) -> u8 {
        self.0.as_mut().map_or(0, core::mem::take)
    }
}
