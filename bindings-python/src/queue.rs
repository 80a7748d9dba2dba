//! The dispatch queue: jobs that one part of a program gives to another.

use std::sync::Arc;

use nbhd_core::queue::{JobWork as CoreWork, ListJobs, NewJob, QueueRules};
use nbhd_core::{Code, Error};
use pyo3::exceptions::{PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::future;
use crate::convert::{Data, ToPython, input, options as read_options};
use crate::core::{Host, POLL};
use crate::ending::{Held, Leased};
use crate::error::raise;
use crate::runtime::block;
use crate::work::OrStop;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Queue>()?;
    module.add_class::<Worker>()?;
    module.add_class::<JobLoop>()?;
    module.add_class::<JobWork>()
}

/// Jobs under rules: who may dispatch to whom is looked at before everything else, and nothing is allowed that the rules
/// do not say.
///
/// `Queue(host, {"targets": ["writer"], "callers": {"main": {"targets": ["writer"]}}})`
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Queue(nbhd_core::queue::Queue);

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(signature = (host, rules: "QueueRules"))]
    fn new(py: Python<'_>, host: PyRef<'_, Host>, rules: &Bound<'_, PyAny>) -> PyResult<Self> {
        let rules: QueueRules = input(py, "rules", rules)?;
        let queue = nbhd_core::queue::Queue::new(&host.inner, rules);
        Ok(Self(queue.map_err(|error| raise(py, error))?))
    }

    /// Dispatches a job: `{target, task, key, label, project, session_key, origin, metadata, timeout}`. Rate, depth and
    /// the job are one commit.
    #[pyo3(signature = (caller, job: "NewJob") -> "Dispatched")]
    fn dispatch(&self, py: Python<'_>, caller: String, job: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let job: NewJob = input(py, "job", job)?;
        let queue = self.0.clone();
        block(py, async move { queue.dispatch(&caller, job).await.map(Data) })
    }

    /// Awaitable twin of `dispatch`.
    #[pyo3(signature = (caller, job))]
    fn adispatch<'py>(
        &self,
        py: Python<'py>,
        caller: String,
        job: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let job: NewJob = input(py, "job", job)?;
        let queue = self.0.clone();
        future(py, async move { queue.dispatch(&caller, job).await.map(Data) })
    }

    /// One job of the caller's own.
    #[pyo3(signature = (caller, id) -> "JobView")]
    fn status(&self, py: Python<'_>, caller: String, id: String) -> PyResult<Py<PyAny>> {
        let queue = self.0.clone();
        block(py, async move { queue.status(&caller, &id).await.map(Data) })
    }

    /// Awaitable twin of `status`.
    #[pyo3(signature = (caller, id))]
    fn astatus<'py>(&self, py: Python<'py>, caller: String, id: String) -> PyResult<Bound<'py, PyAny>> {
        let queue = self.0.clone();
        future(py, async move { queue.status(&caller, &id).await.map(Data) })
    }

    /// The caller's own jobs, newest first: by `target`, `status` and `project`, at most `limit` (20).
    #[pyo3(signature = (caller, **options: "Unpack[ListJobs]") -> "list[JobView]")]
    fn list(
        &self,
        py: Python<'_>,
        caller: String,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let wanted: ListJobs = read_options(py, "options", options)?;
        let queue = self.0.clone();
        block(py, async move { queue.list(&caller, wanted).await.map(Data) })
    }

    /// Awaitable twin of `list`.
    #[pyo3(signature = (caller, **options))]
    fn alist<'py>(
        &self,
        py: Python<'py>,
        caller: String,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let wanted: ListJobs = read_options(py, "options", options)?;
        let queue = self.0.clone();
        future(py, async move { queue.list(&caller, wanted).await.map(Data) })
    }

    /// What the targets are doing that the caller may dispatch to: working, idle or offline.
    #[pyo3(signature = (caller) -> "Activity")]
    fn activity(&self, py: Python<'_>, caller: String) -> PyResult<Py<PyAny>> {
        let queue = self.0.clone();
        block(py, async move { queue.activity(&caller).await.map(Data) })
    }

    /// Awaitable twin of `activity`.
    #[pyo3(signature = (caller))]
    fn aactivity<'py>(&self, py: Python<'py>, caller: String) -> PyResult<Bound<'py, PyAny>> {
        let queue = self.0.clone();
        future(py, async move { queue.activity(&caller).await.map(Data) })
    }

    /// The dead letters that the caller may see, newest first.
    #[pyo3(signature = (caller, limit = 100) -> "list[DeadJob]")]
    fn dead_letters(&self, py: Python<'_>, caller: String, limit: usize) -> PyResult<Py<PyAny>> {
        let queue = self.0.clone();
        block(
            py,
            async move { queue.dead_letters(&caller, limit).await.map(Data) },
        )
    }

    /// Awaitable twin of `dead_letters`.
    #[pyo3(signature = (caller, limit = 100))]
    fn adead_letters<'py>(
        &self,
        py: Python<'py>,
        caller: String,
        limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let queue = self.0.clone();
        future(
            py,
            async move { queue.dead_letters(&caller, limit).await.map(Data) },
        )
    }

    /// Gives a dead letter all its attempts again.
    #[pyo3(signature = (caller, id) -> "None")]
    fn revive(&self, py: Python<'_>, caller: String, id: String) -> PyResult<Py<PyAny>> {
        let queue = self.0.clone();
        block(py, async move { queue.revive(&caller, &id).await })
    }

    /// Awaitable twin of `revive`.
    #[pyo3(signature = (caller, id))]
    fn arevive<'py>(&self, py: Python<'py>, caller: String, id: String) -> PyResult<Bound<'py, PyAny>> {
        let queue = self.0.clone();
        future(py, async move { queue.revive(&caller, &id).await })
    }

    /// A worker of `target` by the name of `name`, which is its own among the target's.
    fn worker(&self, py: Python<'_>, target: &str, name: &str) -> PyResult<Worker> {
        let worker = self.0.worker(target, name);
        worker.map(Worker).map_err(|error| raise(py, error))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Queue is a handle, not data: make a new one on the other side",
        ))
    }
}

/// One worker of one target.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Worker(nbhd_core::queue::Worker);

#[pymethods]
impl Worker {
    /// Says that the worker is there; claiming and renewing say so as well.
    #[pyo3(signature = () -> "None")]
    fn heartbeat(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let worker = self.0.clone();
        block(py, async move { worker.heartbeat().await })
    }

    /// Awaitable twin of `heartbeat`.
    #[pyo3(signature = ())]
    fn aheartbeat<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let worker = self.0.clone();
        future(py, async move { worker.heartbeat().await })
    }

    /// Says that the worker goes away.
    #[pyo3(signature = () -> "None")]
    fn stop(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let worker = self.0.clone();
        block(py, async move { worker.stop().await })
    }

    /// Awaitable twin of `stop`.
    #[pyo3(signature = ())]
    fn astop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let worker = self.0.clone();
        future(py, async move { worker.stop().await })
    }

    /// Leases the job that has been due longest; `None` when none is.
    #[pyo3(signature = () -> "JobWork | None")]
    fn claim(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let worker = self.0.clone();
        block(py, async move { Ok(worker.claim().await?.map(JobWork::new)) })
    }

    /// Awaitable twin of `claim`.
    #[pyo3(signature = ())]
    fn aclaim<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let worker = self.0.clone();
        future(py, async move { Ok(worker.claim().await?.map(JobWork::new)) })
    }

    /// Jobs as they come, for `for` and `async for`. With `wait=False` it ends when none is due.
    #[pyo3(signature = (*, wait = true))]
    fn work(&self, wait: bool) -> JobLoop {
        JobLoop {
            worker: self.0.clone(),
            wait,
        }
    }
}

/// Jobs as they come.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct JobLoop {
    worker: nbhd_core::queue::Worker,
    wait: bool,
}

impl JobLoop {
    async fn next(worker: nbhd_core::queue::Worker, wait: bool) -> Result<Option<JobWork>, Error> {
        if wait {
            return worker.next(POLL).await.map(JobWork::new).map(Some);
        }
        Ok(worker.claim().await?.map(JobWork::new))
    }
}

#[pymethods]
impl JobLoop {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Returns: JobWork
    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let work = block(py, Self::next(self.worker.clone(), self.wait))?;
        if work.is_none(py) {
            Err(PyStopIteration::new_err(()))
        } else {
            Ok(work)
        }
    }

    fn __aiter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Returns: Coroutine[Any, Any, JobWork]
    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (worker, wait) = (self.worker.clone(), self.wait);
        future(py, async move { Self::next(worker, wait).await.map(OrStop) })
    }
}

/// One job in a worker's hands, as a context manager: done when the block ends, tried again when it raises.
///
/// The block is given the job. An exception is told to the queue and to the logger `nbhd.queue`, and goes no further. To
/// keep a result, end the job inside the block with `complete`. The lease is prolonged while the block runs.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct JobWork(Held<CoreWork>);

impl JobWork {
    fn new(work: CoreWork) -> Self {
        Self(Held::new(work))
    }
}

impl Leased for CoreWork {
    const LOGGER: &'static str = "nbhd.queue";

    async fn keep(&self) {
        drop(CoreWork::keep(self).await);
    }

    async fn done(&self) -> Result<(), Error> {
        self.complete(None).await
    }

    async fn failed(&self, error: &Error) -> Result<(), Error> {
        self.fail(error).await.map(drop)
    }
}

impl ToPython for JobWork {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, self)?.into_any())
    }
}

#[pymethods]
impl JobWork {
    /// The job.
    ///
    /// Returns: Job
    #[getter]
    fn job(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.0.work().job()).to_python(py)
    }

    /// Whether the lease can still be relied on, without asking the store. Look before doing something that cannot be
    /// taken back.
    #[pyo3(signature = () -> "bool")]
    fn is_held(&self) -> bool {
        self.0.work().is_held()
    }

    /// Prolongs the lease; every 20 s is enough. Inside a `with` block this is done beside the block.
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

    /// The job was done; `result` is kept, redacted, for the caller.
    #[pyo3(signature = (result = None) -> "None")]
    fn complete(&self, py: Python<'_>, result: Option<String>) -> PyResult<Py<PyAny>> {
        let end = |work: Arc<CoreWork>| async move { work.complete(result.as_deref()).await };
        block(py, self.0.say(end))
    }

    /// Awaitable twin of `complete`.
    #[pyo3(signature = (result = None))]
    fn acomplete<'py>(&self, py: Python<'py>, result: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        let end = |work: Arc<CoreWork>| async move { work.complete(result.as_deref()).await };
        future(py, self.0.say(end))
    }

    /// The attempt failed: the job is tried again after a back-off, or becomes a dead letter. `reason` is redacted.
    #[pyo3(signature = (reason) -> "JobEnd")]
    fn fail(&self, py: Python<'_>, reason: String) -> PyResult<Py<PyAny>> {
        let error = Error::new(Code::Internal, reason);
        let end = |work: Arc<CoreWork>| async move { work.fail(&error).await.map(Data) };
        block(py, self.0.say(end))
    }

    /// Awaitable twin of `fail`.
    #[pyo3(signature = (reason))]
    fn afail<'py>(&self, py: Python<'py>, reason: String) -> PyResult<Bound<'py, PyAny>> {
        let error = Error::new(Code::Internal, reason);
        let end = |work: Arc<CoreWork>| async move { work.fail(&error).await.map(Data) };
        future(py, self.0.say(end))
    }

    /// The job can never succeed: it becomes a dead letter at once. `reason` is redacted.
    #[pyo3(signature = (reason) -> "JobEnd")]
    fn give_up(&self, py: Python<'_>, reason: String) -> PyResult<Py<PyAny>> {
        let error = Error::new(Code::Internal, reason);
        let end = |work: Arc<CoreWork>| async move { work.give_up(&error).await.map(Data) };
        block(py, self.0.say(end))
    }

    /// Awaitable twin of `give_up`.
    #[pyo3(signature = (reason))]
    fn agive_up<'py>(&self, py: Python<'py>, reason: String) -> PyResult<Bound<'py, PyAny>> {
        let error = Error::new(Code::Internal, reason);
        let end = |work: Arc<CoreWork>| async move { work.give_up(&error).await.map(Data) };
        future(py, self.0.say(end))
    }

    /// Returns: Job
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.enter(py)?;
        self.job(py)
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

    /// Returns: Coroutine[Any, Any, Job]
    fn __aenter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.enter(py)?;
        let job = self.0.work().job().clone();
        future(py, async move { Ok(Data(job)) })
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
