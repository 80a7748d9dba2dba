//! Which network an address belongs to: whether a name may stand for it.
//!
//! Read from the registries of special addresses (IANA, IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890), with the places beside
//! them where clouds keep a machine's credentials. What is not known to be public is not public. An IPv6 address that carries an IPv4 one
//! is judged by what it carries; nobody reaches a service of this machine under such a name on purpose, so it is never loopback or private.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// The internet.
    Public,
    /// This machine.
    Loopback,
    /// A private network: RFC 1918, carrier-grade NAT and tailnets (RFC 6598), unique local IPv6 (RFC 4193).
    Private,
    /// Nothing that a request may ever go to: link-local, metadata, multicast, reserved, documentation, tunnels.
    Never,
}

impl Network {
    /// The network of `address`.
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        // Metadata services outside of 169.254.0.0/16: one cloud's in the carrier-grade range, one's wire server in a public range.
        const METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
        if METADATA.contains(&address) {
            return Self::Never;
        }
        match address.octets() {
            [127, ..] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            // "This host", which Linux takes for loopback; and from 224 on: multicast, reserved, broadcast.
            [0 | 224..=255, ..]
            // Link-local, where most metadata services are; benchmarks.
            | [169, 254, ..] | [198, 18 | 19, ..]
            // Protocol assignments (another metadata service is 192.0.0.192), documentation, the 6to4 relay.
            | [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _]
            // AS112 and multicast tunnels (AMT): reachable, but never an API.
            | [192, 31, 196, _] | [192, 175, 48, _] | [192, 52, 193, _] => Self::Never,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let words = address.segments();
        if address.is_loopback() {
            return Self::Loopback;
        }
        match words {
            _ if is_special(words) => Self::Never,
            // IPv4 that is mapped, or behind NAT64 (RFC 6052: so a network without IPv4 reaches public services), or at the end of an ISATAP
            // address (RFC 5214).
            [0, 0, 0, 0, 0, 0xffff, high, low]
            | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
            | [0x2000..=0x3fff, _, _, _, 0 | 0x0200, 0x5efe, high, low] => carried(high, low),
            [0xfc00..=0xfdff, ..] => Self::Private,
            [0x2000..=0x3fff, ..] => Self::Public,
            // Everything beside 2000::/3 is no unicast of the internet: compatible IPv4, link-local, site-local, multicast, discard.
            _ => Self::Never,
        }
    }
}

/// Where clouds answer on unique local addresses (metadata, names, time); Teredo, benchmarks, ORCHID and what else 2001::/23 holds;
/// documentation; 6to4; AS112.
fn is_special(words: [u16; 8]) -> bool {
    matches!(
        words,
        [0xfd00, 0x0ec2, ..]
            | [0xfd20, 0x00ce, ..]
            | [0x2001, 0..=0x01ff | 0x0db8, ..]
            | [0x3fff, 0..=0x0fff, ..]
            | [0x2002, ..]
            | [0x2620, 0x004f, 0x8000, ..]
    )
}

fn carried(high: u16, low: u16) -> Network {
    let bits = u32::from(high) << 16 | u32::from(low);
    match Network::of_v4(Ipv4Addr::from_bits(bits)) {
        Network::Public => Network::Public,
        _ => Network::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::Network::{Loopback, Never, Private, Public};
    use super::*;

    #[test]
    fn each_address_has_its_network() {
        let table = [
            (
                Public,
                "8.8.8.8 1.1.1.1 93.184.215.14 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.15",
            ),
            (Loopback, "127.0.0.1 127.255.255.255 127.0.0.0 ::1"),
            (
                Private,
                "10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.0 100.127.255.255 fc00::1 fdff::1 fd12:3456::1",
            ),
            (
                Never,
                "0.0.0.0 0.1.2.3 169.254.0.1 169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 192.0.0.8 192.0.2.1 198.51.100.7 203.0.113.9 192.88.99.1 192.31.196.1 192.175.48.1 192.52.193.1 198.18.0.1 198.19.255.255 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255",
            ),
            (
                Public,
                "2606:4700:4700::1111 2a00:1450:4001:80b::200e 2620:4f:8001::1 ::ffff:8.8.8.8 64:ff9b::808:808 2a00::5efe:808:808",
            ),
            (
                Never,
                ":: ::2 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0 ::127.0.0.1 ::8.8.8.8 ::ffff:0:127.0.0.1",
            ),
            (
                Never,
                "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a00:1 64:ff9b:1::808:808 2002:7f00:1:: 2002:a9fe:a9fe:: 2002:808:808::1 2001:0:4136:e378:8000:63bf:f5ff:fffe 2a00::5efe:a00:1 2a00::200:5efe:7f00:1",
            ),
            (
                Never,
                "fe80::1 febf::1 fec0::1 ff02::1 ff0e::1 100::1 2001:db8::1 2001:2::1 2001:10::1 2001:20::1 3fff::1 2620:4f:8000::1 5f00::1 4000::1 fd00:ec2::254 fd00:ec2::253 fd20:ce::254",
            ),
        ];
        for (network, addresses) in table {
            for address in addresses.split(' ') {
                let parsed = address.parse().expect("an address");
                assert_eq!(Network::of(parsed), network, "{address}");
            }
        }
    }
}
