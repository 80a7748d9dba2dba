//! Every write, what reading answers after it, and commits that are repeated.

use std::time::Duration;

use super::run::{Stop, Verdict, World, absent, add, at_most, noon, put, same, version};
use crate::Code;
use crate::store::{Commit, Committed, Entry, Range, Write};

pub(super) async fn versions_rise(world: &World<'_>) -> Verdict {
    same("never put", world.store.get("a").await?, None)?;
    let twice = Commit::new().write(put("a", "1")).write(put("a", "2"));
    same("within a commit", world.made(twice).await?, vec![1, 2])?;
    same(
        "later",
        world.made(Commit::new().write(put("a", "3"))).await?,
        vec![3],
    )?;
    let record = world.store.get("a").await?;
    let found = record.map(|record| (record.value, record.version, record.expires_at));
    same("record", found, Some(("3".to_owned(), 3, None)))?;
    let anew = Commit::new()
        .write(Write::Delete { key: "a".to_owned() })
        .write(put("a", "4"));
    same("deleted, it begins anew", world.made(anew).await?, vec![0, 1])?;
    world
        .made(Commit::new().write(Write::Delete {
            key: "nobody".to_owned(),
        }))
        .await
        .map(drop)
}

pub(super) async fn sums(world: &World<'_>) -> Verdict {
    let commit = Commit::new()
        .write(add("s", 5))
        .write(add("t", -7))
        .write(add("s", 6));
    same("running sums", world.made(commit).await?, vec![5, -7, 11])?;
    same("s", world.store.sum("s").await?, 11)?;
    same("t", world.store.sum("t").await?, -7)?;
    same("never added to", world.store.sum("u").await?, 0)?;
    world.made(Commit::new().write(add("s", -11))).await?;
    same("back to nothing", world.store.sum("s").await?, 0)?;
    // 2^53 + 1 is the first whole number that a double cannot hold; a store that counts in doubles says so and stops before.
    let exact = world.store.largest_sum().min(9_007_199_254_740_993);
    world.made(Commit::new().write(add("s", exact))).await?;
    same("exact", world.store.sum("s").await?, exact)?;
    world.made(Commit::new().write(add("s", -1))).await?;
    same("to the last unit", world.store.sum("s").await?, exact - 1)
}

pub(super) async fn sum_beyond_what_is_counted(world: &World<'_>) -> Verdict {
    let largest = world.store.largest_sum();
    // Never less than the caps that are promised: 9,000,000 USD in billionths.
    same("the least that must fit", largest >= 9_000_000_000_000_000, true)?;
    let smallest = if largest == i64::MAX { i64::MIN } else { -largest };
    for delta in [largest, smallest] {
        let step = if delta > 0 { 1 } else { -1 };
        let name = step.to_string();
        let commit = Commit::new()
            .write(put("a", "1"))
            .write(add(&name, delta))
            .write(add(&name, step));
        let error = world.store.commit(commit).await.err().map(|error| error.code());
        same("refused", error, Some(Code::InvalidInput))?;
        same("nothing added", world.store.sum(&name).await?, 0)?;
        same("nothing put", world.value("a").await?, None)?;
        let back = Commit::new().write(add(&name, delta)).write(add(&name, -step));
        world.made(back).await?;
        let Some(beyond) = delta.checked_add(step) else {
            continue;
        };
        let at_once = Commit::new().write(put("b", "1")).write(add("at once", beyond));
        let capped = Commit::new().guard(at_most("s", 1, beyond)).write(put("b", "1"));
        for commit in [at_once, capped] {
            let error = world.store.commit(commit).await.err().map(|error| error.code());
            same("refused at once", error, Some(Code::InvalidInput))?;
            same("nothing put", world.value("b").await?, None)?;
        }
    }
    Ok(())
}

pub(super) async fn sequences(world: &World<'_>) -> Verdict {
    let append = |index: &str, member: &str| Write::Append {
        index: index.to_owned(),
        member: member.to_owned(),
    };
    let commit = Commit::new()
        .write(append("i", "z"))
        .write(append("j", "z"))
        .write(append("i", "a"));
    same(
        "each index counts for itself",
        world.made(commit).await?,
        vec![1, 1, 2],
    )?;
    same(
        "in order of appending",
        scan(world, "i", Range::first(9)).await?,
        pairs(&[("z", 1), ("a", 2)]),
    )?;
    let commit = Commit::new().write(unindex("i", "z")).write(unindex("i", "a"));
    world.made(commit).await?;
    let again = Commit::new()
        .write(append("i", "b"))
        .write(append("i", "c"))
        .write(append("i", "b"));
    same(
        "a number is not given twice",
        world.made(again).await?,
        vec![3, 4, 5],
    )?;
    same(
        "appended again, it moves to the end",
        scan(world, "i", Range::first(9)).await?,
        pairs(&[("c", 4), ("b", 5)]),
    )
}

pub(super) async fn scores(world: &World<'_>) -> Verdict {
    let commit = Commit::new()
        .write(score("a", 5, false))
        .write(score("b", 5, true))
        .write(score("a", 7, true))
        .write(score("b", -2, false));
    same("results", world.made(commit).await?, vec![0, 0, 0, 0])?;
    same(
        "set and kept",
        scan(world, "i", Range::first(9)).await?,
        pairs(&[("b", -2), ("a", 5)]),
    )?;
    same("count", world.store.count("i").await?, 2)?;
    let gone = Commit::new()
        .write(unindex("i", "a"))
        .write(unindex("i", "nobody"))
        .write(unindex("j", "a"));
    world.made(gone).await?;
    same(
        "removed",
        scan(world, "i", Range::first(9)).await?,
        pairs(&[("b", -2)]),
    )
}

pub(super) async fn ranges(world: &World<'_>) -> Verdict {
    let mut commit = Commit::new();
    for (member, at) in [("d", 2), ("c", 1), ("b", 2), ("a", i64::MAX), ("e", i64::MIN)] {
        commit = commit.write(score(member, at, false));
    }
    world.made(commit).await?;
    let all = pairs(&[("e", i64::MIN), ("c", 1), ("b", 2), ("d", 2), ("a", i64::MAX)]);
    same(
        "all, by score then member",
        scan(world, "i", Range::first(usize::MAX)).await?,
        all.clone(),
    )?;
    same(
        "limit",
        scan(world, "i", Range::first(2)).await?,
        all[..2].to_vec(),
    )?;
    same(
        "no limit is none",
        scan(world, "i", Range::first(0)).await?,
        vec![],
    )?;
    same(
        "up to, inclusive",
        scan(world, "i", Range::up_to(2, 9)).await?,
        all[..4].to_vec(),
    )?;
    let between = |from, to| Range { from, to, limit: 9 };
    same(
        "between, inclusive",
        scan(world, "i", between(1, 2)).await?,
        all[1..4].to_vec(),
    )?;
    same("nothing there", scan(world, "i", between(3, 9)).await?, vec![])?;
    same("backwards", scan(world, "i", between(2, 1)).await?, vec![])?;
    same(
        "no such index",
        scan(world, "nobody", Range::first(9)).await?,
        vec![],
    )
}

pub(super) async fn names_are_bytes(world: &World<'_>) -> Verdict {
    let names = [
        "", "a", "A", "a ", "a/b", "a\0b", "a\0", "é", "e\u{301}", "%", "日本", "'; DROP", "🙂",
    ];
    let mut commit = Commit::new();
    for name in names {
        commit = commit
            .write(put(name, name))
            .write(score(name, 0, false))
            .write(add(name, 1));
    }
    world.made(commit).await?;
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    for name in names {
        same(name, world.value(name).await?.as_deref(), Some(name))?;
        same(name, world.store.sum(name).await?, 1)?;
    }
    let members: Vec<String> = scan(world, "i", Range::first(99))
        .await?
        .into_iter()
        .map(|entry| entry.member)
        .collect();
    same(
        "in the order of their bytes",
        members,
        sorted.into_iter().map(str::to_owned).collect(),
    )
}

pub(super) async fn large_values(world: &World<'_>) -> Verdict {
    let value = "ä".repeat(1 << 20);
    world.made(Commit::new().write(put("a", &value))).await?;
    same(
        "two MiB",
        world.value("a").await?.is_some_and(|found| found == value),
        true,
    )
}

pub(super) async fn records_end(world: &World<'_>) -> Verdict {
    let brief = |value: &str| Write::Put {
        key: "a".to_owned(),
        value: value.to_owned(),
        ttl: Some(Duration::from_secs(10)),
    };
    world.made(Commit::new().write(brief("1"))).await?;
    let end = world.store.get("a").await?.and_then(|record| record.expires_at);
    same("its end", end, Some(noon() + chrono::Duration::seconds(10)))?;
    world.clock.advance(Duration::from_micros(9_999_999));
    same("alive to the last", world.value("a").await?.as_deref(), Some("1"))?;
    same(
        "so not absent",
        world.refused(Commit::new().guard(absent("a"))).await?,
        (0, 1),
    )?;
    world.clock.advance(Duration::from_micros(1));
    same("gone", world.value("a").await?, None)?;
    same(
        "no version",
        world.refused(Commit::new().guard(version("a", 1))).await?,
        (0, 0),
    )?;
    let anew = Commit::new().guard(absent("a")).write(brief("2"));
    same("it begins anew", world.made(anew).await?, vec![1])?;
    world.seconds(9);
    world.made(Commit::new().write(put("a", "3"))).await?;
    world.seconds(3_600);
    same(
        "a later put without an end stays",
        world.value("a").await?.as_deref(),
        Some("3"),
    )?;
    let zero = Write::Put {
        key: "z".to_owned(),
        value: String::new(),
        ttl: Some(Duration::ZERO),
    };
    world.made(Commit::new().write(zero)).await?;
    same("no time to live is no life", world.value("z").await?, None)
}

pub(super) async fn repeated_op_id(world: &World<'_>) -> Verdict {
    let commit = || {
        Commit::new()
            .with_op_id("op")
            .guard(absent("a"))
            .write(put("a", "1"))
            .write(add("s", 5))
    };
    let first = world.store.commit(commit()).await?;
    world.seconds(60);
    same("the first answer", world.store.commit(commit()).await?, first)?;
    same("written once", world.store.sum("s").await?, 5)?;
    let other = commit().with_op_id("other");
    same(
        "another id is another commit",
        world.refused(other).await?,
        (0, 1),
    )
}

pub(super) async fn repeated_op_id_of_a_refusal(world: &World<'_>) -> Verdict {
    world.made(Commit::new().write(put("a", "1"))).await?;
    let commit = || {
        Commit::new()
            .with_op_id("op")
            .guard(absent("a"))
            .write(add("s", 5))
    };
    same("refused", world.refused(commit()).await?, (0, 1))?;
    world
        .made(Commit::new().write(Write::Delete { key: "a".to_owned() }))
        .await?;
    same("still the first answer", world.refused(commit()).await?, (0, 1))?;
    same("nothing written", world.store.sum("s").await?, 0)
}

pub(super) async fn op_id_is_forgotten(world: &World<'_>) -> Verdict {
    let commit = || Commit::new().with_op_id("op").write(add("s", 5));
    world.made(commit()).await?;
    world.seconds(24 * 60 * 60);
    same("kept for 24 hours", world.made(commit()).await?, vec![5])?;
    world.seconds(1);
    same("and not for longer", world.made(commit()).await?, vec![10])?;
    same("then it is kept anew", world.made(commit()).await?, vec![10])
}

pub(super) async fn empty_commit(world: &World<'_>) -> Verdict {
    match world.store.commit(Commit::new()).await? {
        Committed::Done { results, at } => {
            same("no results", results, vec![])?;
            same("the store's time", at, noon())
        }
        Committed::Refused(_) => Err(Stop::Failed("nothing was refused".to_owned())),
    }
}

fn score(member: &str, score: i64, keep: bool) -> Write {
    Write::Index {
        index: "i".to_owned(),
        member: member.to_owned(),
        score,
        keep,
    }
}

fn unindex(index: &str, member: &str) -> Write {
    Write::Unindex {
        index: index.to_owned(),
        member: member.to_owned(),
    }
}

async fn scan(world: &World<'_>, index: &str, range: Range) -> Result<Vec<Entry>, Stop> {
    Ok(world.store.scan(index, range).await?)
}

fn pairs(pairs: &[(&str, i64)]) -> Vec<Entry> {
    pairs
        .iter()
        .map(|(member, score)| Entry {
            member: (*member).to_owned(),
            score: *score,
        })
        .collect()
}
