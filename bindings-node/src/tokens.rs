//! A program's own storage of tokens: an object with `load` and `save`, whose answers are values or promises.
//!
//! The functions run on the thread of the environment that gave them, by way of a thread-safe function; what they answer is read there,
//! and only Rust data leaves that thread.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use napi::bindgen_prelude::{CallbackContext, FnArgs, Function, JsObjectValue, Object, PromiseRaw};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, JsValue, Status, Unknown, ValueType};
use nbhd_core::tokens::TokenStore;
use nbhd_core::{Code, Error, Outcome, Result};
use tokio::sync::oneshot;

use crate::error::raise;

/// How long an answer may take, in seconds, unless the program says otherwise.
const TIMEOUT: f64 = 30.0;

type Load = FnArgs<(String, String)>;
type Save = FnArgs<(String, String, String, Option<String>)>;
/// A function of the program; it does not keep the process alive by itself.
type Asked<T> = ThreadsafeFunction<T, Unknown<'static>, T, Status, false, true>;

/// The program's storage.
pub(crate) struct ProgramTokens {
    load: Asked<Load>,
    save: Asked<Save>,
    limit: Duration,
}

impl ProgramTokens {
    /// The storage among the options of a host.
    pub(crate) fn of(env: &Env, options: &Object<'_>) -> napi::Result<Option<Arc<Self>>> {
        let Some(object) = options.get::<Object<'_>>("tokens")? else {
            return Ok(None);
        };
        let invalid = |why: &str| raise(env, &Error::new(Code::InvalidConfig, why));
        let seconds = options.get::<f64>("tokensTimeout")?.unwrap_or(TIMEOUT);
        let limit = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|limit| !limit.is_zero());
        let limit = limit.ok_or_else(|| invalid("tokensTimeout is a number of seconds above 0"))?;
        let missing = || invalid("tokens has to have the functions load and save");
        let load = bound::<Load>(&object, "load").map_err(|_| missing())?;
        let save = bound::<Save>(&object, "save").map_err(|_| missing())?;
        Ok(Some(Arc::new(Self {
            load: load
                .build_threadsafe_function::<Load>()
                .callee_handled::<false>()
                .weak::<true>()
                .build()?,
            save: save
                .build_threadsafe_function::<Save>()
                .callee_handled::<false>()
                .weak::<true>()
                .build()?,
            limit,
        })))
    }
}

/// The function of this name with its object as `this`.
fn bound<'env, T: napi::bindgen_prelude::JsValuesTupleIntoVec>(
    object: &Object<'env>,
    name: &str,
) -> napi::Result<Function<'env, T, Unknown<'static>>> {
    let method: Unknown<'env> = object.get_named_property_unchecked(name)?;
    if method.get_type()? != ValueType::Function {
        return Err(napi::Error::from_status(Status::FunctionExpected));
    }
    // A function is an object too, and this asks one for its own method.
    let method: Object<'env> = object.get_named_property_unchecked(name)?;
    let bind: Function<'env, FnArgs<(Unknown<'env>,)>, Function<'env, T, Unknown<'static>>> =
        method.get_named_property_unchecked("bind")?;
    let this = FnArgs {
        data: (object.to_unknown(),),
    };
    bind.apply(method, this)
}

#[async_trait]
impl TokenStore for ProgramTokens {
    async fn load(&self, provider: &str, account: &str) -> Result<Option<String>> {
        let given = FnArgs {
            data: (provider.to_owned(), account.to_owned()),
        };
        ask(
            &self.load,
            given,
            self.limit,
            "the program's load of a token",
            record,
        )
        .await
    }

    async fn save(
        &self,
        provider: &str,
        account: &str,
        record: &str,
        previous: Option<&str>,
    ) -> Result<bool> {
        let given = FnArgs {
            data: (
                provider.to_owned(),
                account.to_owned(),
                record.to_owned(),
                previous.map(str::to_owned),
            ),
        };
        ask(
            &self.save,
            given,
            self.limit,
            "the program's save of a token",
            saved,
        )
        .await
    }
}

/// What an answer is read as, on the thread of the environment; an error where it is something else.
type Read<T> = fn(&Unknown<'_>) -> napi::Result<T>;

fn record(value: &Unknown<'_>) -> napi::Result<Option<String>> {
    match value.get_type()? {
        ValueType::Null | ValueType::Undefined => Ok(None),
        ValueType::String => {
            // SAFETY: its type was looked at: it is a string.
            unsafe { value.cast::<String>() }.map(Some)
        }
        _ => Err(napi::Error::from_status(Status::InvalidArg)),
    }
}

fn saved(value: &Unknown<'_>) -> napi::Result<bool> {
    match value.get_type()? {
        // SAFETY: its type was looked at: it is a boolean.
        ValueType::Boolean => unsafe { value.cast::<bool>() },
        _ => Err(napi::Error::from_status(Status::InvalidArg)),
    }
}

type Reply<T> = Arc<Mutex<Option<oneshot::Sender<Result<T>>>>>;

fn send<T>(reply: &Reply<T>, answer: Result<T>) {
    if let Some(reply) = reply.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = reply.send(answer);
    }
}

/// Asks the program on its thread, and waits for its answer at most for `limit`.
async fn ask<G: 'static + napi::bindgen_prelude::JsValuesTupleIntoVec, T: Send + 'static>(
    function: &Asked<G>,
    given: G,
    limit: Duration,
    what: &'static str,
    read: Read<T>,
) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    let reply: Reply<T> = Arc::new(Mutex::new(Some(reply)));
    let status =
        function.call_with_return_value(given, ThreadsafeFunctionCallMode::NonBlocking, move |value, _| {
            // Whatever it threw is dropped here, on the thread that it belongs to.
            match value {
                Ok(value) => follow(&value, &reply, read, what),
                Err(_) => send(&reply, Err(failed(what, "it threw"))),
            }
            Ok(())
        });
    if status != Status::Ok {
        return Err(failed(what, "the program is ending"));
    }
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(failed(what, "the program is ending")),
        Err(_) => Err(failed(
            what,
            &format!("it did not answer within {} s", limit.as_secs_f64()),
        )
        .with_outcome(Outcome::Unknown)),
    }
}

/// A value is the answer; a promise is waited for.
fn follow<T: Send + 'static>(value: &Unknown<'_>, reply: &Reply<T>, read: Read<T>, what: &'static str) {
    if !value.is_promise().unwrap_or(false) {
        let answer = read(value).map_err(|_| failed(what, "its answer is of another kind"));
        send(reply, answer);
        return;
    }
    let (kept, thrown) = (Arc::clone(reply), Arc::clone(reply));
    // SAFETY: it was looked at: it is a promise.
    let followed = unsafe { value.cast::<PromiseRaw<'_, Unknown<'static>>>() }.and_then(|promise| {
        promise
            .then(move |ended: CallbackContext<Unknown<'static>>| {
                let answer = read(&ended.value).map_err(|_| failed(what, "its answer is of another kind"));
                send(&kept, answer);
                Ok(())
            })?
            .catch(move |_: CallbackContext<Unknown<'static>>| {
                send(&thrown, Err(failed(what, "its promise was rejected")));
                Ok(())
            })
    });
    if followed.is_err() {
        send(reply, Err(failed(what, "its promise cannot be followed")));
    }
}

fn failed(what: &str, why: &str) -> Error {
    Error::new(Code::StoreUnavailable, format!("{what} failed: {why}"))
}

impl fmt::Debug for ProgramTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgramTokens")
    }
}
