//! `Vault`: a program's own secrets, sealed at rest; and the redaction of text.

use napi::bindgen_prelude::{Object, Result};
use napi::{Env, Unknown};
use napi_derive::napi;
use nbhd_core::vault::RecordPlace;

use crate::cancel::call_options;
use crate::convert::{Data, ToNode};
use crate::core::{SecretArgument, source};
use crate::error::raise;

/// Seals a program's own secrets at rest with the host's key. It does not open what nbhd itself has sealed.
#[napi]
pub struct Vault {
    pub(crate) host: nbhd_core::Host,
}

#[napi]
impl Vault {
    /// Seals `text` as one line of text that opens for the same place only: tenant, provider, account, field.
    #[napi(ts_args_type = "text: Secret | string, place: RecordPlace")]
    pub fn seal(&self, env: &Env, text: SecretArgument<'_>, place: Object<'_>) -> Result<String> {
        let text = source(text);
        self.place(place)
            .and_then(|place| self.host.vault().program().seal(&text.reveal()?, &place))
            .map_err(|error| raise(env, &error))
    }

    /// Opens what was sealed for the same place; else `invalid_state`.
    #[napi(ts_args_type = "sealed: string, place: RecordPlace")]
    pub fn open(&self, env: &Env, sealed: String, place: Object<'_>) -> Result<String> {
        self.place(place)
            .and_then(|place| self.host.vault().program().open(&sealed, &place))
            .map(|secret| secret.expose().clone())
            .map_err(|error| raise(env, &error))
    }

    /// Seals again what an older key had sealed; `null` when the first key did it already.
    #[napi(ts_args_type = "sealed: string, place: RecordPlace")]
    pub fn reseal(&self, env: &Env, sealed: String, place: Object<'_>) -> Result<Option<String>> {
        self.place(place)
            .and_then(|place| self.host.vault().program().reseal(&sealed, &place))
            .map_err(|error| raise(env, &error))
    }

    /// Reads the keys again, from where they came: how they are rotated in a program that goes on.
    #[napi(ts_return_type = "VaultStatus")]
    pub fn reload<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        let status = self.host.vault().program().reload();
        Data(status.map_err(|error| raise(env, &error))?).to_node(env)
    }

    /// Which source gives the key, and the ids of the keys.
    #[napi(ts_return_type = "VaultStatus")]
    pub fn status<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        let status = self.host.vault().program().status();
        Data(status.map_err(|error| raise(env, &error))?).to_node(env)
    }
}

impl Vault {
    fn place(&self, place: Object<'_>) -> nbhd_core::Result<RecordPlace> {
        call_options("place", Some(&place))
    }
}

/// `text` with `***` in the place of what is or may be a credential; cut to `limit` characters, the last one `…`.
#[napi]
pub fn redact(text: String, limit: Option<u32>) -> String {
    match limit {
        Some(limit) => nbhd_core::secret::redact_to(&text, limit as usize),
        None => nbhd_core::secret::redact(&text),
    }
}
