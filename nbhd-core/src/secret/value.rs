//! A value that is wiped when dropped and prints as `***` everywhere.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::SecretSource;

/// A secret value. `Debug`, `Display` and `Serialize` say `***`; memory is wiped on drop.
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl Secret<String> {
    /// A secret from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// A source that reads the environment variable `name` when the secret is first needed.
    pub fn env(name: impl Into<String>) -> SecretSource {
        SecretSource::Env(name.into())
    }

    /// A source that reads a file, whose mode is checked, when the secret is first needed.
    pub fn file(path: impl Into<std::path::PathBuf>) -> SecretSource {
        SecretSource::File(path.into())
    }

    /// A source that reads a file which its owner and its group may read.
    pub fn group_file(path: impl Into<std::path::PathBuf>) -> SecretSource {
        SecretSource::GroupFile(path.into())
    }

    /// A source that reads a file which an orchestrator mounts, such as `/run/secrets/name`.
    pub fn mounted(path: impl Into<std::path::PathBuf>) -> SecretSource {
        SecretSource::Mounted(path.into())
    }

    /// A source that asks the keyring of the operating system (feature `keyring`), and never a person.
    pub fn keyring(service: impl Into<String>, account: impl Into<String>) -> SecretSource {
        SecretSource::Keyring {
            service: service.into(),
            account: account.into(),
        }
    }

    /// A source that asks each of `sources` in turn until one has the secret.
    pub fn chain(sources: impl IntoIterator<Item = SecretSource>) -> SecretSource {
        SecretSource::Chain(sources.into_iter().collect())
    }

    /// The one form in which a secret may be shown: `sk-…abcd`, or `***` when it is shorter than 12 characters.
    pub fn fingerprint(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        if characters.len() < 12 {
            return "***".to_owned();
        }
        let head: String = characters[..3].iter().collect();
        let tail: String = characters[characters.len() - 4..].iter().collect();
        format!("{head}…{tail}")
    }
}

impl<T: Zeroize> Secret<T> {
    /// A secret that is not text.
    pub fn from_value(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself: for the one place that puts it on the wire.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize + PartialEq> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Zeroize> serde::Serialize for Secret<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}
