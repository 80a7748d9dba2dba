//! Limits, and the gates for messages to people.

use std::time::Duration;

use serde_json::json;

use super::run::{World, refused, some};
use crate::id::{Random, SeededRandomness};
use crate::limit::{AlertGate, Limit, Limits, LocalLimits, StateGate, StoreLimits};
use crate::testkit::contract::{Verdict, same};
use crate::{Code, Result};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn all_or_none(world: &World) -> Verdict {
    let stored = StoreLimits::new(&world.host);
    let local = LocalLimits::new(&world.host);
    for limits in [&stored as &dyn Limits, &local] {
        let wide = Limit::new("search", 3, MINUTE).with_who("ada");
        let narrow = Limit::new("search", 1, MINUTE).with_who("ada").with_where("mail");
        let both = [wide.clone(), narrow.clone()];
        limits.take(&both).await?;
        let error = refused("the narrow one", limits.take(&both).await, Code::RateLimited)?;
        same("when", error.retry_after(), Some(MINUTE))?;
        let named = error.details().map(|details| details["where"].clone());
        same("which", named, Some(json!("mail")))?;
        limits.take(&[wide.clone().with_take(2)]).await?;
        let error = refused("the wide one", limits.take(&[wide]).await, Code::RateLimited)?;
        same("when", error.retry_after(), Some(MINUTE / 3))?;
        limits.take(&[]).await?;
    }
    Ok(())
}

pub(super) async fn kept_apart(world: &World) -> Verdict {
    let limits = StoreLimits::new(&world.host);
    let of =
        |what: &str, who: &str, place: &str| [Limit::new(what, 1, MINUTE).with_who(who).with_where(place)];
    for (what, who, place) in [
        ("a", "b", "c"),
        ("a", "b/c", ""),
        ("a", "", "b/c"),
        ("a/b", "c", ""),
    ] {
        limits.take(&of(what, who, place)).await?;
    }
    refused("again", limits.take(&of("a", "b", "c")).await, Code::RateLimited)?;
    Ok(())
}

pub(super) async fn shapes_refused(world: &World) -> Verdict {
    let stored = StoreLimits::new(&world.host);
    let local = LocalLimits::new(&world.host);
    for limits in [&stored as &dyn Limits, &local] {
        for (units, per, take) in [
            (0, 60.0, 1),
            (1, 0.0, 1),
            (1, -1.0, 1),
            (1, f64::NAN, 1),
            (3, 60.0, 4),
        ] {
            let mut limit = Limit::new("x", units, MINUTE).with_take(take);
            limit.per = per;
            refused(
                "a limit that cannot be",
                limits.take(&[limit]).await,
                Code::InvalidInput,
            )?;
        }
    }
    Ok(())
}

pub(super) async fn local_and_stored_agree(world: &World) -> Verdict {
    let stored = StoreLimits::new(&world.host);
    let local = LocalLimits::new(&world.host);
    let random = SeededRandomness::new(7);
    let below = |n: u32| (random.fraction() * f64::from(n)) as u32;
    let mut refusals = 0;
    for step in 0..400 {
        let limits: Vec<Limit> = (0..=below(3))
            .map(|_| {
                // Each has a shape of its own, which never changes.
                let (what, units, millis) =
                    [("x", 2, 700), ("y", 5, 1_400), ("z", 3, 2_100)][below(3) as usize];
                Limit::new(what, units, Duration::from_millis(millis))
                    .with_who(["ada", "bob"][below(2) as usize])
                    .with_take(below(3))
            })
            .collect();
        let ours = answer(local.take(&limits).await);
        refusals += usize::from(ours.is_some());
        same(&format!("step {step}"), answer(stored.take(&limits).await), ours)?;
        world.micros(u64::from(below(400_000)));
    }
    same("both answers were seen", (40..360).contains(&refusals), true)
}

/// What makes one refusal differ from another.
type Answer = Option<(Code, Option<Duration>, Option<serde_json::Value>)>;

fn answer(result: Result<()>) -> Answer {
    let error = result.err()?;
    Some((error.code(), error.retry_after(), error.details().cloned()))
}

pub(super) async fn alerts_once_in_half_an_hour(world: &World) -> Verdict {
    let gate = AlertGate::new(&world.host);
    some("the first", gate.begin("disk", "ada").await?)?
        .sent()
        .await?;
    same("again", gate.begin("disk", "ada").await?.is_none(), true)?;
    some("somebody else", gate.begin("disk", "bob").await?)?
        .sent()
        .await?;
    some("another check", gate.begin("load", "ada").await?)?
        .sent()
        .await?;
    world.seconds(30 * 60 - 1);
    same("too early", gate.begin("disk", "ada").await?.is_none(), true)?;
    world.seconds(1);
    some("after half an hour", gate.begin("disk", "ada").await?).map(drop)
}

pub(super) async fn one_sender_at_a_time(world: &World) -> Verdict {
    let gate = AlertGate::new(&world.host);
    let first = some("the first", gate.begin("disk", "ada").await?)?;
    same(
        "while it is sent",
        gate.begin("disk", "ada").await?.is_none(),
        true,
    )?;
    world.seconds(60);
    let second = some("the first went away", gate.begin("disk", "ada").await?)?;
    first.sent().await?;
    same(
        "it was sent after all",
        gate.begin("disk", "ada").await?.is_none(),
        true,
    )?;
    second.failed().await?;
    same("and stays sent", gate.begin("disk", "ada").await?.is_none(), true)
}

pub(super) async fn failed_alert_leaves_the_gate_open(world: &World) -> Verdict {
    let gate = AlertGate::new(&world.host);
    some("the first", gate.begin("disk", "ada").await?)?
        .failed()
        .await?;
    some("the next", gate.begin("disk", "ada").await?)?.sent().await?;
    same("closed", gate.begin("disk", "ada").await?.is_none(), true)
}

pub(super) async fn states_told_once(world: &World) -> Verdict {
    let gate = StateGate::new(&world.host);
    let bad = json!({"status": "fail", "checks": ["a", "b"], "n": 1.0});
    some("the first", gate.begin("shop:run", &bad).await?)?
        .sent()
        .await?;
    let same_state = json!({"n": 1, "checks": ["a", "b"], "status": "fail"});
    same(
        "the same",
        gate.begin("shop:run", &same_state).await?.is_none(),
        true,
    )?;
    let good = json!({"status": "pass"});
    some("another", gate.begin("shop:run", &good).await?)?
        .failed()
        .await?;
    same(
        "not told, so the last is",
        gate.begin("shop:run", &bad).await?.is_none(),
        true,
    )?;
    some("another again", gate.begin("shop:run", &good).await?)?
        .sent()
        .await?;
    world.seconds(400 * 86_400);
    same("for ever", gate.begin("shop:run", &good).await?.is_none(), true)?;
    some("back", gate.begin("shop:run", &bad).await?)?.sent().await?;
    some("elsewhere", gate.begin("shop:other", &bad).await?).map(drop)
}
