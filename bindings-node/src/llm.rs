//! The model router.

use std::path::PathBuf;
use std::sync::Arc;

use napi::bindgen_prelude::{ClassInstance, Object, PromiseRaw, Result};
use napi::{Env, Unknown};
use napi_derive::napi;
use nbhd_core::Error;
use nbhd_llm::chat::StreamEvent;
use nbhd_llm::{Chat, ChatStream, RouterConfig};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::cancel::{call_value, promise};
use crate::convert::{Data, ToNode, input, whole};
use crate::core::Host;
use crate::error::raise;

/// A model router: purposes, fallback, and budgets that cannot be overspent.
///
/// `new Router(host, "llm.toml")`, or the same as an object, with the field names of the file.
#[napi]
pub struct Router {
    inner: nbhd_llm::Router,
}

#[napi]
impl Router {
    #[napi(constructor, ts_args_type = "host: Host, config: string | RouterConfig")]
    pub fn new(env: &Env, host: ClassInstance<'_, Host>, config: Value) -> Result<Self> {
        let router = match config {
            Value::String(path) => nbhd_llm::Router::from_file(&host.inner, PathBuf::from(path)),
            // A configuration is a file in another place: its names are the file's.
            value => RouterConfig::from_value(whole(value))
                .and_then(|config| nbhd_llm::Router::new(&host.inner, config)),
        };
        router
            .map(|inner| Self { inner })
            .map_err(|error| raise(env, &error))
    }

    /// Asks for one answer. `messages` is a text or a list of messages.
    #[napi(
        ts_args_type = "messages: string | Array<ChatMessage>, options?: Omit<Chat, \"messages\"> & CallOptions",
        ts_return_type = "Promise<Answer>"
    )]
    pub fn chat<'env>(
        &self,
        env: &'env Env,
        messages: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let (router, chat) = (self.inner.clone(), request(messages, options.as_ref()));
        promise(env, options.as_ref(), async move {
            router.chat(chat?).await.map(Data)
        })
    }

    /// The same as a stream of events: `started`, `text`, `reasoning`, `tool_call`, `usage`, `finished`. A failure
    /// throws, it is never an event. The call is made when the first event is asked for.
    #[napi(
        ts_args_type = "messages: string | Array<ChatMessage>, options?: Omit<Chat, \"messages\"> & CallOptions",
        ts_return_type = "Stream"
    )]
    pub fn stream(&self, env: &Env, messages: Value, options: Option<Object<'_>>) -> Result<Stream> {
        let chat = request(messages, options.as_ref()).map_err(|error| raise(env, &error))?;
        let cancellation = crate::cancel::cancellation(env, options.as_ref())?;
        Ok(Stream {
            reading: Arc::new(Mutex::new(Reading::Asked(self.inner.clone(), Box::new(chat)))),
            cancellation,
        })
    }

    /// Which models would be tried in which order, why the others would not, and the most that it can cost. Calls
    /// nobody and holds nothing.
    #[napi(
        ts_args_type = "messages: string | Array<ChatMessage>, options?: Omit<Chat, \"messages\"> & CallOptions",
        ts_return_type = "Promise<Explanation>"
    )]
    pub fn explain<'env>(
        &self,
        env: &'env Env,
        messages: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let (router, chat) = (self.inner.clone(), request(messages, options.as_ref()));
        promise(env, options.as_ref(), async move {
            router.explain(&chat?).await.map(Data)
        })
    }

    /// The state of every model: cooling or not, blocked or not. Calls nobody.
    #[napi(
        ts_args_type = "options?: CallOptions",
        ts_return_type = "Promise<RouterStatus>"
    )]
    pub fn status<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let router = self.inner.clone();
        promise(
            env,
            options.as_ref(),
            async move { router.status().await.map(Data) },
        )
    }

    /// What the windows of these scopes have settled, provisional and held, in nano-USD.
    #[napi(
        ts_args_type = "scopes: Array<string>, options?: CallOptions",
        ts_return_type = "Promise<Array<Spend>>"
    )]
    pub fn spend<'env>(
        &self,
        env: &'env Env,
        scopes: Vec<String>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let router = self.inner.clone();
        promise(env, options.as_ref(), async move {
            router.spend(scopes).await.map(Data)
        })
    }

    /// What is left in the windows of these scopes, in nano-USD.
    #[napi(
        ts_args_type = "scopes: Array<string>, options?: CallOptions",
        ts_return_type = "Promise<Array<Remaining>>"
    )]
    pub fn remaining<'env>(
        &self,
        env: &'env Env,
        scopes: Vec<String>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let router = self.inner.clone();
        promise(env, options.as_ref(), async move {
            router.remaining(scopes).await.map(Data)
        })
    }
}

fn request(messages: Value, options: Option<&Object<'_>>) -> std::result::Result<Chat, Error> {
    let mut fields = call_value(options)?;
    fields.insert("messages".to_owned(), messages);
    input("chat", Value::Object(fields))
}

/// A stream of events, for `for await`. Broken out of or closed early, it leaves its request to `on_drop`.
#[napi]
pub struct Stream {
    reading: Arc<Mutex<Reading>>,
    cancellation: tokio_util::sync::CancellationToken,
}

enum Reading {
    Asked(nbhd_llm::Router, Box<Chat>),
    Open(Box<ChatStream>),
    Over,
}

#[napi]
impl Stream {
    /// The next event, as an iterator's result.
    #[napi(ts_return_type = "Promise<IteratorResult<StreamEvent, undefined>>")]
    pub fn next<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        if let Some(event) = self.here() {
            return PromiseRaw::resolve(env, Step(Some(event)).to_node(env)?);
        }
        let reading = Arc::clone(&self.reading);
        crate::cancel::promise_until(env, self.cancellation.clone(), async move {
            next(reading).await.map(Step)
        })
    }

    /// Ends it now.
    #[napi(
        js_name = "return",
        ts_return_type = "Promise<IteratorResult<StreamEvent, undefined>>"
    )]
    pub fn end<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let reading = Arc::clone(&self.reading);
        promise(env, None, async move {
            *reading.lock().await = Reading::Over;
            Ok(Step(None))
        })
    }

    /// Ends it now.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let reading = Arc::clone(&self.reading);
        promise(env, None, async move {
            *reading.lock().await = Reading::Over;
            Ok(())
        })
    }
}

impl Stream {
    /// The next event if it is here: it need not go through the engine.
    fn here(&self) -> Option<StreamEvent> {
        if self.cancellation.is_cancelled() {
            return None;
        }
        // Whoever waits for the lock comes first.
        let mut reading = self.reading.try_lock().ok()?;
        let Reading::Open(stream) = &mut *reading else {
            return None;
        };
        napi::bindgen_prelude::within_runtime_if_available(|| stream.next_ready())
    }
}

async fn next(reading: Arc<Mutex<Reading>>) -> std::result::Result<Option<StreamEvent>, Error> {
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
        Some(Ok(event)) => Ok(Some(event)),
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

/// One step of an iterator.
struct Step(Option<StreamEvent>);

impl ToNode for Step {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        let value = self.0.map(|event| crate::convert::output(&event)).transpose()?;
        let step = match value {
            Some(value) => serde_json::json!({ "done": false, "value": value }),
            None => serde_json::json!({ "done": true }),
        };
        crate::convert::from_value(env, step)
    }
}
