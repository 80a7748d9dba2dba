//! Where a secret comes from, and the label that may be shown.
//!
//! A source is read when the secret is first needed, and never asks a person. A chain is asked in its order: a step that has nothing,
//! or does not answer in time, gives way to the next; a file that others may read stops the chain, because somebody put it there and
//! has to mend it.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::{self, Mode};
use super::limit::within;
use super::{Secret, keyring};
use crate::{Code, Error, Result};

/// Where a secret comes from. It is read when it is first needed, never at construction.
#[derive(Clone)]
#[non_exhaustive]
pub enum SecretSource {
    /// Given by the program itself.
    Value(Secret),
    /// An environment variable.
    Env(String),
    /// The keyring of the operating system (feature `keyring`). What is locked counts as absent: nobody is asked to unlock it.
    Keyring {
        /// What the secret is for, such as `nbhd`.
        service: String,
        /// Which one of them.
        account: String,
    },
    /// A file that an orchestrator mounts, such as `/run/secrets/name`: its mode is the orchestrator's, but all the world must not
    /// write to it.
    Mounted(PathBuf),
    /// A file that only its owner may read.
    File(PathBuf),
    /// A file that its owner and its group may read, and only the owner write.
    GroupFile(PathBuf),
    /// Several sources, the first that has it gives it.
    Chain(Vec<SecretSource>),
}

/// Which source gives a secret, and how it looks: never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SecretStatus {
    /// The source, in words.
    pub source: String,
    /// `sk-…abcd`, or `***` when it is shorter than 12 characters.
    pub fingerprint: String,
}

/// Why a step gives no secret.
pub(super) enum Missing {
    /// It is not there: the next step is asked.
    Absent(String),
    /// Whether it is there cannot be told, because its place does not answer: the next step is asked.
    Silent(String),
    /// It is there in a way that is not taken: nobody else is asked.
    Refused(String),
}

impl SecretSource {
    /// Reads the secret. The error names the sources and why each had nothing, never the value.
    pub fn reveal(&self) -> Result<Secret> {
        self.find().map(|(_, secret)| secret)
    }

    /// Which source gives the secret, and how it looks. `secret_missing` when none does.
    pub fn status(&self) -> Result<SecretStatus> {
        self.find().map(|(source, secret)| SecretStatus {
            source,
            fingerprint: secret.fingerprint(),
        })
    }

    /// Whether this build can read it: `invalid_config` for the keyring where there is none. A chain goes on without it.
    pub fn check(&self) -> Result<()> {
        if keyring::IS_HERE || !matches!(self, SecretSource::Keyring { .. }) {
            return Ok(());
        }
        Err(Error::new(
            Code::InvalidConfig,
            format!(
                "{}: this build has no keyring (feature `keyring`, on Linux)",
                self.label()
            ),
        )
        .with_user_action(
            "Build with the feature `keyring`, or name an environment variable or a file instead.",
        ))
    }

    /// Where it comes from, in words that may be shown.
    pub fn label(&self) -> String {
        match self {
            SecretSource::Value(_) => "given by the program".to_owned(),
            SecretSource::Env(name) => format!("environment variable {name}"),
            SecretSource::Keyring { service, account } => format!("keyring entry {service}/{account}"),
            SecretSource::Mounted(path) => format!("mounted file {}", path.display()),
            SecretSource::File(path) | SecretSource::GroupFile(path) => format!("file {}", path.display()),
            SecretSource::Chain(steps) => {
                let labels: Vec<String> = steps.iter().map(SecretSource::label).collect();
                labels.join(", else ")
            }
        }
    }

    /// The secret and the label of the step that gave it.
    fn find(&self) -> Result<(String, Secret)> {
        let mut absent = Vec::new();
        for step in self.steps() {
            match step.look() {
                Ok(secret) => return Ok((step.label(), secret)),
                Err(Missing::Absent(why) | Missing::Silent(why)) => {
                    absent.push(format!("{}: {why}", step.label()));
                }
                Err(Missing::Refused(why)) => {
                    return Err(missing(&format!("{}: {why}", step.label())));
                }
            }
        }
        let error = missing(&absent.join("; "));
        Err(match self {
            SecretSource::Env(name) => {
                error.with_user_action(format!("Set the environment variable {name}."))
            }
            _ => error,
        })
    }

    /// The secret, or `None` where it is surely not there; an error where it is there and not taken, or where nobody can tell.
    pub(crate) fn found(&self) -> Result<Option<Secret>> {
        for step in self.steps() {
            match step.look() {
                Ok(secret) => return Ok(Some(secret)),
                Err(Missing::Absent(_)) => {}
                Err(Missing::Silent(why) | Missing::Refused(why)) => {
                    return Err(missing(&format!("{}: {why}", step.label())));
                }
            }
        }
        Ok(None)
    }

    /// The steps of a chain, with those of chains within it.
    fn steps(&self) -> Vec<&SecretSource> {
        match self {
            SecretSource::Chain(steps) => steps.iter().flat_map(SecretSource::steps).collect(),
            step => vec![step],
        }
    }

    fn look(&self) -> std::result::Result<Secret, Missing> {
        match self {
            SecretSource::Value(secret) => Ok(secret.clone()),
            SecretSource::Env(name) => from_env(name),
            SecretSource::Keyring { service, account } => {
                let (service, account) = (service.clone(), account.clone());
                within(move || keyring::look(&service, &account))
            }
            SecretSource::Mounted(path) => read(path, Mode::Mounted),
            SecretSource::File(path) => read(path, Mode::Owner),
            SecretSource::GroupFile(path) => read(path, Mode::Group),
            SecretSource::Chain(_) => Err(Missing::Absent("it is a chain".to_owned())),
        }
    }
}

fn read(path: &std::path::Path, mode: Mode) -> std::result::Result<Secret, Missing> {
    let path = path.to_owned();
    within(move || file::read(&path, mode))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads secrets from the environment"
)]
fn from_env(name: &str) -> std::result::Result<Secret, Missing> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
        Ok(_) => Err(Missing::Absent("it is empty".to_owned())),
        Err(std::env::VarError::NotPresent) => Err(Missing::Absent("it is not set".to_owned())),
        Err(std::env::VarError::NotUnicode(_)) => Err(Missing::Refused("it is not text".to_owned())),
    }
}

fn missing(why: &str) -> Error {
    Error::new(Code::SecretMissing, format!("the secret is not there: {why}"))
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
