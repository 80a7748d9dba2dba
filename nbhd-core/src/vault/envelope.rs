//! Seal and open.
//!
//! An envelope is one line: `nbhd1.<key id>.<nonce>.<ciphertext>`, the last three in base64url without padding. What it belongs to
//! is authenticated with it, so a record copied to another account, field or tenant does not open there. With random nonces one key is good for
//! 2³² records (NIST SP 800-38D, 8.3); token refreshes of a large service stay far below.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};

use super::key::{Chain, Key, Keys, VaultStatus, is_key_id};
use super::program::ProgramVault;
use crate::secret::SecretSource;
use crate::{Code, Error, Result, Secret};

/// Whose records they are, and the version of the envelope. It is part of what is authenticated, so that neither kind opens as the
/// other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the suite itself seals, such as tokens.
    Suite,
    /// What a program seals for itself.
    Program,
}

impl Kind {
    const fn version(self) -> &'static str {
        match self {
            Kind::Suite => "nbhd1",
            Kind::Program => "nbhd1p",
        }
    }
}

/// Seals secrets at rest. No key means refuse, never plaintext.
///
/// The key is found at the first use: given by the program, else in the environment variable `NBHD_VAULT_KEY`, else in the keyring (entry
/// `nbhd`/`vault-key`, feature `keyring`), else in a file that only its owner may read in the user's configuration folder, which is made
/// once. Every form holds one key or several, the first seals and all
/// open, each 32 bytes as base64 or hexadecimal.
///
/// **Rotation** with several processes, no record unreadable at any instant: give every process `old,new` and let it [`reload`](Self::reload)
/// (all can open what any will seal); give every process `new,old` and reload (the new key seals); [`reseal`](Self::reseal) every record;
/// give every process `new` alone and reload.
#[derive(Default)]
pub struct Vault {
    chain: Chain,
    keys: ArcSwapOption<Keys>,
}

/// What a sealed record belongs to: it opens nowhere else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// A vault with this key, or with several of which the first seals.
    pub fn with_key(key: Secret) -> Self {
        Self::with_source(SecretSource::Value(key))
    }

    /// A vault whose keys are read from `source` at the first use.
    pub fn with_source(source: SecretSource) -> Self {
        Self {
            chain: Chain::Source(source),
            keys: ArcSwapOption::empty(),
        }
    }

    /// A vault whose key is in the file at `path`; made there, for its owner only, when the first record is sealed.
    pub fn with_key_file(path: impl Into<std::path::PathBuf>) -> Self {
        Self {
            chain: Chain::File(path.into()),
            keys: ArcSwapOption::empty(),
        }
    }

    /// Which source gives the key, and the ids of the keys. `secret_missing` when there is none.
    pub fn status(&self) -> Result<VaultStatus> {
        Ok(self.keys(false)?.status())
    }

    /// Reads the keys again, from where they came. When that fails, the keys at hand stay.
    pub fn reload(&self) -> Result<VaultStatus> {
        let keys = Arc::new(self.chain.resolve(false)?);
        let status = keys.status();
        self.keys.store(Some(keys));
        Ok(status)
    }

    /// The vault as a program's own: for records that are not the suite's.
    pub fn program(&self) -> ProgramVault<'_> {
        ProgramVault::new(self)
    }

    /// Seals `plain` for `place` as one line of text.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<String> {
        self.seal_as(Kind::Suite, place, plain)
    }

    /// Opens what was sealed for the same `place`. `invalid_state` when it does not open, for whatever reason.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Secret<Vec<u8>>> {
        self.open_as(Kind::Suite, place, sealed)
    }

    /// Seals again what an older key had sealed; `None` when the first key did it already.
    pub fn reseal(&self, place: Place<'_>, sealed: &str) -> Result<Option<String>> {
        self.reseal_as(Kind::Suite, place, sealed)
    }

    pub(super) fn seal_as(&self, kind: Kind, place: Place<'_>, plain: &[u8]) -> Result<String> {
        let keys = self.keys(true)?;
        let key = keys.first();
        let mut nonce = [0_u8; NONCE_LEN];
        let fault = |_| Error::new(Code::Internal, "the record could not be sealed");
        // Never the host's own randomness: a seeded one, as tests use, would repeat a nonce.
        SystemRandom::new().fill(&mut nonce).map_err(fault)?;
        let mut sealed = plain.to_vec();
        key.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(kind, place, &key.id)),
                &mut sealed,
            )
            .map_err(fault)?;
        Ok(format!(
            "{}.{}.{}.{}",
            kind.version(),
            key.id,
            BASE64.encode(nonce),
            BASE64.encode(sealed)
        ))
    }

    pub(super) fn open_as(&self, kind: Kind, place: Place<'_>, sealed: &str) -> Result<Secret<Vec<u8>>> {
        let (keys, id, parts) = self.read(kind, sealed)?;
        open(kind, keys.get(id)?, place, parts)
    }

    pub(super) fn reseal_as(&self, kind: Kind, place: Place<'_>, sealed: &str) -> Result<Option<String>> {
        let (keys, id, parts) = self.read(kind, sealed)?;
        if keys.first().id == id {
            return Ok(None);
        }
        let plain = open(kind, keys.get(id)?, place, parts)?;
        self.seal_as(kind, place, plain.expose()).map(Some)
    }

    fn read<'a>(&self, kind: Kind, sealed: &'a str) -> Result<(Arc<Keys>, &'a str, Parts<'a>)> {
        let mut parts = sealed.split('.');
        let (Some(version), Some(id), Some(nonce), Some(text), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(closed("it is not an envelope of this version"));
        };
        if version != kind.version() || !is_key_id(id) {
            return Err(closed("it is not an envelope of this version"));
        }
        Ok((self.keys(false)?, id, Parts { nonce, text }))
    }

    fn keys(&self, create: bool) -> Result<Arc<Keys>> {
        if let Some(keys) = self.keys.load_full() {
            return Ok(keys);
        }
        let keys = Arc::new(self.chain.resolve(create)?);
        // Two threads that come first together read the same source: either answer is right. One that was put there since is later.
        let before = self.keys.compare_and_swap(&None::<Arc<Keys>>, Some(keys.clone()));
        Ok(before.clone().unwrap_or(keys))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("source", &self.chain.label())
            .finish_non_exhaustive()
    }
}

struct Parts<'a> {
    nonce: &'a str,
    text: &'a str,
}

fn open(kind: Kind, key: &Key, place: Place<'_>, parts: Parts<'_>) -> Result<Secret<Vec<u8>>> {
    let broken = || closed("it was altered, cut, or sealed for something else");
    let nonce = BASE64.decode(parts.nonce).map_err(|_| broken())?;
    let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| broken())?;
    let mut text = BASE64.decode(parts.text).map_err(|_| broken())?;
    let length = key
        .cipher
        .open_in_place(nonce, Aad::from(bound(kind, place, &key.id)), &mut text)
        .map_err(|_| broken())?
        .len();
    text.truncate(length);
    Ok(Secret::from_value(text))
}

fn closed(why: &str) -> Error {
    Error::new(
        Code::InvalidState,
        format!("the sealed record does not open: {why}"),
    )
}

/// What is authenticated with the text. Each part stands behind its length, so that no two places read alike.
fn bound(kind: Kind, place: Place<'_>, key_id: &str) -> Vec<u8> {
    let parts = [
        kind.version(),
        key_id,
        place.tenant,
        place.provider,
        place.account,
        place.field,
    ];
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}
