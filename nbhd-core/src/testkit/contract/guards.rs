//! Every guard, alone and with others.

use std::time::Duration;

use super::run::{Stop, Verdict, World, absent, add, at_most, put, same, version};
use crate::store::{Bucket, Commit, Committed, Guard, Range, Write};
use crate::{Code, Error};

pub(super) async fn absent_record(world: &World<'_>) -> Verdict {
    let claim = || Commit::new().guard(absent("a")).write(put("a", "1"));
    world.made(claim()).await?;
    same("second claim", world.refused(claim()).await?, (0, 1))?;
    world.made(Commit::new().write(put("a", "2"))).await?;
    same("names the live version", world.refused(claim()).await?, (0, 2))?;
    world
        .made(Commit::new().write(Write::Delete { key: "a".to_owned() }))
        .await?;
    world.made(claim()).await.map(drop)
}

pub(super) async fn version_is(world: &World<'_>) -> Verdict {
    let update = |at| Commit::new().guard(version("a", at)).write(put("a", "x"));
    same("no record", world.refused(update(1)).await?, (0, 0))?;
    same("no record has version 0", world.refused(update(0)).await?, (0, 0))?;
    world.made(Commit::new().write(put("a", "1"))).await?;
    world.made(update(1)).await?;
    same("stale", world.refused(update(1)).await?, (0, 2))?;
    same("future", world.refused(update(3)).await?, (0, 2))
}

pub(super) async fn lease_is_live(world: &World<'_>) -> Verdict {
    let under = |lane: &str, epoch| {
        Commit::new().write(put("a", "1")).guard(Guard::Lease {
            lane: lane.to_owned(),
            epoch,
        })
    };
    same("no lease", world.refused(under("l", 1)).await?, (0, 0))?;
    same(
        "no lease has epoch 0",
        world.refused(under("l", 0)).await?,
        (0, 0),
    )?;
    let lease = claim(world, "l").await?;
    world.made(under("l", lease)).await?;
    same("another epoch", world.refused(under("l", lease + 1)).await?.0, 0)?;
    same("another lane", world.refused(under("m", lease)).await?, (0, 0))?;
    world.seconds(60);
    same("ended", world.refused(under("l", lease)).await?, (0, 0))
}

pub(super) async fn sum_at_most(world: &World<'_>) -> Verdict {
    let spend = |delta| {
        Commit::new()
            .guard(at_most("s", delta, 10))
            .write(add("s", delta))
    };
    world.made(spend(7)).await?;
    same("above the cap", world.refused(spend(4)).await?, (0, 7))?;
    world.made(spend(3)).await?;
    same("full", world.refused(spend(1)).await?, (0, 10))?;
    world.made(spend(-5)).await?;
    same("sum", world.store.sum("s").await?, 5)?;
    let largest = world.store.largest_sum();
    let extreme = Commit::new().guard(at_most("s", largest, largest));
    same("no wrapping", world.refused(extreme).await?, (0, 5))
}

pub(super) async fn count_below(world: &World<'_>) -> Verdict {
    let enter = |member: &str, n| {
        let guard = Guard::CountBelow {
            index: "i".to_owned(),
            n,
        };
        Commit::new().guard(guard).write(Write::Append {
            index: "i".to_owned(),
            member: member.to_owned(),
        })
    };
    same("nothing is below 0", world.refused(enter("a", 0)).await?, (0, 0))?;
    world.made(enter("a", 2)).await?;
    world.made(enter("b", 2)).await?;
    same("full", world.refused(enter("c", 2)).await?, (0, 2))?;
    let leave = Commit::new().write(Write::Unindex {
        index: "i".to_owned(),
        member: "a".to_owned(),
    });
    world.made(leave.clone()).await?;
    world.made(leave).await?;
    world.made(enter("b", 2)).await?;
    same("a member counts once", world.store.count("i").await?, 1)?;
    world.made(enter("c", 2)).await.map(drop)
}

pub(super) async fn bucket(world: &World<'_>) -> Verdict {
    let take = |n| Commit::new().guard(tokens("b", n));
    world.made(take(2)).await?;
    world.made(take(1)).await?;
    match world.store.commit(take(1)).await? {
        Committed::Refused(refusal) => {
            same("tokens left", refusal.found, 0)?;
            // Three tokens in one second: the next one after a third, rounded up to what a clock can tell.
            let wait = refusal.wait.unwrap_or_default();
            same("wait", wait, Duration::from_micros(333_334))?;
            world.clock.advance(wait);
        }
        Committed::Done { .. } => return Err(Stop::Failed("an empty bucket gave a token".to_owned())),
    }
    world.made(take(1)).await?;
    same("and no second one", world.refused(take(1)).await?, (0, 0))?;
    world.seconds(3_600);
    world.made(take(3)).await?;
    same("never above its capacity", world.refused(take(1)).await?, (0, 0))?;
    let error = world.store.commit(take(4)).await.err().map(|e: Error| e.code());
    same("more than it ever holds", error, Some(Code::InvalidInput))
}

pub(super) async fn bucket_shared_by_two_guards(world: &World<'_>) -> Verdict {
    let both = Commit::new().guard(tokens("b", 2)).guard(tokens("b", 2));
    same("the second sees the first", world.refused(both).await?, (1, 1))?;
    world
        .made(Commit::new().guard(tokens("b", 2)).guard(tokens("b", 1)))
        .await?;
    same(
        "both were taken",
        world.refused(Commit::new().guard(tokens("b", 1))).await?,
        (0, 0),
    )
}

pub(super) async fn first_of_many_is_named(world: &World<'_>) -> Verdict {
    world
        .made(Commit::new().write(put("a", "1")).write(add("s", 9)))
        .await?;
    let guards = [
        absent("nobody"),
        version("a", 1),
        tokens("b", 1),
        at_most("s", 1, 9),
        absent("a"),
    ];
    let commit = guards.into_iter().fold(Commit::new(), Commit::guard);
    same(
        "the first that does not hold",
        world.refused(commit).await?,
        (3, 9),
    )
}

pub(super) async fn looked_at_before_the_writes(world: &World<'_>) -> Verdict {
    let commit = Commit::new()
        .write(put("a", "1"))
        .write(add("s", 5))
        .guard(absent("a"))
        .guard(at_most("s", 5, 5));
    world.made(commit).await.map(drop)
}

pub(super) async fn nothing_of_a_refused_commit(world: &World<'_>) -> Verdict {
    world.made(Commit::new().write(put("there", "1"))).await?;
    let epoch = claim(world, "l").await?;
    let commit = Commit::new()
        .guard(tokens("b", 3))
        .guard(absent("there"))
        .write(put("there", "2"))
        .write(put("new", "1"))
        .write(add("s", 1))
        .write(Write::Append {
            index: "i".to_owned(),
            member: "m".to_owned(),
        })
        .write(Write::Release {
            lane: "l".to_owned(),
            epoch,
        });
    same("refused", world.refused(commit).await?.0, 1)?;
    same("put over", world.value("there").await?.as_deref(), Some("1"))?;
    same("put", world.value("new").await?, None)?;
    same("add", world.store.sum("s").await?, 0)?;
    same("append", world.store.scan("i", Range::first(9)).await?, vec![])?;
    same("count", world.store.count("i").await?, 0)?;
    same(
        "release",
        world.store.claim("l", Duration::from_secs(1)).await?,
        None,
    )?;
    world.made(Commit::new().guard(tokens("b", 3))).await.map(drop)
}

async fn claim(world: &World<'_>, lane: &str) -> Result<u64, Stop> {
    let lease = world.store.claim(lane, Duration::from_secs(60)).await?;
    lease
        .map(|lease| lease.epoch)
        .ok_or_else(|| Stop::Failed("a free lane was not given".to_owned()))
}

/// Three tokens a second.
fn tokens(key: &str, n: u32) -> Guard {
    Guard::Bucket {
        key: key.to_owned(),
        n,
        bucket: Bucket {
            capacity: 3,
            refill: Duration::from_secs(1),
        },
    }
}
