//! The channels. Telegram is the first.

use http::{HeaderMap, HeaderName, HeaderValue};
use napi::bindgen_prelude::{Buffer, ClassInstance, Object, PromiseRaw, Result};
use napi::{Env, Unknown};
use napi_derive::napi;
use nbhd_channels::{Message, TelegramConfig};
use nbhd_core::{Code, Error};
use serde_json::Value;

use crate::cancel::{call_value, promise};
use crate::convert::{Data, ToNode, input};
use crate::core::{Host, secret};
use crate::error::raise;

/// A Telegram bot.
///
/// `new Telegram(host, { botToken: Secret.env("TELEGRAM_BOT_TOKEN"), webhookSecret: Secret.env("TELEGRAM_SECRET") })`.
/// Without a webhook secret every webhook call is refused. `baseUrl` is for a server of one's own or a stand-in.
#[napi]
pub struct Telegram {
    pub(crate) inner: nbhd_channels::Telegram,
}

#[napi]
impl Telegram {
    #[napi(
        constructor,
        ts_args_type = "host: Host, options: { botToken: Secret | string; webhookSecret?: Secret | string; baseUrl?: string; username?: string }"
    )]
    pub fn new(env: &Env, host: ClassInstance<'_, Host>, options: Object<'_>) -> Result<Self> {
        let token = secret(&options, "botToken")?
            .ok_or_else(|| raise(env, &Error::new(Code::InvalidInput, "Telegram needs `botToken`")))?;
        let mut config = TelegramConfig::new(token);
        if let Some(secret) = secret(&options, "webhookSecret")? {
            config = config.with_webhook_secret(secret);
        }
        if let Some(url) = options.get::<String>("baseUrl")? {
            config = config.with_base_url(url);
        }
        if let Some(username) = options.get::<String>("username")? {
            config = config.with_username(username);
        }
        let inner = nbhd_channels::Telegram::new(&host.inner, config).map_err(|error| raise(env, &error))?;
        Ok(Self { inner })
    }

    /// A webhook call: verified, claimed and stored before the answer. Returns what the view answers.
    #[napi(
        ts_args_type = "headers: Record<string, string | Array<string> | undefined>, body: Buffer, options?: CallOptions",
        ts_return_type = "Promise<Reply>"
    )]
    pub fn receive<'env>(
        &self,
        env: &'env Env,
        headers: Value,
        body: Buffer,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let (telegram, headers) = (self.inner.clone(), header_map(&headers));
        let body = body.to_vec();
        promise(env, options.as_ref(), async move {
            telegram.receive(&headers, body).await.map(Data)
        })
    }

    /// Sends a message and returns its delivery. The same `key` again resumes or returns, and never sends a part twice.
    #[napi(
        ts_args_type = "conversation: string, message: Omit<OutboundMessage, \"conversation\"> & CallOptions",
        ts_return_type = "Promise<Delivery>"
    )]
    pub fn send<'env>(
        &self,
        env: &'env Env,
        conversation: String,
        message: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let given = given("send", conversation, message.as_ref());
        let telegram = self.inner.clone();
        promise(env, message.as_ref(), async move {
            telegram.send(given?).await.map(Data)
        })
    }

    /// Goes on with what `work.commit` stored, or an earlier `send` left, under this key.
    #[napi(
        ts_args_type = "key: string, options?: CallOptions",
        ts_return_type = "Promise<Delivery>"
    )]
    pub fn resume<'env>(
        &self,
        env: &'env Env,
        key: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let telegram = self.inner.clone();
        promise(env, options.as_ref(), async move {
            telegram.resume(&key).await.map(Data)
        })
    }

    /// Gives a message that the bot sent a new text, which must fit into one part. What it says already is done.
    #[napi(
        ts_args_type = "messageId: string, conversation: string, message: Omit<OutboundMessage, \"conversation\"> & CallOptions",
        ts_return_type = "Promise<Receipt>"
    )]
    pub fn edit<'env>(
        &self,
        env: &'env Env,
        message_id: String,
        conversation: String,
        message: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let given = given("edit", conversation, message.as_ref());
        let telegram = self.inner.clone();
        promise(env, message.as_ref(), async move {
            telegram.edit(&message_id, given?).await.map(Data)
        })
    }

    /// Shows for five seconds that the bot is writing.
    #[napi(
        ts_args_type = "conversation: string, options?: CallOptions",
        ts_return_type = "Promise<Receipt>"
    )]
    pub fn typing<'env>(
        &self,
        env: &'env Env,
        conversation: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let telegram = self.inner.clone();
        promise(env, options.as_ref(), async move {
            telegram.typing(&conversation).await.map(Data)
        })
    }

    /// A message as an intent for `work.commit([…])`: rendered and split, neither stored nor sent. Pure.
    #[napi(
        ts_args_type = "conversation: string, message: Omit<OutboundMessage, \"conversation\">",
        ts_return_type = "NewIntent"
    )]
    pub fn intent<'env>(
        &self,
        env: &'env Env,
        conversation: String,
        message: Option<Object<'_>>,
    ) -> Result<Unknown<'env>> {
        let intent = given("intent", conversation, message.as_ref())
            .and_then(|message| self.inner.intent(&message))
            .map_err(|error| raise(env, &error))?;
        Data(intent).to_node(env)
    }

    /// Asks the platform who the bot is.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<Probe>")]
    pub fn probe<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let telegram = self.inner.clone();
        promise(
            env,
            options.as_ref(),
            async move { telegram.probe().await.map(Data) },
        )
    }
}

fn given(
    what: &str,
    conversation: String,
    message: Option<&Object<'_>>,
) -> std::result::Result<Message, Error> {
    let mut fields = call_value(message)?;
    fields.insert("conversation".to_owned(), conversation.into());
    input(what, Value::Object(fields))
}

/// Headers as Node's `request.headers` has them. What is no header at all is left out: it verifies nothing.
fn header_map(headers: &Value) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.as_object().into_iter().flatten() {
        let values = match value {
            Value::Array(values) => values.iter().collect(),
            one => vec![one],
        };
        for text in values.into_iter().filter_map(Value::as_str) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(text)) {
                map.append(name, value);
            }
        }
    }
    map
}
