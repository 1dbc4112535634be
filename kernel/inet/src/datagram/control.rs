//! Control messages beside a message that is sent: what is to be otherwise for this one (`ip_cmsg_send`, `ip6_datagram_send_ctl` of Linux).

use super::super::options;
use super::super::route;
use abi::Errno;
use abi::inet::{
    IP_PKTINFO, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_HOPLIMIT, IPV6_PKTINFO, IPV6_TCLASS,
};
use net::control;
use smoltcp::wire::{IpAddress, IpVersion, Ipv4Address, Ipv6Address};

/// What a program has said for one message.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) hop_limit: Option<u8>,
    pub(super) traffic_class: Option<u8>,
    pub(super) source: Option<IpAddress>,
}

impl Said {
    /// What control messages say of a packet of that version. Those for other layers mean nothing here.
    ///
    /// # Errors
    /// `EINVAL`: one that is unknown, or wrong. `EADDRNOTAVAIL`: a source that is not this machine's.
    pub(super) fn read(messages: &[u8], version: IpVersion) -> Result<Said, Errno> {
        let mut said = Said::default();
        for message in control::messages(messages) {
            let (head, data) = message?;
            match (head.level, version) {
                (IPPROTO_IP, IpVersion::Ipv4) => said.take_of_ipv4(head.kind, data)?,
                (IPPROTO_IPV6, IpVersion::Ipv6) => said.take_of_ipv6(head.kind, data)?,
                _ => {}
            }
        }
        match said.source {
            Some(source) if !route::is_own(&source) => Err(Errno::EADDRNOTAVAIL),
            _ => Ok(said),
        }
    }

    fn take_of_ipv4(&mut self, kind: u32, data: &[u8]) -> Result<(), Errno> {
        match kind {
            IP_TTL => {
                let routers = u8::try_from(whole(data)?).map_err(|_| Errno::EINVAL)?;
                self.hop_limit = Some(routers).filter(|routers| *routers > 0);
                self.hop_limit.map(|_| ()).ok_or(Errno::EINVAL)?;
            }
            IP_TOS => {
                let class = match data {
                    [byte] => i32::from(*byte),
                    _ => whole(data)?,
                };
                self.traffic_class = Some(u8::try_from(class).map_err(|_| Errno::EINVAL)?);
            }
            IP_PKTINFO => {
                let info = data.first_chunk::<12>().filter(|_| data.len() == 12);
                let [_, _, _, _, a, b, c, d, ..] = *info.ok_or(Errno::EINVAL)?;
                let source = Ipv4Address::new(a, b, c, d);
                self.source = (!source.is_unspecified()).then_some(source.into());
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    fn take_of_ipv6(&mut self, kind: u32, data: &[u8]) -> Result<(), Errno> {
        match kind {
            IPV6_HOPLIMIT => {
                // A limit of no routers is one, too: such a packet stays here.
                self.hop_limit = match whole(data)? {
                    -1 => None,
                    routers => Some(u8::try_from(routers).map_err(|_| Errno::EINVAL)?),
                };
            }
            IPV6_TCLASS => {
                self.traffic_class = match whole(data)? {
                    -1 => None,
                    class => Some(options::traffic_class(class)?),
                };
            }
            IPV6_PKTINFO => {
                let address = data.first_chunk::<16>().filter(|_| data.len() >= 20);
                let source = Ipv6Address::from(*address.ok_or(Errno::EINVAL)?);
                self.source = (!source.is_unspecified()).then_some(source.into());
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }
}

/// A number of four bytes, no more and no fewer.
fn whole(data: &[u8]) -> Result<i32, Errno> {
    let bytes = data.try_into().map_err(|_| Errno::EINVAL)?;
    Ok(i32::from_ne_bytes(bytes))
}
