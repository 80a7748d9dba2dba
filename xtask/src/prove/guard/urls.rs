//! Addresses that nobody may be led to, in every way in which they are written.
//!
//! The ways are those that public lists collect, read on 2026-11-21: PayloadsAllTheThings (its pages on server-side request forgery and on
//! cloud instances), the ranges of Microsoft's AntiSSRF, and the ranges and tests of ssrf_filter. The table is built here, address by
//! address. One thing is otherwise than in these: NAT64 to a public address is allowed, because a network without IPv4 needs it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A URL, and the code with which it is refused.
pub(super) struct Hostile {
    pub(super) url: String,
    pub(super) code: &'static str,
}

/// The addresses that are written in every notation.
const ADDRESSES: [Ipv4Addr; 15] = [
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(127, 127, 127, 127),
    Ipv4Addr::UNSPECIFIED,
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(192, 168, 0, 1),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 175, 48, 1),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::BROADCAST,
];

/// IPv6 addresses that carry no IPv4 address.
const ADDRESSES_6: [&str; 14] = [
    "::",
    "::1",
    "0:0:0:0:0:0:0:1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "2001::1",
    "3fff::1",
    "5f00::1",
];

/// Every address in every notation.
pub(super) fn addresses() -> Vec<Hostile> {
    let mut table = Vec::new();
    for address in ADDRESSES {
        for host in notations(address).into_iter().chain(carried(address)) {
            table.push(Hostile {
                url: format!("https://{host}/"),
                code: "address_denied",
            });
        }
    }
    table.extend(ADDRESSES_6.iter().map(|address| Hostile {
        url: format!("https://[{address}]/"),
        code: "address_denied",
    }));
    table
}

/// IPv4 as the URL standard reads it: one to four parts, each decimal, octal or hexadecimal, in whatever characters become these.
fn notations(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets().map(u32::from);
    let (whole, three, two) = (address.to_bits(), b << 16 | c << 8 | d, c << 8 | d);
    let dotted = address.to_string();
    let mapped = |from: char| -> String {
        dotted
            .chars()
            .map(|one| {
                one.to_digit(10)
                    .map_or(one, |digit| char::from_u32(from as u32 + digit).unwrap_or(one))
            })
            .collect()
    };
    let percent: String = dotted
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect::<Vec<_>>()
        .concat();
    vec![
        dotted.clone(),
        format!("{dotted}."),
        whole.to_string(),
        format!("0x{whole:x}"),
        format!("0X{whole:08X}"),
        format!("0{whole:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000000{a:o}.000{b:o}.00{c:o}.0{d:o}"),
        format!("{a:#x}.0{b:o}.{c}.{d}"),
        format!("{a}.{three}"),
        format!("{a:#x}.{three:#x}"),
        format!("{a}.{b}.{two}"),
        format!("0{a:o}.{b}.0{two:o}"),
        percent,
        mapped('０'),
        mapped('𝟎'),
        dotted.replace('.', "。"),
        dotted.replace('.', "｡"),
        dotted.replace('1', "①").replace('2', "②"),
    ]
}

/// IPv4 inside of IPv6.
fn carried(address: Ipv4Addr) -> Vec<String> {
    let bits = address.to_bits();
    let (high, low) = (bits >> 16, bits & 0xffff);
    let inverted = !bits;
    let mapped: Ipv6Addr = address.to_ipv6_mapped();
    vec![
        format!("[{mapped}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:FFFF:{high:04X}:{low:04X}]"),
        format!("[::{address}]"),
        format!("[::ffff:0:{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!(
            "[2001:0:4136:e378:8000:63bf:{:x}:{:x}]",
            inverted >> 16,
            inverted & 0xffff
        ),
        format!("[2a00::5efe:{high:x}:{low:x}]"),
    ]
}

/// What looks like `api.example.org`, which alone is allowed, and is not; and what is no https.
pub(super) fn tricks() -> Vec<Hostile> {
    let denied = [
        "https://api.example.org@169.254.169.254/",
        "https://api.example.org:443@169.254.169.254/",
        "https://api.example.org:secret@evil.example/",
        "https://:secret@api.example.org/",
        "https://user@api.example.org/",
        "https://169.254.169.254#@api.example.org/",
        "https://169.254.169.254?@api.example.org/",
        "https://169.254.169.254\\@api.example.org/",
        "https://169.254.169.254/\\@api.example.org/",
        "https://evil.example/api.example.org",
        "https://evil.example?api.example.org",
        "https://evil.example#api.example.org",
        "https://evil.example\\.api.example.org/",
        "https://api.example.org.evil.example/",
        "https://api.example.org%2eevil.example/",
        "https://api.example.org\t.evil.example/",
        "https://api.example.org\n@evil.example/",
        "https://evilapi.example.org/",
        "https://x.api.example.org/",
        "https://example.org/",
        "https://api.example.org./",
        "https://api.example.org:8443/",
        "https://аpi.example.org/", // its first letter is Cyrillic
        "https://api.example.orɡ/",
        "https:evil.example/",
        "https:/\\evil.example/",
        "https:\\\\evil.example\\",
        "https:///evil.example/",
        " https://evil.example/ ",
        "HTTPS://EVIL.EXAMPLE/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost./",
        "https://a.localhost/",
        "https://ℒ𝑜𝒸𝒶𝓁𝒽ℴ𝓈𝓉/",
        "http://api.example.org/",
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "ws://api.example.org/",
        "ftp://api.example.org/",
        "gopher://api.example.org:70/_x",
        "dict://api.example.org:11211/stat",
        "ldap://api.example.org/",
        "sftp://api.example.org/",
        "netdoc:///etc/passwd",
        "localhost:+11211aaa",
        "localhost:00011211aaaa",
        "https://1.1.1.1 &@2.2.2.2# @3.3.3.3/",
        "https://127.1.1.1:80\\@127.2.2.2:80/",
        "https://127.1.1.1:80\\@@127.2.2.2:80/",
        "https://127.1.1.1:80#\\@127.2.2.2:80/",
        "https://๑๒๗.๐.๐.๑.example/",
        "https://ⓔⓧⓐⓜⓟⓛⓔ.ⓒⓞⓜ/",
        "https://instance-data/latest/meta-data/",
        "https://metadata/computeMetadata/v1/",
        "https://rancher-metadata/latest/",
        "tftp://api.example.org/x",
        "file:///etc/passwd",
        "file://api.example.org/etc/passwd",
        "jar:https://api.example.org!/x",
        "data:text/plain,x",
        "javascript:alert(1)",
        "unix:/var/run/docker.sock",
    ];
    let unreadable = [
        "",
        "/",
        "//evil.example/",
        "evil.example",
        "https://",
        "https://:443/",
        "https://api.example.org:65536/",
        "https://api.example.org:44x/",
        "https://api.example.org%00.evil.example/",
        "https://api.example.org%40169.254.169.254/x",
        "https://api example.org/",
        "https://256.0.0.1/",
        "https://425.510.425.510/",
        "https://7147006462/",
        "https://0x41414141A9FEA9FE/",
        "https://0o177.0.0.1/",
        "https://o177.0.0.1/",
        "https://q177.0.0.1/",
        "https://127.1.1.1:80:\\@@127.2.2.2:80/",
        "0://evil.example:80;http://api.example.org:80/",
        "https://127.0.0.0x100/",
        "https://1.2.3.4.5/",
        "https://4294967296/",
        "https://0x1ffffffff/",
        "https://127.0.0.1%25.example.9/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[::ffff:127.0.0.1.1]/",
        "https://[1:2:3:4:5:6:7:8:9]/",
        "https://xn--/",
        "https://a<b.example/",
    ];
    let list = |urls: &[&str], code: &'static str| -> Vec<Hostile> {
        let hostile = |url: &&str| Hostile {
            url: (*url).to_owned(),
            code,
        };
        urls.iter().map(hostile).collect()
    };
    let mut table = list(&denied, "address_denied");
    table.extend(list(&unreadable, "invalid_input"));
    table
}

/// Names, and the addresses that hostile or careless name servers give for them.
pub(super) fn names() -> Vec<(String, Vec<&'static str>)> {
    let table: [(&str, &[&'static str]); 22] = [
        ("localtest.example", &["127.0.0.1"]),
        ("127.0.0.1.nip.example", &["127.0.0.1"]),
        ("10.0.0.1.nip.example", &["10.0.0.1"]),
        ("metadata.google.internal", &["169.254.169.254"]),
        (
            "instance-data.ec2.internal",
            &["169.254.169.254", "fd00:ec2::254"],
        ),
        ("this-host.example", &["0.0.0.0"]),
        ("this-host6.example", &["::"]),
        ("loop6.example", &["::1"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
        ("mapped-metadata.example", &["::ffff:a9fe:a9fe"]),
        ("compatible.example", &["::7f00:1"]),
        ("nat64.example", &["64:ff9b::7f00:1"]),
        ("sixtofour.example", &["2002:7f00:1::"]),
        ("teredo.example", &["2001:0:4136:e378:8000:63bf:80ff:fffe"]),
        ("private.example", &["192.168.1.1", "172.31.255.254"]),
        ("ula.example", &["fd12:3456:789a::1"]),
        ("link.example", &["fe80::1"]),
        ("cgnat.example", &["100.64.0.1"]),
        ("multicast.example", &["224.0.0.251", "ff02::fb"]),
        ("broadcast.example", &["255.255.255.255"]),
        ("a.localhost", &["127.0.0.1"]),
        ("localhost.localdomain", &["127.0.0.1", "::1"]),
    ];
    table
        .iter()
        .map(|(name, addresses)| ((*name).to_owned(), addresses.to_vec()))
        .collect()
}
