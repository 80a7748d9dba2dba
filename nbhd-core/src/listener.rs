//! How far an address that a program listens on can be reached: a pure function over the address.
//!
//! Deny by default: an address counts as public unless it is surely not. A wildcard is public, a private network at home or in an
//! office is public (others are on it), and what cannot be read is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Code, Error, Result};

/// Who can reach a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exposure {
    /// Programs on this machine: 127.0.0.0/8 and ::1.
    Loopback,
    /// The machines of one's own tailnet: 100.64.0.0/10 and fd7a:115c:a1e0::/48.
    Private,
    /// Anybody, as far as can be told.
    Public,
}

/// Who can reach a listener on `address`. IPv4 addresses mapped into IPv6 count as what they are.
pub fn exposure(address: IpAddr) -> Exposure {
    match address {
        IpAddr::V4(address) => exposure_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => exposure_v4(mapped),
            None => exposure_v6(address),
        },
    }
}

/// The same for an address as text, with a port or without, as configurations and listings of sockets write it: `127.0.0.1:8080`,
/// `[::1]:8080`, `::1`, `127.0.0.53%lo:53`, `*:80`. Names are refused with `invalid_input`: what they resolve to may change.
pub fn listener_exposure(text: &str) -> Result<Exposure> {
    let host = host(text.trim()).ok_or_else(|| unreadable(text))?;
    if host == "*" {
        return Ok(Exposure::Public);
    }
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    address.parse().map(exposure).map_err(|_| unreadable(text))
}

/// The address without its port.
fn host(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => is_port(port).then_some(host),
            None => after.is_empty().then_some(host),
        };
    }
    match text.rsplit_once(':') {
        // More than one colon: IPv6 without brackets, and so without a port.
        Some((host, _)) if host.contains(':') => Some(text),
        Some((host, port)) => is_port(port).then_some(host),
        None => Some(text),
    }
}

fn is_port(text: &str) -> bool {
    text == "*" || text.parse::<u16>().is_ok() && !text.starts_with('+')
}

fn exposure_v4(address: Ipv4Addr) -> Exposure {
    match address.octets() {
        [127, ..] => Exposure::Loopback,
        [100, second, ..] if second & 0b1100_0000 == 64 => Exposure::Private,
        _ => Exposure::Public,
    }
}

fn exposure_v6(address: Ipv6Addr) -> Exposure {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Exposure::Loopback,
        [0xfd7a, 0x115c, 0xa1e0, ..] => Exposure::Private,
        _ => Exposure::Public,
    }
}

fn unreadable(text: &str) -> Error {
    Error::new(
        Code::InvalidInput,
        format!("{text:?} is no IP address to listen on, such as 127.0.0.1:8080 or [::1]:8080"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Exposure, listener_exposure};
    use crate::Code;

    #[test]
    fn only_loopback_and_the_tailnet_are_not_public() {
        let table: &[(Exposure, &[&str])] = &[
            (
                Exposure::Loopback,
                &[
                    "127.0.0.1",
                    "127.0.0.1:8080",
                    "127.255.255.255:1",
                    "127.0.0.53%lo:53",
                    "::1",
                    "[::1]",
                    "[::1]:631",
                    "0:0:0:0:0:0:0:1",
                    "::ffff:127.0.0.1",
                    "[::ffff:7f00:1]:80",
                    " 127.0.0.1:80 ",
                ],
            ),
            (
                Exposure::Private,
                &[
                    "100.64.0.0",
                    "100.127.255.255:443",
                    "100.100.100.100:53",
                    "::ffff:100.64.0.1",
                    "fd7a:115c:a1e0::",
                    "[fd7a:115c:a1e0:ffff:ffff:ffff:ffff:ffff]:443",
                    "[fd7a:115c:a1e0:ab12::1%tailscale0]:80",
                ],
            ),
            (
                Exposure::Public,
                &[
                    "0.0.0.0",
                    "0.0.0.0:80",
                    "*:22",
                    "*",
                    "::",
                    "[::]:80",
                    "126.255.255.255",
                    "128.0.0.1",
                    "100.63.255.255",
                    "100.128.0.0",
                    "10.0.0.1",
                    "192.168.1.1:80",
                    "172.16.0.1",
                    "169.254.169.254",
                    "fe80::1%eth0",
                    "fd7a:115c:a1df:ffff::1",
                    "fd7a:115c:a1e1::",
                    "::2",
                    "::127.0.0.1",
                    "64:ff9b::7f00:1",
                    "::ffff:0.0.0.0",
                    "8.8.8.8:443",
                ],
            ),
        ];
        for (expected, texts) in table {
            for text in *texts {
                assert_eq!(listener_exposure(text).unwrap(), *expected, "{text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in [
            "",
            ":80",
            "localhost",
            "localhost:80",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "127.0.0.1:99999",
            "127.0.0.1:",
            "127.0.0.1:x",
            "[::1",
            "[::1]x",
            "[::1]:",
            "::1]:80",
            "127.0.0.01",
            "http://127.0.0.1",
            "**",
        ] {
            let error = listener_exposure(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidInput, "{text}");
        }
    }
}
