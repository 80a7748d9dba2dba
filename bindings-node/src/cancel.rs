//! The one door from JavaScript into Rust: a promise that an `AbortSignal` cancels and that rejects with a rich error.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use napi::bindgen_prelude::{JsObjectValue, Object, PromiseRaw, Result};
use napi::{Env, JsValue, Unknown};
use nbhd_core::{Code, Error};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::convert::{ToNode, input};
use crate::error::{aborted, raise};

/// Runs `work` and returns a promise of its result. `options.signal` cancels it, also when it is aborted already.
pub(crate) fn promise<'env, T, F>(
    env: &'env Env,
    options: Option<&Object<'_>>,
    work: F,
) -> Result<PromiseRaw<'env, Unknown<'env>>>
where
    T: ToNode + Send + 'static,
    F: Future<Output = std::result::Result<T, Error>> + Send + 'static,
{
    promise_until(env, cancellation(env, options)?, work)
}

/// The cancellation that `options.signal` sets off.
pub(crate) fn cancellation(env: &Env, options: Option<&Object<'_>>) -> Result<CancellationToken> {
    let cancellation = CancellationToken::new();
    watch(env, options, &cancellation)?;
    Ok(cancellation)
}

/// The same under a cancellation that is there already.
pub(crate) fn promise_until<'env, T, F>(
    env: &'env Env,
    cancellation: CancellationToken,
    work: F,
) -> Result<PromiseRaw<'env, Unknown<'env>>>
where
    T: ToNode + Send + 'static,
    F: Future<Output = std::result::Result<T, Error>> + Send + 'static,
{
    let guarded = async move {
        let ended = AssertUnwindSafe(async move {
            tokio::select! {
                biased;
                () = cancellation.cancelled() => None,
                result = work => Some(result),
            }
        })
        .catch_unwind()
        .await;
        Ok(ended.unwrap_or_else(|_| Some(Err(panicked()))))
    };
    env.spawn_future_with_callback(guarded, |env, ended| match ended {
        Some(Ok(value)) => value.to_node(env),
        Some(Err(error)) => Err(raise(env, &error)),
        None => Err(aborted(env)),
    })
}

/// What every caught panic becomes.
pub(crate) fn panicked() -> Error {
    Error::new(Code::Internal, "a fault inside nbhd was caught at its door")
}

fn watch(env: &Env, options: Option<&Object<'_>>, cancellation: &CancellationToken) -> Result<()> {
    let Some(options) = options else { return Ok(()) };
    let Some(signal) = options.get::<Object<'_>>("signal")? else {
        return Ok(());
    };
    // A signal that was aborted before the call never fires its event.
    if signal.get::<bool>("aborted")? == Some(true) {
        cancellation.cancel();
        return Ok(());
    }
    let token = cancellation.clone();
    let listener = env.create_function_from_closure::<(), (), _>("abort", move |_| {
        token.cancel();
        Ok(())
    })?;
    let add: napi::bindgen_prelude::Function<
        '_,
        napi::bindgen_prelude::FnArgs<(&str, Unknown<'_>)>,
        Unknown<'_>,
    > = signal.get_named_property_unchecked("addEventListener")?;
    add.apply(
        signal,
        napi::bindgen_prelude::FnArgs {
            data: ("abort", listener.to_unknown()),
        },
    )?;
    Ok(())
}

/// The fields of an options object but `signal`, as JSON.
pub(crate) fn call_value(
    options: Option<&Object<'_>>,
) -> std::result::Result<serde_json::Map<String, Value>, Error> {
    let mut fields = serde_json::Map::new();
    let Some(options) = options else { return Ok(fields) };
    let refused =
        |error: napi::Error| Error::new(Code::InvalidInput, format!("the options: {}", error.reason));
    for name in Object::keys(options).map_err(refused)? {
        if name == "signal" {
            continue;
        }
        // `undefined` means: not given.
        if let Some(value) = options.get::<Value>(&name).map_err(refused)? {
            fields.insert(name, value);
        }
    }
    Ok(fields)
}

/// An options object as the input type of a call.
pub(crate) fn call_options<T: DeserializeOwned + JsonSchema + 'static>(
    what: &str,
    options: Option<&Object<'_>>,
) -> std::result::Result<T, Error> {
    input(what, Value::Object(call_value(options)?))
}
