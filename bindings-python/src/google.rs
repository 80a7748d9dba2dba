//! `Google`, its accounts, Gmail and Calendar.

use nbhd_core::secret::SecretSource;
use nbhd_google::calendar::{FreeBusy, ListEvents};
use nbhd_google::gmail::ListMessages;
use nbhd_google::{Connect, Endpoints, OAuthClient};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::future;
use crate::convert::{Data, ToPython, input, options};
use crate::core::Host;
use crate::error::raise;
use crate::runtime::block;
use crate::secret::SecretArgument;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Google>()?;
    module.add_class::<Account>()?;
    module.add_class::<AccessToken>()?;
    module.add_class::<Gmail>()?;
    module.add_class::<Calendar>()
}

/// Google for one OAuth client.
///
/// `Google(host, client_id="…", client_secret=Secret.env("GOOGLE_CLIENT_SECRET"))`. `endpoints` are for stand-ins.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Google(pub(crate) nbhd_google::Google);

#[pymethods]
impl Google {
    #[new]
    #[pyo3(signature = (host, *, client_id, client_secret, endpoints: "Endpoints | None" = None))]
    fn new(
        py: Python<'_>,
        host: PyRef<'_, Host>,
        client_id: String,
        client_secret: SecretArgument<'_>,
        endpoints: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let client = OAuthClient::new(client_id, SecretSource::from(client_secret));
        let mut google = nbhd_google::Google::new(&host.inner, client);
        if let Some(endpoints) = endpoints {
            let endpoints: Endpoints = input(py, "endpoints", endpoints)?;
            google = google
                .with_endpoints(endpoints)
                .map_err(|error| raise(py, error))?;
        }
        Ok(Self(google))
    }

    /// A handle on the account that the program calls `name`. It costs nothing and does nothing.
    fn account(&self, name: String) -> Account {
        Account(self.0.account(name))
    }
}

/// One account: its connection, Gmail and Calendar.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Account(nbhd_google::Account);

impl Account {
    fn connection(refresh_token: SecretArgument<'_>, scopes: Option<Vec<String>>) -> Connect {
        let connect = Connect::new(SecretSource::from(refresh_token));
        match scopes {
            Some(scopes) => connect.with_scopes(scopes),
            None => connect,
        }
    }
}

#[pymethods]
impl Account {
    /// The name that the program gave it.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// Connects with a refresh token that the program holds already; it is sealed at once and never comes back out.
    #[pyo3(signature = (refresh_token, *, scopes = None) -> "Connection")]
    fn connect(
        &self,
        py: Python<'_>,
        refresh_token: SecretArgument<'_>,
        scopes: Option<Vec<String>>,
    ) -> PyResult<Py<PyAny>> {
        let (account, with) = (self.0.clone(), Self::connection(refresh_token, scopes));
        block(py, async move { account.connect(with).await.map(Data) })
    }

    /// Awaitable twin of `connect`.
    #[pyo3(signature = (refresh_token, *, scopes = None))]
    fn aconnect<'py>(
        &self,
        py: Python<'py>,
        refresh_token: SecretArgument<'py>,
        scopes: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (account, with) = (self.0.clone(), Self::connection(refresh_token, scopes));
        future(py, async move { account.connect(with).await.map(Data) })
    }

    /// Ends the grant at Google and forgets the tokens here. Where Google cannot be asked this raises and changes nothing.
    #[pyo3(signature = () -> "Connection")]
    fn disconnect(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let account = self.0.clone();
        block(py, async move { account.disconnect().await.map(Data) })
    }

    /// Awaitable twin of `disconnect`.
    fn adisconnect<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let account = self.0.clone();
        future(py, async move { account.disconnect().await.map(Data) })
    }

    /// The state of the connection. Asks the store only, never Google.
    #[pyo3(signature = () -> "Connection")]
    fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let account = self.0.clone();
        block(py, async move { account.status().await.map(Data) })
    }

    /// Awaitable twin of `status`.
    fn astatus<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let account = self.0.clone();
        future(py, async move { account.status().await.map(Data) })
    }

    /// A short-lived access token, for calls that nbhd does not make.
    #[pyo3(signature = () -> "AccessToken")]
    fn access_token(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let account = self.0.clone();
        block(py, async move { account.access_token().await.map(AccessToken) })
    }

    /// Awaitable twin of `access_token`.
    fn aaccess_token<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let account = self.0.clone();
        future(py, async move { account.access_token().await.map(AccessToken) })
    }

    /// Its mail.
    #[getter]
    fn gmail(&self) -> Gmail {
        Gmail(self.0.gmail())
    }

    /// Its calendars.
    #[getter]
    fn calendar(&self) -> Calendar {
        Calendar(self.0.calendar())
    }
}

/// A short-lived access token. It prints as `***`; `reveal()` gives its text.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct AccessToken(nbhd_google::AccessToken);

impl ToPython for AccessToken {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, self)?.into_any())
    }
}

#[pymethods]
impl AccessToken {
    /// The token itself, for the one place that puts it on the wire.
    fn reveal(&self) -> &str {
        self.0.token.expose()
    }

    /// When it ends, ISO 8601.
    #[getter]
    fn expires_at(&self) -> String {
        nbhd_core::clock::rfc3339(self.0.expires_at)
    }

    /// The scopes it has.
    #[getter]
    fn scopes(&self) -> Vec<String> {
        self.0.scopes.clone()
    }

    /// The receipt of the call that got it.
    ///
    /// Returns: Receipt
    #[getter]
    fn receipt(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(&self.0.receipt).to_python(py)
    }

    fn __repr__(&self) -> String {
        format!("AccessToken(***, expires_at={:?})", self.expires_at())
    }
}

/// The mail of an account.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Gmail(nbhd_google::gmail::Gmail);

#[pymethods]
impl Gmail {
    /// Cards of messages, newest first. Options: `query`, `labels`, `limit` (20, at most 500), `page_token`,
    /// `include_spam_trash`.
    #[pyo3(signature = (**options: "Unpack[ListMessages]") -> "Page[MessageCard]")]
    fn list_messages(&self, py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        let list: ListMessages = crate::convert::options(py, "list_messages", options)?;
        let gmail = self.0.clone();
        block(py, async move { gmail.list_messages(list).await })
    }

    /// Awaitable twin of `list_messages`.
    #[pyo3(signature = (**options))]
    fn alist_messages<'py>(
        &self,
        py: Python<'py>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list: ListMessages = crate::convert::options(py, "list_messages", options)?;
        let gmail = self.0.clone();
        future(py, async move { gmail.list_messages(list).await })
    }

    /// One message with its decoded body. What it says is untrusted: it comes from outside.
    #[pyo3(signature = (id) -> "MailMessage")]
    fn get_message(&self, py: Python<'_>, id: String) -> PyResult<Py<PyAny>> {
        let gmail = self.0.clone();
        block(py, async move { gmail.get_message(id).await.map(Data) })
    }

    /// Awaitable twin of `get_message`.
    fn aget_message<'py>(&self, py: Python<'py>, id: String) -> PyResult<Bound<'py, PyAny>> {
        let gmail = self.0.clone();
        future(py, async move { gmail.get_message(id).await.map(Data) })
    }
}

/// The calendars of an account.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Calendar(nbhd_google::calendar::Calendar);

#[pymethods]
impl Calendar {
    /// Events in order of their beginning, series expanded. Options: `calendar` (`primary`), `window` (`"today"`, …)
    /// or `time_min` and `time_max`, `time_zone`, `query`, `limit`, `page_token`.
    #[pyo3(signature = (**options: "Unpack[ListEvents]") -> "Page[CalendarEvent]")]
    fn list_events(&self, py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        let list: ListEvents = crate::convert::options(py, "list_events", options)?;
        let calendar = self.0.clone();
        block(py, async move { calendar.list_events(list).await })
    }

    /// Awaitable twin of `list_events`.
    #[pyo3(signature = (**options))]
    fn alist_events<'py>(
        &self,
        py: Python<'py>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list: ListEvents = crate::convert::options(py, "list_events", options)?;
        let calendar = self.0.clone();
        future(py, async move { calendar.list_events(list).await })
    }

    /// When calendars are busy. A calendar that could not be read has `problems` and is never free.
    #[pyo3(signature = (time_min: "str | datetime", time_max: "str | datetime", **options: "Unpack[FreeBusy]") -> "FreeBusyAnswer")]
    fn free_busy(
        &self,
        py: Python<'_>,
        time_min: &Bound<'_, PyAny>,
        time_max: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let ask = span(py, time_min, time_max, options)?;
        let calendar = self.0.clone();
        block(py, async move { calendar.free_busy(ask).await.map(Data) })
    }

    /// Awaitable twin of `free_busy`.
    #[pyo3(signature = (time_min, time_max, **options))]
    fn afree_busy<'py>(
        &self,
        py: Python<'py>,
        time_min: &Bound<'py, PyAny>,
        time_max: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let ask = span(py, time_min, time_max, options)?;
        let calendar = self.0.clone();
        future(py, async move { calendar.free_busy(ask).await.map(Data) })
    }
}

fn span(
    py: Python<'_>,
    time_min: &Bound<'_, PyAny>,
    time_max: &Bound<'_, PyAny>,
    given: Option<&Bound<'_, PyDict>>,
) -> PyResult<FreeBusy> {
    let all = given.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
    all.set_item("time_min", time_min)?;
    all.set_item("time_max", time_max)?;
    options(py, "free_busy", Some(&all))
}
