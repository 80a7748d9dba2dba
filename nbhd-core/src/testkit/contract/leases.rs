//! Leases and the clock that decides them.

use std::sync::Arc;
use std::time::Duration;

use super::run::{Stop, Verdict, World, noon, put, same};
use crate::clock::FakeClock;
use crate::store::{Commit, Guard, Lease, Write};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn one_holder(world: &World<'_>) -> Verdict {
    let lease = take(world, "l").await?;
    same("lane", lease.lane.as_str(), "l")?;
    same("end", lease.expires_at, noon() + chrono::Duration::seconds(60))?;
    same("held", world.store.claim("l", MINUTE).await?, None)?;
    take(world, "m").await.map(drop)
}

pub(super) async fn epochs_rise(world: &World<'_>) -> Verdict {
    let mut last = 0;
    for round in 0..6 {
        let lease = take(world, "l").await?;
        same("higher than before", lease.epoch > last, true)?;
        last = lease.epoch;
        match round % 3 {
            0 => world.seconds(60),
            1 => world
                .made(Commit::new().write(given_back(&lease)))
                .await
                .map(drop)?,
            // Long after every trace of the lease was cleaned away.
            _ => {
                world.seconds(90 * 24 * 60 * 60);
                for n in 0..8 {
                    world.made(Commit::new().write(put("a", &n.to_string()))).await?;
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn renewal(world: &World<'_>) -> Verdict {
    let lease = take(world, "l").await?;
    world.seconds(59);
    let renewed = world.store.renew(&lease, MINUTE).await?;
    let end = noon() + chrono::Duration::seconds(119);
    let expected = Lease {
        expires_at: end,
        ..lease.clone()
    };
    same("same epoch, later end", renewed, Some(expected))?;
    world.seconds(59);
    same("still held", world.store.claim("l", MINUTE).await?, None)?;
    world.seconds(1);
    same(
        "an ended lease is not renewed",
        world.store.renew(&lease, MINUTE).await?,
        None,
    )?;
    let next = take(world, "l").await?;
    same(
        "a lost one neither",
        world.store.renew(&lease, MINUTE).await?,
        None,
    )?;
    same(
        "nor one that never was",
        world.store.renew(&Lease { epoch: 0, ..lease }, MINUTE).await?,
        None,
    )?;
    same(
        "the holder's is",
        world.store.renew(&next, MINUTE).await?.is_some(),
        true,
    )
}

pub(super) async fn release(world: &World<'_>) -> Verdict {
    let lease = take(world, "l").await?;
    let stale = Lease {
        epoch: lease.epoch + 1,
        ..lease.clone()
    };
    world.made(Commit::new().write(given_back(&stale))).await?;
    same(
        "another epoch gives nothing back",
        world.store.claim("l", MINUTE).await?,
        None,
    )?;
    let last_word = Commit::new()
        .guard(Guard::Lease {
            lane: lease.lane.clone(),
            epoch: lease.epoch,
        })
        .write(put("a", "1"))
        .write(given_back(&lease));
    world.made(last_word.clone()).await?;
    same("no lease any more", world.refused(last_word).await?, (0, 0))?;
    same("nor to renew", world.store.renew(&lease, MINUTE).await?, None)?;
    take(world, "l").await.map(drop)
}

pub(super) async fn end_by_the_store_clock(world: &World<'_>) -> Verdict {
    take(world, "l").await?;
    world.clock.advance(Duration::from_micros(59_999_999));
    same("held to the last", world.store.claim("l", MINUTE).await?, None)?;
    world.clock.advance(Duration::from_micros(1));
    same(
        "the store's time",
        world.store.now().await?,
        noon() + chrono::Duration::seconds(60),
    )?;
    take(world, "l").await.map(drop)
}

pub(super) async fn time_of_a_second_handle(world: &World<'_>) -> Verdict {
    world.seconds(100);
    world.made(Commit::new().write(put("a", "1"))).await?;
    let behind = world.beside(Arc::new(FakeClock::at(noon()))).await?;
    let seen = noon() + chrono::Duration::seconds(100);
    same("held at the last time seen", behind.now().await?, seen)?;
    let lease = behind.claim("l", MINUTE).await?;
    let end = lease.map(|lease| lease.expires_at);
    same(
        "so leases count from there",
        end,
        Some(seen + chrono::Duration::seconds(60)),
    )
}

async fn take(world: &World<'_>, lane: &str) -> Result<Lease, Stop> {
    let lease = world.store.claim(lane, MINUTE).await?;
    lease.ok_or_else(|| Stop::Failed(format!("the free lane {lane} was not given")))
}

fn given_back(lease: &Lease) -> Write {
    Write::Release {
        lane: lease.lane.clone(),
        epoch: lease.epoch,
    }
}
