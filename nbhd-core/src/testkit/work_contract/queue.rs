//! The dispatch queue: who may, how much, who has it, what became of it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::run::{World, refused, some};
use crate::queue::{JobStatus, JobWork, ListJobs, NewJob, Queue, QueueRules};
use crate::testkit::contract::{Stop, Verdict, same};
use crate::{Code, Error, Result};

pub(super) fn rules() -> QueueRules {
    QueueRules::new()
        .with_target("writer")
        .with_target("coder")
        .with_caller("main", ["writer"])
        .with_caller("other", ["*"])
        .with_caller("nobody", Vec::<String>::new())
        .with_overseer("boss")
}

pub(super) fn queue(world: &World) -> Result<Queue> {
    Queue::new(&world.host, rules())
}

/// The job in the hands of a worker of `writer`.
pub(super) async fn claim(queue: &Queue) -> Result<Option<JobWork>> {
    queue.worker("writer", "w1")?.claim().await
}

pub(super) async fn claimed(queue: &Queue) -> std::result::Result<JobWork, Stop> {
    some("a job", claim(queue).await?)
}

pub(super) fn trouble() -> Error {
    Error::new(Code::ProviderUnavailable, "the model was away")
}

pub(super) async fn deny_by_default(world: &World) -> Verdict {
    let empty = Queue::new(&world.host, QueueRules::new())?;
    let job = || NewJob::new("writer", "write");
    refused(
        "no rules",
        empty.dispatch("main", job()).await,
        Code::PolicyDenied,
    )?;
    refused(
        "no worker either",
        empty.worker("writer", "w"),
        Code::PolicyDenied,
    )?;
    let queue = queue(world)?;
    for (caller, target) in [
        ("main", "coder"),
        ("main", "main"),
        ("main", "*"),
        ("main", ""),
        ("nobody", "writer"),
        ("stranger", "writer"),
        ("", "writer"),
        ("*", "writer"),
        ("boss", "writer"),
        ("other", "elsewhere"),
        ("other", "*"),
    ] {
        let what = format!("{caller} to {target}");
        let error = refused(
            &what,
            queue.dispatch(caller, NewJob::new(target, "x")).await,
            Code::PolicyDenied,
        )?;
        same("nothing was sent", error.outcome(), crate::Outcome::NotSent)?;
    }
    for denied in [
        queue.status("stranger", "x").await.map(drop),
        queue.list("stranger", ListJobs::default()).await.map(drop),
        queue.activity("stranger").await.map(drop),
        queue.dead_letters("stranger", 9).await.map(drop),
        queue.revive("stranger", "x").await,
    ] {
        refused("a stranger", denied, Code::PolicyDenied)?;
    }
    same(
        "nothing is there",
        world.host.store().count("queue/due/writer").await?,
        0,
    )?;
    queue.dispatch("main", job()).await?;
    queue
        .dispatch("other", NewJob::new("coder", "x"))
        .await
        .map(drop)?;
    Ok(())
}

pub(super) async fn dispatched_claimed_done(world: &World) -> Verdict {
    let queue = queue(world)?;
    let mut new = NewJob::new("writer", "write a poem")
        .with_label("poem")
        .with_project("art");
    new.session_key = Some("agent:main:1".to_owned());
    new.origin = json!({"channel": "pigeon", "to": "42"}).as_object().cloned();
    new.metadata = fields(json!({"tone": "dark", "nested": {"sessionKey": "s", "n": 1}}));
    let dispatched = queue.dispatch("main", new).await?;
    same("not a duplicate", dispatched.duplicate, false)?;
    let view = queue.status("main", &dispatched.id).await?;
    same("queued", (view.status, view.attempts), (JobStatus::Queued, 0))?;
    let shown = serde_json::to_value(&view).unwrap_or_default();
    same(
        "nothing of the session",
        shown.to_string().contains("agent:main:1"),
        false,
    )?;
    same(
        "nothing of the origin",
        shown.to_string().contains("pigeon"),
        false,
    )?;
    same(
        "its own fields",
        view.metadata,
        fields(json!({"tone": "dark", "nested": {"n": 1}})),
    )?;
    let work = claimed(&queue).await?;
    same("the job", work.job().task.as_str(), "write a poem")?;
    same(
        "the session",
        work.job().session_key.as_deref(),
        Some("agent:main:1"),
    )?;
    same("the attempt", work.job().attempt, 1)?;
    same("nobody else", claim(&queue).await?.is_none(), true)?;
    let view = queue.status("main", &dispatched.id).await?;
    same("active", view.status, JobStatus::Active)?;
    world.seconds(30);
    work.complete(Some(
        "Roses. Authorization: Bearer abcdef0123456789abcdef0123456789",
    ))
    .await?;
    work.complete(Some(
        "Roses. Authorization: Bearer abcdef0123456789abcdef0123456789",
    ))
    .await?;
    let view = queue.status("main", &dispatched.id).await?;
    same("done", view.status, JobStatus::Completed)?;
    let result = view.result.unwrap_or_default();
    same(
        "the result is redacted",
        (result.starts_with("Roses."), result.contains("abcdef01")),
        (true, false),
    )?;
    same("nothing is due", claim(&queue).await?.is_none(), true)?;
    same(
        "counted once",
        queue.activity("main").await?.summary.completed_total,
        1,
    )?;
    world.seconds(7 * 86_400);
    refused(
        "after a week",
        queue.status("main", &dispatched.id).await,
        Code::NotFound,
    )?;
    same(
        "nor listed",
        queue.list("main", ListJobs::default()).await?.len(),
        0,
    )
}

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

pub(super) async fn rate_and_depth(world: &World) -> Verdict {
    let rules = QueueRules {
        dispatches_per_minute: 3,
        max_depth: 2,
        ..rules()
    };
    let queue = Queue::new(&world.host, rules.clone())?;
    let job = |n: u32| NewJob::new("writer", format!("job {n}"));
    queue.dispatch("main", job(1)).await?;
    queue.dispatch("main", job(2)).await?;
    for _ in 0..5 {
        let error = refused(
            "too deep",
            queue.dispatch("main", job(3)).await,
            Code::QuotaExhausted,
        )?;
        same("it may pass", error.retryable(), true)?;
    }
    // A refused dispatch takes nothing of the rate: there is one left.
    claimed(&queue).await?.complete(None).await?;
    queue.dispatch("main", job(3)).await?;
    claimed(&queue).await?.complete(None).await?;
    let error = refused(
        "too fast",
        queue.dispatch("main", job(4)).await,
        Code::RateLimited,
    )?;
    same("when", error.retry_after(), Some(Duration::from_secs(20)))?;
    queue.dispatch("other", job(4)).await?;
    claimed(&queue).await?.complete(None).await?;
    world.seconds(20);
    queue.dispatch("main", job(5)).await?;
    let open = Queue::new(
        &world.host,
        QueueRules {
            dispatches_per_minute: 0,
            max_depth: 0,
            ..rules
        },
    )?;
    for n in 0..60 {
        open.dispatch("main", job(n)).await?;
    }
    same("no limits", queue.activity("main").await?.summary.pending, 62)
}

pub(super) async fn a_key_is_one_job(world: &World) -> Verdict {
    let rules = QueueRules {
        dispatches_per_minute: 1,
        max_depth: 1,
        ..rules()
    };
    let queue = Queue::new(&world.host, rules)?;
    let job = || NewJob::new("writer", "write").with_key("k");
    let first = queue.dispatch("main", job()).await?;
    for _ in 0..3 {
        let again = queue.dispatch("main", job()).await?;
        same(
            "the first one",
            (again.id, again.duplicate),
            (first.id.clone(), true),
        )?;
    }
    let other = NewJob::new("writer", "something else").with_key("k");
    refused("another job", queue.dispatch("main", other).await, Code::Conflict)?;
    refused(
        "another caller's key",
        queue.dispatch("other", job()).await,
        Code::QuotaExhausted,
    )?;
    claimed(&queue).await?.complete(None).await?;
    let again = queue.dispatch("main", job()).await?;
    same(
        "also when it is done",
        (again.id, again.duplicate),
        (first.id, true),
    )?;
    same("nothing is due", claim(&queue).await?.is_none(), true)
}

pub(super) async fn own_jobs_only(world: &World) -> Verdict {
    let queue = queue(world)?;
    let mut ids = Vec::new();
    for (n, caller) in ["main", "other", "main", "other"].into_iter().enumerate() {
        world.micros(1);
        let job =
            NewJob::new("writer", format!("{n} {}", "x".repeat(100))).with_project(format!("p{}", n % 2));
        ids.push(queue.dispatch(caller, job).await?.id);
    }
    refused(
        "somebody else's",
        queue.status("main", &ids[1]).await,
        Code::NotFound,
    )?;
    refused("no such job", queue.status("main", "x").await, Code::NotFound)?;
    let listed =
        |views: Vec<crate::queue::JobView>| views.into_iter().map(|view| view.id).collect::<Vec<_>>();
    let all = ListJobs::default();
    let views = queue.list("main", all.clone()).await?;
    same(
        "short",
        views.iter().all(|view| view.task.chars().count() == 80),
        true,
    )?;
    same(
        "newest first",
        listed(views),
        vec![ids[2].clone(), ids[0].clone()],
    )?;
    let newest: Vec<_> = ids.iter().rev().cloned().collect();
    same(
        "all",
        listed(queue.list("boss", all.clone()).await?),
        newest.clone(),
    )?;
    let one = ListJobs {
        limit: Some(1),
        ..all.clone()
    };
    same(
        "the newest of all",
        listed(queue.list("boss", one).await?),
        newest[..1].to_vec(),
    )?;
    let done = claimed(&queue).await?;
    done.complete(None).await?;
    let completed = ListJobs {
        status: Some(JobStatus::Completed),
        ..all.clone()
    };
    same(
        "done",
        listed(queue.list("boss", completed.clone()).await?),
        vec![done.job().id.clone()],
    )?;
    same(
        "of others nothing",
        listed(queue.list("other", completed).await?),
        Vec::new(),
    )?;
    let project = ListJobs {
        project: Some("p1".to_owned()),
        target: Some("writer".to_owned()),
        ..all.clone()
    };
    same(
        "of a project",
        listed(queue.list("main", project).await?),
        Vec::new(),
    )?;
    for limit in [0, 101] {
        let options = ListJobs {
            limit: Some(limit),
            ..all.clone()
        };
        refused("a limit", queue.list("main", options).await, Code::InvalidInput)?;
    }
    Ok(())
}

pub(super) async fn in_order(world: &World) -> Verdict {
    let queue = queue(world)?;
    for n in 0..5 {
        queue
            .dispatch("main", NewJob::new("writer", n.to_string()))
            .await?;
        world.micros(1);
    }
    for n in 0..5 {
        let work = claimed(&queue).await?;
        same("in order", work.job().task.clone(), n.to_string())?;
        work.complete(None).await?;
    }
    Ok(())
}

pub(super) async fn what_is_no_job(world: &World) -> Verdict {
    let queue = queue(world)?;
    let long = |n: usize| Some("x".repeat(n));
    let job = || NewJob::new("writer", "x");
    for bad in [
        NewJob::new("writer", " "),
        NewJob::new("writer", "x".repeat(50_001)),
        NewJob {
            label: long(501),
            ..job()
        },
        NewJob {
            project: long(201),
            ..job()
        },
        NewJob {
            key: long(201),
            ..job()
        },
        NewJob {
            key: long(0),
            ..job()
        },
        job().with_timeout(0.0),
        job().with_timeout(f64::NAN),
        job().with_timeout(f64::INFINITY),
    ] {
        refused("no job", queue.dispatch("main", bad).await, Code::InvalidInput)?;
    }
    queue
        .dispatch("main", NewJob::new("writer", "ü".repeat(50_000)))
        .await
        .map(drop)?;
    Ok(())
}
