//! The assistant brief: pure functions.

use nbhd_google::brief::{BriefInput, Fetched};
use pyo3::prelude::*;

use crate::convert::{Data, ToPython, input};
use crate::error::raise;

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(build_brief, module)?)?;
    module.add_function(wrap_pyfunction!(validate_brief, module)?)?;
    module.add_function(wrap_pyfunction!(render_brief, module)?)
}

/// A brief from what was fetched: inbox, calendar, action items with their sources. Deterministic.
#[pyfunction]
#[pyo3(signature = (fetched: "BriefInput") -> "Brief")]
fn build_brief(py: Python<'_>, fetched: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let fetched: BriefInput = input(py, "fetched", fetched)?;
    let brief = nbhd_google::brief::build(&fetched).map_err(|error| raise(py, error))?;
    Data(brief).to_python(py)
}

/// A model's answer as a brief, when it claims nothing that was not fetched; else `InvalidInput` with every problem.
///
/// `references` are the sources that were fetched, such as `gmail:18c1` and `gcal:abc`.
#[pyfunction]
#[pyo3(signature = (answer, references) -> "Brief")]
fn validate_brief(py: Python<'_>, answer: &str, references: Vec<String>) -> PyResult<Py<PyAny>> {
    let fetched = references.into_iter().fold(Fetched::new(), Fetched::with_ref);
    let brief =
        nbhd_google::brief::validate(answer, &fetched).map_err(|problems| raise(py, problems.into()))?;
    Data(brief).to_python(py)
}

/// A brief as Markdown.
#[pyfunction]
#[pyo3(signature = (brief: "Brief"))]
fn render_brief(py: Python<'_>, brief: &Bound<'_, PyAny>) -> PyResult<String> {
    let brief: nbhd_google::brief::Brief = input(py, "brief", brief)?;
    Ok(brief.to_markdown())
}
