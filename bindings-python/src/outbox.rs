//! The outbox: what is to be sent, and what became of it. A channel sends; this looks and decides.

use nbhd_core::outbox::NewIntent;
use pyo3::prelude::*;
use serde_json::Value;

use crate::bridge::future;
use crate::convert::{Data, input};
use crate::runtime::block;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Outbox>()
}

/// Send intents: stored before anything is dispatched, resumed at the part that is missing, never sent blindly twice.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Outbox(pub(crate) nbhd_core::outbox::Outbox);

#[pymethods]
impl Outbox {
    /// Stores an intent without sending it. `intent` is what a channel's `intent` returned.
    #[pyo3(signature = (intent: "NewIntent") -> "Intent")]
    fn plan(&self, py: Python<'_>, intent: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let intent: NewIntent = input(py, "intent", intent)?;
        let outbox = self.0.clone();
        block(py, async move { outbox.plan(intent).await.map(Data) })
    }

    /// Awaitable twin of `plan`.
    #[pyo3(signature = (intent))]
    fn aplan<'py>(&self, py: Python<'py>, intent: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let intent: NewIntent = input(py, "intent", intent)?;
        let outbox = self.0.clone();
        future(py, async move { outbox.plan(intent).await.map(Data) })
    }

    /// The intent under a key, which lives within channel and account; `None` when there is none.
    #[pyo3(signature = (channel, account, key) -> "Intent | None")]
    fn get(&self, py: Python<'_>, channel: String, account: String, key: String) -> PyResult<Py<PyAny>> {
        let outbox = self.0.clone();
        block(py, async move {
            Ok(outbox.get(&channel, &account, &key).await?.map(Data))
        })
    }

    /// Awaitable twin of `get`.
    #[pyo3(signature = (channel, account, key))]
    fn aget<'py>(
        &self,
        py: Python<'py>,
        channel: String,
        account: String,
        key: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outbox = self.0.clone();
        future(py, async move {
            Ok(outbox.get(&channel, &account, &key).await?.map(Data))
        })
    }

    /// Cancels the parts that are not begun. What is being sent, or was, stays as it is.
    #[pyo3(signature = (channel, account, key) -> "Intent")]
    fn cancel(&self, py: Python<'_>, channel: String, account: String, key: String) -> PyResult<Py<PyAny>> {
        let outbox = self.0.clone();
        block(py, async move {
            outbox.cancel(&channel, &account, &key).await.map(Data)
        })
    }

    /// Awaitable twin of `cancel`.
    #[pyo3(signature = (channel, account, key))]
    fn acancel<'py>(
        &self,
        py: Python<'py>,
        channel: String,
        account: String,
        key: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outbox = self.0.clone();
        future(py, async move {
            outbox.cancel(&channel, &account, &key).await.map(Data)
        })
    }

    /// Makes refused parts pending, for somebody who knows that the reason is gone.
    #[pyo3(signature = (channel, account, key) -> "Intent")]
    fn retry_refused(
        &self,
        py: Python<'_>,
        channel: String,
        account: String,
        key: String,
    ) -> PyResult<Py<PyAny>> {
        let outbox = self.0.clone();
        block(py, async move {
            outbox.retry_refused(&channel, &account, &key).await.map(Data)
        })
    }

    /// Awaitable twin of `retry_refused`.
    #[pyo3(signature = (channel, account, key))]
    fn aretry_refused<'py>(
        &self,
        py: Python<'py>,
        channel: String,
        account: String,
        key: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outbox = self.0.clone();
        future(py, async move {
            outbox.retry_refused(&channel, &account, &key).await.map(Data)
        })
    }

    /// Settles an unknown part that the platform's own history shows to have arrived, with what it gave for it.
    #[pyo3(signature = (channel, account, key, index, result: "Any") -> "Intent")]
    fn prove_sent(
        &self,
        py: Python<'_>,
        channel: String,
        account: String,
        key: String,
        index: usize,
        result: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let result: Value = input(py, "result", result)?;
        let outbox = self.0.clone();
        block(py, async move {
            outbox
                .prove_sent(&channel, &account, &key, index, result)
                .await
                .map(Data)
        })
    }

    /// Awaitable twin of `prove_sent`.
    #[pyo3(signature = (channel, account, key, index, result))]
    fn aprove_sent<'py>(
        &self,
        py: Python<'py>,
        channel: String,
        account: String,
        key: String,
        index: usize,
        result: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let result: Value = input(py, "result", result)?;
        let outbox = self.0.clone();
        future(py, async move {
            outbox
                .prove_sent(&channel, &account, &key, index, result)
                .await
                .map(Data)
        })
    }

    /// Intents whose next part can be sent now, at most `limit`.
    #[pyo3(signature = (limit = 100) -> "list[Intent]")]
    fn undelivered(&self, py: Python<'_>, limit: usize) -> PyResult<Py<PyAny>> {
        let outbox = self.0.clone();
        block(py, async move { outbox.undelivered(limit).await.map(Data) })
    }

    /// Awaitable twin of `undelivered`.
    #[pyo3(signature = (limit = 100))]
    fn aundelivered<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let outbox = self.0.clone();
        future(py, async move { outbox.undelivered(limit).await.map(Data) })
    }

    /// Makes unknown what somebody left `sending` whose lease has ended, of at most `limit` intents; those intents.
    #[pyo3(signature = (limit = 100) -> "list[Intent]")]
    fn expire(&self, py: Python<'_>, limit: usize) -> PyResult<Py<PyAny>> {
        let outbox = self.0.clone();
        block(py, async move { outbox.expire(limit).await.map(Data) })
    }

    /// Awaitable twin of `expire`.
    #[pyo3(signature = (limit = 100))]
    fn aexpire<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let outbox = self.0.clone();
        future(py, async move { outbox.expire(limit).await.map(Data) })
    }
}
