//! `testkit`: a clock that stands still, scripts, and stand-ins with faults, so that users test their own code.

use std::sync::Arc;

use napi::{Env, Result};
use napi_derive::napi;
use nbhd_core::clock::FakeClock;
use nbhd_core::{Code, Error};
use serde_json::Value;

use crate::error::raise;

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
            raise(env, &Error::new(Code::InvalidInput, "the start of a clock is a time in ISO 8601 with its offset"))
        })?;
        Ok(Self { inner: Arc::new(FakeClock::at(start)) })
    }

    /// Moves the clock ahead by `seconds`.
    #[napi]
    pub fn advance(&self, env: &Env, seconds: f64) -> Result<()> {
        let duration = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| {
            raise(env, &Error::new(Code::InvalidInput, "a clock moves ahead by a number of seconds"))
        })?;
        self.inner.advance(duration);
        Ok(())
    }

    /// What it shows, ISO 8601.
    #[napi]
    pub fn now(&self) -> String {
        nbhd_core::Clock::now(&*self.inner).to_rfc3339()
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
        let script =
            nbhd_core::testkit::Script::new(&http).map(Arc::new).map_err(|error| raise(env, &error))?;
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
