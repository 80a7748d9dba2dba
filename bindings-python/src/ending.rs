//! How the block of a worker's `with` ended.

use nbhd_core::{Code, Error};
use pyo3::prelude::*;

/// How the block of a `with` ended.
pub(crate) enum Ending {
    Done,
    Failed(Error),
    Interrupted,
}

impl Ending {
    pub(crate) fn of(
        py: Python<'_>,
        logger: &str,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        if kind.is_none() {
            return Ok(Self::Done);
        }
        if !error.is_instance_of::<pyo3::exceptions::PyException>() {
            return Ok(Self::Interrupted);
        }
        let logger = py.import("logging")?.call_method1("getLogger", (logger,))?;
        let options = pyo3::types::PyDict::new(py);
        options.set_item("exc_info", (kind, error, traceback))?;
        logger.call_method("warning", ("work failed and is tried again",), Some(&options))?;
        let code = error
            .getattr("code")
            .and_then(|code| code.extract::<String>())
            .ok();
        let code = code
            .and_then(|name| Code::from_name(&name))
            .unwrap_or(Code::Internal);
        let name = kind.getattr("__name__")?.extract::<String>()?;
        Ok(Self::Failed(Error::new(code, format!("{name}: {error}"))))
    }
}
