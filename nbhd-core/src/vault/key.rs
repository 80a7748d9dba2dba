//! Which keys there are, and where they came from.

use std::path::PathBuf;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::file;
use crate::secret::SecretSource;
use crate::{Code, Error, Result, Secret};

/// The environment variable that may hold the key.
const VARIABLE: &str = "NBHD_VAULT_KEY";

/// The keyring entry that may hold it.
const SERVICE: &str = "nbhd";
const ACCOUNT: &str = "vault-key";

/// The length of a key: AES-256.
pub(super) const KEY_LENGTH: usize = 32;

/// Which key seals, and where it came from. Ids are not secret: they are the beginning of a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct VaultStatus {
    /// Where the keys came from, in words.
    pub source: String,
    /// The id of the key that seals.
    pub key_id: String,
    /// The ids of all keys that open, that one included.
    pub opens: Vec<String>,
}

/// Where keys are looked for.
#[derive(Default)]
pub(super) enum Chain {
    /// The environment, then the keyring, then the file in the user's configuration folder.
    #[default]
    Standard,
    /// One source, and nothing else.
    Source(SecretSource),
    /// One file, made when it is not there.
    File(PathBuf),
}

impl Chain {
    pub(super) fn label(&self) -> String {
        match self {
            Chain::Standard => format!(
                "environment variable {VARIABLE}, else keyring entry {SERVICE}/{ACCOUNT}, else the key file of the user"
            ),
            Chain::Source(source) => source.label(),
            Chain::File(path) => format!("file {}", path.display()),
        }
    }

    /// The keys. Makes the key file only where `create` says so: what is to be opened was sealed before.
    pub(super) fn resolve(&self, create: bool) -> Result<Keys> {
        match self {
            Chain::Source(source) => Keys::read(source),
            Chain::File(path) => Keys::read(&file::ready(path, create)?),
            Chain::Standard => {
                let steps = [
                    SecretSource::Env(VARIABLE.to_owned()),
                    SecretSource::Keyring {
                        service: SERVICE.to_owned(),
                        account: ACCOUNT.to_owned(),
                    },
                ];
                for step in &steps {
                    // A keyring that is locked or silent may hold the key: to make another one now would only hide that.
                    if let Some(text) = step.found()? {
                        return Keys::parse(step, &text);
                    }
                }
                Keys::read(&file::ready(&file::standard_path()?, create)?)
            }
        }
    }
}

pub(super) struct Key {
    pub(super) id: String,
    pub(super) cipher: LessSafeKey,
}

/// The key that seals, and those that open beside it.
pub(super) struct Keys {
    source: String,
    first: Key,
    others: Vec<Key>,
}

impl Keys {
    fn read(source: &SecretSource) -> Result<Self> {
        Self::parse(source, &source.reveal()?)
    }

    fn parse(source: &SecretSource, text: &Secret) -> Result<Self> {
        let words = text
            .expose()
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|word| !word.is_empty());
        let mut keys = words.map(key);
        let (first, others) = (keys.next().flatten(), keys.collect::<Option<Vec<_>>>());
        let (Some(first), Some(others)) = (first, others) else {
            return Err(Error::new(
                Code::InvalidConfig,
                format!(
                    "the vault key from {} is not 32 bytes as base64 or hexadecimal",
                    source.label()
                ),
            )
            .with_user_action("Make a key with `openssl rand -base64 32`."));
        };
        Ok(Self {
            source: source.label(),
            first,
            others,
        })
    }

    pub(super) fn first(&self) -> &Key {
        &self.first
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn get(&self, id: &str) -> Result<&Key> {
        self.all().find(|key| key.id == id).ok_or_else(|| {
            Error::new(
                Code::InvalidState,
                format!(
                    "the sealed record does not open: it was sealed with the key {id}, which {} does not hold",
                    self.source
                ),
            )
            .with_user_action("Give the key that it was sealed with too, or connect again.")
        })
    }

    pub(super) fn status(&self) -> VaultStatus {
        VaultStatus {
            source: self.source.clone(),
            key_id: self.first.id.clone(),
            opens: self.all().map(|key| key.id.clone()).collect(),
        }
    }
}

/// How long a key id is: 48 bits of a hash, enough to tell a program's keys apart.
const ID_LENGTH: usize = 8;

pub(super) fn is_key_id(text: &str) -> bool {
    text.len() == ID_LENGTH
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn key(text: &str) -> Option<Key> {
    let bytes = bytes(text)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"nbhd vault key id\0");
    hash.update(&bytes);
    let id = URL_SAFE_NO_PAD.encode(&hash.finish().as_ref()[..ID_LENGTH / 4 * 3]);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).ok()?);
    Some(Key { id, cipher })
}

fn bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = if text.len() == KEY_LENGTH * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        (0..KEY_LENGTH)
            .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok())
            .collect::<Option<Vec<u8>>>()?
    } else {
        [&alphabet::URL_SAFE, &alphabet::STANDARD]
            .into_iter()
            .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok())?
    };
    let decoded = Zeroizing::new(decoded);
    (decoded.len() == KEY_LENGTH).then_some(decoded)
}

/// A fresh key as text.
pub(super) fn generate(random: &[u8; KEY_LENGTH]) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(random))
}
