//! The outbox: what is to be sent, and what became of it. A channel sends; this looks and decides.

#![expect(
    clippy::too_many_arguments,
    reason = "each is a parameter of the call in JavaScript"
)]

use napi::bindgen_prelude::{Object, PromiseRaw, Result};
use napi::{Env, Unknown};
use napi_derive::napi;
use nbhd_core::outbox::NewIntent;
use serde_json::Value;

use crate::cancel::promise;
use crate::convert::{Data, input, whole};
use crate::core::Host;

#[napi]
impl Host {
    /// What is to be sent, and what became of it.
    #[napi(getter)]
    pub fn outbox(&self) -> Outbox {
        Outbox {
            inner: nbhd_core::outbox::Outbox::new(&self.inner),
        }
    }

    /// How far ahead the store's clock is, in seconds, when it stepped ahead of more than an hour while this process
    /// runs; `null` otherwise. Then the store's time goes on as it did until `confirmClock`.
    #[napi]
    pub fn clock_ahead(&self) -> Option<f64> {
        self.inner.clock_ahead().map(|ahead| ahead.as_secs_f64())
    }

    /// Believes a clock that stepped ahead: for somebody who has looked.
    #[napi]
    pub fn confirm_clock(&self) {
        self.inner.confirm_clock();
    }
}

/// Send intents: stored before anything is dispatched, resumed at the part that is missing, never sent blindly twice.
#[napi]
pub struct Outbox {
    inner: nbhd_core::outbox::Outbox,
}

#[napi]
impl Outbox {
    /// Stores an intent without sending it. `intent` is what a channel's `intent` returned.
    #[napi(
        ts_args_type = "intent: NewIntent, options?: CallOptions",
        ts_return_type = "Promise<Intent>"
    )]
    pub fn plan<'env>(
        &self,
        env: &'env Env,
        intent: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let outbox = self.inner.clone();
        let intent = input::<NewIntent>("intent", intent);
        promise(env, options.as_ref(), async move {
            outbox.plan(intent?).await.map(Data)
        })
    }

    /// The intent under a key, which lives within channel and account; `null` when there is none.
    #[napi(
        ts_args_type = "channel: string, account: string, key: string, options?: CallOptions",
        ts_return_type = "Promise<Intent | null>"
    )]
    pub fn get<'env>(
        &self,
        env: &'env Env,
        channel: String,
        account: String,
        key: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let outbox = self.inner.clone();

        promise(env, options.as_ref(), async move {
            Ok(outbox.get(&channel, &account, &key).await?.map(Data))
        })
    }

    /// Cancels the parts that are not begun. What is being sent, or was, stays as it is.
    #[napi(
        ts_args_type = "channel: string, account: string, key: string, options?: CallOptions",
        ts_return_type = "Promise<Intent>"
    )]
    pub fn cancel<'env>(
        &self,
        env: &'env Env,
        channel: String,
        account: String,
        key: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let outbox = self.inner.clone();

        promise(env, options.as_ref(), async move {
            outbox.cancel(&channel, &account, &key).await.map(Data)
        })
    }

    /// Makes refused parts pending, for somebody who knows that the reason is gone.
    #[napi(
        ts_args_type = "channel: string, account: string, key: string, options?: CallOptions",
        ts_return_type = "Promise<Intent>"
    )]
    pub fn retry_refused<'env>(
        &self,
        env: &'env Env,
        channel: String,
        account: String,
        key: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let outbox = self.inner.clone();

        promise(env, options.as_ref(), async move {
            outbox.retry_refused(&channel, &account, &key).await.map(Data)
        })
    }

    /// Settles an unknown part that the platform's own history shows to have arrived, with what it gave for it.
    #[napi(
        ts_args_type = "channel: string, account: string, key: string, index: number, result: unknown, options?: CallOptions",
        ts_return_type = "Promise<Intent>"
    )]
    pub fn prove_sent<'env>(
        &self,
        env: &'env Env,
        channel: String,
        account: String,
        key: String,
        index: u32,
        result: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let outbox = self.inner.clone();

        promise(env, options.as_ref(), async move {
            outbox
                .prove_sent(&channel, &account, &key, index as usize, whole(result))
                .await
                .map(Data)
        })
    }

    /// Intents whose next part can be sent now, at most `limit` (100).
    #[napi(
        ts_args_type = "limit?: number, options?: CallOptions",
        ts_return_type = "Promise<Array<Intent>>"
    )]
    pub fn undelivered<'env>(
        &self,
        env: &'env Env,
        limit: Option<u32>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let outbox = self.inner.clone();
        let limit = limit.unwrap_or(100) as usize;
        promise(env, options.as_ref(), async move {
            outbox.undelivered(limit).await.map(Data)
        })
    }

    /// Makes unknown what somebody left `sending` whose lease has ended, of at most `limit` (100) intents; those intents.
    #[napi(
        ts_args_type = "limit?: number, options?: CallOptions",
        ts_return_type = "Promise<Array<Intent>>"
    )]
    pub fn expire<'env>(
        &self,
        env: &'env Env,
        limit: Option<u32>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let outbox = self.inner.clone();
        let limit = limit.unwrap_or(100) as usize;
        promise(env, options.as_ref(), async move {
            outbox.expire(limit).await.map(Data)
        })
    }
}
