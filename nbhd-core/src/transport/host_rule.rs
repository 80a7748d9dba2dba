//! Which hosts are meant.

use std::fmt;

use url::{Host as UrlHost, Url};

use crate::{Code, Error, Result};

/// A host that requests may go to: exact, or `*.example.org` for every name below but not the apex; with `:port` only that
/// port. Letters' case does not count, and an international name is its ASCII form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    name: String,
    below: bool,
    port: Option<u16>,
}

impl HostRule {
    /// Reads a rule. `invalid_config` when it is none.
    pub fn new(text: &str) -> Result<Self> {
        let refuse = || {
            Error::new(
                Code::InvalidConfig,
                "a host rule is a host name, or *.name, with an optional :port",
            )
        };
        let text = text.trim().to_ascii_lowercase();
        let (below, rest) = text
            .strip_prefix("*.")
            .map_or((false, text.as_str()), |rest| (true, rest));
        // The URL parser knows IPv6 brackets, ports and international names.
        let url: Url = format!("http://{rest}/").parse().map_err(|_| refuse())?;
        let name = url
            .host_str()
            .filter(|name| !name.contains('*'))
            .ok_or_else(refuse)?;
        let extra = url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some();
        if extra || below && !matches!(url.host(), Some(UrlHost::Domain(_))) {
            return Err(refuse());
        }
        // Port 80 is this parser's default and does not show: it is read from the text.
        let port = url.port().or_else(|| rest.strip_suffix(":80").map(|_| 80));
        Ok(Self {
            name: name.to_owned(),
            below,
            port,
        })
    }

    /// Exactly the host and port of `url`.
    pub(crate) fn origin(url: &Url) -> Option<Self> {
        Some(Self {
            name: url.host_str()?.to_owned(),
            below: false,
            port: Some(url.port_or_known_default()?),
        })
    }

    /// Whether the rule allows the origin of `url`.
    pub fn allows(&self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| self.names(host))
            && self
                .port
                .is_none_or(|port| url.port_or_known_default() == Some(port))
    }

    /// Whether the rule means this name, at whatever port.
    pub(crate) fn names(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if self.below {
            host.strip_suffix(self.name.as_str())
                .is_some_and(|label| label.len() > 1 && label.ends_with('.'))
        } else {
            host == self.name
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.below { "*." } else { "" })?;
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::HostRule;

    #[test]
    fn rules_allow_what_they_say() {
        let table = [
            ("api.example.org", "https://api.example.org/x", true),
            ("API.example.org", "https://api.EXAMPLE.org/x", true),
            ("api.example.org", "https://api.example.org.evil.test/", false),
            ("*.example.org", "https://a.b.example.org/", true),
            ("*.example.org", "https://example.org/", false),
            ("*.example.org", "https://evilexample.org/", false),
            ("example.org:8443", "https://example.org:8443/", true),
            ("example.org:8443", "https://example.org/", false),
            ("example.org:443", "https://example.org/", true),
            ("example.org:80", "https://example.org/", false),
            ("bücher.example", "https://xn--bcher-kva.example/", true),
            ("*.bücher.example", "https://a.BÜCHER.example/", true),
            ("example.org", "https://example.org./", false),
            ("127.0.0.1", "http://127.0.0.1:9000/", true),
            ("[::1]:9000", "http://[::1]:9000/", true),
        ];
        for (rule, url, expected) in table {
            let rule = HostRule::new(rule).expect("a rule");
            assert_eq!(
                rule.allows(&url.parse().expect("a URL")),
                expected,
                "{rule} {url}"
            );
        }
        for bad in [
            "",
            "*",
            "*.",
            "a/b",
            "a b",
            "*.*.org",
            "*.127.0.0.1",
            "user@host",
            "a?b",
            "a#b",
            ":b@a",
            "a\\b",
        ] {
            assert!(HostRule::new(bad).is_err(), "{bad}");
        }
    }
}
