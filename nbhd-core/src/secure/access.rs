//! What a program allows a secure request: hosts, credentials, this machine, redirects.

use url::Url;

use crate::http::{HeaderName, Place};
use crate::secret::{SHORTEST, SecretSource};
use crate::transport::{HostRule, REDIRECTS, is_loopback};
use crate::{Code, Error, Result, Secret};

/// What a secure request may reach and with what. Nothing, until something is allowed.
#[derive(Debug, Clone)]
pub struct Access {
    pub(super) hosts: Vec<HostRule>,
    pub(super) credentials: Vec<Credential>,
    pub(super) loopback: bool,
    pub(super) redirects: u32,
    pub(super) actor: String,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            credentials: Vec::new(),
            loopback: false,
            redirects: REDIRECTS,
            actor: "program".to_owned(),
        }
    }
}

impl Access {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a host: exact, or `*.example.org` for every name below but not the apex; with `:port` only that port.
    pub fn with_host(mut self, rule: HostRule) -> Self {
        self.hosts.push(rule);
        self
    }

    /// Adds a credential, and allows its origin.
    pub fn with_credential(mut self, credential: Credential) -> Self {
        self.hosts.extend(HostRule::origin(&credential.origin));
        self.credentials.push(credential);
        self
    }

    /// Allows this machine, over http too, for the hosts that are allowed.
    pub fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Sets how many redirects are followed, at most 20; [`REDIRECTS`] unless set.
    pub fn with_redirects(mut self, hops: u32) -> Self {
        self.redirects = hops.min(20); // the limit of browsers (the Fetch standard)
        self
    }

    /// Says on whose behalf: the audit event carries a fingerprint of it.
    pub fn with_actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = actor.into();
        self
    }
}

/// A secret that is bound to an origin and to a place: it goes nowhere else, whatever the request says.
#[derive(Debug, Clone)]
pub struct Credential {
    pub(super) origin: Url,
    pub(super) source: SecretSource,
    pub(super) place: Place,
}

impl Credential {
    /// `Authorization: Bearer <secret>`. `invalid_config` when `origin` is none: `https://host[:port]`, or http on this machine.
    pub fn bearer(origin: &str, secret: impl Into<SecretSource>) -> Result<Self> {
        Self::header_after(origin, "authorization", "Bearer ", secret)
    }

    /// `Authorization: Basic …`, the secret being the password of `user`.
    pub fn basic(origin: &str, user: impl Into<String>, secret: impl Into<SecretSource>) -> Result<Self> {
        let user = user.into();
        if user.contains(':') {
            return Err(invalid("a user name of Basic must not hold a colon (RFC 7617)"));
        }
        Self::at(origin, Place::Basic { user }, secret)
    }

    /// A header of this name.
    pub fn header(origin: &str, name: &str, secret: impl Into<SecretSource>) -> Result<Self> {
        Self::header_after(origin, name, "", secret)
    }

    /// A header of this name, after a prefix such as `Token `.
    pub fn header_after(
        origin: &str,
        name: &str,
        prefix: &str,
        secret: impl Into<SecretSource>,
    ) -> Result<Self> {
        let name: HeaderName = name
            .parse()
            .map_err(|_| invalid("the credential's header is no header name"))?;
        if super::request::is_ours(&name) {
            return Err(invalid("a credential cannot stand in a header of the connection"));
        }
        let prefix = prefix.to_owned();
        Self::at(origin, Place::Header { name, prefix }, secret)
    }

    /// A query parameter of this name.
    pub fn query(origin: &str, name: impl Into<String>, secret: impl Into<SecretSource>) -> Result<Self> {
        Self::at(origin, Place::Query { name: name.into() }, secret)
    }

    /// A value of the JSON body at this JSON Pointer (RFC 6901), such as `/auth/token`.
    pub fn json(origin: &str, pointer: impl Into<String>, secret: impl Into<SecretSource>) -> Result<Self> {
        let pointer = pointer.into();
        if !pointer.starts_with('/') {
            return Err(invalid("the credential's JSON pointer does not begin with /"));
        }
        Self::at(origin, Place::Json { pointer }, secret)
    }

    /// A field of the form body.
    pub fn form(origin: &str, name: impl Into<String>, secret: impl Into<SecretSource>) -> Result<Self> {
        Self::at(origin, Place::Form { name: name.into() }, secret)
    }

    fn at(origin: &str, place: Place, secret: impl Into<SecretSource>) -> Result<Self> {
        let url: Url = origin
            .parse()
            .map_err(|_| invalid("the credential's origin is no URL"))?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(invalid(
                "the credential's origin is more than https://host[:port]",
            ));
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(invalid(
                "the credential's origin is neither https nor on this machine",
            ));
        }
        Ok(Self {
            origin: url,
            source: secret.into(),
            place,
        })
    }

    /// Reads the secret. One that cannot be told from ordinary text is refused, because no answer could be cleaned of it.
    pub(super) fn reveal(&self) -> Result<Secret> {
        let secret = self.source.reveal()?;
        if secret.expose().chars().count() < SHORTEST {
            return Err(invalid("the secret is too short to be found again in an answer"));
        }
        Ok(secret)
    }
}

fn invalid(why: &str) -> Error {
    Error::new(Code::InvalidConfig, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_an_origin() {
        for good in [
            "https://api.example.org",
            "https://api.example.org:8443/",
            "http://127.0.0.1:9",
            "http://localhost",
        ] {
            assert!(Credential::bearer(good, Secret::new("s")).is_ok(), "{good}");
        }
        for bad in [
            "api.example.org",
            "http://api.example.org",
            "https://api.example.org/v1",
            "https://api.example.org?x",
            "https://user@api.example.org",
            "https://:pass@api.example.org",
            "https://api.example.org/#x",
            "ftp://api.example.org",
            "data:text/plain,x",
            "",
        ] {
            let error = Credential::bearer(bad, Secret::new("s")).expect_err("refused");
            assert_eq!(error.code(), Code::InvalidConfig, "{bad}");
        }
        for header in ["host", "content-length", "a b", ""] {
            assert!(
                Credential::header("https://a.test", header, Secret::new("s")).is_err(),
                "{header}"
            );
        }
        assert!(Credential::basic("https://a.test", "a:b", Secret::new("s")).is_err());
        assert!(Credential::json("https://a.test", "key", Secret::new("s")).is_err());
    }
}
