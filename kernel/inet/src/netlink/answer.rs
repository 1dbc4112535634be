//! From a request to its answer.

use super::super::ioctl;
use super::super::netif::{self, Netif};
use abi::Errno;
use abi::inet::{ARPHRD_ETHER, ARPHRD_LOOPBACK};
use abi::netlink::{
    IFA_ADDRESS, IFA_BROADCAST, IFA_F_PERMANENT, IFA_LABEL, IFA_LOCAL, IFLA_ADDRESS, IFLA_BROADCAST,
    IFLA_IFNAME, IFLA_MTU, IFLA_OPERSTATE, IFLA_TXQLEN, IfAddrMsg, IfInfoMsg, NDA_DST, NDA_LLADDR, NLM_F_ACK,
    NLM_F_DUMP, NLM_F_MULTI, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NdMsg, NlMsgHdr, RT_SCOPE_HOST,
    RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PREFSRC, RTM_GETADDR,
    RTM_GETLINK, RTM_GETNEIGH, RTM_GETROUTE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE,
    RTN_UNICAST, RTPROT_BOOT, RTPROT_KERNEL, RtMsg,
};
use abi::socket::{AF_INET, AF_INET6, AF_UNSPEC};
use abi::zerocopy::{FromBytes, Immutable, IntoBytes};
use alloc::vec::Vec;
use memory::fallible::TryVec;
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Address, Ipv4Cidr};

/// Bytes of the head of a message, and of an attribute.
const HEAD_LEN: usize = size_of::<NlMsgHdr>();
const ATTRIBUTE_HEAD: usize = 4;
/// Messages and attributes begin at multiples of it.
const ALIGNMENT: usize = 4;
/// `IFLA_OPERSTATE`: it works; nobody knows.
const OPER_UP: u8 = 6;
const OPER_UNKNOWN: u8 = 0;

/// The answer to all requests in `bytes`, for the socket named `port`.
///
/// # Errors
/// `ENOMEM`.
pub(super) fn to(bytes: &[u8], port: u32) -> Result<Vec<u8>, Errno> {
    let mut answer = Vec::new();
    each_request(bytes, |head, body| {
        AnswerBuilder::new(&mut answer, head.sequence, port).answer_to(head, body)
    })?;
    Ok(answer)
}

/// Calls `take` with the head and the body of each request in `bytes`.
///
/// # Errors
/// As `take`.
pub(super) fn each_request(
    bytes: &[u8],
    mut take: impl FnMut(&NlMsgHdr, &[u8]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut rest = bytes;
    while let Ok((head, _)) = NlMsgHdr::read_from_prefix(rest) {
        let len = head.len as usize;
        if len < HEAD_LEN || len > rest.len() {
            break;
        }
        if head.flags & NLM_F_REQUEST != 0 {
            take(&head, &rest[HEAD_LEN..len])?;
        }
        rest = &rest[len.next_multiple_of(ALIGNMENT).min(rest.len())..];
    }
    Ok(())
}

/// An answer being made.
pub(super) struct AnswerBuilder<'a> {
    answer: &'a mut Vec<u8>,
    sequence: u32,
    port: u32,
}

impl<'a> AnswerBuilder<'a> {
    /// One that goes to the end of `answer`, to a request of that number of the socket named `port`.
    pub(super) fn new(answer: &'a mut Vec<u8>, sequence: u32, port: u32) -> Self {
        AnswerBuilder {
            answer,
            sequence,
            port,
        }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.answer.len()
    }
    fn answer_to(&mut self, head: &NlMsgHdr, body: &[u8]) -> Result<(), Errno> {
        let family = body.first().map_or(AF_UNSPEC, |family| u32::from(*family));
        let is_dump = head.flags & NLM_F_DUMP == NLM_F_DUMP;
        match head.kind {
            RTM_GETLINK if is_dump => netif::all().try_for_each(|netif| self.link(netif, NLM_F_MULTI))?,
            RTM_GETLINK => return self.one_link(head, body),
            RTM_GETADDR if is_dump => netif::all().try_for_each(|netif| self.addresses(netif, family))?,
            RTM_GETROUTE if is_dump => netif::all().try_for_each(|netif| self.routes(netif, family))?,
            RTM_GETNEIGH if is_dump => {
                let wanted = NdMsg::read_from_prefix(body).map_or(0, |(message, _)| message.index);
                let all = netif::all().filter(|netif| wanted == 0 || netif.index == wanted);
                all.into_iter()
                    .try_for_each(|netif| self.neighbours(netif, family))?;
            }
            _ => return self.error(head, Some(Errno::EOPNOTSUPP)),
        }
        self.put(NLMSG_DONE, NLM_F_MULTI, &0_u32)?;
        Ok(())
    }

    /// The interface whose number, or name, is in the request.
    fn one_link(&mut self, head: &NlMsgHdr, body: &[u8]) -> Result<(), Errno> {
        let by_index = IfInfoMsg::read_from_prefix(body)
            .ok()
            .and_then(|(info, _)| netif::by_index(info.index));
        let by_name = || {
            let attribute = body.get(size_of::<IfInfoMsg>()..)?;
            let [a, b, c, d] = *attribute.first_chunk::<ATTRIBUTE_HEAD>()?;
            let len = usize::from(u16::from_ne_bytes([a, b]));
            let name = attribute.get(ATTRIBUTE_HEAD..len)?;
            let is_name = u16::from_ne_bytes([c, d]) == IFLA_IFNAME;
            is_name.then(|| netif::by_name(name.strip_suffix(b"\0").unwrap_or(name)))?
        };
        match by_index.or_else(by_name) {
            Some(netif) => self.link(netif, 0),
            None => self.error(head, Some(Errno::ENODEV)),
        }?;
        if head.flags & NLM_F_ACK != 0 {
            self.error(head, None)?;
        }
        Ok(())
    }

    /// `NLMSG_ERROR`: the error, or 0, and the head of the request.
    pub(super) fn error(&mut self, head: &NlMsgHdr, error: Option<Errno>) -> Result<(), Errno> {
        let number = error.map_or(0, |error| -i32::from(error.number()));
        let start = self.put(NLMSG_ERROR, 0, &number)?;
        self.answer.try_extend(head.as_bytes())?;
        self.close(start);
        Ok(())
    }

    /// Begins a message with what every one of its kind has; where it begins.
    pub(super) fn put(
        &mut self,
        kind: u16,
        flags: u16,
        fixed: &(impl IntoBytes + Immutable),
    ) -> Result<usize, Errno> {
        let start = self.answer.len();
        let fixed = fixed.as_bytes();
        let head = NlMsgHdr {
            len: (HEAD_LEN + fixed.len()) as u32,
            kind,
            flags,
            sequence: self.sequence,
            port: self.port,
        };
        self.answer.try_extend(head.as_bytes())?;
        self.answer.try_extend(fixed)?;
        Ok(start)
    }

    /// Adds an attribute.
    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), Errno> {
        let len = ATTRIBUTE_HEAD + value.len();
        self.answer.try_extend(&(len as u16).to_ne_bytes())?;
        self.answer.try_extend(&kind.to_ne_bytes())?;
        self.answer.try_extend(value)?;
        let padding = len.next_multiple_of(ALIGNMENT) - len;
        self.answer.try_extend(&[0; ALIGNMENT][..padding])
    }

    /// Ends the message that begins at `start`: its length is known.
    pub(super) fn close(&mut self, start: usize) {
        let len = (self.answer.len() - start) as u32;
        self.answer[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }

    fn name(&mut self, kind: u16, netif: &Netif) -> Result<(), Errno> {
        let mut name = [0; 16];
        name[..netif.name.len()].copy_from_slice(netif.name.as_bytes());
        self.attribute(kind, &name[..=netif.name.len()])
    }

    fn link(&mut self, netif: &Netif, flags: u16) -> Result<(), Errno> {
        let is_loopback = netif.is_loopback();
        let start = self.put(
            RTM_NEWLINK,
            flags,
            &IfInfoMsg {
                family: AF_UNSPEC as u8,
                pad: 0,
                kind: if is_loopback {
                    ARPHRD_LOOPBACK
                } else {
                    ARPHRD_ETHER
                },
                index: netif.index,
                flags: ioctl::flags(netif),
                change: 0,
            },
        )?;
        self.name(IFLA_IFNAME, netif)?;
        self.attribute(IFLA_TXQLEN, &1000_u32.to_ne_bytes())?;
        self.attribute(
            IFLA_OPERSTATE,
            &[if is_loopback { OPER_UNKNOWN } else { OPER_UP }],
        )?;
        self.attribute(IFLA_MTU, &netif.mtu().to_ne_bytes())?;
        self.attribute(IFLA_ADDRESS, &netif.hardware_address())?;
        self.attribute(IFLA_BROADCAST, &[if is_loopback { 0 } else { 0xff }; 6])?;
        self.close(start);
        Ok(())
    }

    fn addresses(&mut self, netif: &Netif, family: u32) -> Result<(), Errno> {
        let own = netif.addresses();
        own.iter()
            .filter(|address| is_of(family, &address.address()))
            .try_for_each(|address| self.address(netif, address))
    }

    fn address(&mut self, netif: &Netif, own: &IpCidr) -> Result<(), Errno> {
        let start = self.put(
            RTM_NEWADDR,
            NLM_F_MULTI,
            &IfAddrMsg {
                family: family_of(&own.address()) as u8,
                prefix: own.prefix_len(),
                flags: IFA_F_PERMANENT,
                scope: if netif.is_loopback() {
                    RT_SCOPE_HOST
                } else {
                    RT_SCOPE_UNIVERSE
                },
                index: netif.index,
            },
        )?;
        match own {
            IpCidr::Ipv4(own) => {
                self.attribute(IFA_ADDRESS, &own.address().octets())?;
                self.attribute(IFA_LOCAL, &own.address().octets())?;
                if let (false, Some(everybody)) = (netif.is_loopback(), own.broadcast()) {
                    self.attribute(IFA_BROADCAST, &everybody.octets())?;
                }
                self.name(IFA_LABEL, netif)?;
            }
            IpCidr::Ipv6(own) => self.attribute(IFA_ADDRESS, &own.address().octets())?,
        }
        self.close(start);
        Ok(())
    }

    fn neighbours(&mut self, netif: &Netif, family: u32) -> Result<(), Errno> {
        for neighbour in netif.neighbours()? {
            if !is_of(family, &neighbour.address) {
                continue;
            }
            let start = self.put(
                RTM_NEWNEIGH,
                NLM_F_MULTI,
                &NdMsg {
                    family: family_of(&neighbour.address) as u8,
                    pad: [0; 3],
                    index: netif.index,
                    state: neighbour.state.number(),
                    flags: 0,
                    kind: RTN_UNICAST,
                },
            )?;
            match neighbour.address {
                IpAddress::Ipv4(address) => self.attribute(NDA_DST, &address.octets())?,
                IpAddress::Ipv6(address) => self.attribute(NDA_DST, &address.octets())?,
            }
            if neighbour.state.is_known() {
                self.attribute(NDA_LLADDR, &neighbour.hardware.0)?;
            }
            self.close(start);
        }
        Ok(())
    }

    fn routes(&mut self, netif: &Netif, family: u32) -> Result<(), Errno> {
        if netif.is_loopback() || !matches!(family, AF_UNSPEC | AF_INET) {
            return Ok(());
        }
        if let Some(router) = netif.gateway() {
            self.route(netif, None, Some(router))?;
        }
        let own = netif.addresses();
        own.iter().try_for_each(|address| match address {
            IpCidr::Ipv4(own) => self.route(netif, Some(own), None),
            IpCidr::Ipv6(_) => Ok(()),
        })
    }

    /// A route to the network of `own`, or to everywhere by `router`.
    fn route(
        &mut self,
        netif: &Netif,
        own: Option<&Ipv4Cidr>,
        router: Option<Ipv4Address>,
    ) -> Result<(), Errno> {
        let start = self.put(
            RTM_NEWROUTE,
            NLM_F_MULTI,
            &RtMsg {
                family: AF_INET as u8,
                destination_len: own.map_or(0, Ipv4Cidr::prefix_len),
                source_len: 0,
                tos: 0,
                table: RT_TABLE_MAIN,
                protocol: if own.is_some() { RTPROT_KERNEL } else { RTPROT_BOOT },
                scope: if own.is_some() {
                    RT_SCOPE_LINK
                } else {
                    RT_SCOPE_UNIVERSE
                },
                kind: RTN_UNICAST,
                flags: 0,
            },
        )?;
        if let Some(own) = own {
            self.attribute(RTA_DST, &own.network().address().octets())?;
            self.attribute(RTA_PREFSRC, &own.address().octets())?;
        }
        if let Some(router) = router {
            self.attribute(RTA_GATEWAY, &router.octets())?;
        }
        self.attribute(RTA_OIF, &netif.index.to_ne_bytes())?;
        self.close(start);
        Ok(())
    }
}

fn family_of(address: &IpAddress) -> u32 {
    match address {
        IpAddress::Ipv4(_) => AF_INET,
        IpAddress::Ipv6(_) => AF_INET6,
    }
}

fn is_of(family: u32, address: &IpAddress) -> bool {
    family == AF_UNSPEC || family == family_of(address)
}
