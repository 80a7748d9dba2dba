//! Where Google is. Set once, when the client is made: a sealed credential remembers its endpoints and goes nowhere else.

use nbhd_core::http::Url;
use nbhd_core::secret::SafeUrl;
use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The addresses of Google's services. The defaults are the ones of its discovery documents (read 2026-11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// The consent page.
    pub authorize: String,
    /// The token endpoint.
    pub token: String,
    /// The revocation endpoint.
    pub revoke: String,
    /// The root of Gmail; `gmail/v1/…` and `batch/gmail/v1` follow it.
    pub gmail: String,
    /// The root of Calendar; `calendar/v3/…` follows it.
    pub calendar: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            authorize: "https://accounts.google.com/o/oauth2/v2/auth".to_owned(),
            token: "https://oauth2.googleapis.com/token".to_owned(),
            revoke: "https://oauth2.googleapis.com/revoke".to_owned(),
            gmail: "https://gmail.googleapis.com/".to_owned(),
            calendar: "https://www.googleapis.com/".to_owned(),
        }
    }
}

impl Endpoints {
    /// Everything at one origin, with Google's own paths: how a stand-in is reached.
    pub fn at(origin: &str) -> Self {
        let origin = origin.trim_end_matches('/');
        Self {
            authorize: format!("{origin}/o/oauth2/v2/auth"),
            token: format!("{origin}/token"),
            revoke: format!("{origin}/revoke"),
            gmail: format!("{origin}/"),
            calendar: format!("{origin}/"),
        }
    }
}

/// The same, checked and parsed.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) authorize: Url,
    pub(crate) token: Url,
    pub(crate) revoke: Url,
    pub(crate) gmail: Url,
    pub(crate) calendar: Url,
}

impl Places {
    pub(crate) fn check(endpoints: &Endpoints) -> Result<Self> {
        Ok(Self {
            authorize: place("authorize", &endpoints.authorize)?,
            token: place("token", &endpoints.token)?,
            revoke: place("revoke", &endpoints.revoke)?,
            gmail: root("gmail", &endpoints.gmail)?,
            calendar: root("calendar", &endpoints.calendar)?,
        })
    }

    /// The origins that an access token may be sent to.
    pub(crate) fn origins(&self) -> Vec<String> {
        let mut origins: Vec<String> = [&self.gmail, &self.calendar]
            .map(|url| url.origin().ascii_serialization())
            .to_vec();
        origins.dedup();
        origins
    }
}

fn root(name: &str, text: &str) -> Result<Url> {
    let url = place(name, text)?;
    if url.path().ends_with('/') {
        return Ok(url);
    }
    place(name, &format!("{text}/"))
}

/// Plain http is for loopback only: everywhere else it would show tokens to the network.
fn place(name: &str, text: &str) -> Result<Url> {
    let refuse = |what: &str| Error::new(Code::InvalidConfig, format!("the {name} endpoint {what}"));
    let url: Url = text.parse().map_err(|_| refuse("is not a URL"))?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err(refuse("names no host")),
    };
    if !(url.scheme() == "https" || url.scheme() == "http" && loopback) {
        return Err(refuse(&format!(
            "{} is neither https nor on loopback",
            SafeUrl(&url)
        )));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(refuse("must have no user, password, query or fragment"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use nbhd_core::Code;

    use super::{Endpoints, Places};

    #[test]
    fn only_https_or_loopback() {
        assert!(Places::check(&Endpoints::default()).is_ok());
        for good in [
            "http://127.0.0.1:8080",
            "http://[::1]:1/",
            "http://localhost:9",
            "https://example.com",
        ] {
            assert!(Places::check(&Endpoints::at(good)).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "https://user:pw@example.com",
            "https://example.com/?a=b",
            "nonsense",
        ] {
            let error = Places::check(&Endpoints {
                token: bad.to_owned(),
                ..Endpoints::default()
            })
            .unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "{bad}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }

    #[test]
    fn roots_end_with_a_slash_so_that_paths_are_appended() {
        let places = Places::check(&Endpoints {
            gmail: "https://example.com/g".to_owned(),
            ..Endpoints::default()
        })
        .unwrap();
        assert_eq!(
            places.gmail.join("gmail/v1/x").unwrap().as_str(),
            "https://example.com/g/gmail/v1/x"
        );
    }
}
