//! The model router.

use std::path::PathBuf;
use std::sync::Arc;

use nbhd_core::Error;
use nbhd_llm::{Chat, ChatStream, RouterConfig};
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::Mutex;

use crate::bridge::{future, step};
use crate::convert::{Data, ToPython as _, options, to_value};
use crate::core::Host;
use crate::error::raise;
use crate::runtime::block;
use crate::work::OrStop;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Router>()?;
    module.add_class::<Stream>()
}

/// A model router: purposes, fallback, and budgets that cannot be overspent.
///
/// `Router(host, "llm.toml")`, or the same as a dict.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Router(nbhd_llm::Router);

#[pymethods]
impl Router {
    #[new]
    #[pyo3(signature = (host, config: "str | PathLike[str] | RouterConfig"))]
    fn new(py: Python<'_>, host: PyRef<'_, Host>, config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let router = if config.is_instance_of::<PyDict>() {
            let value = to_value(config).map_err(|reason| {
                raise(
                    py,
                    Error::new(
                        nbhd_core::Code::InvalidConfig,
                        format!("the configuration: {reason}"),
                    ),
                )
            })?;
            RouterConfig::from_value(value).and_then(|config| nbhd_llm::Router::new(&host.inner, config))
        } else {
            nbhd_llm::Router::from_file(&host.inner, config.extract::<PathBuf>()?)
        };
        router.map(Self).map_err(|error| raise(py, error))
    }

    /// Asks for one answer. `messages` is a text or a list of messages; options are the fields of a chat, such as
    /// `purpose="general"`, `scopes=["tenant:42"]`, `tools`, `output_cap`, `schema`.
    #[pyo3(signature = (messages: "str | list[ChatMessage]", **options: "Unpack[Chat]") -> "Answer")]
    fn chat(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let (router, chat) = (self.0.clone(), request(py, messages, options)?);
        block(py, async move { router.chat(chat).await.map(Data) })
    }

    /// Awaitable twin of `chat`.
    #[pyo3(signature = (messages, **options))]
    fn achat<'py>(
        &self,
        py: Python<'py>,
        messages: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (router, chat) = (self.0.clone(), request(py, messages, options)?);
        future(py, async move { router.chat(chat).await.map(Data) })
    }

    /// The same as a stream of events: `started`, `text`, `reasoning`, `tool_call`, `usage`, `finished`. A failure is
    /// raised, never yielded. The call is made when the first event is asked for.
    #[pyo3(signature = (messages: "str | list[ChatMessage]", **options: "Unpack[Chat]"))]
    fn stream(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Stream> {
        Ok(Stream::new(self.0.clone(), request(py, messages, options)?))
    }

    /// The same for `async for`.
    #[pyo3(signature = (messages: "str | list[ChatMessage]", **options: "Unpack[Chat]"))]
    fn astream(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Stream> {
        self.stream(py, messages, options)
    }

    /// Which models would be tried in which order, why the others would not, and the most that it can cost. Calls
    /// nobody and holds nothing.
    #[pyo3(signature = (messages: "str | list[ChatMessage]", **options: "Unpack[Chat]") -> "Explanation")]
    fn explain(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let (router, chat) = (self.0.clone(), request(py, messages, options)?);
        block(py, async move { router.explain(&chat).await.map(Data) })
    }

    /// Awaitable twin of `explain`.
    #[pyo3(signature = (messages, **options))]
    fn aexplain<'py>(
        &self,
        py: Python<'py>,
        messages: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (router, chat) = (self.0.clone(), request(py, messages, options)?);
        future(py, async move { router.explain(&chat).await.map(Data) })
    }

    /// The state of every model: cooling or not, blocked or not. Calls nobody.
    #[pyo3(signature = () -> "RouterStatus")]
    fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let router = self.0.clone();
        block(py, async move { router.status().await.map(Data) })
    }

    /// Awaitable twin of `status`.
    fn astatus<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let router = self.0.clone();
        future(py, async move { router.status().await.map(Data) })
    }

    /// What the windows of these scopes have settled, provisional and held, in nano-USD.
    #[pyo3(signature = (scopes) -> "list[Spend]")]
    fn spend(&self, py: Python<'_>, scopes: Vec<String>) -> PyResult<Py<PyAny>> {
        let router = self.0.clone();
        block(py, async move { router.spend(scopes).await.map(Data) })
    }

    /// Awaitable twin of `spend`.
    fn aspend<'py>(&self, py: Python<'py>, scopes: Vec<String>) -> PyResult<Bound<'py, PyAny>> {
        let router = self.0.clone();
        future(py, async move { router.spend(scopes).await.map(Data) })
    }

    /// What is left in the windows of these scopes, in nano-USD.
    #[pyo3(signature = (scopes) -> "list[Remaining]")]
    fn remaining(&self, py: Python<'_>, scopes: Vec<String>) -> PyResult<Py<PyAny>> {
        let router = self.0.clone();
        block(py, async move { router.remaining(scopes).await.map(Data) })
    }

    /// Awaitable twin of `remaining`.
    fn aremaining<'py>(&self, py: Python<'py>, scopes: Vec<String>) -> PyResult<Bound<'py, PyAny>> {
        let router = self.0.clone();
        future(py, async move { router.remaining(scopes).await.map(Data) })
    }
}

fn request(py: Python<'_>, messages: &Bound<'_, PyAny>, given: Option<&Bound<'_, PyDict>>) -> PyResult<Chat> {
    let all = given.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
    all.set_item("messages", messages)?;
    options(py, "chat", Some(&all))
}

/// A stream of events, for `for` and `async for`. Closed or dropped early, it leaves its request to `on_drop`.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Stream(Arc<Mutex<Reading>>);

enum Reading {
    Asked(nbhd_llm::Router, Box<Chat>),
    Open(Box<ChatStream>),
    Over,
}

impl Stream {
    fn new(router: nbhd_llm::Router, chat: Chat) -> Self {
        Self(Arc::new(Mutex::new(Reading::Asked(router, Box::new(chat)))))
    }
}

/// The next event if it is here: it need not go through the engine.
fn here(reading: &Mutex<Reading>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    let event = {
        // Whoever waits for the lock comes first.
        let Ok(mut reading) = reading.try_lock() else {
            return Ok(None);
        };
        let Reading::Open(stream) = &mut *reading else {
            return Ok(None);
        };
        let _entered = crate::runtime::engine(py)?.runtime().enter();
        stream.next_ready()
    };
    event.map(|event| Data(event).to_python(py)).transpose()
}

async fn next(reading: Arc<Mutex<Reading>>) -> Result<Option<Data<nbhd_llm::chat::StreamEvent>>, Error> {
    let mut reading = reading.lock().await;
    if let Reading::Asked(..) = &*reading {
        let Reading::Asked(router, chat) = std::mem::replace(&mut *reading, Reading::Over) else {
            return Ok(None);
        };
        *reading = Reading::Open(Box::new(router.stream(*chat).await?.read_ahead()));
    }
    let Reading::Open(stream) = &mut *reading else {
        return Ok(None);
    };
    match stream.next().await {
        Some(Ok(event)) => Ok(Some(Data(event))),
        Some(Err(error)) => {
            *reading = Reading::Over;
            Err(error)
        }
        None => {
            *reading = Reading::Over;
            Ok(None)
        }
    }
}

async fn close(reading: Arc<Mutex<Reading>>) -> Result<(), Error> {
    *reading.lock().await = Reading::Over;
    Ok(())
}

#[pymethods]
impl Stream {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Returns: StreamEvent
    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(event) = here(&self.0, py)? {
            return Ok(event);
        }
        let event = block(py, next(Arc::clone(&self.0)))?;
        if event.is_none(py) {
            Err(PyStopIteration::new_err(()))
        } else {
            Ok(event)
        }
    }

    fn __aiter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Returns: Coroutine[Any, Any, StreamEvent]
    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (seen, reading) = (Arc::clone(&self.0), Arc::clone(&self.0));
        step(py, move |py| here(&seen, py), async move {
            next(reading).await.map(OrStop)
        })
    }

    /// Ends it now.
    #[pyo3(signature = () -> "None")]
    fn close(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        block(py, close(Arc::clone(&self.0)))
    }

    /// Awaitable twin of `close`.
    fn aclose<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        future(py, close(Arc::clone(&self.0)))
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (_kind, _error, _traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.close(py).map(drop)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // What a dropped stream leaves may still be read for its usage: that needs the engine that it ran on.
        if let Ok(engine) = Python::attach(crate::runtime::engine) {
            let _entered = engine.runtime().enter();
            if let Ok(mut reading) = self.0.try_lock() {
                *reading = Reading::Over;
            }
        }
    }
}
