//! Windows of time and the exposure of listeners: pure functions.

use napi::bindgen_prelude::Result;
use napi::{Env, Unknown};
use napi_derive::napi;
use nbhd_core::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::convert::{Data, ToNode, input};
use crate::error::raise;

/// From where a window is seen.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Seen {
    now: Timestamp,
    time_zone: Option<String>,
    value: Option<String>,
}

/// The two ends of a window such as `today`, `last_7_days`, `since:2026-01-01`, or of a kind and its value (`last_n_days`, `7`).
///
/// `now` is the present, with its offset; it is never read. The ends are in `timeZone`, each with its own offset.
#[napi(
    ts_args_type = "window: string, options: { now: string; timeZone?: string; value?: string }",
    ts_return_type = "WindowSpan"
)]
pub fn resolve_window<'env>(env: &'env Env, window: String, options: Value) -> Result<Unknown<'env>> {
    let span = input::<Seen>("options", options)
        .and_then(|seen| {
            let zone = seen.time_zone.as_deref().unwrap_or("UTC");
            nbhd_core::window::resolve(&window, seen.value.as_deref(), seen.now, zone)
        })
        .map_err(|error| raise(env, &error))?;
    Data(span).to_node(env)
}

/// The release of the IANA time zone database that is compiled in, such as `2025b`.
#[napi]
pub fn time_zone_version() -> String {
    nbhd_core::window::TIME_ZONE_VERSION.to_owned()
}

/// Who can reach a listener on this address, with a port or without: `loopback`, `private` (one's own tailnet) or `public`.
#[napi(ts_return_type = "Exposure")]
pub fn listener_exposure<'env>(env: &'env Env, address: String) -> Result<Unknown<'env>> {
    let exposure = nbhd_core::listener::listener_exposure(&address).map_err(|error| raise(env, &error))?;
    Data(exposure).to_node(env)
}
