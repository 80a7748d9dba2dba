//! Errors as `NbhdError` objects, with every field of the error.

use std::cell::RefCell;

use napi::bindgen_prelude::{FnArgs, Function, FunctionRef, Result};
use napi::{Env, Status, Unknown};
use napi_derive::napi;
use nbhd_core::Error;
use serde_json::Value;

use crate::convert::camel_error;

thread_local! {
    // Node runs one environment per thread; a plugin that loads the addon again sets it again.
    static MAKE: RefCell<Option<FunctionRef<FnArgs<(Value,)>, Unknown<'static>>>> = const { RefCell::new(None) };
}

/// Sets what makes an error object from its data; `index.js` calls it when it loads the addon.
#[napi(js_name = "_setErrorFactory", skip_typescript)]
pub fn set_error_factory(make: Function<'_, FnArgs<(Value,)>, Unknown<'static>>) -> Result<()> {
    let kept = make.create_ref()?;
    MAKE.with_borrow_mut(|slot| *slot = Some(kept));
    Ok(())
}

/// The JavaScript error for `error`.
pub(crate) fn raise(env: &Env, error: &Error) -> napi::Error {
    make(env, camel_error(error)).unwrap_or_else(|failure| failure)
}

/// The `AbortError` of a cancelled call.
pub(crate) fn aborted(env: &Env) -> napi::Error {
    make(env, Value::Null).unwrap_or_else(|failure| failure)
}

fn make(env: &Env, data: Value) -> Result<napi::Error> {
    MAKE.with_borrow(|slot| {
        let Some(factory) = slot else {
            return Err(napi::Error::new(
                Status::GenericFailure,
                "load nbhd through its index.js",
            ));
        };
        let made = factory.borrow_back(env)?.call(FnArgs { data: (data,) })?;
        Ok(napi::Error::from_unknown_without_coercion(made))
    })
}
