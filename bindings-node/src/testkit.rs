//! `testkit`: a clock that stands still, scripts, and stand-ins with faults, so that users test their own code.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, ClassInstance, Object};
use napi::{Env, Result, Unknown};
use napi_derive::napi;
use nbhd_core::clock::FakeClock;
use nbhd_core::testkit::Fault;
use nbhd_core::{Code, Error};
use nbhd_google::testkit::{GoogleSetup, GoogleStandIn, Mailbox};
use nbhd_llm::testkit::ModelStandIn;
use serde_json::Value;

use crate::channels::Telegram;
use crate::convert::{Data, ToNode};
use crate::core::Host;
use crate::error::raise;
use crate::google::Google;

/// A clock that stands still until it is moved; a wait moves it and returns at once.
#[napi]
pub struct Clock {
    inner: Arc<FakeClock>,
}

impl Clock {
    pub(crate) fn inner(&self) -> Arc<FakeClock> {
        Arc::clone(&self.inner)
    }
}

#[napi]
impl Clock {
    #[napi(constructor)]
    pub fn new(env: &Env, start: String) -> Result<Self> {
        let start = start.parse().map_err(|_| {
            raise(
                env,
                &Error::new(
                    Code::InvalidInput,
                    "the start of a clock is a time in ISO 8601 with its offset",
                ),
            )
        })?;
        Ok(Self {
            inner: Arc::new(FakeClock::at(start)),
        })
    }

    /// Moves the clock ahead by `seconds`.
    #[napi]
    pub fn advance(&self, env: &Env, seconds: f64) -> Result<()> {
        let duration = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| {
            raise(
                env,
                &Error::new(Code::InvalidInput, "a clock moves ahead by a number of seconds"),
            )
        })?;
        self.inner.advance(duration);
        Ok(())
    }

    /// What it shows, ISO 8601.
    #[napi]
    pub fn now(&self) -> String {
        nbhd_core::clock::rfc3339(nbhd_core::Clock::now(&*self.inner))
    }
}

/// A server that plays the `http` list of a conformance case, in order, and reports what did not match.
#[napi]
pub struct Script {
    script: Arc<nbhd_core::testkit::Script>,
    server: nbhd_core::testkit::Server,
}

#[napi]
impl Script {
    #[napi(constructor, ts_args_type = "http: Array<any>")]
    pub fn new(env: &Env, http: Value) -> Result<Self> {
        let script = nbhd_core::testkit::Script::new(&http)
            .map(Arc::new)
            .map_err(|error| raise(env, &error))?;
        let server = nbhd_core::testkit::Server::start(script.clone()).map_err(|error| raise(env, &error))?;
        Ok(Self { script, server })
    }

    /// Where it answers.
    #[napi(getter)]
    pub fn url(&self) -> String {
        self.server.url().to_string()
    }

    /// What did not match, in sentences; empty when everything was asked as written and to the end.
    #[napi]
    pub fn finish(&self) -> Vec<String> {
        self.script.finish().err().unwrap_or_default()
    }
}

/// A fault from options: `status` with `retryAfter` and `body`, or `kind` (`close`, `lost`, `cut`, `hang`, `garbage`);
/// and how often.
fn fault(env: &Env, options: &Object<'_>) -> Result<(Fault, usize)> {
    let times = options.get::<u32>("times")?.unwrap_or(1) as usize;
    let kind = options.get::<String>("kind")?;
    let fault = match (options.get::<u32>("status")?, kind.as_deref()) {
        (Some(status), None) => Fault::Status {
            status: u16::try_from(status).unwrap_or(599),
            retry_after: options.get::<f64>("retryAfter")?,
            body: options.get::<Value>("body")?,
        },
        (None, Some("close")) => Fault::Close,
        (None, Some("lost")) => Fault::Lost,
        (None, Some("cut")) => Fault::Cut,
        (None, Some("hang")) => Fault::Hang,
        (None, Some("garbage")) => Fault::Garbage,
        _ => {
            let text = "a fault has a `status`, or a `kind`: close, lost, cut, hang or garbage";
            return Err(raise(env, &Error::new(Code::InvalidInput, text)));
        }
    };
    Ok((fault, times))
}

/// A stand-in lives as long as the process: its clients hold its address only, and a garbage collection must not take the
/// server from under them.
fn kept<T>(started: T) -> &'static T {
    Box::leak(Box::new(started))
}

/// A stateful Google in this process.
#[napi]
pub struct StandInGoogle {
    inner: &'static GoogleStandIn,
}

#[napi]
impl StandInGoogle {
    #[napi(
        constructor,
        ts_args_type = "options?: { mailbox?: string; calendar?: string; port?: number; clock?: Clock }"
    )]
    pub fn new(env: &Env, options: Option<Object<'_>>) -> Result<Self> {
        let mut setup = GoogleSetup::new();
        let failed = |error: Error| raise(env, &error);
        if let Some(options) = &options {
            if let Some(port) = options.get::<u32>("port")? {
                setup = setup.with_port(u16::try_from(port).unwrap_or(0));
            }
            if let Some(path) = options.get::<String>("mailbox")? {
                setup = setup.with_mailbox(Mailbox::load(path).map_err(failed)?);
            }
            if let Some(path) = options.get::<String>("calendar")? {
                setup = setup.with_calendar(nbhd_google::testkit::Calendar::load(path).map_err(failed)?);
            }
            if let Some(clock) = options.get::<ClassInstance<'_, Clock>>("clock")? {
                setup = setup.with_clock(clock.inner());
            }
        }
        setup
            .start()
            .map(|started| Self { inner: kept(started) })
            .map_err(failed)
    }

    /// Where it answers.
    #[napi(getter)]
    pub fn url(&self) -> String {
        self.inner.url().to_string()
    }

    /// A refresh token that it knows.
    #[napi(getter)]
    pub fn refresh_token(&self) -> String {
        self.inner.refresh_token().to_owned()
    }

    /// The OAuth client that it knows.
    #[napi(getter)]
    pub fn client_id(&self) -> String {
        self.inner.client_id().to_owned()
    }

    /// The secret of that client.
    #[napi(getter)]
    pub fn client_secret(&self) -> String {
        self.inner.client_secret().to_owned()
    }

    /// A client of it, whose accounts are connected.
    #[napi]
    pub fn client(&self, env: &Env, host: ClassInstance<'_, Host>) -> Result<Google> {
        self.inner
            .client(&host.inner)
            .map(|inner| Google { inner })
            .map_err(|error| raise(env, &error))
    }

    /// Lets the next calls of `label` fail, such as `gmail.messages.get`.
    #[napi(ts_args_type = "label: string, fault: Fault")]
    pub fn fail(&self, env: &Env, label: String, options: Object<'_>) -> Result<()> {
        let (fault, times) = fault(env, &options)?;
        self.inner
            .fail(&label, fault, times)
            .map_err(|error| raise(env, &error))
    }

    /// A message arrives, as its raw text (RFC 5322), unread in the inbox. Returns its id.
    #[napi]
    pub fn deliver(&self, env: &Env, raw: String) -> Result<String> {
        self.inner.deliver(raw).map_err(|error| raise(env, &error))
    }

    /// How often `label` was called.
    #[napi]
    pub fn calls(&self, label: String) -> u32 {
        self.inner.calls(&label) as u32
    }

    /// Lets every access token that it gave out end now.
    #[napi]
    pub fn expire_access_tokens(&self) {
        self.inner.expire_access_tokens();
    }
}

/// Model providers in this process, with a bill of their own.
#[napi]
pub struct StandInModels {
    inner: &'static ModelStandIn,
}

#[napi]
impl StandInModels {
    #[napi(constructor)]
    pub fn new(env: &Env) -> Result<Self> {
        ModelStandIn::start()
            .map(|started| Self { inner: kept(started) })
            .map_err(|error| raise(env, &error))
    }

    /// Where `provider` answers.
    #[napi]
    pub fn base_url(&self, provider: String) -> String {
        self.inner.base_url(&provider)
    }

    /// Lets the next calls of `label` fail: `llm.chat`, or `llm.chat:<model>`.
    #[napi(ts_args_type = "label: string, fault: Fault")]
    pub fn fail(&self, env: &Env, label: String, options: Object<'_>) -> Result<()> {
        let (fault, times) = fault(env, &options)?;
        self.inner.fail(&label, fault, times);
        Ok(())
    }

    /// How often `label` was called.
    #[napi]
    pub fn calls(&self, label: String) -> u32 {
        self.inner.calls(&label) as u32
    }

    /// What they would bill, by their own rule.
    #[napi(ts_return_type = "Bill")]
    pub fn bill<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.inner.bill()).to_node(env)
    }
}

/// A strict Telegram in this process.
#[napi]
pub struct StandInTelegram {
    inner: &'static nbhd_channels::testkit::Telegram,
}

#[napi]
impl StandInTelegram {
    #[napi(constructor)]
    pub fn new(env: &Env) -> Result<Self> {
        nbhd_channels::testkit::Telegram::start()
            .map(|started| Self { inner: kept(started) })
            .map_err(|error| raise(env, &error))
    }

    /// Where it answers.
    #[napi(getter)]
    pub fn base_url(&self) -> String {
        self.inner.base_url()
    }

    /// The token of the bot that it knows.
    #[napi(getter)]
    pub fn token(&self) -> String {
        self.inner.token().to_owned()
    }

    /// The secret of its webhook calls.
    #[napi(getter)]
    pub fn webhook_secret(&self) -> String {
        self.inner.webhook_secret().clone()
    }

    /// A client of it.
    #[napi]
    pub fn client(&self, env: &Env, host: ClassInstance<'_, Host>) -> Result<Telegram> {
        self.inner
            .client(&host.inner)
            .map(|inner| Telegram { inner })
            .map_err(|error| raise(env, &error))
    }

    /// Somebody says `text` in `chat`: returns the headers and the body of the webhook call.
    #[napi(ts_return_type = "{ headers: Record<string, string>; body: Buffer }")]
    pub fn say<'env>(&self, env: &'env Env, chat: i64, text: String) -> Result<Object<'env>> {
        let call = self.inner.say(chat, &text);
        let headers: serde_json::Map<String, Value> = call
            .headers
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        let mut said = Object::new(env)?;
        said.set("headers", Value::Object(headers))?;
        said.set("body", Buffer::from(call.body.into_bytes()))?;
        Ok(said)
    }

    /// What was delivered, in order.
    #[napi(ts_return_type = "Array<SentMessage>")]
    pub fn messages<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.inner.messages()).to_node(env)
    }

    /// Lets the next calls of `label` fail, such as `telegram.sendMessage`.
    #[napi(ts_args_type = "label: string, fault: Fault")]
    pub fn fail(&self, env: &Env, label: String, options: Object<'_>) -> Result<()> {
        let (fault, times) = fault(env, &options)?;
        self.inner.fail(&label, fault, times);
        Ok(())
    }

    /// How often `label` was called.
    #[napi]
    pub fn calls(&self, label: String) -> u32 {
        self.inner.calls(&label) as u32
    }
}
