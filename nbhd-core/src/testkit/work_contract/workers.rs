//! The dispatch queue at work: failures, stalled jobs, leases, activity, many workers.

use serde_json::json;

use super::queue::{claim, claimed, queue, rules, trouble};
use super::run::{World, refused, some};
use crate::queue::{JobStatus, ListJobs, NewJob, Queue, QueueRules, TargetStatus};
use crate::testkit::contract::{Stop, Verdict, same};
use crate::{Code, Error, Result};

pub(super) async fn failures_back_off_then_a_dead_letter(world: &World) -> Verdict {
    let queue = queue(world)?;
    let image = format!("data:image/png;charset=utf-8;base64,{}", "iVBORw0KGgo".repeat(40));
    let mut new = NewJob::new("writer", format!("draw {image} {}", "long ".repeat(100)));
    new.origin = json!({"channel": "pigeon-loft"}).as_object().cloned();
    new.session_key = Some("agent:main:secret-session".to_owned());
    let id = queue.dispatch("main", new).await?.id;
    world.micros(1);
    queue.dispatch("main", NewJob::new("writer", "the next")).await?;
    let secret = format!(
        "no: {image} api_key=sk-live-0123456789abcdef0123456789 {}",
        "x ".repeat(300)
    );
    for (attempt, wait) in [(1, 5), (2, 10)] {
        let work = claimed(&queue).await?;
        same("the job", (&work.job().id, work.job().attempt), (&id, attempt))?;
        let end = work.fail(&Error::new(Code::Internal, secret.clone())).await?;
        same(
            "not yet",
            (end.dead.is_none(), end.retry_at.is_some()),
            (true, true),
        )?;
        let view = queue.status("main", &id).await?;
        same(
            "waits",
            (view.status, view.retry_at),
            (JobStatus::Retrying, end.retry_at),
        )?;
        if attempt == 1 {
            // Others do not wait for it.
            let next = claimed(&queue).await?;
            same("the next", next.job().task.as_str(), "the next")?;
            next.complete(None).await?;
        }
        world.seconds(wait - 1);
        same("too early", claim(&queue).await?.is_none(), true)?;
        world.seconds(1);
    }
    let work = claimed(&queue).await?;
    let end = work.fail(&Error::new(Code::Internal, secret.clone())).await?;
    let again = work.fail(&Error::new(Code::Internal, secret)).await?;
    same("the same again", &again, &end)?;
    let dead = some("a dead letter", end.dead)?;
    same("what", (dead.attempts, dead.code), (3, Code::Internal))?;
    for text in [&dead.task, &dead.error] {
        same("short", text.chars().count() <= 200, true)?;
    }
    for leak in ["iVBORw0KGgo", "sk-live", "pigeon-loft", "secret-session"] {
        let shown = serde_json::to_string(&dead).unwrap_or_default();
        same(leak, shown.contains(leak), false)?;
    }
    same("told", dead.alert.contains(&id), true)?;
    same("kept", queue.dead_letters("main", 9).await?, vec![dead])?;
    same("not for others", queue.dead_letters("other", 9).await?.len(), 0)?;
    same("for the overseer", queue.dead_letters("boss", 9).await?.len(), 1)?;
    same(
        "failed",
        queue.status("main", &id).await?.status,
        JobStatus::Failed,
    )?;
    same("counted", queue.activity("main").await?.summary.failed_total, 1)?;
    refused(
        "somebody else's",
        queue.revive("other", &id).await,
        Code::NotFound,
    )?;
    queue.revive("main", &id).await?;
    refused("twice", queue.revive("main", &id).await, Code::InvalidState)?;
    same("no letter", queue.dead_letters("main", 9).await?.len(), 0)?;
    let work = claimed(&queue).await?;
    same(
        "all attempts again",
        (&work.job().id, work.job().attempt),
        (&id, 4),
    )?;
    let end = work.give_up(&trouble()).await?;
    same("at once", end.dead.is_some(), true)?;
    world.seconds(30 * 86_400);
    same("a month", queue.dead_letters("main", 9).await?.len(), 0)
}

pub(super) async fn stalled_jobs_are_taken_up(world: &World) -> Verdict {
    let queue = queue(world)?;
    let id = queue.dispatch("main", NewJob::new("writer", "x")).await?.id;
    let mut gone = claimed(&queue).await?;
    for stalls in 1..=2_u32 {
        world.seconds(59);
        same("still leased", claim(&queue).await?.is_none(), true)?;
        same(
            "active",
            queue.status("main", &id).await?.status,
            JobStatus::Active,
        )?;
        world.seconds(1);
        same(
            "stalled",
            queue.status("main", &id).await?.status,
            JobStatus::Stalled,
        )?;
        let stalled = ListJobs {
            status: Some(JobStatus::Stalled),
            ..ListJobs::default()
        };
        same("listed", queue.list("main", stalled).await?.len(), 1)?;
        let next = claimed(&queue).await?;
        same(
            "taken up",
            (&next.job().id, next.job().attempt),
            (&id, stalls + 1),
        )?;
        for late in [
            gone.complete(None).await,
            gone.fail(&trouble()).await.map(drop),
            gone.renew().await,
        ] {
            refused("who was overtaken", late, Code::StoreConflict)?;
        }
        same("stalls", queue.status("main", &id).await?.stalls, stalls)?;
        gone = next;
    }
    world.seconds(60);
    same("not a third time", claim(&queue).await?.is_none(), true)?;
    let letters = queue.dead_letters("main", 9).await?;
    same("a dead letter", letters.len(), 1)?;
    same("begun", letters[0].attempts, 3)?;
    same("nothing is due", queue.activity("main").await?.summary.pending, 0)
}

pub(super) async fn renewed_jobs_are_kept(world: &World) -> Verdict {
    let queue = queue(world)?;
    queue
        .dispatch("main", NewJob::new("writer", "x").with_timeout(100.0))
        .await?;
    let work = claimed(&queue).await?;
    for _ in 0..4 {
        world.seconds(20);
        work.renew().await?;
        same("held", work.is_held(), true)?;
        same("leased", claim(&queue).await?.is_none(), true)?;
    }
    world.seconds(20);
    let error = refused("all its time", work.renew().await, Code::Timeout)?;
    same("not held for ever", work.is_held(), true)?;
    work.fail(&error).await?;
    world.seconds(5);
    let work = claimed(&queue).await?;
    same("again", work.job().attempt, 2)?;
    world.seconds(54);
    same("sure", work.is_held(), true)?;
    world.seconds(1);
    same("the margin", work.is_held(), false)
}

pub(super) async fn activity_follows_the_workers(world: &World) -> Verdict {
    let queue = queue(world)?;
    let of = async |caller: &str| -> std::result::Result<_, Stop> {
        let mut activity = queue.activity(caller).await?;
        some("the target", activity.targets.remove("writer"))
    };
    same("nobody", of("main").await?.status, TargetStatus::Offline)?;
    let worker = queue.worker("writer", "w1")?;
    worker.heartbeat().await?;
    let doing = of("main").await?;
    same("idle", (doing.status, doing.workers), (TargetStatus::Idle, 1))?;
    world.seconds(59);
    same("still", of("main").await?.status, TargetStatus::Idle)?;
    world.seconds(1);
    same("silent", of("main").await?.status, TargetStatus::Offline)?;
    let id = queue.dispatch("main", NewJob::new("writer", "x")).await?.id;
    world.micros(1);
    queue.dispatch("other", NewJob::new("writer", "y")).await?;
    let work = some("a job", worker.claim().await?)?;
    let doing = of("main").await?;
    same(
        "working",
        (doing.status, doing.active, doing.pending),
        (TargetStatus::Working, 1, 1),
    )?;
    same("at what", (&doing.job, doing.since.is_some()), (&Some(id), true))?;
    same("for others", of("other").await?.job, None)?;
    same("for the overseer", of("boss").await?.job, doing.job)?;
    same(
        "only what it may reach",
        queue.activity("main").await?.targets.len(),
        1,
    )?;
    same("all", queue.activity("other").await?.targets.len(), 2)?;
    work.complete(None).await?;
    worker.stop().await?;
    let doing = of("main").await?;
    same(
        "gone",
        (doing.status, doing.completed_total),
        (TargetStatus::Offline, 1),
    )
}

pub(super) async fn many_workers_do_each_job_once(world: &World) -> Verdict {
    let queue = Queue::new(
        &world.host,
        QueueRules {
            dispatches_per_minute: 0,
            max_depth: 30,
            ..rules()
        },
    )?;
    // 8 callers at once: the depth holds.
    let dispatched = futures::future::join_all((0..8).map(|at| {
        let queue = queue.clone();
        async move {
            let mut done = 0;
            for n in 0..10 {
                match queue
                    .dispatch("main", NewJob::new("writer", format!("{at}/{n}")))
                    .await
                {
                    Ok(_) => done += 1,
                    Err(error) if error.code() == Code::QuotaExhausted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(done)
        }
    }))
    .await;
    let dispatched: i32 = dispatched
        .into_iter()
        .collect::<Result<Vec<i32>>>()?
        .into_iter()
        .sum();
    same("as deep as may be", dispatched, 30)?;
    let done = futures::future::join_all((0..6).map(|at| {
        let queue = queue.clone();
        async move {
            let worker = queue.worker("writer", &format!("w{at}"))?;
            let mut done = Vec::new();
            while let Some(work) = worker.claim().await? {
                done.push(work.job().task.clone());
                work.complete(None).await?;
            }
            Ok(done)
        }
    }))
    .await;
    let mut done: Vec<String> = done.into_iter().collect::<Result<Vec<_>>>()?.concat();
    // Somebody may have had the last ones while others looked.
    while let Some(work) = claim(&queue).await? {
        done.push(work.job().task.clone());
        work.complete(None).await?;
    }
    let all = done.len();
    done.sort();
    done.dedup();
    same("each once", (all, done.len()), (30, 30))?;
    same(
        "counted",
        queue.activity("main").await?.summary.completed_total,
        30,
    )
}
