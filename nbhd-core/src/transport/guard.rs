//! Where requests may go: https, or loopback; allowed hosts where a client names them; never where a redirect points.
//!
//! A redirect is refused as `address_denied`: following one could carry a credential to another origin. The check of the resolved
//! address (private ranges, rebinding) has its place here too.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use url::{Host as UrlHost, Url};

use super::Transport;
use crate::http::{Request, Response, header};
use crate::{Code, Error, Operation, Outcome, Result};

/// A host that requests may go to: exact, or `*.example.org` for every name below but not the apex; with `:port` only that
/// port. Letters' case does not count.
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
        let extra = url.path() != "/" || url.query().is_some() || !url.username().is_empty();
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

    /// Whether the rule allows the origin of `url`.
    pub fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.to_ascii_lowercase();
        let named = if self.below {
            host.strip_suffix(self.name.as_str())
                .is_some_and(|label| label.len() > 1 && label.ends_with('.'))
        } else {
            host == self.name
        };
        named
            && self
                .port
                .is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.below { "*." } else { "" })?;
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Checks the address of each request, and refuses redirects.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) allowed: Option<Vec<HostRule>>,
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Guard {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        let url = &request.url;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(denied("a URL must not carry a user name or a password"));
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) {
            return Err(denied("only https is allowed, and http to this machine itself"));
        }
        if let Some(allowed) = &self.allowed
            && !allowed.iter().any(|rule| rule.allows(url))
        {
            return Err(denied("the host is not among those that this client may call"));
        }
        let reply = self.inner.send(operation, request).await?;
        if reply.status.is_redirection() && reply.headers.contains_key(header::LOCATION) {
            return Err(
                denied("the other side redirected elsewhere, and redirects are not followed")
                    .with_outcome(Outcome::Refused)
                    .with_provider_status(reply.status.as_u16()),
            );
        }
        Ok(reply)
    }
}

fn denied(why: &str) -> Error {
    Error::new(Code::AddressDenied, why)
}

/// Whether the host is this machine by its address, or by the name that RFC 6761 reserves for it.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(UrlHost::Ipv4(address)) => address.is_loopback(),
        Some(UrlHost::Ipv6(address)) => address.is_loopback(),
        Some(UrlHost::Domain(name)) => name == "localhost",
        None => false,
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
        ] {
            assert!(HostRule::new(bad).is_err(), "{bad}");
        }
    }
}
