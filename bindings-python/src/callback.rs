//! Functions of the program, called on its own threads only: the thread that waits in a call, or the thread of the event loop.
//!
//! Work runs on threads of the engine and never touches the interpreter. What it has to ask the program it puts on the desk of whoever
//! made the call, and that thread serves its desk while it waits. Where the caller has gone away meanwhile (a refresh goes on without
//! it), any thread of the program that waits in a call of ours serves it. While a function of the program runs for us, calls into nbhd
//! are refused on that thread: they would wait for themselves.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use nbhd_core::audit::{AuditEvent, CallbackJournal};
use nbhd_core::{Code, Error, Outcome};
use pyo3::prelude::*;
use tokio::sync::{Notify, oneshot};

use crate::convert::{Data, ToPython};
use crate::error::raise;
use crate::runtime;

tokio::task_local! {
    /// The desk of whoever made the call that this task works for.
    static CALLER: Arc<Desk>;
}

thread_local! {
    /// Whether a function of the program runs for us on this thread.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Where a job is served: on a thread that waits, or on one that drives an event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    Thread,
    Loop,
}

/// What a thread of the program is asked to do. An error is a signal for that thread, such as `KeyboardInterrupt`.
type Job = Box<dyn FnOnce(Python<'_>, Where) -> PyResult<()> + Send>;

/// Every desk of this process, and the jobs that nobody in particular has to do.
#[derive(Default)]
pub(crate) struct Desks {
    used: AtomicBool,
    anywhere: Mutex<VecDeque<Job>>,
    open: Mutex<Vec<Weak<Desk>>>,
}

impl Desks {
    /// A desk for a call that waits on this thread; none as long as no program has given us a function.
    pub(crate) fn thread(&self) -> Option<Arc<Desk>> {
        self.used
            .load(Ordering::Relaxed)
            .then(|| self.add(Bell::Thread(Notify::new())))
    }

    /// A desk for an event loop that watches the other end of `wake`.
    pub(crate) fn event_loop(&self, wake: std::fs::File) -> Arc<Desk> {
        self.add(Bell::Loop(wake))
    }

    fn add(&self, bell: Bell) -> Arc<Desk> {
        let desk = Arc::new(Desk {
            jobs: Mutex::default(),
            bell,
        });
        {
            let mut open = lock(&self.open);
            open.retain(|known| known.strong_count() > 0);
            open.push(Arc::downgrade(&desk));
        }
        // Known first, then looked: a job that is left meanwhile either finds this desk or is found here.
        if !lock(&self.anywhere).is_empty() {
            desk.ring();
        }
        desk
    }

    /// Leaves a job to whoever waits, or comes next.
    fn leave(&self, job: Job) {
        lock(&self.anywhere).push_back(job);
        let open = lock(&self.open).clone();
        for desk in open.iter().filter_map(Weak::upgrade) {
            desk.ring();
        }
    }
}

/// Where jobs for one caller are put.
pub(crate) struct Desk {
    jobs: Mutex<Jobs>,
    bell: Bell,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

enum Bell {
    Thread(Notify),
    Loop(std::fs::File),
}

impl Desk {
    /// Waits for a job.
    pub(crate) async fn called(&self) {
        match &self.bell {
            Bell::Thread(bell) => bell.notified().await,
            Bell::Loop(_) => std::future::pending().await,
        }
    }

    fn ring(&self) {
        match &self.bell {
            Bell::Thread(bell) => bell.notify_one(),
            // A full pipe means that the loop is being woken already; a closed one, that it is gone.
            Bell::Loop(wake) => {
                let mut wake: &std::fs::File = wake;
                let _ = wake.write(&[1]);
            }
        }
    }

    fn put(&self, job: Job) -> Result<(), Job> {
        let mut jobs = lock(&self.jobs);
        if jobs.closed {
            return Err(job);
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.ring();
        Ok(())
    }

    /// Does what is on this desk, and what nobody in particular has to do.
    pub(crate) fn serve(&self, py: Python<'_>) -> PyResult<()> {
        let place = match &self.bell {
            Bell::Thread(_) => Where::Thread,
            Bell::Loop(_) => Where::Loop,
        };
        loop {
            let job = lock(&self.jobs).waiting.pop_front();
            let Some(job) = job else { break };
            perform(py, place, job)?;
        }
        anywhere(py, place)
    }

    /// The caller has gone: what is left on the desk is anybody's.
    pub(crate) fn close(&self) {
        let left = {
            let mut jobs = lock(&self.jobs);
            jobs.closed = true;
            std::mem::take(&mut jobs.waiting)
        };
        if let Some(desks) = runtime::desks() {
            for job in left {
                desks.leave(job);
            }
        }
    }
}

/// Does what nobody in particular has to do, on a thread of the program that has nothing else to do for us.
pub(crate) fn serve(py: Python<'_>) {
    if let Err(signal) = anywhere(py, Where::Thread) {
        signal.restore(py);
        let _ = PyErr::take(py).map(|signal| signal.write_unraisable(py, None));
    }
}

fn anywhere(py: Python<'_>, place: Where) -> PyResult<()> {
    let Some(desks) = runtime::desks() else {
        return Ok(());
    };
    loop {
        let job = lock(&desks.anywhere).pop_front();
        let Some(job) = job else { return Ok(()) };
        perform(py, place, job)?;
    }
}

fn perform(py: Python<'_>, place: Where, job: Job) -> PyResult<()> {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            WITHIN.set(self.0);
        }
    }
    let _reset = Reset(WITHIN.replace(true));
    job(py, place)
}

/// Refuses a call that is made from within a function that runs for us.
pub(crate) fn refuse_within(py: Python<'_>) -> PyResult<()> {
    if WITHIN.get() {
        let error = Error::new(
            Code::InvalidState,
            "nbhd was called from within a function that it had called itself",
        )
        .with_user_action(
            "Let the function answer from what the program has; call nbhd after it has returned.",
        );
        return Err(raise(py, error));
    }
    Ok(())
}

/// Runs `work` on behalf of the caller who serves `desk`.
pub(crate) async fn for_caller<T>(desk: Option<Arc<Desk>>, work: impl Future<Output = T>) -> T {
    match desk {
        Some(desk) => CALLER.scope(desk, work).await,
        None => work.await,
    }
}

/// The desk of whoever made the call that this task works for.
pub(crate) fn caller() -> Option<Arc<Desk>> {
    CALLER.try_with(Arc::clone).ok()
}

/// What a function of the program answered: at once, or with a coroutine.
pub(crate) enum Answer<T> {
    Now(T),
    Later(Py<PyAny>, fn(&Bound<'_, PyAny>) -> PyResult<T>),
}

/// Asks the program, on a thread of its own, and waits for its answer at most for `limit`. `what` says in an error what was asked.
pub(crate) async fn ask<T: Send + 'static>(
    desk: Option<Arc<Desk>>,
    what: &'static str,
    limit: Duration,
    question: impl FnOnce(Python<'_>, Where) -> PyResult<Answer<T>> + Send + 'static,
) -> Result<T, Error> {
    let (reply, answer) = oneshot::channel();
    let job: Job = Box::new(move |py, place| {
        if reply.is_closed() {
            // Whoever asked has given up: nothing is done in vain.
            return Ok(());
        }
        match question(py, place) {
            Ok(Answer::Now(value)) => {
                let _ = reply.send(Ok(value));
                Ok(())
            }
            Ok(Answer::Later(coroutine, read)) => follow(py, coroutine, read, reply, what),
            Err(error) => {
                let signal = !error.is_instance_of::<pyo3::exceptions::PyException>(py);
                let _ = reply.send(Err(failure(py, &error, what)));
                if signal { Err(error) } else { Ok(()) }
            }
        }
    });
    post(desk, job);
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::new(
            Code::StoreUnavailable,
            format!("{what} was not answered: the program is ending"),
        )),
        Err(_) => Err(Error::new(
            Code::StoreUnavailable,
            format!("{what} was not answered within {} s", limit.as_secs_f64()),
        )
        .with_outcome(Outcome::Unknown)),
    }
}

fn post(desk: Option<Arc<Desk>>, job: Job) {
    let job = match desk {
        Some(desk) => match desk.put(job) {
            Ok(()) => return,
            Err(job) => job,
        },
        None => job,
    };
    if let Some(desks) = runtime::desks() {
        desks.leave(job);
    }
}

/// Lets the event loop of this thread run the coroutine, and passes its end on.
fn follow<T: Send + 'static>(
    py: Python<'_>,
    coroutine: Py<PyAny>,
    read: fn(&Bound<'_, PyAny>) -> PyResult<T>,
    reply: oneshot::Sender<Result<T, Error>>,
    what: &'static str,
) -> PyResult<()> {
    let end: End = Box::new(move |py, task| {
        let value = task.call_method0("result").and_then(|value| read(&value));
        let _ = reply.send(value.map_err(|error| failure(py, &error, what)));
    });
    let task = py
        .import("asyncio")?
        .call_method1("ensure_future", (coroutine,))?;
    task.call_method1(
        "add_done_callback",
        (Done(Mutex::new(Some((end, task.clone().unbind())))),),
    )?;
    Ok(())
}

type End = Box<dyn FnOnce(Python<'_>, &Bound<'_, PyAny>) + Send>;

/// What the task of a coroutine calls when it is done. It also keeps the task, which the loop itself holds weakly.
#[pyclass(frozen)]
struct Done(Mutex<Option<(End, Py<PyAny>)>>);

#[pymethods]
impl Done {
    fn __call__(&self, py: Python<'_>, task: &Bound<'_, PyAny>) {
        if let Some((end, _kept)) = lock(&self.0).take() {
            end(py, task);
        }
    }
}

/// What a function raised, by the name of its class: its text is the program's, and may hold anything.
fn failure(py: Python<'_>, error: &PyErr, what: &str) -> Error {
    let class = error
        .get_type(py)
        .name()
        .map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    Error::new(
        Code::StoreUnavailable,
        format!("{what} failed: it raised {class}"),
    )
}

/// A journal that gives each event to a function of the program. It does not wait: what happened has happened.
pub(crate) fn journal(
    function: Py<PyAny>,
) -> CallbackJournal<impl Fn(&AuditEvent) -> nbhd_core::Result<()> + Send + Sync> {
    let function = Arc::new(function);
    CallbackJournal::new(move |event: &AuditEvent| {
        let (function, event) = (Arc::clone(&function), event.clone());
        let job: Job = Box::new(move |py, _| {
            let told = Data(event)
                .to_python(py)
                .and_then(|event| function.call1(py, (event,)));
            match told {
                Err(error) if error.is_instance_of::<pyo3::exceptions::PyException>(py) => {
                    error.write_unraisable(py, Some(function.bind(py)));
                    Ok(())
                }
                told => told.map(|_| ()),
            }
        });
        post(caller(), job);
        Ok(())
    })
}

/// From now on calls have desks: a program has given us a function.
pub(crate) fn used(py: Python<'_>) -> PyResult<()> {
    runtime::engine(py)?.desks().used.store(true, Ordering::Relaxed);
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
