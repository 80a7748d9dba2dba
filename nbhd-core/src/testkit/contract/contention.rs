//! Many at once, within a process and through two handles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::run::{Stop, Verdict, World, absent, add, at_most, put, same, version};
use crate::Result;
use crate::store::{Commit, Committed, Range, Store, Write};

/// Writers at once: more than the cores of any machine that runs this.
const WRITERS: usize = 32;

pub(super) async fn cap_holds(world: &World<'_>) -> Verdict {
    // 32 writers try 20 times to take 7 of 1,000: 142 takings fit.
    let made = race(world.store.clone(), |store, _| async move {
        let mut made = 0;
        for _ in 0..20 {
            let commit = Commit::new().guard(at_most("s", 7, 1_000)).write(add("s", 7));
            made += usize::from(done(&*store, commit).await?);
        }
        Ok(made)
    })
    .await?;
    same("takings", made.iter().sum::<usize>(), 142)?;
    same("sum", world.store.sum("s").await?, 994)
}

pub(super) async fn one_winner(world: &World<'_>) -> Verdict {
    let won = race(world.store.clone(), |store, n| async move {
        let commit = Commit::new().guard(absent("a")).write(put("a", &n.to_string()));
        done(&*store, commit).await
    })
    .await?;
    let winners: Vec<usize> = (0..WRITERS).filter(|n| won[*n]).collect();
    same("winners", winners.len(), 1)?;
    same("its value", world.value("a").await?, Some(winners[0].to_string()))
}

pub(super) async fn lost_updates(world: &World<'_>) -> Verdict {
    world.made(Commit::new().write(put("a", "0"))).await?;
    race(world.store.clone(), |store, _| async move {
        loop {
            let Some(record) = store.get("a").await? else {
                return Ok(());
            };
            let next = record.value.parse::<u64>().unwrap_or_default() + 1;
            let commit = Commit::new()
                .guard(version("a", record.version))
                .write(put("a", &next.to_string()));
            if done(&*store, commit).await? {
                return Ok(());
            }
        }
    })
    .await?;
    same(
        "no update is lost",
        world.value("a").await?,
        Some(WRITERS.to_string()),
    )
}

pub(super) async fn one_lease(world: &World<'_>) -> Verdict {
    let taken = race(world.store.clone(), |store, _| async move {
        Ok(store.claim("l", Duration::from_secs(60)).await?.is_some())
    })
    .await?;
    same("holders", taken.into_iter().filter(|taken| *taken).count(), 1)
}

pub(super) async fn sequences_are_unique(world: &World<'_>) -> Verdict {
    let numbers = race(world.store.clone(), |store, n| async move {
        let append = Write::Append {
            index: "i".to_owned(),
            member: n.to_string(),
        };
        Ok(match store.commit(Commit::new().write(append)).await? {
            Committed::Done { results, .. } => results,
            Committed::Refused(_) => Vec::new(),
        })
    })
    .await?;
    let numbers: BTreeSet<i64> = numbers.into_iter().flatten().collect();
    same("numbers", numbers, (1..=WRITERS as i64).collect())?;
    same(
        "entries",
        world.store.scan("i", Range::first(99)).await?.len(),
        WRITERS,
    )
}

pub(super) async fn two_handles(world: &World<'_>) -> Verdict {
    let other = world.beside(world.clock.clone()).await?;
    let handles = [world.store.clone(), other.clone()];
    let spend = |store: Arc<dyn Store>, n: usize| async move {
        let mut made = 0;
        for round in 0..20 {
            let commit = Commit::new()
                .with_op_id(format!("{n}/{round}"))
                .guard(at_most("s", 3, 500))
                .write(add("s", 3));
            made += usize::from(done(&*store, commit).await?);
        }
        Ok(made)
    };
    let [here, there] = handles.map(|store| race(store, spend));
    let (here, there) = futures::future::join(here, there).await;
    // Both sides name the same commits: each is made once, whoever comes first, and answered the same to both.
    let (here, there) = (here?, there?);
    same("each is told the same", &here, &there)?;
    same("takings", here.iter().sum::<usize>(), 166)?;
    same("sum", world.store.sum("s").await?, 498)?;
    same("seen by the other", other.sum("s").await?, 498)
}

/// Runs `work` as many tasks at once; on a runtime with several threads, in several threads.
async fn race<T, W, F>(store: Arc<dyn Store>, work: W) -> std::result::Result<Vec<T>, Stop>
where
    T: Send + 'static,
    W: Fn(Arc<dyn Store>, usize) -> F,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let tasks: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(work(store.clone(), n)))
        .collect();
    let mut answers = Vec::with_capacity(WRITERS);
    for task in tasks {
        let answer = task
            .await
            .map_err(|_| Stop::Failed("a writer panicked".to_owned()))?;
        answers.push(answer?);
    }
    Ok(answers)
}

async fn done(store: &dyn Store, commit: Commit) -> Result<bool> {
    Ok(matches!(store.commit(commit).await?, Committed::Done { .. }))
}
