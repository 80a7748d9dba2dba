//! Work as it comes, and one event in a worker's hands.

use std::sync::Arc;

use nbhd_core::inbox::Work as CoreWork;
use nbhd_core::outbox::NewIntent;
use nbhd_core::{Code, Error};
use pyo3::exceptions::{PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;

use crate::bridge::future;
use crate::convert::{Data, ToPython, input};
use crate::core::POLL;
use crate::ending::Ending;
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
pub(crate) struct Work {
    inner: Arc<CoreWork>,
    keeping: std::sync::Mutex<Option<tokio::task::AbortHandle>>,
}

impl Work {
    pub(crate) fn new(work: CoreWork) -> Self {
        Self {
            inner: Arc::new(work),
            keeping: std::sync::Mutex::default(),
        }
    }

    fn keep(&self, py: Python<'_>) -> PyResult<()> {
        let work = Arc::clone(&self.inner);
        let task = crate::runtime::engine(py)?
            .runtime()
            .spawn(async move { work.keep().await });
        if let Some(before) = self.swap(Some(task.abort_handle())) {
            before.abort();
        }
        Ok(())
    }

    fn let_go(&self) {
        if let Some(task) = self.swap(None) {
            task.abort();
        }
    }

    fn swap(&self, task: Option<tokio::task::AbortHandle>) -> Option<tokio::task::AbortHandle> {
        std::mem::replace(
            &mut self
                .keeping
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
            task,
        )
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.let_go();
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
        Data(self.inner.event()).to_python(py)
    }

    /// Whether the lease can still be relied on, without asking the store. Look before doing something that cannot be
    /// taken back.
    #[pyo3(signature = () -> "bool")]
    fn is_held(&self) -> bool {
        self.inner.is_held()
    }

    /// Prolongs the lease; every 20 s is enough. `store_conflict` when it was lost: then stop. Inside a `with` block this
    /// is done beside the block.
    #[pyo3(signature = () -> "None")]
    fn renew(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let work = Arc::clone(&self.inner);
        block(py, async move { work.renew().await })
    }

    /// Awaitable twin of `renew`.
    #[pyo3(signature = ())]
    fn arenew<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let work = Arc::clone(&self.inner);
        future(py, async move { work.renew().await })
    }

    /// The event is handled: it is removed and its lane goes on.
    #[pyo3(signature = () -> "None")]
    fn done(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let work = Arc::clone(&self.inner);
        self.let_go();
        block(py, async move { work.done().await })
    }

    /// Awaitable twin of `done`.
    fn adone<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let work = Arc::clone(&self.inner);
        self.let_go();
        future(py, async move { work.done().await })
    }

    /// The event is handled and `sends` are to be sent: stored in one step.
    ///
    /// Each of `sends` is what a channel's `intent` returned.
    #[pyo3(signature = (sends: "list[NewIntent]") -> "None")]
    fn commit(&self, py: Python<'_>, sends: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let sends: Vec<NewIntent> = input(py, "sends", sends)?;
        let work = Arc::clone(&self.inner);
        self.let_go();
        block(py, async move { work.commit(sends).await })
    }

    /// Awaitable twin of `commit`.
    #[pyo3(signature = (sends))]
    fn acommit<'py>(&self, py: Python<'py>, sends: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let sends: Vec<NewIntent> = input(py, "sends", sends)?;
        let work = Arc::clone(&self.inner);
        self.let_go();
        future(py, async move { work.commit(sends).await })
    }

    /// The event was not handled: it is tried again after a back-off, or becomes a dead letter. `reason` is redacted.
    #[pyo3(signature = (reason) -> "None")]
    fn fail(&self, py: Python<'_>, reason: String) -> PyResult<Py<PyAny>> {
        let work = Arc::clone(&self.inner);
        self.let_go();
        block(
            py,
            async move { work.fail(&Error::new(Code::Internal, reason)).await },
        )
    }

    /// Awaitable twin of `fail`.
    fn afail<'py>(&self, py: Python<'py>, reason: String) -> PyResult<Bound<'py, PyAny>> {
        let work = Arc::clone(&self.inner);
        self.let_go();
        future(
            py,
            async move { work.fail(&Error::new(Code::Internal, reason)).await },
        )
    }

    /// Returns: InboxEvent
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.keep(py)?;
        self.event(py)
    }

    #[pyo3(signature = (kind, error, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.let_go();
        let work = Arc::clone(&self.inner);
        match Ending::of(py, "nbhd.inbox", kind, error, traceback)? {
            Ending::Done => block(py, async move { work.done().await }).map(|_| false),
            Ending::Failed(error) => block(py, async move { work.fail(&error).await }).map(|_| true),
            Ending::Interrupted => Ok(false),
        }
    }

    /// Returns: Coroutine[Any, Any, InboxEvent]
    fn __aenter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.keep(py)?;
        let event = self.inner.event().clone();
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
        self.let_go();
        let work = Arc::clone(&self.inner);
        let ending = Ending::of(py, "nbhd.inbox", kind, error, traceback)?;
        future(py, async move {
            match ending {
                Ending::Done => work.done().await.map(|()| Data(false)),
                Ending::Failed(error) => work.fail(&error).await.map(|()| Data(true)),
                Ending::Interrupted => Ok(Data(false)),
            }
        })
    }
}
