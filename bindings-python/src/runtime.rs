//! The one door from Python into Rust, and the engine behind it.
//!
//! The engine (runtime, timers, worker threads) belongs to one process. Its slot is checked without a lock at every
//! call, because a lock that another thread held at a `fork()` stays locked in the child for ever. A child that finds
//! its parent's engine leaves it alone, leaked, and builds its own.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::Duration;

use futures::FutureExt;
use nbhd_core::{Code, Error};
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::callback::{Desk, Desks, for_caller, refuse_within};
use crate::convert::ToPython;
use crate::error::raise;

/// How often a waiting call looks for Ctrl-C: half of the 100 ms in which it has to answer.
const SIGNAL_TICK: Duration = Duration::from_millis(50);

/// Threads that drive sockets and timers; the calls themselves run on their callers' threads.
const WORKERS: usize = 2;

pub(crate) struct Engine {
    process: u32,
    runtime: Runtime,
    desks: Desks,
}

static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());
static EXITING: AtomicBool = AtomicBool::new(false);

/// The engine of this process, built at the first call.
pub(crate) fn engine(py: Python<'_>) -> PyResult<&'static Engine> {
    let process = std::process::id();
    let known = ENGINE.load(Ordering::Acquire);
    // SAFETY: the slot holds null or a pointer from `Box::into_raw` that is never freed.
    if let Some(engine) = unsafe { known.as_ref() }
        && engine.process == process
    {
        return Ok(engine);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("nbhd")
        .enable_all()
        .build()
        .map_err(|error| {
            raise(
                py,
                Error::new(Code::Internal, format!("the runtime does not start: {error}")),
            )
        })?;
    let fresh = Box::into_raw(Box::new(Engine {
        process,
        runtime,
        desks: Desks::default(),
    }));
    match ENGINE.compare_exchange(known, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            if known.is_null() {
                register_hooks(py)?;
            }
            // SAFETY: it was just made, and what is in the slot is never freed.
            Ok(unsafe { &*fresh })
        }
        Err(winner) => {
            // SAFETY: nobody else has seen `fresh`; `winner` is in the slot and never freed.
            unsafe { Box::from_raw(fresh) }.runtime.shutdown_background();
            Ok(unsafe { &*winner })
        }
    }
}

impl Engine {
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn desks(&self) -> &Desks {
        &self.desks
    }
}

/// The desks of this process, where its engine was built; also from a thread without the interpreter.
pub(crate) fn desks() -> Option<&'static Desks> {
    // SAFETY: the slot holds null or a pointer from `Box::into_raw` that is never freed.
    let engine = unsafe { ENGINE.load(Ordering::Acquire).as_ref() }?;
    (engine.process == std::process::id()).then_some(&engine.desks)
}

/// Runs `work` on this thread with the interpreter released; Ctrl-C drops it.
pub(crate) fn block<T, F>(py: Python<'_>, work: F) -> PyResult<Py<PyAny>>
where
    T: ToPython + Send,
    F: Future<Output = Result<T, Error>> + Send,
{
    refuse_within(py)?;
    let engine = engine(py)?;
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(raise(
            py,
            Error::new(Code::InvalidState, "a sync call was made from inside the runtime"),
        ));
    }
    let desk = Closing(engine.desks.thread());
    let ended = py.detach(|| {
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| wait(engine, desk.0.as_ref(), work)));
        if EXITING.load(Ordering::Acquire) {
            // The interpreter is going away: a thread that attaches now is killed in the middle of Rust frames.
            loop {
                std::thread::park();
            }
        }
        ended
    });
    // What its last moment put there, such as its audit event, is told before it returns.
    if let Some(desk) = &desk.0 {
        desk.serve(py)?;
    }
    match ended {
        Ok(Ended::Result(Ok(value))) => value.to_python(py),
        Ok(Ended::Result(Err(error))) => Err(raise(py, error)),
        Ok(Ended::Signal(signal)) => Err(signal),
        Err(_) => Err(raise(py, panicked())),
    }
}

/// The desk of one call, which closes with it.
struct Closing(Option<Arc<Desk>>);

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(desk) = &self.0 {
            desk.close();
        }
    }
}

/// Waits on this thread, and serves the caller's desk meanwhile: outside of the runtime's context, as the program's own code it is.
fn wait<T>(
    engine: &'static Engine,
    desk: Option<&Arc<Desk>>,
    work: impl Future<Output = Result<T, Error>>,
) -> Ended<T> {
    // Work that is dropped half done may start tasks that settle it.
    let _entered = engine.runtime.enter();
    let mut work = std::pin::pin!(for_caller(desk.cloned(), work).fuse());
    loop {
        match engine
            .runtime
            .block_on(interruptible(work.as_mut(), desk.map(Arc::as_ref)))
        {
            Turn::Ended(ended) => return ended,
            Turn::Called => {
                if !EXITING.load(Ordering::Acquire)
                    && let Some(desk) = desk
                    && let Err(signal) = Python::attach(|py| desk.serve(py))
                {
                    return Ended::Signal(signal);
                }
            }
        }
    }
}

/// What every caught panic becomes: an `Exception` that a web framework answers, never a `BaseException`.
pub(crate) fn panicked() -> Error {
    Error::new(Code::Internal, "a fault inside nbhd was caught at its door")
}

enum Ended<T> {
    Result(Result<T, Error>),
    Signal(PyErr),
}

enum Turn<T> {
    Ended(Ended<T>),
    /// There is something on the desk.
    Called,
}

async fn interruptible<T, F>(mut work: std::pin::Pin<&mut F>, desk: Option<&Desk>) -> Turn<T>
where
    F: Future<Output = Result<T, Error>> + futures::future::FusedFuture,
{
    loop {
        let called = async {
            match desk {
                Some(desk) => desk.called().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            result = &mut work => return Turn::Ended(Ended::Result(result)),
            () = called => return Turn::Called,
            () = tokio::time::sleep(SIGNAL_TICK) => {
                if !EXITING.load(Ordering::Acquire)
                    && let Err(signal) = Python::attach(|py| py.check_signals())
                {
                    return Turn::Ended(Ended::Signal(signal));
                }
            }
        }
    }
}

fn register_hooks(py: Python<'_>) -> PyResult<()> {
    let kwargs = pyo3::types::PyDict::new(py);
    kwargs.set_item("before", pyo3::wrap_pyfunction!(before_fork, py)?)?;
    kwargs.set_item("after_in_parent", pyo3::wrap_pyfunction!(after_fork, py)?)?;
    py.import("os")?
        .call_method("register_at_fork", (), Some(&kwargs))?;
    py.import("atexit")?
        .call_method1("register", (pyo3::wrap_pyfunction!(at_exit, py)?,))?;
    Ok(())
}

/// Closes what cannot be carried into a child: both sides open it again at their next use.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    py.detach(nbhd_core::generation::before_fork);
}

/// The parent's side may open again. The child's does by itself.
#[pyfunction]
fn after_fork() {
    nbhd_core::generation::after_fork();
}

/// Takes no more work. Running tasks are left to die with the process: they never touch the interpreter.
#[pyfunction]
fn at_exit(py: Python<'_>) {
    // Functions of the program are called now or never.
    crate::callback::serve(py);
    EXITING.store(true, Ordering::Release);
    // Stores finish what they were told is done, as before a fork.
    py.detach(nbhd_core::generation::close_all);
}
