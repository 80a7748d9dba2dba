//! Errors as exceptions: one class per code, generated in `nbhd/errors.py`, with every field of the error.

use nbhd_core::{Code, Error};
use pyo3::prelude::*;

use crate::convert::{Data, ToPython};

/// The exception for `error`.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    exception(py, &error).unwrap_or_else(|failure| failure)
}

/// The code that an exception of the program tells: its own where it has one, by its class where it has none.
pub(crate) fn code_of(error: &Bound<'_, PyAny>) -> Code {
    let told = error
        .getattr("code")
        .and_then(|code| code.extract::<String>())
        .ok()
        .and_then(|name| Code::from_name(&name));
    match told {
        Some(code) => code,
        None if error.is_instance_of::<pyo3::exceptions::PyException>() => Code::Internal,
        None => Code::Cancelled,
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let mut data = serde_json::to_value(error.to_data()).unwrap_or_default();
    if let Some(receipt) = error.receipt() {
        data["receipt"] = serde_json::to_value(receipt).unwrap_or_default();
    }
    let module = py.import("nbhd.errors")?;
    let class = match error.code() {
        Code::Cancelled => module.getattr("NbhdError")?,
        code => module.getattr("BY_CODE")?.get_item(code.name())?,
    };
    Ok(PyErr::from_value(class.call1((Data(data).to_python(py)?,))?))
}
