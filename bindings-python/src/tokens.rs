//! A program's own storage of tokens: an object with `load` and `save`, and `aload` and `asave` where it has them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nbhd_core::tokens::TokenStore;
use nbhd_core::{Code, Error, Result};
use pyo3::prelude::*;

use crate::callback::{self, Answer, Desk, Where, ask};
use crate::error::raise;

/// The program's storage. Its functions run on the program's threads only.
pub(crate) struct ProgramTokens {
    object: Arc<Py<PyAny>>,
    limit: Duration,
    /// Whose thread is asked; whoever makes the call where nobody is named.
    desk: Option<Arc<Desk>>,
}

impl ProgramTokens {
    /// Refuses what is no storage.
    pub(crate) fn new(object: &Bound<'_, PyAny>, seconds: f64) -> PyResult<Self> {
        let py = object.py();
        let invalid = |why: &str| raise(py, Error::new(Code::InvalidConfig, why));
        for name in ["load", "save"] {
            if !object.getattr(name).is_ok_and(|function| function.is_callable()) {
                return Err(invalid("tokens has to have the functions load and save"));
            }
        }
        let limit = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|limit| !limit.is_zero());
        let limit = limit.ok_or_else(|| invalid("tokens_timeout is a number of seconds above 0"))?;
        callback::used(py)?;
        Ok(Self {
            object: Arc::new(object.clone().unbind()),
            limit,
            desk: None,
        })
    }

    fn desk(&self) -> Option<Arc<Desk>> {
        self.desk.clone().or_else(callback::caller)
    }
}

#[async_trait]
impl TokenStore for ProgramTokens {
    async fn load(&self, provider: &str, account: &str) -> Result<Option<String>> {
        let object = Arc::clone(&self.object);
        let (provider, account) = (provider.to_owned(), account.to_owned());
        ask(
            self.desk(),
            "the program's load of a token",
            self.limit,
            move |py, place| {
                call(object.bind(py), "load", place, (provider, account), |record| {
                    record.extract()
                })
            },
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
        let object = Arc::clone(&self.object);
        let given = (
            provider.to_owned(),
            account.to_owned(),
            record.to_owned(),
            previous.map(str::to_owned),
        );
        ask(
            self.desk(),
            "the program's save of a token",
            self.limit,
            move |py, place| call(object.bind(py), "save", place, given, |saved| saved.extract()),
        )
        .await
    }

    fn bound(&self) -> Option<Arc<dyn TokenStore>> {
        Some(Arc::new(Self {
            object: Arc::clone(&self.object),
            limit: self.limit,
            desk: Some(callback::caller()?),
        }))
    }
}

/// Calls a function of the storage; on the thread of an event loop its awaitable twin where it has one.
fn call<'py, T>(
    object: &Bound<'py, PyAny>,
    name: &str,
    place: Where,
    given: impl pyo3::call::PyCallArgs<'py>,
    read: fn(&Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Answer<T>> {
    if place == Where::Loop
        && let Ok(twin) = object.getattr(format!("a{name}"))
    {
        return Ok(Answer::Later(twin.call1(given)?.unbind(), read));
    }
    read(&object.call_method1(name, given)?).map(Answer::Now)
}

impl fmt::Debug for ProgramTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgramTokens")
    }
}
