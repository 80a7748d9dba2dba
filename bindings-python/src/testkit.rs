//! `nbhd.testkit`: a clock that stands still, scripts, and stand-ins with faults, so that users test their own code.

use std::sync::Arc;

use nbhd_core::clock::FakeClock;
use nbhd_core::{Code, Error};
use pyo3::prelude::*;

use crate::convert::{Data, ToPython, input};
use crate::error::raise;

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Clock>()?;
    module.add_class::<Script>()
}

/// A clock that stands still until it is moved; a wait moves it and returns at once. `Clock("2026-11-21T08:00:00Z")`.
#[pyclass(frozen, module = "nbhd.testkit")]
pub(crate) struct Clock(Arc<FakeClock>);

impl Clock {
    pub(crate) fn inner(&self) -> Arc<FakeClock> {
        Arc::clone(&self.0)
    }
}

#[pymethods]
impl Clock {
    #[new]
    fn new(py: Python<'_>, start: &str) -> PyResult<Self> {
        let start = start.parse().map_err(|_| {
            raise(
                py,
                Error::new(
                    Code::InvalidInput,
                    "the start of a clock is a time in ISO 8601 with its offset",
                ),
            )
        })?;
        Ok(Self(Arc::new(FakeClock::at(start))))
    }

    /// Moves the clock ahead by `seconds`.
    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let duration = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| {
            raise(
                py,
                Error::new(Code::InvalidInput, "a clock moves ahead by a number of seconds"),
            )
        })?;
        self.0.advance(duration);
        Ok(())
    }

    /// What it shows, ISO 8601.
    fn now(&self) -> String {
        nbhd_core::Clock::now(&*self.0).to_rfc3339()
    }
}

/// A server that plays the `http` list of a conformance case, in order, and reports what did not match.
#[pyclass(frozen, module = "nbhd.testkit")]
pub(crate) struct Script(Arc<nbhd_core::testkit::Script>, nbhd_core::testkit::Server);

#[pymethods]
impl Script {
    #[new]
    fn new(py: Python<'_>, http: &Bound<'_, PyAny>) -> PyResult<Self> {
        let http: serde_json::Value = input(py, "http", http)?;
        let script = nbhd_core::testkit::Script::new(&http)
            .map(Arc::new)
            .map_err(|error| raise(py, error))?;
        let server = nbhd_core::testkit::Server::start(script.clone()).map_err(|error| raise(py, error))?;
        Ok(Self(script, server))
    }

    /// Where it answers.
    #[getter]
    fn url(&self) -> String {
        self.1.url().to_string()
    }

    /// What did not match, in sentences; empty when everything was asked as written and to the end.
    fn finish(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Data(self.0.finish().err().unwrap_or_default()).to_python(py)
    }
}
