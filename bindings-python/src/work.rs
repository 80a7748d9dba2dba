//! Work as it comes, and one event in a worker's hands.

use std::sync::Arc;

use nbhd_core::inbox::Work as CoreWork;
use nbhd_core::outbox::NewIntent;
use nbhd_core::store::Write;
use nbhd_core::{Code, Error};
use pyo3::exceptions::{PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;

use crate::bridge::future;
use crate::convert::{Data, ToPython, input};
use crate::core::POLL;
use crate::ending::{Held, Leased};
use crate::runtime::block;

/// Work as it comes.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct WorkLoop {
    pub(crate) inbox: nbhd_core::inbox::Inbox,
    pub(crate) wait: bool,
}

impl WorkLoop {
    async fn next(inbox: nbhd_core::inbox::Inbox, wait: bool) -> Result<Option<Work>, Error> {
        if wait {
            return inbox.next(POLL).await.map(Work::new).map(Some);
        }
        Ok(inbox.claim().await?.map(Work::new))
    }
}

#[pymethods]
impl WorkLoop {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Returns: Work
    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let work = block(py, Self::next(self.inbox.clone(), self.wait))?;
        if work.is_none(py) {
            Err(PyStopIteration::new_err(()))
        } else {
            Ok(work)
        }
    }

    fn __aiter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Returns: Coroutine[Any, Any, Work]
    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (inbox, wait) = (self.inbox.clone(), self.wait);
        future(py, async move { Self::next(inbox, wait).await.map(OrStop) })
    }
}

/// A value, or the end of an async iteration.
pub(crate) struct OrStop<T>(pub(crate) Option<T>);

impl<T: ToPython> ToPython for OrStop<T> {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.map_or_else(
            || Err(PyStopAsyncIteration::new_err(())),
            |value| value.to_python(py),
        )
    }
}

/// One event in a worker's hands, as a context manager: done when the block ends, tried again when it raises.
///
/// The block is given the event. An exception is told to the inbox and to the logger `nbhd.inbox`, and goes no
/// further, so that a worker's loop goes on; `KeyboardInterrupt` and `SystemExit` do go on, and the lease ends by
/// itself. The lease is prolonged while the block runs.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Work(Held<CoreWork>);

impl Work {
    pub(crate) fn new(work: CoreWork) -> Self {
        Self(Held::new(work))
    }
}

impl Leased for CoreWork {
    const LOGGER: &'static str = "nbhd.inbox";

    async fn keep(&self) {
        CoreWork::keep(self).await;
    }

    async fn done(&self) -> Result<(), Error> {
        CoreWork::done(self).await
    }

    async fn failed(&self, error: &Error) -> Result<(), Error> {
        self.fail(error).await
    }
}

impl ToPython for Work {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, self)?.into_any())
    }
}

#[pymethods]
impl Work {
    /// The event.
    ///
    /// Returns: InboxEvent
    #[getter]
    fn event(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.0.work().event()).to_python(py)
    }

    /// Whether the lease can still be relied on, without asking the store. Look before doing something that cannot be
    /// taken back.
    #[pyo3(signature = () -> "bool")]
    fn is_held(&self) -> bool {
        self.0.work().is_held()
    }

    /// Prolongs the lease; every 20 s is enough. `store_conflict` when it was lost: then stop. Inside a `with` block this
    /// is done beside the block.
    #[pyo3(signature = () -> "None")]
    fn renew(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let work = Arc::clone(self.0.work());
        block(py, async move { work.renew().await })
    }

    /// Awaitable twin of `renew`.
    #[pyo3(signature = ())]
    fn arenew<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let work = Arc::clone(self.0.work());
        future(py, async move { work.renew().await })
    }

    /// The event is handled: it is removed and its lane goes on.
    #[pyo3(signature = () -> "None")]
    fn done(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        block(py, self.0.say(|work| async move { work.done().await }))
    }

    /// Awaitable twin of `done`.
    fn adone<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        future(py, self.0.say(|work| async move { work.done().await }))
    }

    /// The event is handled and `sends` are to be sent: stored in one step.
    ///
    /// Each of `sends` is what a channel's `intent` returned.
    #[pyo3(signature = (sends: "list[NewIntent]") -> "None")]
    fn commit(&self, py: Python<'_>, sends: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let sends: Vec<NewIntent> = input(py, "sends", sends)?;
        block(py, self.0.say(|work| async move { work.commit(sends).await }))
    }

    /// Awaitable twin of `commit`.
    #[pyo3(signature = (sends))]
    fn acommit<'py>(&self, py: Python<'py>, sends: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let sends: Vec<NewIntent> = input(py, "sends", sends)?;
        future(py, self.0.say(|work| async move { work.commit(sends).await }))
    }

    /// The same with `writes` of the program's own in the same step: what handling the event changed is there exactly
    /// once, whoever was killed and whoever handled it again. `host.store` reads them.
    ///
    /// A write: `{"type": "put", "key": …, "value": …, "ttl": …}`, `add` (`key`, `delta`), `append` (`index`, `member`),
    /// `index` (`index`, `member`, `score`, `keep`), `unindex` or `delete`; in no room of the suite's own.
    #[pyo3(signature = (sends: "list[NewIntent]", writes: "list[StoreWrite]") -> "None")]
    fn commit_with(
        &self,
        py: Python<'_>,
        sends: &Bound<'_, PyAny>,
        writes: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let sends: Vec<NewIntent> = input(py, "sends", sends)?;
        let writes: Vec<Write> = input(py, "writes", writes)?;
        let end = |work: Arc<CoreWork>| async move { work.commit_with(sends, &writes).await };
        block(py, self.0.say(end))
    }

    /// Awaitable twin of `commit_with`.
    #[pyo3(signature = (sends, writes))]
    fn acommit_with<'py>(
        &self,
        py: Python<'py>,
        sends: &Bound<'py, PyAny>,
        writes: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sends: Vec<NewIntent> = input(py, "sends", sends)?;
        let writes: Vec<Write> = input(py, "writes", writes)?;
        let end = |work: Arc<CoreWork>| async move { work.commit_with(sends, &writes).await };
        future(py, self.0.say(end))
    }

    /// The event was not handled: it is tried again after a back-off, or becomes a dead letter. `reason` is redacted.
    #[pyo3(signature = (reason) -> "None")]
    fn fail(&self, py: Python<'_>, reason: String) -> PyResult<Py<PyAny>> {
        let error = Error::new(Code::Internal, reason);
        block(py, self.0.say(|work| async move { work.fail(&error).await }))
    }

    /// Awaitable twin of `fail`.
    fn afail<'py>(&self, py: Python<'py>, reason: String) -> PyResult<Bound<'py, PyAny>> {
        let error = Error::new(Code::Internal, reason);
        future(py, self.0.say(|work| async move { work.fail(&error).await }))
    }

    /// Returns: InboxEvent
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.enter(py)?;
        self.event(py)
    }

    #[pyo3(signature = (kind, error, traceback) -> "bool")]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        block(py, self.0.leave(py, kind, error, traceback)?)
    }

    /// Returns: Coroutine[Any, Any, InboxEvent]
    fn __aenter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.enter(py)?;
        let event = self.0.work().event().clone();
        future(py, async move { Ok(Data(event)) })
    }

    #[pyo3(signature = (kind, error, traceback) -> "Coroutine[Any, Any, bool]")]
    fn __aexit__<'py>(
        &self,
        py: Python<'py>,
        kind: &Bound<'py, PyAny>,
        error: &Bound<'py, PyAny>,
        traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        future(py, self.0.leave(py, kind, error, traceback)?)
    }
}
