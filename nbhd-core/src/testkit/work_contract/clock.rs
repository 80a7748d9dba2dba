//! A clock that jumps: nothing is forgotten early, nothing goes backwards.

use std::time::Duration;

use super::run::World;
use crate::store::{Commit, Committed, Guard, Write};
use crate::testkit::contract::{Stop, Verdict, same};

async fn remember(world: &World, key: &str, seconds: u64) -> Result<bool, Stop> {
    let commit = Commit::new()
        .guard(Guard::Absent { key: key.to_owned() })
        .write(Write::Put {
            key: key.to_owned(),
            value: "1".to_owned(),
            ttl: Some(Duration::from_secs(seconds)),
        });
    let made = world.host.store().commit(commit).await?;
    Ok(matches!(made, Committed::Done { .. }))
}

pub(super) async fn step_ahead_ends_nothing(world: &World) -> Verdict {
    let before = world.host.store().now().await?;
    same("first", remember(world, "tombstone", 86_400).await?, true)?;
    world.clock.step(chrono::Duration::days(40));
    world.seconds(1);
    same(
        "after the step",
        remember(world, "tombstone", 86_400).await?,
        false,
    )?;
    for n in 0..40 {
        remember(world, &format!("more/{n}"), 1).await?;
    }
    same(
        "when others were written",
        remember(world, "tombstone", 86_400).await?,
        false,
    )?;
    let now = world.host.store().now().await?;
    same("the time went on", now, before + chrono::Duration::seconds(1))?;
    let ahead = world.host.clock_ahead();
    same("it says how far", ahead, Some(Duration::from_secs(40 * 86_400)))?;
    world.host.confirm_clock();
    let now = world.host.store().now().await?;
    let then = before + chrono::Duration::days(40) + chrono::Duration::seconds(1);
    same("confirmed", now, then)?;
    same("nothing is ahead", world.host.clock_ahead(), None)?;
    same(
        "now it has ended",
        remember(world, "tombstone", 86_400).await?,
        true,
    )
}

pub(super) async fn step_back_is_held(world: &World) -> Verdict {
    remember(world, "a", 60).await?;
    let before = world.host.store().now().await?;
    world.clock.step(chrono::Duration::hours(-5));
    same("held", world.host.store().now().await?, before)?;
    same("not live longer", remember(world, "b", 60).await?, true)?;
    world.clock.step(chrono::Duration::hours(5));
    world.seconds(60);
    let now = world.host.store().now().await?;
    same("goes on", now, before + chrono::Duration::seconds(60))?;
    same("ended", remember(world, "a", 60).await?, true)?;
    same("ended as well", remember(world, "b", 60).await?, true)
}

pub(super) async fn sleep_is_no_step(world: &World) -> Verdict {
    remember(world, "a", 60).await?;
    let before = world.host.store().now().await?;
    world.clock.suspend(Duration::from_secs(2 * 86_400));
    let now = world.host.store().now().await?;
    same("two days", now, before + chrono::Duration::days(2))?;
    same("nothing is ahead", world.host.clock_ahead(), None)?;
    same("it has ended", remember(world, "a", 60).await?, true)
}
