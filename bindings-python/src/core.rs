//! `Host` and the inbox.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nbhd_core::inbox::{Ingest, NewEvent};
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::secure::SecureRequest;
use nbhd_core::transport::HostRule;
use nbhd_core::vault::Vault;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::audit::{Audited, Journals, Run};
use crate::bridge::future;
use crate::convert::{Data, ToPython, input};
use crate::error::raise;
use crate::runtime::block;
use crate::secret::Secret;
use crate::secure::{Credential, access};
use crate::tokens::ProgramTokens;
use crate::work::{Work, WorkLoop};

/// How often a waiting worker looks for new work, in seconds: quick for a person, light for a store.
pub(crate) const POLL: Duration = Duration::from_millis(250);

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Host>()?;
    module.add_class::<Inbox>()?;
    module.add_class::<WorkLoop>()?;
    module.add_class::<Work>()
}

/// What the program around us provides: store, secrets, clock, receipt sink, transport.
///
/// `Host("sqlite:nbhd.db")`, `Host("memory:")`, `Host("redis://host/0")`. It opens nothing until the first call.
///
/// `vault_key` is the key that seals secrets at rest; without it the chain of the vault is asked. `clock` is a
/// `testkit.Clock`, for tests. `lossy_store` accepts, for the reason that it says, a store that may lose what it
/// acknowledged. `audit_file` and `runs_file` are files of JSON lines that audit events and run records go to, each on
/// the disk before the call goes on where `sync_files` says so; `on_audit` is called with each audit event. `tokens` keeps
/// the sealed records of accounts in the program's own storage: an object with `load(provider, account)` and
/// `save(provider, account, record, previous)`, which are called on the program's own threads and answer within
/// `tokens_timeout` seconds. `private_hosts` are names and addresses of the program's private network that requests may go
/// to: exact, or `*.example.org`; never link-local and metadata addresses.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Host {
    pub(crate) inner: nbhd_core::Host,
    receipts: Arc<MemoryReceipts>,
    journals: Journals,
}

#[pymethods]
impl Host {
    #[new]
    #[pyo3(signature = (
        address,
        *,
        vault_key = None,
        clock = None,
        lossy_store = None,
        audit_file: "str | PathLike[str] | None" = None,
        runs_file: "str | PathLike[str] | None" = None,
        sync_files = false,
        on_audit: "Any" = None,
        tokens: "Any" = None,
        tokens_timeout = 30.0,
        private_hosts = None
    ))]
    fn new(
        py: Python<'_>,
        address: &str,
        vault_key: Option<PyRef<'_, Secret>>,
        clock: Option<PyRef<'_, crate::testkit::Clock>>,
        lossy_store: Option<String>,
        audit_file: Option<PathBuf>,
        runs_file: Option<PathBuf>,
        sync_files: bool,
        on_audit: Option<Py<PyAny>>,
        tokens: Option<Bound<'_, PyAny>>,
        tokens_timeout: f64,
        private_hosts: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let receipts = Arc::new(MemoryReceipts::default());
        let clock: Option<Arc<dyn nbhd_core::Clock>> =
            clock.map(|clock| clock.inner() as Arc<dyn nbhd_core::Clock>);
        let mut builder = nbhd_core::Host::builder_at(address, clock)
            .map_err(|error| raise(py, error))?
            .with_receipts(receipts.clone());
        if let Some(key) = vault_key {
            let vault = Vault::with_source(key.0.clone());
            builder = builder.with_vault(vault);
        }
        if let Some(reason) = lossy_store {
            builder = builder.with_lossy_store(reason);
        }
        if let Some(hosts) = private_hosts {
            let rules: Result<Vec<_>, _> = hosts.iter().map(|host| HostRule::new(host)).collect();
            builder = builder.with_private_hosts(rules.map_err(|error| raise(py, error))?);
        }
        if let Some(tokens) = tokens {
            builder = builder.with_tokens(Arc::new(ProgramTokens::new(&tokens, tokens_timeout)?));
        }
        if on_audit.is_some() {
            crate::callback::used(py)?;
        }
        let (builder, journals) = Journals::install(builder, audit_file, runs_file, sync_files, on_audit);
        Ok(Self {
            inner: builder.build(),
            receipts,
            journals,
        })
    }

    /// Durable work: what was accepted and is not handled yet.
    #[getter]
    fn inbox(&self) -> Inbox {
        Inbox(nbhd_core::inbox::Inbox::new(&self.inner))
    }

    /// What is to be sent, and what became of it.
    #[getter]
    fn outbox(&self) -> crate::outbox::Outbox {
        crate::outbox::Outbox(nbhd_core::outbox::Outbox::new(&self.inner))
    }

    /// How far ahead the store's clock is, in seconds, when it stepped ahead of more than an hour while this process
    /// runs; `None` otherwise. Then the store's time goes on as it did until `confirm_clock`.
    #[pyo3(signature = () -> "float | None")]
    fn clock_ahead(&self) -> Option<f64> {
        self.inner.clock_ahead().map(|ahead| ahead.as_secs_f64())
    }

    /// Believes a clock that stepped ahead: for somebody who has looked.
    #[pyo3(signature = () -> "None")]
    fn confirm_clock(&self) {
        self.inner.confirm_clock();
    }

    /// The program's own records in the store.
    #[getter]
    fn store(&self) -> crate::store::Store {
        crate::store::Store(Arc::clone(self.inner.store()))
    }

    /// The names and addresses that the program trusts in its private network.
    #[getter]
    fn private_hosts(&self) -> Vec<String> {
        let rules = self.inner.private_hosts();
        rules.iter().map(ToString::to_string).collect()
    }

    /// The receipts of the last 1,000 calls, oldest first.
    #[pyo3(signature = () -> "list[Receipt]")]
    fn receipts(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.receipts.all()).to_python(py)
    }

    /// The last 1,000 audit events, oldest first.
    #[pyo3(signature = () -> "list[AuditEvent]")]
    fn audit(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.journals.audit.all()).to_python(py)
    }

    /// The last 1,000 run records, oldest first: one when a run begins, one when it ends.
    #[pyo3(signature = () -> "list[RunRecord]")]
    fn runs(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.journals.runs.all()).to_python(py)
    }

    /// `actor` begins `action` with `parameters`, of which the fingerprint and the hash are kept. A context manager.
    #[pyo3(signature = (actor, action, parameters: "Any" = None))]
    fn audited(
        &self,
        py: Python<'_>,
        actor: &str,
        action: &str,
        parameters: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Audited> {
        Audited::begin(py, &self.inner, actor, action, parameters)
    }

    /// A run of `action` in `project` begins. A context manager.
    fn run(&self, py: Python<'_>, project: &str, action: &str) -> PyResult<Run> {
        Run::begin(py, &self.inner, project, action)
    }

    /// The vault, for a program's own secrets.
    #[getter]
    fn vault(&self) -> crate::vault::Vault {
        crate::vault::Vault(self.inner.clone())
    }

    /// Finishes what runs and closes the store. The next call opens it again.
    #[pyo3(signature = () -> "None")]
    fn close(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let host = self.inner.clone();
        block(py, async move { host.store().close().await })
    }

    /// Awaitable twin of `close`.
    fn aclose<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let host = self.inner.clone();
        future(py, async move { host.store().close().await })
    }

    /// Creates the store where that is a step of its own. SQLite and memory make themselves.
    #[pyo3(signature = () -> "None")]
    fn create_store(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let host = self.inner.clone();
        block(py, async move { host.create_store().await })
    }

    /// Awaitable twin of `create_store`.
    fn acreate_store<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let host = self.inner.clone();
        future(py, async move { host.create_store().await })
    }

    /// Makes one HTTP request under the rules of this call, and returns what came, without the secrets.
    ///
    /// `request`: `{url, method, query, headers, json | text | form, idempotency_key, any_status, timeout, max_bytes}`; it holds no
    /// secret. `credentials` are bound to their origins, which are allowed; `hosts` allows more: exact, or `*.example.org`.
    /// `loopback` allows this machine. Redirects are checked like the request itself.
    #[pyo3(signature = (request: "SecureRequest", *, credentials = None, hosts = None, loopback = false, redirects = None, actor = None) -> "SecureAnswer")]
    fn secure_request(
        &self,
        py: Python<'_>,
        request: &Bound<'_, PyAny>,
        credentials: Option<Vec<PyRef<'_, Credential>>>,
        hosts: Option<Vec<String>>,
        loopback: bool,
        redirects: Option<u32>,
        actor: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        let request: SecureRequest = input(py, "request", request)?;
        let access =
            access(credentials, hosts, loopback, redirects, actor).map_err(|error| raise(py, error))?;
        let host = self.inner.clone();
        block(py, async move {
            host.secure_request(&request, &access).await.map(Data)
        })
    }

    /// Awaitable twin of `secure_request`.
    #[pyo3(signature = (request, *, credentials = None, hosts = None, loopback = false, redirects = None, actor = None))]
    fn asecure_request<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, PyAny>,
        credentials: Option<Vec<PyRef<'py, Credential>>>,
        hosts: Option<Vec<String>>,
        loopback: bool,
        redirects: Option<u32>,
        actor: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request: SecureRequest = input(py, "request", request)?;
        let access =
            access(credentials, hosts, loopback, redirects, actor).map_err(|error| raise(py, error))?;
        let host = self.inner.clone();
        future(py, async move {
            host.secure_request(&request, &access).await.map(Data)
        })
    }

    /// The breakers that have something to tell: open, half open, or closed with failures.
    #[pyo3(signature = () -> "list[BreakerState]")]
    fn breakers(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.inner.breakers().states()).to_python(py)
    }

    /// Opens the breaker before the origin of `url` now, for one pause: calls to it are refused with `reason`.
    fn force_open(&self, py: Python<'_>, url: &str, reason: &str) -> PyResult<()> {
        self.inner
            .breakers()
            .force_open_at(url, reason)
            .map_err(|error| raise(py, error))
    }

    /// Closes the breaker before the origin of `url` and forgets its failures.
    fn reset_breaker(&self, py: Python<'_>, url: &str) -> PyResult<()> {
        self.inner
            .breakers()
            .reset_at(url)
            .map_err(|error| raise(py, error))
    }

    fn __repr__(&self) -> &'static str {
        "Host(…)"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Host is a handle, not data: pass its address and make a new one on the other side",
        ))
    }
}

/// Durable work: accepted once, handled in order within a lane, tried again, never lost.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Inbox(nbhd_core::inbox::Inbox);

#[pymethods]
impl Inbox {
    /// Claims all dedupe keys of `event` and stores it, in one step; only then may the host acknowledge.
    ///
    /// `event`: `{provider, instance, dedupe: [key, …], lane, data: {…}}`. Returns `{id, duplicate}`.
    #[pyo3(signature = (event: "NewEvent") -> "Accepted")]
    fn accept(&self, py: Python<'_>, event: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let event: NewEvent = input(py, "event", event)?;
        let inbox = self.0.clone();
        block(py, async move { inbox.accept(event).await.map(Data) })
    }

    /// Awaitable twin of `accept`.
    fn aaccept<'py>(&self, py: Python<'py>, event: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let event: NewEvent = input(py, "event", event)?;
        let inbox = self.0.clone();
        future(py, async move { inbox.accept(event).await.map(Data) })
    }

    /// The next event that is ready, leased by its lane; `None` when there is none.
    #[pyo3(signature = () -> "Work | None")]
    fn claim(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let inbox = self.0.clone();
        block(py, async move { Ok(inbox.claim().await?.map(Work::new)) })
    }

    /// Awaitable twin of `claim`.
    fn aclaim<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inbox = self.0.clone();
        future(py, async move { Ok(inbox.claim().await?.map(Work::new)) })
    }

    /// Work as it comes, for `for` and `async for`. With `wait=False` it ends when nothing is ready.
    #[pyo3(signature = (*, wait = true))]
    fn work(&self, wait: bool) -> WorkLoop {
        WorkLoop {
            inbox: self.0.clone(),
            wait,
        }
    }

    /// How many events are accepted and not handled.
    #[pyo3(signature = () -> "int")]
    fn pending(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let inbox = self.0.clone();
        block(py, async move { inbox.pending().await.map(Data) })
    }

    /// Awaitable twin of `pending`.
    fn apending<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inbox = self.0.clone();
        future(py, async move { inbox.pending().await.map(Data) })
    }

    /// Accepts the body of a webhook call or poll: an envelope (`schema`, `event_id`, `occurred_at`, `metadata`,
    /// `payload`) or any other JSON. `origin`: `{source, kind, event_id, lane}`; verify who sent it first.
    #[pyo3(signature = (origin: "Ingest", body: "bytes") -> "Ingested")]
    fn ingest(&self, py: Python<'_>, origin: &Bound<'_, PyAny>, body: Vec<u8>) -> PyResult<Py<PyAny>> {
        let origin: Ingest = input(py, "origin", origin)?;
        let inbox = self.0.clone();
        block(py, async move { inbox.ingest(origin, &body).await.map(Data) })
    }

    /// Awaitable twin of `ingest`.
    #[pyo3(signature = (origin, body))]
    fn aingest<'py>(
        &self,
        py: Python<'py>,
        origin: &Bound<'py, PyAny>,
        body: Vec<u8>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let origin: Ingest = input(py, "origin", origin)?;
        let inbox = self.0.clone();
        future(py, async move { inbox.ingest(origin, &body).await.map(Data) })
    }

    /// The events that were given up, newest last, at most `limit`.
    #[pyo3(signature = (limit = 100) -> "list[DeadLetter]")]
    fn dead_letters(&self, py: Python<'_>, limit: usize) -> PyResult<Py<PyAny>> {
        let inbox = self.0.clone();
        block(py, async move { inbox.dead_letters(limit).await.map(Data) })
    }

    /// Awaitable twin of `dead_letters`.
    #[pyo3(signature = (limit = 100))]
    fn adead_letters<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let inbox = self.0.clone();
        future(py, async move { inbox.dead_letters(limit).await.map(Data) })
    }

    /// Puts a dead letter back at the end of its lane, with all its attempts. `not_found` when there is none.
    #[pyo3(signature = (id) -> "None")]
    fn revive(&self, py: Python<'_>, id: String) -> PyResult<Py<PyAny>> {
        let inbox = self.0.clone();
        block(py, async move { inbox.revive(&id).await })
    }

    /// Awaitable twin of `revive`.
    fn arevive<'py>(&self, py: Python<'py>, id: String) -> PyResult<Bound<'py, PyAny>> {
        let inbox = self.0.clone();
        future(py, async move { inbox.revive(&id).await })
    }

    /// Forgets a dead letter; forgetting one that is not there is fine.
    #[pyo3(signature = (id) -> "None")]
    fn forget_dead(&self, py: Python<'_>, id: String) -> PyResult<Py<PyAny>> {
        let inbox = self.0.clone();
        block(py, async move { inbox.forget_dead(&id).await })
    }

    /// Awaitable twin of `forget_dead`.
    fn aforget_dead<'py>(&self, py: Python<'py>, id: String) -> PyResult<Bound<'py, PyAny>> {
        let inbox = self.0.clone();
        future(py, async move { inbox.forget_dead(&id).await })
    }
}
