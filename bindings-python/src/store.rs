//! The program's own records in the store, as it reads them.

use std::sync::Arc;

use nbhd_core::store::Range;
use pyo3::prelude::*;

use crate::bridge::future;
use crate::convert::Data;
use crate::runtime::block;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Store>()
}

/// What `work.commit_with` wrote, read again.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Store(pub(crate) Arc<dyn nbhd_core::store::Store>);

#[pymethods]
impl Store {
    /// The live record under `key`; `None` when there is none.
    #[pyo3(signature = (key) -> "StoreRecord | None")]
    fn get(&self, py: Python<'_>, key: String) -> PyResult<Py<PyAny>> {
        let store = Arc::clone(&self.0);
        block(py, async move { Ok(store.get(&key).await?.map(Data)) })
    }

    /// Awaitable twin of `get`.
    fn aget<'py>(&self, py: Python<'py>, key: String) -> PyResult<Bound<'py, PyAny>> {
        let store = Arc::clone(&self.0);
        future(py, async move { Ok(store.get(&key).await?.map(Data)) })
    }

    /// The sum under `key`; 0 when nothing was ever added.
    #[pyo3(signature = (key) -> "int")]
    fn sum(&self, py: Python<'_>, key: String) -> PyResult<Py<PyAny>> {
        let store = Arc::clone(&self.0);
        block(py, async move { store.sum(&key).await.map(Data) })
    }

    /// Awaitable twin of `sum`.
    fn asum<'py>(&self, py: Python<'py>, key: String) -> PyResult<Bound<'py, PyAny>> {
        let store = Arc::clone(&self.0);
        future(py, async move { store.sum(&key).await.map(Data) })
    }

    /// The entries of `index` whose score is at most `up_to`, lowest first, at most `limit`.
    #[pyo3(signature = (index, *, up_to = None, limit = 100) -> "list[StoreEntry]")]
    fn scan(&self, py: Python<'_>, index: String, up_to: Option<i64>, limit: usize) -> PyResult<Py<PyAny>> {
        let store = Arc::clone(&self.0);
        let range = Range::up_to(up_to.unwrap_or(i64::MAX), limit);
        block(py, async move { store.scan(&index, range).await.map(Data) })
    }

    /// Awaitable twin of `scan`.
    #[pyo3(signature = (index, *, up_to = None, limit = 100))]
    fn ascan<'py>(
        &self,
        py: Python<'py>,
        index: String,
        up_to: Option<i64>,
        limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let store = Arc::clone(&self.0);
        let range = Range::up_to(up_to.unwrap_or(i64::MAX), limit);
        future(py, async move { store.scan(&index, range).await.map(Data) })
    }
}
