//! The vault as a program's own.
//!
//! Invariant: what the suite sealed does not open here, and the other way round. A binding hands out this half only, so that no
//! program reads a refresh token through it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{Kind, Place, Vault};
use super::key::VaultStatus;
use crate::{Code, Error, Result, Secret};

/// Seals a program's own secrets: the keys, the envelope and the rotation are those of the [`Vault`].
#[derive(Debug, Clone, Copy)]
pub struct ProgramVault<'a>(&'a Vault);

/// What a program's record belongs to: it opens nowhere else. What is not given is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordPlace {
    /// The tenant.
    pub tenant: String,
    /// The provider.
    pub provider: String,
    /// The account.
    pub account: String,
    /// The field.
    pub field: String,
}

impl RecordPlace {
    fn place(&self) -> Result<Place<'_>> {
        if *self == Self::default() {
            return Err(Error::new(
                Code::InvalidInput,
                "a record is sealed for something: name its tenant, provider, account or field",
            ));
        }
        Ok(Place {
            tenant: &self.tenant,
            provider: &self.provider,
            account: &self.account,
            field: &self.field,
        })
    }
}

impl<'a> ProgramVault<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self(vault)
    }

    /// Seals `text` for `place` as one line of text.
    pub fn seal(&self, text: &Secret, place: &RecordPlace) -> Result<String> {
        self.0
            .seal_as(Kind::Program, place.place()?, text.expose().as_bytes())
    }

    /// Opens what was sealed for the same `place`. `invalid_state` when it does not open, for whatever reason.
    pub fn open(&self, sealed: &str, place: &RecordPlace) -> Result<Secret> {
        let plain = self.0.open_as(Kind::Program, place.place()?, sealed)?;
        let text = std::str::from_utf8(plain.expose());
        text.map(Secret::new)
            .map_err(|_| Error::new(Code::InvalidState, "the sealed record holds no text"))
    }

    /// Seals again what an older key had sealed; `None` when the first key did it already.
    pub fn reseal(&self, sealed: &str, place: &RecordPlace) -> Result<Option<String>> {
        self.0.reseal_as(Kind::Program, place.place()?, sealed)
    }

    /// Reads the keys again, from where they came.
    pub fn reload(&self) -> Result<VaultStatus> {
        self.0.reload()
    }

    /// Which source gives the key, and the ids of the keys. `secret_missing` when there is none.
    pub fn status(&self) -> Result<VaultStatus> {
        self.0.status()
    }
}
