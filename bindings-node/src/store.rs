//! The program's own records in the store, as it reads them.

use std::sync::Arc;

use napi::bindgen_prelude::{Object, PromiseRaw, Result};
use napi::{Env, Unknown};
use napi_derive::napi;
use nbhd_core::store::Range;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cancel::{call_options, promise};
use crate::convert::Data;
use crate::core::Host;

#[napi]
impl Host {
    /// The program's own records in the store.
    #[napi(getter)]
    pub fn store(&self) -> Store {
        Store {
            inner: Arc::clone(self.inner.store()),
        }
    }

    /// The names and addresses that the program trusts in its private network.
    #[napi(getter)]
    pub fn private_hosts(&self) -> Vec<String> {
        let rules = self.inner.private_hosts();
        rules.iter().map(ToString::to_string).collect()
    }
}

/// What `work.commitWith` wrote, read again.
#[napi]
pub struct Store {
    inner: Arc<dyn nbhd_core::store::Store>,
}

#[napi]
impl Store {
    /// The live record under `key`; `null` when there is none.
    #[napi(
        ts_args_type = "key: string, options?: CallOptions",
        ts_return_type = "Promise<StoreRecord | null>"
    )]
    pub fn get<'env>(
        &self,
        env: &'env Env,
        key: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let store = Arc::clone(&self.inner);
        promise(env, options.as_ref(), async move {
            Ok(store.get(&key).await?.map(Data))
        })
    }

    /// The sum under `key`; 0 when nothing was ever added.
    #[napi(
        ts_args_type = "key: string, options?: CallOptions",
        ts_return_type = "Promise<number>"
    )]
    pub fn sum<'env>(
        &self,
        env: &'env Env,
        key: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let store = Arc::clone(&self.inner);
        promise(
            env,
            options.as_ref(),
            async move { store.sum(&key).await.map(Data) },
        )
    }

    /// The entries of `index` whose score is at most `upTo`, lowest first, at most `limit` (100).
    #[napi(
        ts_args_type = "index: string, options?: { upTo?: number; limit?: number } & CallOptions",
        ts_return_type = "Promise<Array<StoreEntry>>"
    )]
    pub fn scan<'env>(
        &self,
        env: &'env Env,
        index: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let scan = call_options::<Scan>("scan", options.as_ref());
        let store = Arc::clone(&self.inner);
        promise(env, options.as_ref(), async move {
            let Scan { up_to, limit } = scan?;
            let range = Range::up_to(up_to.unwrap_or(i64::MAX), limit.unwrap_or(100));
            store.scan(&index, range).await.map(Data)
        })
    }
}

/// The options of `scan`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Scan {
    up_to: Option<i64>,
    limit: Option<usize>,
}
