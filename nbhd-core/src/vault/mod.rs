//! Sealed records at rest: AES-256-GCM with a random nonce, in a versioned envelope that names its key.

use crate::{Code, Error, Result};

/// Seals secrets at rest. No key means refuse, never plaintext.
#[derive(Debug, Default)]
pub struct Vault {}

/// What a sealed record belongs to: it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The tenant, or empty where there is none.
    pub tenant: &'a str,
    /// The provider, such as `google`.
    pub provider: &'a str,
    /// The account.
    pub account: &'a str,
    /// The field, such as `refresh_token`.
    pub field: &'a str,
}

impl Vault {
    /// Seals `plain` for `place` as one line of text.
    pub fn seal(&self, _place: Place<'_>, _plain: &[u8]) -> Result<String> {
        Err(Error::new(Code::SecretMissing, "the vault has no key"))
    }

    /// Opens what was sealed for the same `place`.
    pub fn open(&self, _place: Place<'_>, _sealed: &str) -> Result<crate::Secret<Vec<u8>>> {
        Err(Error::new(Code::SecretMissing, "the vault has no key"))
    }
}
