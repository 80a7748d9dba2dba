//! Limits, and the gates for messages to people.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{ClassInstance, JavaScriptClassExt, Object, PromiseRaw, Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use nbhd_core::limit::{Limit, Ticket as CoreTicket};
use nbhd_core::{Code, Error};
use serde_json::Value;

use crate::cancel::promise;
use crate::convert::{ToNode, input, whole};
use crate::core::Host;
use crate::error::raise;

/// Says yes or no to several limits together: `new Limits(host)` counts in the store, for all processes that share it;
/// `new Limits(host, { local: true })` in this one, with the same answers.
#[napi]
pub struct Limits {
    inner: Arc<dyn nbhd_core::limit::Limits>,
}

#[napi]
impl Limits {
    #[napi(constructor, ts_args_type = "host: Host, options?: { local?: boolean }")]
    pub fn new(host: ClassInstance<'_, Host>, options: Option<Object<'_>>) -> Result<Self> {
        let local = match &options {
            Some(options) => options.get::<bool>("local")?.unwrap_or_default(),
            None => false,
        };
        Ok(Self {
            inner: if local {
                Arc::new(nbhd_core::limit::LocalLimits::new(&host.inner))
            } else {
                Arc::new(nbhd_core::limit::StoreLimits::new(&host.inner))
            },
        })
    }

    /// Takes of all `limits`, or of none: refused with `rate_limited`, `retryAfter` and, in `details`, the first limit that
    /// is used up. At most `units` at once, which come back evenly over `per` seconds.
    #[napi(
        ts_args_type = "limits: Array<Limit>, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn take<'env>(
        &self,
        env: &'env Env,
        limits: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let counted = Arc::clone(&self.inner);
        let limits = input::<Vec<Limit>>("limits", limits);
        promise(env, options.as_ref(), async move { counted.take(&limits?).await })
    }
}

/// At most one alert per check and recipient in a while (half an hour), counted from when it was sent.
#[napi]
pub struct AlertGate {
    inner: nbhd_core::limit::AlertGate,
}

#[napi]
impl AlertGate {
    #[napi(constructor, ts_args_type = "host: Host, options?: { interval?: number }")]
    pub fn new(env: &Env, host: ClassInstance<'_, Host>, options: Option<Object<'_>>) -> Result<Self> {
        let mut gate = nbhd_core::limit::AlertGate::new(&host.inner);
        if let Some(options) = &options
            && let Some(interval) = options.get::<f64>("interval")?
        {
            let interval = Duration::try_from_secs_f64(interval).map_err(|_| {
                let message = "`interval` is a time in seconds, 0 or more";
                raise(env, &Error::new(Code::InvalidInput, message))
            })?;
            gate = gate.with_interval(interval);
        }
        Ok(Self { inner: gate })
    }

    /// A ticket to send an alert of `check` to `recipient`; `null` when one was sent not long ago, or is being sent.
    #[napi(
        ts_args_type = "check: string, recipient: string, options?: CallOptions",
        ts_return_type = "Promise<Ticket | null>"
    )]
    pub fn begin<'env>(
        &self,
        env: &'env Env,
        check: String,
        recipient: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let gate = self.inner.clone();

        promise(env, options.as_ref(), async move {
            Ok(gate.begin(&check, &recipient).await?.map(Ticket::new))
        })
    }
}

/// Tells a state only when it is another one than was told last.
#[napi]
pub struct StateGate {
    inner: nbhd_core::limit::StateGate,
}

#[napi]
impl StateGate {
    #[napi(constructor)]
    pub fn new(host: ClassInstance<'_, Host>) -> Self {
        Self {
            inner: nbhd_core::limit::StateGate::new(&host.inner),
        }
    }

    /// A ticket to tell `state` under `name`; `null` when the state that was told last has the same canonical hash, or
    /// somebody is telling just now.
    #[napi(
        ts_args_type = "name: string, state: unknown, options?: CallOptions",
        ts_return_type = "Promise<Ticket | null>"
    )]
    pub fn begin<'env>(
        &self,
        env: &'env Env,
        name: String,
        state: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let (gate, state) = (self.inner.clone(), whole(state));
        promise(env, options.as_ref(), async move {
            Ok(gate.begin(&name, &state).await?.map(Ticket::new))
        })
    }
}

/// The right to send one message. Without a word, the gate opens again when its lease ends.
#[napi]
pub struct Ticket {
    inner: Arc<CoreTicket>,
}

impl Ticket {
    fn new(ticket: CoreTicket) -> Self {
        Self {
            inner: Arc::new(ticket),
        }
    }
}

impl ToNode for Ticket {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        Ok(self.into_instance(env)?.as_object(env).to_unknown())
    }
}

#[napi]
impl Ticket {
    /// The message was sent: the gate closes.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn sent<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let ticket = Arc::clone(&self.inner);

        promise(env, None, async move { ticket.sent().await })
    }

    /// The message was not sent: the gate stays open for the next.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn failed<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let ticket = Arc::clone(&self.inner);

        promise(env, None, async move { ticket.failed().await })
    }
}
