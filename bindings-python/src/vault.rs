//! `Vault`: a program's own secrets, sealed at rest; and the redaction of text.

use nbhd_core::vault::RecordPlace;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::convert::{Data, ToPython};
use crate::error::raise;
use crate::secret::SecretArgument;

/// Adds the classes and functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Vault>()?;
    module.add_function(wrap_pyfunction!(redact, module)?)
}

/// Seals a program's own secrets at rest with the host's key. It does not open what nbhd itself has sealed.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Vault(pub(crate) nbhd_core::Host);

#[pymethods]
impl Vault {
    /// Seals `text` as one line of text that opens for the same tenant, provider, account and field only.
    #[pyo3(signature = (text: "Secret | str", *, tenant = "", provider = "", account = "", field = ""))]
    fn seal(
        &self,
        py: Python<'_>,
        text: SecretArgument<'_>,
        tenant: &str,
        provider: &str,
        account: &str,
        field: &str,
    ) -> PyResult<String> {
        let text = nbhd_core::secret::SecretSource::from(text);
        let place = place(tenant, provider, account, field);
        py.detach(|| self.0.vault().program().seal(&text.reveal()?, &place))
            .map_err(|error| raise(py, error))
    }

    /// Opens what was sealed for the same tenant, provider, account and field; else `InvalidState`.
    #[pyo3(signature = (sealed, *, tenant = "", provider = "", account = "", field = ""))]
    fn open(
        &self,
        py: Python<'_>,
        sealed: &str,
        tenant: &str,
        provider: &str,
        account: &str,
        field: &str,
    ) -> PyResult<String> {
        let place = place(tenant, provider, account, field);
        py.detach(|| self.0.vault().program().open(sealed, &place))
            .map(|secret| secret.expose().clone())
            .map_err(|error| raise(py, error))
    }

    /// Seals again what an older key had sealed; `None` when the first key did it already.
    #[pyo3(signature = (sealed, *, tenant = "", provider = "", account = "", field = ""))]
    fn reseal(
        &self,
        py: Python<'_>,
        sealed: &str,
        tenant: &str,
        provider: &str,
        account: &str,
        field: &str,
    ) -> PyResult<Option<String>> {
        let place = place(tenant, provider, account, field);
        py.detach(|| self.0.vault().program().reseal(sealed, &place))
            .map_err(|error| raise(py, error))
    }

    /// Reads the keys again, from where they came: how they are rotated in a program that goes on.
    #[pyo3(signature = () -> "VaultStatus")]
    fn reload(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let status = py.detach(|| self.0.vault().program().reload());
        Data(status.map_err(|error| raise(py, error))?).to_python(py)
    }

    /// Which source gives the key, and the ids of the keys.
    #[pyo3(signature = () -> "VaultStatus")]
    fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let status = py.detach(|| self.0.vault().program().status());
        Data(status.map_err(|error| raise(py, error))?).to_python(py)
    }

    fn __repr__(&self) -> &'static str {
        "Vault(…)"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Vault is a handle, not data: take it from the host",
        ))
    }
}

fn place(tenant: &str, provider: &str, account: &str, field: &str) -> RecordPlace {
    RecordPlace {
        tenant: tenant.to_owned(),
        provider: provider.to_owned(),
        account: account.to_owned(),
        field: field.to_owned(),
    }
}

/// `text` with `***` in the place of what is or may be a credential; cut to `limit` characters, the last one `…`.
#[pyfunction]
#[pyo3(signature = (text, limit = None))]
fn redact(py: Python<'_>, text: &str, limit: Option<usize>) -> String {
    py.detach(|| match limit {
        Some(limit) => nbhd_core::secret::redact_to(text, limit),
        None => nbhd_core::secret::redact(text),
    })
}
