//! `Host`, `Secret`, the inbox and its work.

use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::JavaScriptClassExt;
use napi::bindgen_prelude::{Buffer, ClassInstance, Either, Object, PromiseRaw, Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use nbhd_core::inbox::{Ingest, NewEvent, Work as CoreWork};
use nbhd_core::outbox::NewIntent;
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::secret::SecretSource;
use nbhd_core::secure::SecureRequest;
use nbhd_core::store::Write;
use nbhd_core::transport::HostRule;
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Error};
use serde_json::Value;

use crate::audit::{Audited, Journals, Run};
use crate::cancel::promise;
use crate::convert::{Data, ToNode, input, whole};
use crate::error::raise;
use crate::secure::access;
use crate::testkit::Clock;
use crate::tokens::ProgramTokens;

/// What the program around us provides: store, secrets, clock, receipt sink, transport.
///
/// `new Host("sqlite:nbhd.db")`, `new Host("memory:")`, `new Host("redis://host/0")`. It opens nothing until the first call.
///
/// `lossyStore` accepts, for the reason that it says, a store that may lose what it acknowledged.
#[napi]
pub struct Host {
    pub(crate) inner: nbhd_core::Host,
    receipts: Arc<MemoryReceipts>,
    journals: Journals,
}

#[napi]
impl Host {
    #[napi(constructor, ts_args_type = "address: string, options?: HostOptions")]
    pub fn new(env: &Env, address: String, options: Option<Object<'_>>) -> Result<Self> {
        let receipts = Arc::new(MemoryReceipts::default());
        let clock = match &options {
            Some(options) => options.get::<ClassInstance<'_, Clock>>("clock")?,
            None => None,
        };
        let clock: Option<Arc<dyn nbhd_core::Clock>> =
            clock.map(|clock| clock.inner() as Arc<dyn nbhd_core::Clock>);
        let mut builder = nbhd_core::Host::builder_at(&address, clock)
            .map_err(|error| raise(env, &error))?
            .with_receipts(receipts.clone());
        if let Some(options) = &options
            && let Some(key) = secret(options, "vaultKey")?
        {
            builder = builder.with_vault(Vault::with_source(key));
        }
        if let Some(options) = &options
            && let Some(reason) = options.get::<String>("lossyStore")?
        {
            builder = builder.with_lossy_store(reason);
        }
        if let Some(options) = &options
            && let Some(hosts) = options.get::<Vec<String>>("privateHosts")?
        {
            let rules: nbhd_core::Result<Vec<_>> = hosts.iter().map(|host| HostRule::new(host)).collect();
            builder = builder.with_private_hosts(rules.map_err(|error| raise(env, &error))?);
        }
        if let Some(options) = &options
            && let Some(tokens) = ProgramTokens::of(env, options)?
        {
            builder = builder.with_tokens(tokens);
        }
        let (builder, journals) = Journals::install(builder, options.as_ref())?;
        Ok(Self {
            inner: builder.build(),
            receipts,
            journals,
        })
    }

    /// Durable work: what was accepted and is not handled yet.
    #[napi(getter)]
    pub fn inbox(&self) -> Inbox {
        Inbox {
            inner: nbhd_core::inbox::Inbox::new(&self.inner),
        }
    }

    /// The receipts of the last 1,000 calls, oldest first.
    #[napi(ts_return_type = "Array<Receipt>")]
    pub fn receipts<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.receipts.all()).to_node(env)
    }

    /// The last 1,000 audit events, oldest first.
    #[napi(ts_return_type = "Array<AuditEvent>")]
    pub fn audit<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.journals.audit.all()).to_node(env)
    }

    /// The last 1,000 run records, oldest first: one when a run begins, one when it ends.
    #[napi(ts_return_type = "Array<RunRecord>")]
    pub fn runs<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.journals.runs.all()).to_node(env)
    }

    /// `actor` begins `action` with `parameters`, of which the fingerprint and the hash are kept.
    #[napi(ts_args_type = "actor: string, action: string, parameters?: unknown")]
    pub fn audited(&self, actor: String, action: String, parameters: Option<Value>) -> Audited {
        let parameters = parameters.map_or_else(|| Value::Object(serde_json::Map::new()), whole);
        Audited {
            entry: Mutex::new(Some(self.inner.audited(&actor, &action, &parameters))),
        }
    }

    /// A run of `action` in `project` begins.
    #[napi]
    pub fn run(&self, env: &Env, project: String, action: String) -> Result<Run> {
        let run = self
            .inner
            .run(&project, &action)
            .map_err(|error| raise(env, &error))?;
        Ok(Run {
            id: run.id().to_owned(),
            run: Mutex::new(Some(run)),
        })
    }

    /// The vault, for a program's own secrets.
    #[napi(getter)]
    pub fn vault(&self) -> crate::vault::Vault {
        crate::vault::Vault {
            host: self.inner.clone(),
        }
    }

    /// Finishes what runs and closes the store. The next call opens it again.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let host = self.inner.clone();
        promise(env, None, async move { host.store().close().await })
    }

    /// Creates the store where that is a step of its own. SQLite and memory make themselves.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn create_store<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let host = self.inner.clone();
        promise(env, None, async move { host.create_store().await })
    }

    /// Makes one HTTP request under the rules of this call, and returns what came, without the secrets.
    ///
    /// The request holds no secret. `credentials` are bound to their origins, which are allowed; `hosts` allows more: exact, or
    /// `*.example.org`. `loopback` allows this machine. Redirects are checked like the request itself.
    #[napi(
        ts_args_type = "request: SecureRequest, options?: { credentials?: Array<Credential>; hosts?: Array<string>; loopback?: boolean; redirects?: number; actor?: string } & CallOptions",
        ts_return_type = "Promise<SecureAnswer>"
    )]
    pub fn secure_request<'env>(
        &self,
        env: &'env Env,
        request: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let host = self.inner.clone();
        let request = input::<SecureRequest>("request", request);
        let access = access(options.as_ref())?;
        promise(env, options.as_ref(), async move {
            host.secure_request(&request?, &access?).await.map(Data)
        })
    }

    /// The breakers that have something to tell: open, half open, or closed with failures.
    #[napi(ts_return_type = "Array<BreakerState>")]
    pub fn breakers<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.inner.breakers().states()).to_node(env)
    }

    /// Opens the breaker before the origin of `url` now, for one pause: calls to it are refused with `reason`.
    #[napi]
    pub fn force_open(&self, env: &Env, url: String, reason: String) -> Result<()> {
        let forced = self.inner.breakers().force_open_at(&url, &reason);
        forced.map_err(|error| raise(env, &error))
    }

    /// Closes the breaker before the origin of `url` and forgets its failures.
    #[napi]
    pub fn reset_breaker(&self, env: &Env, url: String) -> Result<()> {
        let reset = self.inner.breakers().reset_at(&url);
        reset.map_err(|error| raise(env, &error))
    }
}

/// A secret: never printed, never serialised.
#[napi]
pub struct Secret {
    inner: SecretSource,
}

#[napi]
impl Secret {
    #[napi(constructor)]
    pub fn new(value: String) -> Self {
        Self {
            inner: nbhd_core::Secret::new(value).into(),
        }
    }

    /// Read from the environment variable `name` when it is first needed.
    #[napi(factory)]
    pub fn env(name: String) -> Self {
        Self {
            inner: nbhd_core::Secret::env(name),
        }
    }

    /// Read from a file that only its owner may read, when it is first needed.
    #[napi(factory)]
    pub fn file(path: String) -> Self {
        Self {
            inner: nbhd_core::Secret::file(path),
        }
    }

    /// Read from a file that its owner and its group may read, when it is first needed.
    #[napi(factory)]
    pub fn group_file(path: String) -> Self {
        Self {
            inner: nbhd_core::Secret::group_file(path),
        }
    }

    /// Read from a file that an orchestrator mounts, when it is first needed.
    #[napi(factory)]
    pub fn mounted(path: String) -> Self {
        Self {
            inner: nbhd_core::Secret::mounted(path),
        }
    }

    /// Read from the keyring of the operating system, when it is first needed. Nobody is asked to unlock it.
    #[napi(factory)]
    pub fn keyring(service: String, account: String) -> Self {
        Self {
            inner: nbhd_core::Secret::keyring(service, account),
        }
    }

    /// Each of `sources` is asked in turn, until one has the secret.
    #[napi(factory, ts_args_type = "sources: Array<Secret>")]
    pub fn chain(sources: Vec<ClassInstance<'_, Secret>>) -> Self {
        Self {
            inner: nbhd_core::Secret::chain(sources.iter().map(|source| source.inner.clone())),
        }
    }

    /// Which source gives the secret, and its fingerprint; `secret_missing` when none does.
    #[napi(ts_return_type = "SecretStatus")]
    pub fn status<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        let status = self.inner.status().map_err(|error| raise(env, &error))?;
        Data(status).to_node(env)
    }
}

/// A secret, given as a `Secret` or as its text.
pub(crate) type SecretArgument<'env> = Either<ClassInstance<'env, Secret>, String>;

pub(crate) fn source(argument: SecretArgument<'_>) -> SecretSource {
    match argument {
        Either::A(secret) => secret.inner.clone(),
        Either::B(text) => nbhd_core::Secret::new(text).into(),
    }
}

/// The secret of this name among the options.
pub(crate) fn secret(options: &Object<'_>, name: &str) -> Result<Option<SecretSource>> {
    Ok(options.get::<SecretArgument<'_>>(name)?.map(source))
}

/// Durable work: accepted once, handled in order within a lane, tried again, never lost.
#[napi]
pub struct Inbox {
    inner: nbhd_core::inbox::Inbox,
}

#[napi]
impl Inbox {
    /// Claims all dedupe keys of `event` and stores it, in one step; only then may the host acknowledge.
    #[napi(
        ts_args_type = "event: NewEvent, options?: CallOptions",
        ts_return_type = "Promise<Accepted>"
    )]
    pub fn accept<'env>(
        &self,
        env: &'env Env,
        event: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let inbox = self.inner.clone();
        let event = input::<NewEvent>("event", event);
        promise(env, options.as_ref(), async move {
            inbox.accept(event?).await.map(Data)
        })
    }

    /// The next event that is ready, leased by its lane; `null` when there is none.
    #[napi(
        ts_args_type = "options?: CallOptions",
        ts_return_type = "Promise<Work | null>"
    )]
    pub fn claim<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let inbox = self.inner.clone();
        promise(env, options.as_ref(), async move {
            Ok(inbox.claim().await?.map(Work::new))
        })
    }

    /// Accepts the body of a webhook call or poll: an envelope (`schema`, `event_id`, `occurred_at`, `metadata`,
    /// `payload`) or any other JSON. Verify who sent it first.
    #[napi(
        ts_args_type = "origin: Ingest, body: Buffer | string, options?: CallOptions",
        ts_return_type = "Promise<Ingested>"
    )]
    pub fn ingest<'env>(
        &self,
        env: &'env Env,
        origin: Value,
        body: Either<Buffer, String>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let inbox = self.inner.clone();
        let origin = input::<Ingest>("origin", origin);
        let body = match body {
            Either::A(bytes) => bytes.to_vec(),
            Either::B(text) => text.into_bytes(),
        };
        promise(env, options.as_ref(), async move {
            inbox.ingest(origin?, &body).await.map(Data)
        })
    }

    /// How many events are accepted and not handled.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<number>")]
    pub fn pending<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let inbox = self.inner.clone();
        promise(
            env,
            options.as_ref(),
            async move { inbox.pending().await.map(Data) },
        )
    }

    /// The events that were given up, newest last, at most `limit` (100).
    #[napi(
        ts_args_type = "limit?: number, options?: CallOptions",
        ts_return_type = "Promise<Array<DeadLetter>>"
    )]
    pub fn dead_letters<'env>(
        &self,
        env: &'env Env,
        limit: Option<u32>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let inbox = self.inner.clone();
        let limit = limit.unwrap_or(100) as usize;
        promise(env, options.as_ref(), async move {
            inbox.dead_letters(limit).await.map(Data)
        })
    }

    /// Puts a dead letter back at the end of its lane, with all its attempts. `not_found` when there is none.
    #[napi(
        ts_args_type = "id: string, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn revive<'env>(
        &self,
        env: &'env Env,
        id: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let inbox = self.inner.clone();
        promise(env, options.as_ref(), async move { inbox.revive(&id).await })
    }

    /// Forgets a dead letter; forgetting one that is not there is fine.
    #[napi(
        ts_args_type = "id: string, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn forget_dead<'env>(
        &self,
        env: &'env Env,
        id: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let inbox = self.inner.clone();
        promise(env, options.as_ref(), async move { inbox.forget_dead(&id).await })
    }
}

/// One event in a worker's hands. It ends with `done`, `commit` or `fail`; without any of them its lane is free again
/// when the lease ends.
#[napi]
pub struct Work {
    inner: Arc<CoreWork>,
}

impl Work {
    fn new(work: CoreWork) -> Self {
        Self {
            inner: Arc::new(work),
        }
    }
}

impl ToNode for Work {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        Ok(self.into_instance(env)?.as_object(env).to_unknown())
    }
}

#[napi]
impl Work {
    /// The event.
    #[napi(getter, ts_return_type = "InboxEvent")]
    pub fn event<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.inner.event().clone()).to_node(env)
    }

    /// Whether the lease can still be relied on, without asking the store. Look before doing something that cannot be
    /// taken back.
    #[napi]
    pub fn is_held(&self) -> bool {
        self.inner.is_held()
    }

    /// Prolongs the lease; every 20 s is enough. Refused with `store_conflict` when it was lost: then stop.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn renew<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);
        promise(env, None, async move { work.renew().await })
    }

    /// The event is handled: it is removed and its lane goes on.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn done<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);
        promise(env, None, async move { work.done().await })
    }

    /// The event is handled and `sends` are to be sent: stored in one step.
    #[napi(ts_args_type = "sends: Array<NewIntent>", ts_return_type = "Promise<void>")]
    pub fn commit<'env>(&self, env: &'env Env, sends: Value) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);
        let sends = input::<Vec<NewIntent>>("sends", sends);
        promise(env, None, async move { work.commit(sends?).await })
    }

    /// The same with `writes` of the program's own in the same step: what handling the event changed is there exactly
    /// once, whoever was killed and whoever handled it again. `host.store` reads them. They go to no room of the suite's own.
    #[napi(
        ts_args_type = "sends: Array<NewIntent>, writes: Array<StoreWrite>",
        ts_return_type = "Promise<void>"
    )]
    pub fn commit_with<'env>(
        &self,
        env: &'env Env,
        sends: Value,
        writes: Value,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);
        let sends = input::<Vec<NewIntent>>("sends", sends);
        let writes = input::<Vec<Write>>("writes", writes);
        promise(env, None, async move { work.commit_with(sends?, &writes?).await })
    }

    /// The event was not handled: it is tried again after a back-off, or becomes a dead letter. `reason` is redacted.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn fail<'env>(&self, env: &'env Env, reason: String) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);
        promise(env, None, async move {
            work.fail(&Error::new(Code::Internal, reason)).await
        })
    }
}
