//! `TCP_INFO`: how a connection fares, as far as is known here: nothing of congestion and of timeouts, which are `smoltcp`'s own.

use super::Stream;
use super::names::number_of;
use abi::inet::TcpInfo;
use smoltcp::socket::tcp::State;

impl Stream {
    /// Bytes of its receive and send buffers.
    pub(crate) fn buffers(&self) -> [u32; 2] {
        [self.base.receive_buffer(), self.base.send_buffer()]
    }

    pub(crate) fn info(&self) -> TcpInfo {
        let mut info = TcpInfo::default();
        if let Some(backlog) = &*self.backlog.lock() {
            let (waiting, limit) = backlog.fill();
            info.state = number_of(State::Listen);
            (info.unacked, info.sacked) = (waiting as u32, limit as u32);
            return info;
        }
        let inner = self.inner.lock();
        info.state = number_of(State::Closed);
        if let Some(connection) = &inner.connection {
            let view = connection.view();
            info.state = number_of(view.state);
            info.pmtu = connection.netif.longest_packet() as u32;
            info.rcv_space = connection.socket().recv_capacity() as u32;
            connection.tally.describe(view.queued, view.received, &mut info);
        }
        info
    }
}
