//! `nbhd.testkit`: a clock that stands still, scripts, and stand-ins with faults, so that users test their own code.

use std::sync::Arc;

use nbhd_core::clock::FakeClock;
use nbhd_core::testkit::Fault;
use nbhd_core::{Code, Error};
use nbhd_google::testkit::{GoogleSetup, GoogleStandIn, Mailbox};
use nbhd_llm::testkit::ModelStandIn;
use pyo3::prelude::*;

use crate::convert::{Data, ToPython, input};
use crate::error::raise;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Clock>()?;
    module.add_class::<Script>()?;
    module.add_class::<StandInGoogle>()?;
    module.add_class::<StandInModels>()?;
    module.add_class::<StandInTelegram>()
}

/// A clock that stands still until it is moved; a wait moves it and returns at once. `Clock("2026-11-21T08:00:00Z")`.
#[pyclass(frozen, module = "nbhd.testkit")]
pub(crate) struct Clock(Arc<FakeClock>);

impl Clock {
    pub(crate) fn inner(&self) -> Arc<FakeClock> {
        Arc::clone(&self.0)
    }
}

#[pymethods]
impl Clock {
    #[new]
    fn new(py: Python<'_>, start: &str) -> PyResult<Self> {
        let start = start.parse().map_err(|_| {
            raise(
                py,
                Error::new(
                    Code::InvalidInput,
                    "the start of a clock is a time in ISO 8601 with its offset",
                ),
            )
        })?;
        Ok(Self(Arc::new(FakeClock::at(start))))
    }

    /// Moves the clock ahead by `seconds`.
    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let duration = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| {
            raise(
                py,
                Error::new(Code::InvalidInput, "a clock moves ahead by a number of seconds"),
            )
        })?;
        self.0.advance(duration);
        Ok(())
    }

    /// What it shows, ISO 8601.
    fn now(&self) -> String {
        nbhd_core::clock::rfc3339(nbhd_core::Clock::now(&*self.0))
    }
}

/// A server that plays the `http` list of a conformance case, in order, and reports what did not match.
#[pyclass(frozen, module = "nbhd.testkit")]
pub(crate) struct Script(Arc<nbhd_core::testkit::Script>, nbhd_core::testkit::Server);

#[pymethods]
impl Script {
    #[new]
    #[pyo3(signature = (http: "list[Any]"))]
    fn new(py: Python<'_>, http: &Bound<'_, PyAny>) -> PyResult<Self> {
        let http: serde_json::Value = input(py, "http", http)?;
        let script = nbhd_core::testkit::Script::new(&http)
            .map(Arc::new)
            .map_err(|error| raise(py, error))?;
        let server = nbhd_core::testkit::Server::start(script.clone()).map_err(|error| raise(py, error))?;
        Ok(Self(script, server))
    }

    /// Where it answers.
    #[getter]
    fn url(&self) -> String {
        self.1.url().to_string()
    }

    /// What did not match, in sentences; empty when everything was asked as written and to the end.
    #[pyo3(signature = () -> "list[str]")]
    fn finish(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.0.finish().err().unwrap_or_default()).to_python(py)
    }
}

/// A fault as keyword arguments: `status` with `retry_after` and `body`, or `kind` (`close`, `lost`, `cut`, `hang`,
/// `garbage`).
fn fault(
    py: Python<'_>,
    status: Option<u16>,
    retry_after: Option<f64>,
    body: Option<&Bound<'_, PyAny>>,
    kind: Option<&str>,
) -> PyResult<Fault> {
    let invalid = |text: &str| raise(py, Error::new(Code::InvalidInput, text));
    match (status, kind) {
        (Some(status), None) => {
            let body = body.map(|body| input(py, "body", body)).transpose()?;
            Ok(Fault::Status {
                status,
                retry_after,
                body,
            })
        }
        (None, Some("close")) => Ok(Fault::Close),
        (None, Some("lost")) => Ok(Fault::Lost),
        (None, Some("cut")) => Ok(Fault::Cut),
        (None, Some("hang")) => Ok(Fault::Hang),
        (None, Some("garbage")) => Ok(Fault::Garbage),
        _ => Err(invalid(
            "a fault has a `status`, or a `kind`: close, lost, cut, hang or garbage",
        )),
    }
}

/// A stateful Google in this process. `Google(mailbox="tests/inbox.mbox", calendar="tests/week.ics")`.
#[pyclass(frozen, module = "nbhd.testkit", name = "StandInGoogle")]
pub(crate) struct StandInGoogle(GoogleStandIn);

#[pymethods]
impl StandInGoogle {
    #[new]
    #[pyo3(signature = (*, mailbox = None, calendar = None, port = 0, clock = None))]
    fn new(
        py: Python<'_>,
        mailbox: Option<std::path::PathBuf>,
        calendar: Option<std::path::PathBuf>,
        port: u16,
        clock: Option<PyRef<'_, Clock>>,
    ) -> PyResult<Self> {
        let start = || {
            let mut setup = GoogleSetup::new().with_port(port);
            if let Some(path) = mailbox {
                setup = setup.with_mailbox(Mailbox::load(path)?);
            }
            if let Some(path) = calendar {
                setup = setup.with_calendar(nbhd_google::testkit::Calendar::load(path)?);
            }
            if let Some(clock) = clock {
                setup = setup.with_clock(clock.inner());
            }
            setup.start()
        };
        start().map(Self).map_err(|error| raise(py, error))
    }

    /// Where it answers.
    #[getter]
    fn url(&self) -> String {
        self.0.url().to_string()
    }

    /// A refresh token that it knows.
    #[getter]
    fn refresh_token(&self) -> &str {
        self.0.refresh_token()
    }

    /// The OAuth client that it knows.
    #[getter]
    fn client_id(&self) -> &str {
        self.0.client_id()
    }

    /// The secret of that client.
    #[getter]
    fn client_secret(&self) -> &str {
        self.0.client_secret()
    }

    /// A client of it, whose accounts are connected.
    fn client(&self, py: Python<'_>, host: PyRef<'_, crate::core::Host>) -> PyResult<crate::google::Google> {
        self.0
            .client(&host.inner)
            .map(crate::google::Google)
            .map_err(|error| raise(py, error))
    }

    /// Lets the next `times` calls of `label` fail, such as `gmail.messages.get`.
    #[pyo3(signature = (label, *, status = None, retry_after = None, body: "Any" = None, kind = None, times = 1))]
    fn fail(
        &self,
        py: Python<'_>,
        label: &str,
        status: Option<u16>,
        retry_after: Option<f64>,
        body: Option<&Bound<'_, PyAny>>,
        kind: Option<&str>,
        times: usize,
    ) -> PyResult<()> {
        let fault = fault(py, status, retry_after, body, kind)?;
        self.0.fail(label, fault, times).map_err(|error| raise(py, error))
    }

    /// A message arrives, as its raw text (RFC 5322), unread in the inbox. Returns its id.
    fn deliver(&self, py: Python<'_>, raw: String) -> PyResult<String> {
        self.0.deliver(raw).map_err(|error| raise(py, error))
    }

    /// How often `label` was called.
    fn calls(&self, label: &str) -> usize {
        self.0.calls(label)
    }

    /// Lets every access token that it gave out end now.
    fn expire_access_tokens(&self) {
        self.0.expire_access_tokens();
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, pyo3::types::PyTuple>) {}
}

/// Model providers in this process, with a bill of their own.
#[pyclass(frozen, module = "nbhd.testkit", name = "StandInModels")]
pub(crate) struct StandInModels(ModelStandIn);

#[pymethods]
impl StandInModels {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        ModelStandIn::start().map(Self).map_err(|error| raise(py, error))
    }

    /// Where `provider` answers.
    fn base_url(&self, provider: &str) -> String {
        self.0.base_url(provider)
    }

    /// Lets the next `times` calls of `label` fail: `llm.chat`, or `llm.chat/<model>`.
    #[pyo3(signature = (label, *, status = None, retry_after = None, body: "Any" = None, kind = None, times = 1))]
    fn fail(
        &self,
        py: Python<'_>,
        label: &str,
        status: Option<u16>,
        retry_after: Option<f64>,
        body: Option<&Bound<'_, PyAny>>,
        kind: Option<&str>,
        times: usize,
    ) -> PyResult<()> {
        self.0
            .fail(label, fault(py, status, retry_after, body, kind)?, times);
        Ok(())
    }

    /// How often `label` was called.
    fn calls(&self, label: &str) -> usize {
        self.0.calls(label)
    }

    /// What they would bill, by their own rule.
    #[pyo3(signature = () -> "Bill")]
    fn bill(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.0.bill()).to_python(py)
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, pyo3::types::PyTuple>) {}
}

/// A strict Telegram in this process.
#[pyclass(frozen, module = "nbhd.testkit", name = "StandInTelegram")]
pub(crate) struct StandInTelegram(nbhd_channels::testkit::Telegram);

#[pymethods]
impl StandInTelegram {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        nbhd_channels::testkit::Telegram::start()
            .map(Self)
            .map_err(|error| raise(py, error))
    }

    /// Where it answers.
    #[getter]
    fn base_url(&self) -> String {
        self.0.base_url()
    }

    /// The token of the bot that it knows.
    #[getter]
    fn token(&self) -> String {
        self.0.token().to_owned()
    }

    /// The secret of its webhook calls.
    #[getter]
    fn webhook_secret(&self) -> String {
        self.0.webhook_secret().clone()
    }

    /// A client of it.
    fn client(
        &self,
        py: Python<'_>,
        host: PyRef<'_, crate::core::Host>,
    ) -> PyResult<crate::channels::Telegram> {
        self.0
            .client(&host.inner)
            .map(crate::channels::Telegram)
            .map_err(|error| raise(py, error))
    }

    /// Somebody says `text` in `chat`: returns the headers and the body of the webhook call.
    fn say(&self, chat: i64, text: &str) -> (std::collections::BTreeMap<String, String>, Vec<u8>) {
        let call = self.0.say(chat, text);
        (call.headers.into_iter().collect(), call.body.into_bytes())
    }

    /// What was delivered, in order.
    #[pyo3(signature = () -> "list[SentMessage]")]
    fn messages(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.0.messages()).to_python(py)
    }

    /// Lets the next `times` calls of `label` fail, such as `telegram.sendMessage`.
    #[pyo3(signature = (label, *, status = None, retry_after = None, body: "Any" = None, kind = None, times = 1))]
    fn fail(
        &self,
        py: Python<'_>,
        label: &str,
        status: Option<u16>,
        retry_after: Option<f64>,
        body: Option<&Bound<'_, PyAny>>,
        kind: Option<&str>,
        times: usize,
    ) -> PyResult<()> {
        self.0
            .fail(label, fault(py, status, retry_after, body, kind)?, times);
        Ok(())
    }

    /// How often `label` was called.
    fn calls(&self, label: &str) -> usize {
        self.0.calls(label)
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, pyo3::types::PyTuple>) {}
}
