//! Who made a call: compared in constant time, on raw bytes, with several secrets while one is rotated.

use bytes::Bytes;
use http::HeaderMap;
use nbhd_core::{Code, Error, Result, Secret};
use ring::digest::{SHA256, digest};

/// Bytes of which a verifier said that the platform sent them.
#[derive(Debug, Clone)]
pub struct Verified(Bytes);

impl Verified {
    /// Only a verifier of this suite says so.
    pub(crate) fn new(body: Bytes) -> Self {
        Self(body)
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Verifies a call by a secret that stands in a header. No secret, or an empty one, refuses everything.
pub fn shared_secret(
    headers: &HeaderMap,
    header: &str,
    secrets: &[Secret],
    body: &Bytes,
) -> Result<Verified> {
    let mut given = headers.get_all(header).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(refused(&format!("the header {header} must stand there once")));
    };
    // Hashes are compared, so that neither the length of a secret nor the place of a difference shows in the time.
    let given = digest(&SHA256, value.as_bytes());
    let mut known = false;
    for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
        let expected = digest(&SHA256, secret.expose().as_bytes());
        let difference = given
            .as_ref()
            .iter()
            .zip(expected.as_ref())
            .fold(0_u8, |difference, (a, b)| difference | (a ^ b));
        known |= std::hint::black_box(difference) == 0;
    }
    if known {
        Ok(Verified::new(body.clone()))
    } else {
        Err(refused(&format!("the header {header} does not hold the secret")))
    }
}

fn refused(why: &str) -> Error {
    Error::new(Code::SignatureInvalid, why)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use nbhd_core::Secret;

    use super::shared_secret;

    #[test]
    fn one_of_several_secrets_opens_and_none_refuses() {
        let mut headers = HeaderMap::new();
        headers.insert("x-secret", "new".parse().expect("a value"));
        let verify = |secrets: &[&str]| {
            let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
            shared_secret(&headers, "x-secret", &secrets, &"{}".into()).is_ok()
        };
        assert!(verify(&["old", "new"]));
        assert!(!verify(&["old"]));
        assert!(!verify(&[]));
        assert!(!verify(&[""]));
        headers.append("x-secret", "new".parse().expect("a value"));
        assert!(shared_secret(&headers, "x-secret", &[Secret::new("new")], &"{}".into()).is_err());
    }
}
