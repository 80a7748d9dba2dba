//! Limits, and the gates for messages to people.

use std::sync::Arc;
use std::time::Duration;

use nbhd_core::limit::{Limit, Ticket as CoreTicket};
use nbhd_core::{Code, Error};
use pyo3::prelude::*;
use serde_json::Value;

use crate::bridge::future;
use crate::convert::{ToPython, input};
use crate::core::Host;
use crate::error::raise;
use crate::runtime::block;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Limits>()?;
    module.add_class::<AlertGate>()?;
    module.add_class::<StateGate>()?;
    module.add_class::<Ticket>()
}

/// Says yes or no to several limits together: `Limits(host)` counts in the store, for all processes that share it;
/// `Limits(host, local=True)` in this one, with the same answers.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Limits(Arc<dyn nbhd_core::limit::Limits>);

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (host, *, local = false))]
    fn new(host: PyRef<'_, Host>, local: bool) -> Self {
        Self(if local {
            Arc::new(nbhd_core::limit::LocalLimits::new(&host.inner))
        } else {
            Arc::new(nbhd_core::limit::StoreLimits::new(&host.inner))
        })
    }

    /// Takes of all `limits`, or of none: raises `RateLimited` with `retry_after` and, in `details`, the first limit that
    /// is used up.
    ///
    /// A limit: `{what, who, where, units, per, take}`: at most `units` at once, which come back evenly over `per` seconds.
    #[pyo3(signature = (limits: "list[Limit]") -> "None")]
    fn take(&self, py: Python<'_>, limits: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let limits: Vec<Limit> = input(py, "limits", limits)?;
        let counted = Arc::clone(&self.0);
        block(py, async move { counted.take(&limits).await })
    }

    /// Awaitable twin of `take`.
    #[pyo3(signature = (limits))]
    fn atake<'py>(&self, py: Python<'py>, limits: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let limits: Vec<Limit> = input(py, "limits", limits)?;
        let counted = Arc::clone(&self.0);
        future(py, async move { counted.take(&limits).await })
    }
}

/// At most one alert per check and recipient in a while (half an hour), counted from when it was sent.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct AlertGate(nbhd_core::limit::AlertGate);

#[pymethods]
impl AlertGate {
    #[new]
    #[pyo3(signature = (host, *, interval = 1800.0))]
    fn new(py: Python<'_>, host: PyRef<'_, Host>, interval: f64) -> PyResult<Self> {
        let interval = Duration::try_from_secs_f64(interval).map_err(|_| {
            let message = "`interval` is a time in seconds, 0 or more";
            raise(py, Error::new(Code::InvalidInput, message))
        })?;
        let gate = nbhd_core::limit::AlertGate::new(&host.inner);
        Ok(Self(gate.with_interval(interval)))
    }

    /// A ticket to send an alert of `check` to `recipient`; `None` when one was sent not long ago, or is being sent.
    #[pyo3(signature = (check, recipient) -> "Ticket | None")]
    fn begin(&self, py: Python<'_>, check: String, recipient: String) -> PyResult<Py<PyAny>> {
        let gate = self.0.clone();
        block(py, async move {
            Ok(gate.begin(&check, &recipient).await?.map(Ticket::new))
        })
    }

    /// Awaitable twin of `begin`.
    #[pyo3(signature = (check, recipient))]
    fn abegin<'py>(&self, py: Python<'py>, check: String, recipient: String) -> PyResult<Bound<'py, PyAny>> {
        let gate = self.0.clone();
        future(py, async move {
            Ok(gate.begin(&check, &recipient).await?.map(Ticket::new))
        })
    }
}

/// Tells a state only when it is another one than was told last.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct StateGate(nbhd_core::limit::StateGate);

#[pymethods]
impl StateGate {
    #[new]
    fn new(host: PyRef<'_, Host>) -> Self {
        Self(nbhd_core::limit::StateGate::new(&host.inner))
    }

    /// A ticket to tell `state` under `name`; `None` when the state that was told last has the same canonical hash, or
    /// somebody is telling just now.
    #[pyo3(signature = (name, state: "Any") -> "Ticket | None")]
    fn begin(&self, py: Python<'_>, name: String, state: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let state: Value = input(py, "state", state)?;
        let gate = self.0.clone();
        block(py, async move {
            Ok(gate.begin(&name, &state).await?.map(Ticket::new))
        })
    }

    /// Awaitable twin of `begin`.
    #[pyo3(signature = (name, state))]
    fn abegin<'py>(
        &self,
        py: Python<'py>,
        name: String,
        state: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let state: Value = input(py, "state", state)?;
        let gate = self.0.clone();
        future(py, async move {
            Ok(gate.begin(&name, &state).await?.map(Ticket::new))
        })
    }
}

/// The right to send one message. Without a word, the gate opens again when its lease ends.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Ticket(Arc<CoreTicket>);

impl Ticket {
    fn new(ticket: CoreTicket) -> Self {
        Self(Arc::new(ticket))
    }
}

impl ToPython for Ticket {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, self)?.into_any())
    }
}

#[pymethods]
impl Ticket {
    /// The message was sent: the gate closes.
    #[pyo3(signature = () -> "None")]
    fn sent(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let ticket = Arc::clone(&self.0);
        block(py, async move { ticket.sent().await })
    }

    /// Awaitable twin of `sent`.
    #[pyo3(signature = ())]
    fn asent<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let ticket = Arc::clone(&self.0);
        future(py, async move { ticket.sent().await })
    }

    /// The message was not sent: the gate stays open for the next.
    #[pyo3(signature = () -> "None")]
    fn failed(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let ticket = Arc::clone(&self.0);
        block(py, async move { ticket.failed().await })
    }

    /// Awaitable twin of `failed`.
    #[pyo3(signature = ())]
    fn afailed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let ticket = Arc::clone(&self.0);
        future(py, async move { ticket.failed().await })
    }
}
