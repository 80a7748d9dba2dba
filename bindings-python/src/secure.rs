//! Secure requests: the credential, and what a call allows.

use nbhd_core::secure::Access;
use nbhd_core::transport::HostRule;
use nbhd_core::{Error, Result};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::error::raise;
use crate::secret::SecretArgument;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Credential>()
}

/// A secret that is bound to an origin and to a place: a secure request takes it nowhere else.
///
/// `Credential.bearer("https://api.example.org", Secret.env("EXAMPLE_KEY"))`. The origin is `https://host[:port]`, or http on this
/// machine.
#[pyclass(frozen, module = "nbhd")]
#[derive(Clone)]
pub(crate) struct Credential(nbhd_core::secure::Credential);

#[pymethods]
impl Credential {
    /// `Authorization: Bearer <secret>`.
    #[staticmethod]
    fn bearer(py: Python<'_>, origin: &str, secret: SecretArgument<'_>) -> PyResult<Credential> {
        made(py, nbhd_core::secure::Credential::bearer(origin, secret))
    }

    /// `Authorization: Basic …`, the secret being the password of `user`.
    #[staticmethod]
    fn basic(py: Python<'_>, origin: &str, user: String, secret: SecretArgument<'_>) -> PyResult<Credential> {
        made(py, nbhd_core::secure::Credential::basic(origin, user, secret))
    }

    /// A header of this name, after `prefix`.
    #[staticmethod]
    #[pyo3(signature = (origin, name, secret, *, prefix = ""))]
    fn header(
        py: Python<'_>,
        origin: &str,
        name: &str,
        secret: SecretArgument<'_>,
        prefix: &str,
    ) -> PyResult<Credential> {
        let made_of = nbhd_core::secure::Credential::header_after(origin, name, prefix, secret);
        made(py, made_of)
    }

    /// A query parameter of this name.
    #[staticmethod]
    fn query(py: Python<'_>, origin: &str, name: String, secret: SecretArgument<'_>) -> PyResult<Credential> {
        made(py, nbhd_core::secure::Credential::query(origin, name, secret))
    }

    /// A value of the JSON body at this JSON Pointer, such as `/auth/token`.
    #[staticmethod]
    fn json(
        py: Python<'_>,
        origin: &str,
        pointer: String,
        secret: SecretArgument<'_>,
    ) -> PyResult<Credential> {
        made(py, nbhd_core::secure::Credential::json(origin, pointer, secret))
    }

    /// A field of the form body.
    #[staticmethod]
    fn form(py: Python<'_>, origin: &str, name: String, secret: SecretArgument<'_>) -> PyResult<Credential> {
        made(py, nbhd_core::secure::Credential::form(origin, name, secret))
    }

    fn __repr__(&self) -> &'static str {
        "Credential(***)"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Credential is never pickled: pass the name of its source and make a new one on the other side",
        ))
    }
}

fn made(py: Python<'_>, credential: Result<nbhd_core::secure::Credential>) -> PyResult<Credential> {
    credential.map(Credential).map_err(|error| raise(py, error))
}

/// What a call allows.
pub(crate) fn access(
    credentials: Option<Vec<PyRef<'_, Credential>>>,
    hosts: Option<Vec<String>>,
    loopback: bool,
    redirects: Option<u32>,
    actor: Option<String>,
) -> Result<Access, Error> {
    let mut access = Access::new();
    for credential in credentials.unwrap_or_default() {
        access = access.with_credential(credential.0.clone());
    }
    for host in hosts.unwrap_or_default() {
        access = access.with_host(HostRule::new(&host)?);
    }
    if loopback {
        access = access.with_loopback();
    }
    if let Some(redirects) = redirects {
        access = access.with_redirects(redirects);
    }
    if let Some(actor) = actor {
        access = access.with_actor(actor);
    }
    Ok(access)
}
