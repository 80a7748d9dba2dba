//! `Host` and what hangs on it.

use nbhd_core::secret::SecretSource;
use pyo3::prelude::*;

use crate::error::raise;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Host>()?;
    module.add_class::<Secret>()
}

/// What the program around us provides: store, secrets, clock, receipt sink, transport.
///
/// `Host("sqlite:nbhd.db")`, `Host("memory:")`. It opens nothing until the first call.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Host(pub(crate) nbhd_core::Host);

#[pymethods]
impl Host {
    #[new]
    fn new(py: Python<'_>, address: &str) -> PyResult<Self> {
        nbhd_core::Host::new(address)
            .map(Self)
            .map_err(|error| raise(py, error))
    }

    fn __repr__(&self) -> &'static str {
        "Host(…)"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(pyo3::exceptions::PyTypeError::new_err(
            "a Host is a handle, not data: pass its address and make a new one on the other side",
        ))
    }
}

/// A secret: never printed, never pickled.
///
/// `Secret("…")`, `Secret.env("NAME")`, `Secret.file("/run/secrets/name")`.
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
    fn file(path: std::path::PathBuf) -> Self {
        Self(nbhd_core::Secret::file(path))
    }

    fn __repr__(&self) -> &'static str {
        "Secret(***)"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(pyo3::exceptions::PyTypeError::new_err(
            "a Secret is never pickled: pass the name of its source and read it on the other side",
        ))
    }
}
