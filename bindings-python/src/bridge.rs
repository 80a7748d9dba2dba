//! Completions for asyncio. A tokio task holds an id and Rust data and never touches the interpreter.
//!
//! One bridge per event loop: finished work is queued, and the first of a batch writes to a pipe that the loop
//! watches; the loop's thread then resolves the whole batch. Cancelling the asyncio future aborts the task. Why not a
//! ready-made bridge: see `docs/decisions/0003-own-asyncio-bridge.md`.

use std::collections::HashMap;
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use nbhd_core::Error;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::task::AbortHandle;

use crate::callback::{Desk, for_caller, refuse_within};
use crate::convert::ToPython;
use crate::error::raise;
use crate::runtime::{engine, panicked};

/// What a finished task leaves: Rust data and how to hand it to Python, on the loop's thread.
type Completion = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

struct Shared {
    finished: Mutex<Vec<(u64, Completion)>>,
    wake: std::fs::File,
    /// What work of this loop asks the program.
    desk: Arc<Desk>,
}

impl Shared {
    fn finish(&self, id: u64, completion: Completion) {
        let first = {
            let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished.push((id, completion));
            finished.len() == 1
        };
        if first {
            // A full pipe means that the loop is being woken already; a closed one, that it is gone.
            let _ = (&self.wake).write(&[1]);
        }
    }
}

/// Resolves futures of one event loop.
#[pyclass(module = "nbhd._native", weakref)]
struct Bridge {
    process: u32,
    shared: Arc<Shared>,
    woken: std::fs::File,
    pending: HashMap<u64, (Py<PyAny>, AbortHandle)>,
    next: u64,
}

#[pymethods]
impl Bridge {
    /// Resolves everything that has finished. The event loop calls it when the pipe is readable.
    fn drain(this: &Bound<'_, Self>) -> PyResult<()> {
        let desk = {
            let mut bridge = this.borrow_mut();
            bridge.resolve(this.py())?;
            Arc::clone(&bridge.shared.desk)
        };
        // Not while the bridge is borrowed: what is asked here is the program's own code.
        desk.serve(this.py())
    }

    /// Drops the work of a future that was cancelled.
    fn cancelled(&mut self, id: u64) {
        if let Some((_, task)) = self.pending.remove(&id) {
            task.abort();
        }
    }
}

impl Bridge {
    fn resolve(&mut self, py: Python<'_>) -> PyResult<()> {
        let mut sink = [0_u8; 64];
        let _ = (&self.woken).read(&mut sink);
        let finished = std::mem::take(
            &mut *self
                .shared
                .finished
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for (id, completion) in finished {
            let Some((future, _)) = self.pending.remove(&id) else {
                continue;
            };
            let future = future.bind(py);
            if future.call_method0("done")?.is_truthy()? {
                continue;
            }
            match completion(py) {
                Ok(value) => future.call_method1("set_result", (value,))?,
                Err(error) => future.call_method1("set_exception", (error.into_value(py),))?,
            };
        }
        Ok(())
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.shared.desk.close();
        for (_, task) in self.pending.values() {
            task.abort();
        }
    }
}

/// A coroutine that runs `work` when it is awaited: `asyncio.run`, `create_task` and task groups take it.
pub(crate) fn future<T, F>(py: Python<'_>, work: F) -> PyResult<Bound<'_, PyAny>>
where
    T: ToPython + Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    static CALL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let call = CALL.get_or_try_init(py, || py.import("nbhd._data")?.getattr("call").map(Bound::unbind))?;
    let begin: Begin = Box::new(move |py| begin(py, work).map(Bound::unbind));
    call.bind(py).call1((Start(Mutex::new(Some(begin))),))
}

/// The same for a step of a stream: what `here` gives is not waited for.
pub(crate) fn step<T, F>(
    py: Python<'_>,
    here: impl FnOnce(Python<'_>) -> PyResult<Option<Py<PyAny>>> + Send + 'static,
    work: F,
) -> PyResult<Bound<'_, PyAny>>
where
    T: ToPython + Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    static STEP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let step = STEP.get_or_try_init(py, || py.import("nbhd._data")?.getattr("step").map(Bound::unbind))?;
    let begin: Begin = Box::new(move |py| match here(py)? {
        Some(value) => (true, value).into_py_any(py),
        None => (false, begin(py, work)?).into_py_any(py),
    });
    step.bind(py).call1((Start(Mutex::new(Some(begin))),))
}

type Begin = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// What the coroutine calls when it is first awaited. Dropped before that, nothing was done.
#[pyclass(frozen)]
struct Start(Mutex<Option<Begin>>);

#[pymethods]
impl Start {
    fn __call__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let begin = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        begin.ok_or_else(|| PyRuntimeError::new_err("a call is awaited once"))?(py)
    }
}

/// Runs `work` on the engine and returns an asyncio future for it, on the running loop.
fn begin<T, F>(py: Python<'_>, work: F) -> PyResult<Bound<'_, PyAny>>
where
    T: ToPython + Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    refuse_within(py)?;
    let engine = engine(py)?;
    let event_loop = running_loop(py)?;
    let bridge = bridge_of(py, &event_loop)?;
    let future = event_loop.call_method0("create_future")?;
    let (id, shared) = {
        let mut bridge = bridge.borrow_mut(py);
        bridge.next += 1;
        (bridge.next, Arc::clone(&bridge.shared))
    };
    let desk = Arc::clone(&shared.desk);
    let task = engine.runtime().spawn(async move {
        let ended = AssertUnwindSafe(for_caller(Some(desk), work))
            .catch_unwind()
            .await;
        let completion: Completion = Box::new(move |py| match ended {
            Ok(Ok(value)) => value.to_python(py),
            Ok(Err(error)) => Err(raise(py, error)),
            Err(_) => Err(raise(py, panicked())),
        });
        shared.finish(id, completion);
    });
    let on_done = Cancellation {
        bridge: bridge.clone_ref(py),
        id,
    };
    bridge
        .borrow_mut(py)
        .pending
        .insert(id, (future.clone().unbind(), task.abort_handle()));
    future.call_method1("add_done_callback", (on_done,))?;
    Ok(future)
}

/// What a future calls when it is done: only a cancelled one has something to drop.
#[pyclass(frozen)]
struct Cancellation {
    bridge: Py<Bridge>,
    id: u64,
}

#[pymethods]
impl Cancellation {
    fn __call__(&self, py: Python<'_>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        if future.call_method0("cancelled")?.is_truthy()? {
            self.bridge.borrow_mut(py).cancelled(self.id);
        }
        Ok(())
    }
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let get = GET.get_or_try_init(py, || {
        py.import("asyncio")?
            .getattr("get_running_loop")
            .map(Bound::unbind)
    })?;
    get.bind(py).call0()
}

/// The bridge of this loop in this process. The table holds loops weakly: a bridge goes with its loop.
fn bridge_of(py: Python<'_>, event_loop: &Bound<'_, PyAny>) -> PyResult<Py<Bridge>> {
    static BRIDGES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let bridges = BRIDGES
        .get_or_try_init(py, || {
            py.import("weakref")?
                .getattr("WeakKeyDictionary")?
                .call0()
                .map(Bound::unbind)
        })?
        .bind(py);
    let known = bridges.call_method1("get", (event_loop,))?;
    if let Ok(bridge) = known.cast::<Bridge>()
        && bridge.borrow().process == std::process::id()
    {
        return Ok(bridge.clone().unbind());
    }
    let (woken, wake) = pipe()?;
    let desk = engine(py)?.desks().event_loop(wake.try_clone()?);
    let bridge = Bound::new(
        py,
        Bridge {
            process: std::process::id(),
            shared: Arc::new(Shared {
                finished: Mutex::default(),
                wake,
                desk,
            }),
            woken,
            pending: HashMap::new(),
            next: 0,
        },
    )?;
    let descriptor = bridge.borrow().woken.as_raw_fd();
    event_loop.call_method1("add_reader", (descriptor, bridge.getattr("drain")?))?;
    bridges.call_method1("__setitem__", (event_loop, &bridge))?;
    Ok(bridge.unbind())
}

fn pipe() -> PyResult<(std::fs::File, std::fs::File)> {
    use rustix::pipe::{PipeFlags, pipe_with};
    let (reader, writer): (OwnedFd, OwnedFd) =
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(std::io::Error::from)?;
    Ok((reader.into(), writer.into()))
}
