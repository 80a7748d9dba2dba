//! `Host`, `Secret` and what hangs on them.

use napi::{Env, Result};
use napi_derive::napi;
use nbhd_core::secret::SecretSource;

use crate::error::raise;

/// What the program around us provides: store, secrets, clock, receipt sink, transport.
///
/// `new Host("sqlite:nbhd.db")`, `new Host("memory:")`. It opens nothing until the first call.
#[napi]
pub struct Host {
    pub(crate) inner: nbhd_core::Host,
}

#[napi]
impl Host {
    #[napi(constructor)]
    pub fn new(env: &Env, address: String) -> Result<Self> {
        let inner = nbhd_core::Host::new(&address).map_err(|error| raise(env, &error))?;
        Ok(Self { inner })
    }
}

/// A secret: never printed, never serialised.
#[napi]
pub struct Secret {
    pub(crate) inner: SecretSource,
}

#[napi]
impl Secret {
    #[napi(constructor)]
    pub fn new(value: String) -> Self {
        Self {
            inner: nbhd_core::Secret::new(value).into(),
        }
    }

    /// Read from the environment variable `name` when it is first needed.
    #[napi(factory)]
    pub fn env(name: String) -> Self {
        Self {
            inner: nbhd_core::Secret::env(name),
        }
    }

    /// Read from a file that only its owner may read, when it is first needed.
    #[napi(factory)]
    pub fn file(path: String) -> Self {
        Self {
            inner: nbhd_core::Secret::file(path),
        }
    }
}
