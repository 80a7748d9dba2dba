//! `Audited` and `Run`: an action and a run that are under way; and what is hashed.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Function, Object, Result};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, Unknown, ValueType};
use napi_derive::napi;
use nbhd_core::audit::{AuditEvent, CallbackJournal, FileJournal, Journal, MemoryJournal, RunRecord};
use nbhd_core::{Code, Error};
use serde_json::Value;

use crate::convert::{Data, ToNode, output, whole};
use crate::error::raise;

/// Where a host's entries go: to memory, to a file where one is named, to a function where one is given.
pub(crate) struct Journals {
    pub(crate) audit: Arc<MemoryJournal<AuditEvent>>,
    pub(crate) runs: Arc<MemoryJournal<RunRecord>>,
}

/// A function of the program, called on its thread; it does not keep the process alive.
type OnAudit = ThreadsafeFunction<Value, Unknown<'static>, Value, Status, false, true>;

impl Journals {
    /// Journals in memory; `builder` gets them, together with what the options name.
    pub(crate) fn install(
        builder: nbhd_core::HostBuilder,
        options: Option<&Object<'_>>,
    ) -> Result<(nbhd_core::HostBuilder, Self)> {
        let kept = Self {
            audit: Arc::default(),
            runs: Arc::default(),
        };
        let mut audit: Vec<Arc<dyn Journal<AuditEvent>>> = vec![kept.audit.clone()];
        let mut runs: Vec<Arc<dyn Journal<RunRecord>>> = vec![kept.runs.clone()];
        if let Some(options) = options {
            let sync = options.get::<bool>("syncFiles")?.unwrap_or(false);
            if let Some(path) = options.get::<String>("auditFile")? {
                audit.push(Arc::new(FileJournal::new(path).with_sync(sync)));
            }
            if let Some(path) = options.get::<String>("runsFile")? {
                runs.push(Arc::new(FileJournal::new(path).with_sync(sync)));
            }
            if let Some(function) = options.get::<Function<'_, Value, Unknown<'static>>>("onAudit")? {
                let function: OnAudit = function
                    .build_threadsafe_function::<Value>()
                    .callee_handled::<false>()
                    .weak::<true>()
                    .build()?;
                audit.push(Arc::new(CallbackJournal::new(move |event: &AuditEvent| {
                    // It does not wait: what happened has happened.
                    if let Ok(event) = output(event) {
                        function.call(event, ThreadsafeFunctionCallMode::NonBlocking);
                    }
                    Ok(())
                })));
            }
        }
        let builder = builder.with_audit(Arc::new(audit)).with_runs(Arc::new(runs));
        Ok((builder, kept))
    }
}

/// An action that is under way: it leaves one audit event. One that is never ended is written down as `cancelled` when it is
/// collected.
#[napi]
pub struct Audited {
    pub(crate) entry: Mutex<Option<nbhd_core::audit::Audited>>,
}

#[napi]
impl Audited {
    /// The action has ended, with this error or well: the event is written and returned. It ends once.
    #[napi(ts_args_type = "error?: unknown", ts_return_type = "AuditEvent")]
    pub fn end<'env>(&self, env: &'env Env, error: Option<Unknown<'_>>) -> Result<Unknown<'env>> {
        let entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner).take();
        let entry = entry.ok_or_else(|| ended(env, "an action"))?;
        let event = entry.end(&result(error)).map_err(|error| raise(env, &error))?;
        Data(event).to_node(env)
    }
}

/// A run that is under way: it leaves a record when it begins and when it ends.
#[napi]
pub struct Run {
    pub(crate) run: Mutex<Option<nbhd_core::audit::Run>>,
    pub(crate) id: String,
}

#[napi]
impl Run {
    /// Its id.
    #[napi(getter)]
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// It made something that is kept at `path`.
    #[napi]
    pub fn add_artifact(&self, env: &Env, path: String) -> Result<()> {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.as_mut()
            .ok_or_else(|| ended(env, "a run"))?
            .add_artifact(&path);
        Ok(())
    }

    /// It has ended, with this error or well: the record is written and returned. It ends once.
    #[napi(ts_args_type = "error?: unknown", ts_return_type = "RunRecord")]
    pub fn end<'env>(&self, env: &'env Env, error: Option<Unknown<'_>>) -> Result<Unknown<'env>> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).take();
        let run = run.ok_or_else(|| ended(env, "a run"))?;
        let record = run.end(&result(error)).map_err(|error| raise(env, &error))?;
        Data(record).to_node(env)
    }
}

/// SHA-256 of the canonical JSON of `parameters`, as 64 hexadecimal digits: the order of names does not count.
#[napi(ts_args_type = "parameters: unknown")]
pub fn parameters_hash(parameters: Value) -> String {
    nbhd_core::audit::parameters_hash(&whole(parameters))
}

/// How an actor is named in audit events: the same actor always has the same name.
#[napi]
pub fn actor_fingerprint(actor: String) -> String {
    nbhd_core::audit::actor_fingerprint(&actor)
}

/// How an action ended: well, with the code of the error, or by being aborted.
fn result(error: Option<Unknown<'_>>) -> std::result::Result<(), Error> {
    let Some(error) = error else { return Ok(()) };
    let kind = error.get_type().unwrap_or(ValueType::Undefined);
    if matches!(kind, ValueType::Undefined | ValueType::Null) {
        return Ok(());
    }
    let told = (kind == ValueType::Object).then(|| {
        // SAFETY: its type was looked at: it is an object.
        let object: Object<'_> = unsafe { error.cast() }.ok()?;
        let text = |name: &str| object.get::<String>(name).ok().flatten();
        if text("name").as_deref() == Some("AbortError") {
            return Some(Code::Cancelled);
        }
        text("code").and_then(|code| Code::from_name(&code))
    });
    let code = told.flatten().unwrap_or(Code::Internal);
    Err(Error::new(code, "the action threw"))
}

fn ended(env: &Env, what: &str) -> napi::Error {
    raise(
        env,
        &Error::new(Code::InvalidState, format!("{what} ends once, and it has ended")),
    )
}
