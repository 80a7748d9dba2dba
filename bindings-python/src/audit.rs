//! `Audited` and `Run`: an action and a run that are under way, as context managers; and what is hashed.

use std::sync::{Arc, Mutex, PoisonError};

use nbhd_core::audit::{AuditEvent, FileJournal, Journal, MemoryJournal, RunRecord};
use nbhd_core::{Code, Error};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use serde_json::Value;

use crate::convert::{Data, ToPython, input};
use crate::error::{code_of, raise};

/// Adds the classes and functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Audited>()?;
    module.add_class::<Run>()?;
    module.add_function(wrap_pyfunction!(parameters_hash, module)?)?;
    module.add_function(wrap_pyfunction!(actor_fingerprint, module)?)
}

/// Where a host's entries go: to memory, to a file where one is named, to a function where one is given.
pub(crate) struct Journals {
    pub(crate) audit: Arc<MemoryJournal<AuditEvent>>,
    pub(crate) runs: Arc<MemoryJournal<RunRecord>>,
}

impl Journals {
    /// Journals in memory; `builder` gets them, together with the files.
    pub(crate) fn install(
        builder: nbhd_core::HostBuilder,
        audit_file: Option<std::path::PathBuf>,
        runs_file: Option<std::path::PathBuf>,
        sync: bool,
        on_audit: Option<Py<PyAny>>,
    ) -> (nbhd_core::HostBuilder, Self) {
        let kept = Self {
            audit: Arc::default(),
            runs: Arc::default(),
        };
        let mut audit: Vec<Arc<dyn Journal<AuditEvent>>> = vec![kept.audit.clone()];
        let mut runs: Vec<Arc<dyn Journal<RunRecord>>> = vec![kept.runs.clone()];
        if let Some(path) = audit_file {
            audit.push(Arc::new(FileJournal::new(path).with_sync(sync)));
        }
        if let Some(path) = runs_file {
            runs.push(Arc::new(FileJournal::new(path).with_sync(sync)));
        }
        if let Some(function) = on_audit {
            audit.push(Arc::new(crate::callback::journal(function)));
        }
        let builder = builder.with_audit(Arc::new(audit)).with_runs(Arc::new(runs));
        (builder, kept)
    }
}

/// An action that is under way, as a context manager: it leaves one audit event, however the block ends.
///
/// `with host.audited("user:42", "mail.send", {"to": …}):`
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Audited(Mutex<Option<nbhd_core::audit::Audited>>);

impl Audited {
    pub(crate) fn begin(
        py: Python<'_>,
        host: &nbhd_core::Host,
        actor: &str,
        action: &str,
        parameters: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let parameters = match parameters {
            Some(given) => input::<Value>(py, "parameters", given)?,
            None => Value::Object(serde_json::Map::new()),
        };
        Ok(Self(Mutex::new(Some(host.audited(actor, action, &parameters)))))
    }
}

#[pymethods]
impl Audited {
    /// The action has ended, with this exception or well: the event is written and returned. It ends once.
    #[pyo3(signature = (error: "BaseException | None" = None) -> "AuditEvent")]
    fn end(&self, py: Python<'_>, error: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let entry = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let entry = entry.ok_or_else(|| ended(py, "an action"))?;
        let result = result(error);
        let event = py.detach(|| entry.end(&result));
        crate::callback::serve(py);
        Data(event.map_err(|error| raise(py, error))?).to_python(py)
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (kind, error, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let _ = (kind, traceback);
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if open {
            self.end(py, Some(error))?;
        }
        Ok(false)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an action under way is a handle, not data"))
    }
}

/// A run that is under way, as a context manager: it leaves a record when it begins and when it ends, whichever way.
///
/// `with host.run("brief", "nightly") as run:`
#[pyclass(frozen, module = "nbhd")]
pub(crate) struct Run(Mutex<Option<nbhd_core::audit::Run>>, String);

impl Run {
    pub(crate) fn begin(
        py: Python<'_>,
        host: &nbhd_core::Host,
        project: &str,
        action: &str,
    ) -> PyResult<Self> {
        let run = py
            .detach(|| host.run(project, action))
            .map_err(|error| raise(py, error))?;
        let id = run.id().to_owned();
        Ok(Self(Mutex::new(Some(run)), id))
    }
}

#[pymethods]
impl Run {
    /// Its id.
    #[getter]
    fn id(&self) -> &str {
        &self.1
    }

    /// It made something that is kept at `path`.
    fn add_artifact(&self, py: Python<'_>, path: std::path::PathBuf) -> PyResult<()> {
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = run.as_mut().ok_or_else(|| ended(py, "a run"))?;
        run.add_artifact(&path.to_string_lossy());
        Ok(())
    }

    /// It has ended, with this exception or well: the record is written and returned. It ends once.
    #[pyo3(signature = (error: "BaseException | None" = None) -> "RunRecord")]
    fn end(&self, py: Python<'_>, error: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let run = run.ok_or_else(|| ended(py, "a run"))?;
        let result = result(error);
        let record = py.detach(|| run.end(&result));
        Data(record.map_err(|error| raise(py, error))?).to_python(py)
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (kind, error, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let _ = (kind, traceback);
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if open {
            self.end(py, Some(error))?;
        }
        Ok(false)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a run under way is a handle, not data"))
    }
}

/// SHA-256 of the canonical JSON of `parameters`, as 64 hexadecimal digits: the order of names does not count.
#[pyfunction]
#[pyo3(signature = (parameters: "Any"))]
fn parameters_hash(py: Python<'_>, parameters: &Bound<'_, PyAny>) -> PyResult<String> {
    let parameters: Value = input(py, "parameters", parameters)?;
    Ok(nbhd_core::audit::parameters_hash(&parameters))
}

/// How an actor is named in audit events: the same actor always has the same name.
#[pyfunction]
fn actor_fingerprint(actor: &str) -> String {
    nbhd_core::audit::actor_fingerprint(actor)
}

/// How a block ended: well, with the code of the exception, or by going away.
fn result(error: Option<&Bound<'_, PyAny>>) -> Result<(), Error> {
    let Some(error) = error.filter(|error| !error.is_none()) else {
        return Ok(());
    };
    Err(Error::new(code_of(error), "the block raised"))
}

fn ended(py: Python<'_>, what: &str) -> PyErr {
    raise(
        py,
        Error::new(Code::InvalidState, format!("{what} ends once, and it has ended")),
    )
}
