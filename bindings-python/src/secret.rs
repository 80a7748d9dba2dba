//! `Secret`: where a secret comes from, never what it is.

use std::path::PathBuf;

use nbhd_core::secret::SecretSource;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::convert::{Data, ToPython};
use crate::error::raise;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Secret>()
}

/// A secret: never printed, never pickled.
///
/// `Secret("…")`, `Secret.env("NAME")`, `Secret.file("…/name")`, `Secret.mounted("/run/secrets/name")`,
/// `Secret.keyring("service", "account")`, and `Secret.chain([…])` of several.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Secret(pub(crate) SecretSource);

#[pymethods]
impl Secret {
    #[new]
    fn new(value: String) -> Self {
        Self(nbhd_core::Secret::new(value).into())
    }

    /// Read from the environment variable `name` when it is first needed.
    #[staticmethod]
    fn env(name: String) -> Self {
        Self(nbhd_core::Secret::env(name))
    }

    /// Read from a file that only its owner may read, when it is first needed.
    #[staticmethod]
    fn file(path: PathBuf) -> Self {
        Self(nbhd_core::Secret::file(path))
    }

    /// Read from a file that its owner and its group may read, when it is first needed.
    #[staticmethod]
    fn group_file(path: PathBuf) -> Self {
        Self(nbhd_core::Secret::group_file(path))
    }

    /// Read from a file that an orchestrator mounts, when it is first needed.
    #[staticmethod]
    fn mounted(path: PathBuf) -> Self {
        Self(nbhd_core::Secret::mounted(path))
    }

    /// Read from the keyring of the operating system, when it is first needed. Nobody is asked to unlock it.
    #[staticmethod]
    fn keyring(service: String, account: String) -> Self {
        Self(nbhd_core::Secret::keyring(service, account))
    }

    /// Each of `sources` is asked in turn, until one has the secret.
    #[staticmethod]
    #[pyo3(signature = (sources: "list[Secret]"))]
    fn chain(sources: Vec<PyRef<'_, Self>>) -> Self {
        Self(nbhd_core::Secret::chain(
            sources.iter().map(|source| source.0.clone()),
        ))
    }

    /// Which source gives the secret, and its fingerprint; `SecretMissing` when none does.
    #[pyo3(signature = () -> "SecretStatus")]
    fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let status = py.detach(|| self.0.status());
        Data(status.map_err(|error| raise(py, error))?).to_python(py)
    }

    fn __repr__(&self) -> &'static str {
        "Secret(***)"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Secret is never pickled: pass the name of its source and read it on the other side",
        ))
    }
}

/// A secret, given as a `Secret` or as its text.
#[derive(FromPyObject)]
pub(crate) enum SecretArgument<'py> {
    Secret(PyRef<'py, Secret>),
    Text(String),
}

impl From<SecretArgument<'_>> for SecretSource {
    fn from(argument: SecretArgument<'_>) -> Self {
        match argument {
            SecretArgument::Secret(secret) => secret.0.clone(),
            SecretArgument::Text(text) => nbhd_core::Secret::new(text).into(),
        }
    }
}
