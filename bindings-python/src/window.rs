//! Windows of time and the exposure of listeners: pure functions.

use nbhd_core::Timestamp;
use pyo3::prelude::*;

use crate::convert::{Data, ToPython, input};
use crate::error::raise;

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(resolve_window, module)?)?;
    module.add_function(wrap_pyfunction!(time_zone_version, module)?)?;
    module.add_function(wrap_pyfunction!(listener_exposure, module)?)
}

/// The two ends of a window such as `today`, `last_7_days`, `since:2026-01-01`, or of a kind and its value (`last_n_days`, `7`).
///
/// `now` is the present, with its offset; it is never read. The ends are in `time_zone`, each with its own offset.
#[pyfunction]
#[pyo3(signature = (window, *, now: "str | datetime", time_zone = "UTC", value = None) -> "WindowSpan")]
fn resolve_window(
    py: Python<'_>,
    window: &str,
    now: &Bound<'_, PyAny>,
    time_zone: &str,
    value: Option<&str>,
) -> PyResult<Py<PyAny>> {
    let now: Timestamp = input(py, "now", now)?;
    let span = nbhd_core::window::resolve(window, value, now, time_zone).map_err(|error| raise(py, error))?;
    Data(span).to_python(py)
}

/// The release of the IANA time zone database that is compiled in, such as `2025b`.
#[pyfunction]
fn time_zone_version() -> &'static str {
    nbhd_core::window::TIME_ZONE_VERSION
}

/// Who can reach a listener on this address, with a port or without: `loopback`, `private` (one's own tailnet) or `public`.
#[pyfunction]
#[pyo3(signature = (address) -> "Exposure")]
fn listener_exposure(py: Python<'_>, address: &str) -> PyResult<Py<PyAny>> {
    let exposure = nbhd_core::listener::listener_exposure(address).map_err(|error| raise(py, error))?;
    Data(exposure).to_python(py)
}
