//! Leased work in the block of a worker's `with`, and how the block ends.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nbhd_core::Error;
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::convert::Data;
use crate::error::code_of;

/// What a worker was handed under a lease.
pub(crate) trait Leased: Send + Sync + 'static {
    /// Who is told of exceptions.
    const LOGGER: &'static str;

    /// Renews the lease until it is lost.
    fn keep(&self) -> impl Future<Output = ()> + Send;

    /// It is done.
    fn done(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// It is tried again, or given up.
    fn failed(&self, error: &Error) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Work whose lease is prolonged while its block runs. Once somebody has said how it ended, the end of the block says
/// nothing more.
pub(crate) struct Held<W> {
    work: Arc<W>,
    said: Arc<AtomicBool>,
    keeping: Mutex<Option<AbortHandle>>,
}

impl<W> Held<W> {
    pub(crate) fn new(work: W) -> Self {
        Self {
            work: Arc::new(work),
            said: Arc::default(),
            keeping: Mutex::default(),
        }
    }

    pub(crate) fn work(&self) -> &Arc<W> {
        &self.work
    }

    fn swap(&self, task: Option<AbortHandle>) {
        let mut keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *keeping, task) {
            before.abort();
        }
    }
}

impl<W: Leased> Held<W> {
    /// The block begins: from here on the lease is renewed beside it.
    pub(crate) fn enter(&self, py: Python<'_>) -> PyResult<()> {
        let work = Arc::clone(&self.work);
        let runtime = crate::runtime::engine(py)?.runtime();
        let task = runtime.spawn(async move { work.keep().await });
        self.swap(Some(task.abort_handle()));
        Ok(())
    }

    /// Says how the work ended. Until that is stored the block goes on under its lease; then the next renewal is refused,
    /// which ends the renewing.
    pub(crate) fn say<T, E, F>(
        &self,
        end: E,
    ) -> impl Future<Output = Result<T, Error>> + Send + use<T, E, F, W>
    where
        T: Send,
        E: FnOnce(Arc<W>) -> F,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let said = Arc::clone(&self.said);
        let ended = end(Arc::clone(&self.work));
        async move {
            let ended = ended.await?;
            said.store(true, Ordering::Release);
            Ok(ended)
        }
    }

    /// The block ended: with an exception the work failed, which goes no further unless it was an interruption.
    pub(crate) fn leave(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<impl Future<Output = Result<Data<bool>, Error>> + Send + use<W>> {
        self.swap(None);
        let (work, said) = (Arc::clone(&self.work), self.said.load(Ordering::Acquire));
        let ending = Ending::of(py, W::LOGGER, said, kind, error, traceback)?;
        Ok(async move {
            match ending {
                Ending::Failed(_) if said => {}
                Ending::Failed(error) => work.failed(&error).await?,
                Ending::Done if !said => return work.done().await.map(|()| Data(false)),
                Ending::Done | Ending::Interrupted => return Ok(Data(false)),
            }
            Ok(Data(true))
        })
    }
}

impl<W> Drop for Held<W> {
    fn drop(&mut self) {
        self.swap(None);
    }
}

/// How the block of a `with` ended.
enum Ending {
    Done,
    Failed(Error),
    Interrupted,
}

impl Ending {
    fn of(
        py: Python<'_>,
        logger: &str,
        said: bool,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        if kind.is_none() {
            return Ok(Self::Done);
        }
        if !error.is_instance_of::<pyo3::exceptions::PyException>() {
            return Ok(Self::Interrupted);
        }
        let logger = py.import("logging")?.call_method1("getLogger", (logger,))?;
        let options = pyo3::types::PyDict::new(py);
        options.set_item("exc_info", (kind, error, traceback))?;
        let line = if said {
            "the block raised after its work had ended"
        } else {
            "work failed"
        };
        logger.call_method("warning", (line,), Some(&options))?;
        let name = kind.getattr("__name__")?.extract::<String>()?;
        let reason = format!("{name}: {error}");
        Ok(Self::Failed(Error::new(code_of(error), reason)))
    }
}
