//! Data across the border: serde on one side, plain dicts and lists on the other.

use nbhd_core::{Code, Error};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use crate::error::raise;

/// What can be handed to Python. Runs on a Python thread, after the work is done.
pub(crate) trait ToPython {
    /// The Python value.
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

/// Plain data: any serde type, as dicts, lists, strings and numbers.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: Serialize> ToPython for Data<T> {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let value = serde_json::to_value(&self.0).map_err(|error| {
            raise(
                py,
                Error::new(Code::Internal, format!("a result has no JSON form: {error}")),
            )
        })?;
        from_value(py, &value)
    }
}

impl ToPython for () {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.None())
    }
}

impl<T: ToPython> ToPython for Option<T> {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.map_or_else(|| Ok(py.None()), |value| value.to_python(py))
    }
}

/// A page: a list that also knows its receipt and its next page.
impl<T: Serialize> ToPython for nbhd_core::page::Page<T> {
    fn to_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let items = Data(self.items).to_python(py)?;
        let receipt = Data(self.receipt).to_python(py)?;
        let class = py.import("nbhd._data")?.getattr("Page")?;
        Ok(class.call1((items, receipt, self.next_page_token))?.unbind())
    }
}

/// A Python value as the input type of a call. What does not fit is `invalid_input` and says what is known.
pub(crate) fn input<T: DeserializeOwned>(
    py: Python<'_>,
    what: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<T> {
    let value = to_value(value).map_err(|reason| raise(py, invalid(what, &reason)))?;
    serde_json::from_value(value).map_err(|error| raise(py, invalid(what, &error.to_string())))
}

fn invalid(what: &str, reason: &str) -> Error {
    Error::new(Code::InvalidInput, format!("{what}: {reason}"))
}

/// A JSON value as Python sees it.
pub(crate) fn from_value(py: Python<'_>, value: &Value) -> PyResult<Py<PyAny>> {
    match value {
        Value::Null => Ok(py.None()),
        Value::Bool(flag) => flag.into_py_any(py),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into_py_any(py),
            (None, Some(integer)) => integer.into_py_any(py),
            (None, None) => number.as_f64().into_py_any(py),
        },
        Value::String(text) => text.into_py_any(py),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(from_value(py, item)?)?;
            }
            list.into_py_any(py)
        }
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            for (name, field) in fields {
                dict.set_item(name, from_value(py, field)?)?;
            }
            dict.into_py_any(py)
        }
    }
}

/// How deep an input may be nested: more than any request needs, less than the stack holds.
const DEPTH: usize = 64;

pub(crate) fn to_value(value: &Bound<'_, PyAny>) -> Result<Value, String> {
    to_value_within(value, DEPTH)
}

fn to_value_within(value: &Bound<'_, PyAny>, depth: usize) -> Result<Value, String> {
    if depth == 0 {
        return Err(format!("nested deeper than {DEPTH} levels"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return match value.extract::<i64>() {
            Ok(integer) => Ok(integer.into()),
            Err(_) => value
                .extract::<u64>()
                .map(Value::from)
                .map_err(|_| "a number is too large".to_owned()),
        };
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return Number::from_f64(float.value())
            .map(Value::Number)
            .ok_or_else(|| "a number is not finite".to_owned());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return text
            .to_str()
            .map(Value::from)
            .map_err(|_| "a text is not valid Unicode".to_owned());
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let mut fields = Map::new();
        for (name, field) in dict.iter() {
            let name: String = name.extract().map_err(|_| "a key is not a text".to_owned())?;
            let field = to_value_within(&field, depth - 1).map_err(|reason| format!("{name}: {reason}"))?;
            fields.insert(name, field);
        }
        return Ok(Value::Object(fields));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter().map_err(|error| error.to_string())?;
        return items
            .map(|item| to_value_within(&item.map_err(|error| error.to_string())?, depth - 1))
            .collect::<Result<_, _>>()
            .map(Value::Array);
    }
    if value.is_instance_of::<PyBytes>() {
        return Err("bytes are not data: pass text".to_owned());
    }
    if let Ok(text) = value.call_method0("isoformat") {
        return text
            .extract::<String>()
            .map(Value::from)
            .map_err(|error| error.to_string());
    }
    let kind = value
        .get_type()
        .name()
        .map_or_else(|_| "a value".to_owned(), |name| name.to_string());
    Err(format!("{kind} is not plain data"))
}

/// The keyword arguments of a call as its input type; none at all is its default.
pub(crate) fn options<T: DeserializeOwned>(
    py: Python<'_>,
    what: &str,
    given: Option<&Bound<'_, PyDict>>,
) -> PyResult<T> {
    let empty = PyDict::new(py);
    let given = given.unwrap_or(&empty);
    // `None` means: not given.
    let kept = PyDict::new(py);
    for (name, value) in given.iter().filter(|(_, value)| !value.is_none()) {
        kept.set_item(name, value)?;
    }
    input(py, what, kept.as_any())
}
