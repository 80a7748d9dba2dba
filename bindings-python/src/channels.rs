//! The channels. Telegram is the first.

use http::{HeaderMap, HeaderName, HeaderValue};
use nbhd_channels::{Message, TelegramConfig};
use nbhd_core::secret::SecretSource;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::future;
use crate::convert::{Data, ToPython};
use crate::core::Host;
use crate::error::raise;
use crate::runtime::block;
use crate::secret::SecretArgument;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Telegram>()
}

/// A Telegram bot.
///
/// `Telegram(host, bot_token=Secret.env("TELEGRAM_BOT_TOKEN"), webhook_secret=Secret.env("TELEGRAM_SECRET"))`.
/// Without a webhook secret every webhook call is refused. `base_url` is for a server of one's own or a stand-in.
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Telegram(pub(crate) nbhd_channels::Telegram);

#[pymethods]
impl Telegram {
    #[new]
    #[pyo3(signature = (host, *, bot_token, webhook_secret = None, base_url = None, username = None))]
    fn new(
        py: Python<'_>,
        host: PyRef<'_, Host>,
        bot_token: SecretArgument<'_>,
        webhook_secret: Option<SecretArgument<'_>>,
        base_url: Option<String>,
        username: Option<String>,
    ) -> PyResult<Self> {
        let mut config = TelegramConfig::new(SecretSource::from(bot_token));
        if let Some(secret) = webhook_secret {
            config = config.with_webhook_secret(SecretSource::from(secret));
        }
        if let Some(url) = base_url {
            config = config.with_base_url(url);
        }
        if let Some(username) = username {
            config = config.with_username(username);
        }
        nbhd_channels::Telegram::new(&host.inner, config)
            .map(Self)
            .map_err(|error| raise(py, error))
    }

    /// A webhook call: verified, claimed and stored before the answer. Returns what the view answers:
    /// `{status, headers, body, …}`. `headers` is any mapping, such as Django's `request.headers`.
    #[pyo3(signature = (headers: "Mapping[str, str]", body) -> "Reply")]
    fn receive(&self, py: Python<'_>, headers: &Bound<'_, PyAny>, body: Vec<u8>) -> PyResult<Py<PyAny>> {
        let (telegram, headers) = (self.0.clone(), header_map(headers)?);
        block(
            py,
            async move { telegram.receive(&headers, body).await.map(Data) },
        )
    }

    /// Awaitable twin of `receive`.
    fn areceive<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'py, PyAny>,
        body: Vec<u8>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (telegram, headers) = (self.0.clone(), header_map(headers)?);
        future(
            py,
            async move { telegram.receive(&headers, body).await.map(Data) },
        )
    }

    /// Sends a message and returns its delivery. `markdown="…"` or `text="…"`; the same `key` again resumes or
    /// returns, and never sends a part twice. Other options: `reply_to`, `thread`, `silent`, `mentions`.
    #[pyo3(signature = (conversation, **options: "Unpack[OutboundMessage]") -> "Delivery")]
    fn send(
        &self,
        py: Python<'_>,
        conversation: String,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let (telegram, message) = (self.0.clone(), message(py, "send", conversation, options)?);
        block(py, async move { telegram.send(message).await.map(Data) })
    }

    /// Awaitable twin of `send`.
    #[pyo3(signature = (conversation, **options))]
    fn asend<'py>(
        &self,
        py: Python<'py>,
        conversation: String,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (telegram, message) = (self.0.clone(), message(py, "send", conversation, options)?);
        future(py, async move { telegram.send(message).await.map(Data) })
    }

    /// Goes on with what `work.commit` stored, or an earlier `send` left, under this key.
    #[pyo3(signature = (key) -> "Delivery")]
    fn resume(&self, py: Python<'_>, key: String) -> PyResult<Py<PyAny>> {
        let telegram = self.0.clone();
        block(py, async move { telegram.resume(&key).await.map(Data) })
    }

    /// Awaitable twin of `resume`.
    fn aresume<'py>(&self, py: Python<'py>, key: String) -> PyResult<Bound<'py, PyAny>> {
        let telegram = self.0.clone();
        future(py, async move { telegram.resume(&key).await.map(Data) })
    }

    /// Gives a message that the bot sent a new text, which must fit into one part. What it says already is done.
    #[pyo3(signature = (message_id, conversation, **options: "Unpack[OutboundMessage]") -> "Receipt")]
    fn edit(
        &self,
        py: Python<'_>,
        message_id: String,
        conversation: String,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let (telegram, message) = (self.0.clone(), message(py, "edit", conversation, options)?);
        block(
            py,
            async move { telegram.edit(&message_id, message).await.map(Data) },
        )
    }

    /// Awaitable twin of `edit`.
    #[pyo3(signature = (message_id, conversation, **options))]
    fn aedit<'py>(
        &self,
        py: Python<'py>,
        message_id: String,
        conversation: String,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (telegram, message) = (self.0.clone(), message(py, "edit", conversation, options)?);
        future(
            py,
            async move { telegram.edit(&message_id, message).await.map(Data) },
        )
    }

    /// Shows for five seconds that the bot is writing.
    #[pyo3(signature = (conversation) -> "Receipt")]
    fn typing(&self, py: Python<'_>, conversation: String) -> PyResult<Py<PyAny>> {
        let telegram = self.0.clone();
        block(py, async move { telegram.typing(&conversation).await.map(Data) })
    }

    /// Awaitable twin of `typing`.
    fn atyping<'py>(&self, py: Python<'py>, conversation: String) -> PyResult<Bound<'py, PyAny>> {
        let telegram = self.0.clone();
        future(py, async move { telegram.typing(&conversation).await.map(Data) })
    }

    /// A message as an intent for `work.commit(sends=[…])`: rendered and split, neither stored nor sent. Pure.
    #[pyo3(signature = (conversation, **options: "Unpack[OutboundMessage]") -> "NewIntent")]
    fn intent(
        &self,
        py: Python<'_>,
        conversation: String,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let message = message(py, "intent", conversation, options)?;
        let intent = self.0.intent(&message).map_err(|error| raise(py, error))?;
        Data(intent).to_python(py)
    }

    /// Asks the platform who the bot is.
    #[pyo3(signature = () -> "Probe")]
    fn probe(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let telegram = self.0.clone();
        block(py, async move { telegram.probe().await.map(Data) })
    }

    /// Awaitable twin of `probe`.
    fn aprobe<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let telegram = self.0.clone();
        future(py, async move { telegram.probe().await.map(Data) })
    }
}

fn message(
    py: Python<'_>,
    what: &str,
    conversation: String,
    given: Option<&Bound<'_, PyDict>>,
) -> PyResult<Message> {
    let all = given.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
    all.set_item("conversation", conversation)?;
    crate::convert::options(py, what, Some(&all))
}

/// Headers from any mapping of text to text. What is no header at all is left out: it verifies nothing.
fn header_map(headers: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::new();
    for pair in headers.call_method0("items")?.try_iter()? {
        let (name, value): (String, String) = pair?.extract()?;
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            map.append(name, value);
        }
    }
    Ok(map)
}
