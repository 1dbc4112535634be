//! /proc/net: interfaces and sockets; /proc/sys/net.

use alloc::sync::Arc;

use abi::Errno;
use abi::socket::{AF_INET, AF_INET6};

use super::entry::{Directory, FixedEntry, SPREAD};
use super::node::PseudoNode;
use super::setting_file;
use super::text::{Text, number};
use core::fmt;
use inet::report::Datagrams;
use net::settings::{MOST_CONTROL, NetSetting, RMEM_DEFAULT, RMEM_MAX, SOMAXCONN, WMEM_DEFAULT, WMEM_MAX};
use net::unix;
use vfs::file_ops::FileOps;
use vfs::super_block::SuperBlock;

static ENTRIES: [FixedEntry<()>; 16] = [
    FixedEntry::text("arp", |(), text| written(inet::report::neighbours(text))),
    FixedEntry::text("dev", |(), text| written(inet::report::traffic(text))),
    FixedEntry::text("if_inet6", |(), text| {
        written(inet::report::addresses_of_ipv6(text))
    }),
    FixedEntry::text("route", |(), text| written(inet::report::routes(text))),
    FixedEntry::text("snmp", |(), text| written(inet::totals::totals(text))),
    FixedEntry::text("sockstat", |(), text| {
        written(inet::totals::sockets(net::file::count(), text))
    }),
    FixedEntry::text("sockstat6", |(), text| {
        written(inet::totals::sockets_of_ipv6(text))
    }),
    FixedEntry::text("tcp", |(), text| written(inet::report::streams(AF_INET, text))),
    FixedEntry::text("tcp6", |(), text| written(inet::report::streams(AF_INET6, text))),
    FixedEntry::text("icmp", |(), text| {
        written(inet::report::datagrams(Datagrams::Ping, AF_INET, text))
    }),
    FixedEntry::text("icmp6", |(), text| {
        written(inet::report::datagrams(Datagrams::Ping, AF_INET6, text))
    }),
    FixedEntry::text("raw", |(), text| {
        written(inet::report::datagrams(Datagrams::Raw, AF_INET, text))
    }),
    FixedEntry::text("raw6", |(), text| {
        written(inet::report::datagrams(Datagrams::Raw, AF_INET6, text))
    }),
    FixedEntry::text("udp", |(), text| {
        written(inet::report::datagrams(Datagrams::Udp, AF_INET, text))
    }),
    FixedEntry::text("udp6", |(), text| {
        written(inet::report::datagrams(Datagrams::Udp, AF_INET6, text))
    }),
    FixedEntry::text("unix", unix_sockets),
];

/// The directory /proc/net.
///
/// # Errors
/// `ENOMEM`.
pub fn root((): &(), filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    Directory::fixed(filesystem, inode * SPREAD, &ENTRIES)
}

fn unix_sockets((): &(), text: &mut Text) -> Result<(), Errno> {
    text.bytes(b"Num       RefCount Protocol Flags    Type St Inode Path\n");
    unix::show(&mut |head, name| {
        text.add(head);
        text.bytes(name);
        text.bytes(b"\n");
    })
}

fn written(result: fmt::Result) -> Result<(), Errno> {
    result.map_err(|_| Errno::ENOMEM)
}

static SETTINGS: [FixedEntry<()>; 3] = [
    FixedEntry::directory("core", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &CORE)
    }),
    FixedEntry::directory("ipv4", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &IPV4)
    }),
    FixedEntry::directory("unix", 0o555, |(), filesystem, inode| {
        Directory::fixed(filesystem, inode * SPREAD, &UNIX)
    }),
];

static CORE: [FixedEntry<()>; 6] = [
    FixedEntry::text("optmem_max", |(), text| number(text, MOST_CONTROL as u64)),
    FixedEntry::object("rmem_default", 0o644, |()| open_number(&RMEM_DEFAULT)),
    FixedEntry::object("rmem_max", 0o644, |()| open_number(&RMEM_MAX)),
    FixedEntry::object("somaxconn", 0o644, |()| open_number(&SOMAXCONN)),
    FixedEntry::object("wmem_default", 0o644, |()| open_number(&WMEM_DEFAULT)),
    FixedEntry::object("wmem_max", 0o644, |()| open_number(&WMEM_MAX)),
];

static UNIX: [FixedEntry<()>; 1] = [FixedEntry::text("max_dgram_qlen", |(), text| {
    number(text, unix::MOST_DATAGRAMS.into())
})];

static IPV4: [FixedEntry<()>; 1] = [FixedEntry::object("ping_group_range", 0o644, |()| {
    open_ping_groups()
})];

/// The directory /proc/sys/net.
///
/// # Errors
/// `ENOMEM`.
pub fn settings((): &(), filesystem: &Arc<SuperBlock>, inode: u64) -> Result<PseudoNode, Errno> {
    Directory::fixed(filesystem, inode * SPREAD, &SETTINGS)
}

fn open_number(setting: &'static NetSetting) -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<32>(
        |text: &mut Text| number(text, setting.get().into()),
        |written| setting.set(setting_file::number(written)?),
    )
}

fn open_ping_groups() -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<32>(
        |text: &mut Text| {
            let [first, last] = inet::ping_groups();
            text.add(format_args!("{first}\t{last}\n"));
            Ok(())
        },
        |written| {
            let mut numbers = written
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            let mut next = || setting_file::number(numbers.next().unwrap_or_default());
            inet::set_ping_groups([next()?, next()?]);
            Ok(())
        },
    )
}
