//! `redis://user:password@host:port/database?namespace=…&deadline=…&durability=…`, and what it says. Nothing of it is
//! repeated in an error: any part may be the password.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::store::Durability;
use crate::{Code, Error, Result, Secret};

/// How long a call may take unless the address says otherwise.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// What all keys begin with unless the address says otherwise.
const NAMESPACE: &str = "nbhd";

/// Where the server is and which part of it is ours. `Debug` shows no password: it is a [`Secret`].
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret<String>>,
    pub(super) database: i64,
    pub(super) namespace: String,
    pub(super) deadline: Duration,
    /// What the user says of the server's durability, where it cannot be read.
    pub(super) declared: Option<Durability>,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text).map_err(|_| refuse("it is no URL"))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(refuse("it begins with neither `redis://` nor `rediss://`")),
        };
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Domain(name)) if !name.is_empty() => decoded(name)?,
            _ => return Err(refuse("it names no host")),
        };
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number
                .parse()
                .ok()
                .filter(|number| (0..1_000_000).contains(number))
                .ok_or_else(|| refuse("what stands behind the host is not the number of a database"))?,
        };
        let mut address = Self {
            host,
            port: url.port().unwrap_or(6379),
            tls,
            user: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
            password: url.password().map(decoded).transpose()?.map(Secret::new),
            database,
            namespace: NAMESPACE.to_owned(),
            deadline: DEADLINE,
            declared: None,
        };
        for (option, value) in url.query_pairs() {
            match &*option {
                "namespace" => address.namespace = namespace(&value)?,
                "deadline" => address.deadline = deadline(&value)?,
                "durability" => address.declared = Some(durability(&value)?),
                _ => {
                    return Err(refuse(
                        "it has an option that is none of `namespace`, `deadline`, `durability`",
                    ));
                }
            }
        }
        Ok(address)
    }

    /// What all keys of this store begin with.
    pub(super) fn prefix(&self) -> String {
        format!("{}:", self.namespace)
    }
}

fn decoded(part: &str) -> Result<String> {
    percent_decode_str(part)
        .decode_utf8()
        .map(String::from)
        .map_err(|_| refuse("a part of it is no text"))
}

fn namespace(value: &str) -> Result<String> {
    let fits = !value.is_empty()
        && value.len() <= 64
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits {
        Ok(value.to_owned())
    } else {
        Err(refuse("a namespace is 1 to 64 letters, digits, `-`, `_` and `.`"))
    }
}

fn deadline(value: &str) -> Result<Duration> {
    value
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|deadline| (Duration::from_millis(1)..=Duration::from_secs(600)).contains(deadline))
        .ok_or_else(|| refuse("a deadline is a number of seconds up to 600"))
}

fn durability(value: &str) -> Result<Durability> {
    match value {
        "lossy" => Ok(Durability::Lossy),
        "process" => Ok(Durability::Process),
        "power" => Ok(Durability::Power),
        _ => Err(refuse("a durability is `lossy`, `process` or `power`")),
    }
}

fn refuse(why: &str) -> Error {
    Error::new(
        Code::InvalidConfig,
        format!("the address of the Redis store is not understood: {why}"),
    )
    .with_user_action(
        "Write it as `redis://user:password@host:6379/0?namespace=nbhd` (`rediss://` with TLS), with special characters of \
         the password percent-encoded.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_address() {
        let plain = Address::parse("redis://localhost").unwrap();
        assert_eq!(
            (plain.host.as_str(), plain.port, plain.tls, plain.database),
            ("localhost", 6379, false, 0)
        );
        assert_eq!((plain.prefix().as_str(), plain.deadline), ("nbhd:", DEADLINE));
        let full =
            Address::parse("rediss://me:p%40ss@[::1]:7000/3?namespace=a.b&deadline=0.5&durability=power")
                .unwrap();
        assert_eq!(
            (full.host.as_str(), full.port, full.tls, full.database),
            ("::1", 7000, true, 3)
        );
        assert_eq!(full.user.as_deref(), Some("me"));
        assert_eq!(full.password.as_ref().unwrap().expose(), "p@ss");
        assert_eq!(
            (full.prefix().as_str(), full.deadline, full.declared),
            ("a.b:", Duration::from_millis(500), Some(Durability::Power))
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_and_never_repeated() {
        for text in [
            "redis:",
            "redis://",
            "redis://:hunter2@/0",
            "redis://hunter2@host:x",
            "redis://:hunter2@host/hunter2",
            "redis://:hunter2@host?hunter2=hunter2",
            "redis://:hunter2@host?namespace=hunter2 x",
            "redis://:hunter2@host?namespace=",
            "redis://:hunter2@host?deadline=hunter2",
            "redis://:hunter2@host?deadline=0",
            "redis://:hunter2@host?deadline=inf",
            "redis://:hunter2@host?durability=hunter2",
            "redis://:hunter2%FF@host",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}");
        }
        let address = Address::parse("redis://:hunter2@host").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
    }
}
