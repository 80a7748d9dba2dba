//! The dispatch queue: jobs that one part of a program gives to another.

use std::sync::Arc;

use napi::bindgen_prelude::{ClassInstance, JavaScriptClassExt, Object, PromiseRaw, Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use nbhd_core::queue::{JobWork as CoreWork, ListJobs, NewJob, QueueRules};
use nbhd_core::{Code, Error};
use serde_json::Value;

use crate::cancel::promise;
use crate::convert::{Data, ToNode, input};
use crate::core::Host;
use crate::error::raise;

/// Jobs under rules: who may dispatch to whom is looked at before everything else, and nothing is allowed that the rules
/// do not say.
///
/// `new Queue(host, { targets: ["writer"], callers: { main: { targets: ["writer"] } } })`
#[napi]
pub struct Queue {
    inner: nbhd_core::queue::Queue,
}

#[napi]
impl Queue {
    #[napi(constructor, ts_args_type = "host: Host, rules: QueueRules")]
    pub fn new(env: &Env, host: ClassInstance<'_, Host>, rules: Value) -> Result<Self> {
        let queue = input::<QueueRules>("rules", rules)
            .and_then(|rules| nbhd_core::queue::Queue::new(&host.inner, rules));
        Ok(Self {
            inner: queue.map_err(|error| raise(env, &error))?,
        })
    }

    /// Dispatches a job. Rate, depth and the job are one commit.
    #[napi(
        ts_args_type = "caller: string, job: NewJob, options?: CallOptions",
        ts_return_type = "Promise<Dispatched>"
    )]
    pub fn dispatch<'env>(
        &self,
        env: &'env Env,
        caller: String,
        job: Value,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let queue = self.inner.clone();
        let job = input::<NewJob>("job", job);
        promise(env, options.as_ref(), async move {
            queue.dispatch(&caller, job?).await.map(Data)
        })
    }

    /// One job of the caller's own.
    #[napi(
        ts_args_type = "caller: string, id: string, options?: CallOptions",
        ts_return_type = "Promise<JobView>"
    )]
    pub fn status<'env>(
        &self,
        env: &'env Env,
        caller: String,
        id: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let queue = self.inner.clone();

        promise(env, options.as_ref(), async move {
            queue.status(&caller, &id).await.map(Data)
        })
    }

    /// The caller's own jobs, newest first: by `target`, `status` and `project`, at most `limit` (20).
    #[napi(
        ts_args_type = "caller: string, filter?: ListJobs, options?: CallOptions",
        ts_return_type = "Promise<Array<JobView>>"
    )]
    pub fn list<'env>(
        &self,
        env: &'env Env,
        caller: String,
        filter: Option<Value>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let queue = self.inner.clone();
        let filter = input::<ListJobs>(
            "filter",
            filter.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        );
        promise(env, options.as_ref(), async move {
            queue.list(&caller, filter?).await.map(Data)
        })
    }

    /// What the targets are doing that the caller may dispatch to: working, idle or offline.
    #[napi(
        ts_args_type = "caller: string, options?: CallOptions",
        ts_return_type = "Promise<Activity>"
    )]
    pub fn activity<'env>(
        &self,
        env: &'env Env,
        caller: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let queue = self.inner.clone();

        promise(env, options.as_ref(), async move {
            queue.activity(&caller).await.map(Data)
        })
    }

    /// The dead letters that the caller may see, newest first, at most `limit` (100).
    #[napi(
        ts_args_type = "caller: string, limit?: number, options?: CallOptions",
        ts_return_type = "Promise<Array<DeadJob>>"
    )]
    pub fn dead_letters<'env>(
        &self,
        env: &'env Env,
        caller: String,
        limit: Option<u32>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let queue = self.inner.clone();
        let limit = limit.unwrap_or(100) as usize;
        promise(env, options.as_ref(), async move {
            queue.dead_letters(&caller, limit).await.map(Data)
        })
    }

    /// Gives a dead letter all its attempts again.
    #[napi(
        ts_args_type = "caller: string, id: string, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn revive<'env>(
        &self,
        env: &'env Env,
        caller: String,
        id: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let queue = self.inner.clone();

        promise(
            env,
            options.as_ref(),
            async move { queue.revive(&caller, &id).await },
        )
    }

    /// A worker of `target` by the name of `name`, which is its own among the target's.
    #[napi]
    pub fn worker(&self, env: &Env, target: String, name: String) -> Result<Worker> {
        let worker = self.inner.worker(&target, &name);
        Ok(Worker {
            inner: worker.map_err(|error| raise(env, &error))?,
        })
    }
}

/// One worker of one target.
#[napi]
pub struct Worker {
    inner: nbhd_core::queue::Worker,
}

#[napi]
impl Worker {
    /// Says that the worker is there; claiming and renewing say so as well.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<void>")]
    pub fn heartbeat<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let worker = self.inner.clone();

        promise(env, options.as_ref(), async move { worker.heartbeat().await })
    }

    /// Says that the worker goes away.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<void>")]
    pub fn stop<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let worker = self.inner.clone();

        promise(env, options.as_ref(), async move { worker.stop().await })
    }

    /// Leases the job that has been due longest; `null` when none is.
    #[napi(
        ts_args_type = "options?: CallOptions",
        ts_return_type = "Promise<JobWork | null>"
    )]
    pub fn claim<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let worker = self.inner.clone();

        promise(env, options.as_ref(), async move {
            Ok(worker.claim().await?.map(JobWork::new))
        })
    }
}

/// One job in a worker's hands. It ends with `complete`, `fail` or `giveUp`; without any of them it is stalled when the
/// lease ends, and taken up again.
#[napi]
pub struct JobWork {
    inner: Arc<CoreWork>,
}

impl JobWork {
    fn new(work: CoreWork) -> Self {
        Self {
            inner: Arc::new(work),
        }
    }
}

impl ToNode for JobWork {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        Ok(self.into_instance(env)?.as_object(env).to_unknown())
    }
}

#[napi]
impl JobWork {
    /// The job.
    #[napi(getter, ts_return_type = "Job")]
    pub fn job<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.inner.job().clone()).to_node(env)
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

    /// The job was done; `result` is kept, redacted, for the caller.
    #[napi(ts_args_type = "result?: string", ts_return_type = "Promise<void>")]
    pub fn complete<'env>(
        &self,
        env: &'env Env,
        result: Option<String>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);

        promise(env, None, async move { work.complete(result.as_deref()).await })
    }

    /// The attempt failed: the job is tried again after a back-off, or becomes a dead letter. `reason` is redacted.
    #[napi(ts_args_type = "reason: string", ts_return_type = "Promise<JobEnd>")]
    pub fn fail<'env>(&self, env: &'env Env, reason: String) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);

        promise(env, None, async move {
            work.fail(&Error::new(Code::Internal, reason)).await.map(Data)
        })
    }

    /// The job can never succeed: it becomes a dead letter at once. `reason` is redacted.
    #[napi(ts_args_type = "reason: string", ts_return_type = "Promise<JobEnd>")]
    pub fn give_up<'env>(&self, env: &'env Env, reason: String) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let work = Arc::clone(&self.inner);

        promise(env, None, async move {
            work.give_up(&Error::new(Code::Internal, reason)).await.map(Data)
        })
    }
}
