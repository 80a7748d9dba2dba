//! Where a secret comes from, and the label that may be shown.

use std::fmt;
use std::path::PathBuf;

use super::Secret;
use crate::{Code, Error, Result};

/// Where a secret comes from. It is read when it is first needed, never at construction.
#[derive(Clone)]
#[non_exhaustive]
pub enum SecretSource {
    /// Given by the program itself.
    Value(Secret),
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read.
    File(PathBuf),
}

impl SecretSource {
    /// Reads the secret. The error names the source, never the value.
    pub fn reveal(&self) -> Result<Secret> {
        match self {
            SecretSource::Value(secret) => Ok(secret.clone()),
            SecretSource::Env(name) => from_env(name),
            SecretSource::File(path) => from_file(path),
        }
    }

    /// Where it comes from, in words that may be shown.
    pub fn label(&self) -> String {
        match self {
            SecretSource::Value(_) => "given by the program".to_owned(),
            SecretSource::Env(name) => format!("environment variable {name}"),
            SecretSource::File(path) => format!("file {}", path.display()),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads secrets from the environment"
)]
fn from_env(name: &str) -> Result<Secret> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
        _ => Err(Error::new(
            Code::SecretMissing,
            format!("the environment variable {name} is not set"),
        )
        .with_user_action(format!("Set the environment variable {name}."))),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads secrets from files"
)]
fn from_file(path: &std::path::Path) -> Result<Secret> {
    let refuse = |what: String| {
        Err(Error::new(
            Code::SecretMissing,
            format!("the secret file {}: {what}", path.display()),
        ))
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        match std::fs::metadata(path) {
            Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
                return refuse(
                    "others than its owner may read it; take their rights away (chmod 600)".to_owned(),
                );
            }
            Ok(_) => {}
            Err(error) => return refuse(error.kind().to_string()),
        }
    }
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => refuse("it is empty".to_owned()),
        Ok(text) => Ok(Secret::new(text.trim())),
        Err(error) => refuse(error.kind().to_string()),
    }
}

impl From<Secret> for SecretSource {
    fn from(secret: Secret) -> Self {
        SecretSource::Value(secret)
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSource({})", self.label())
    }
}
