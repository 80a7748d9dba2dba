//! Random steps, the same on two stores: the same answers and the same state after each.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use nbhd_core::clock::FakeClock;
use nbhd_core::store::{Bucket, Commit, Guard, Lease, Range, Store, Write};
use proptest::prelude::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Commit(Commit),
    Claim(&'static str, u64),
    Renew(usize, u64),
    Wait(u64),
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn ttl() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of((0..40_u64).prop_map(Duration::from_secs))
}

/// Now and then as far as `largest`, if the stores compared have the same end of numbers.
fn delta(largest: Option<i64>) -> BoxedStrategy<i64> {
    match largest {
        Some(largest) => prop_oneof![8 => -20..20_i64, 1 => Just(largest), 1 => Just(-largest - 1)].boxed(),
        None => (-20..20_i64).boxed(),
    }
}

fn guard(largest: Option<i64>) -> impl Strategy<Value = Guard> {
    prop_oneof![
        name().prop_map(|key| Guard::Absent { key }),
        (name(), 0..4_u64).prop_map(|(key, version)| Guard::Version { key, version }),
        (name(), 0..6_u64).prop_map(|(lane, epoch)| Guard::Lease { lane, epoch }),
        (name(), delta(largest), -20..40_i64).prop_map(|(key, delta, cap)| Guard::SumAtMost {
            key,
            delta,
            cap
        }),
        (name(), 0..4_u64).prop_map(|(index, n)| Guard::CountBelow { index, n }),
        (name(), 0..4_u32, 1..5_u32, 1..20_u64).prop_map(|(key, n, capacity, seconds)| {
            let refill = Duration::from_secs(seconds);
            Guard::Bucket {
                key,
                n,
                bucket: Bucket { capacity, refill },
            }
        }),
    ]
}

fn write(largest: Option<i64>) -> impl Strategy<Value = Write> {
    prop_oneof![
        (name(), name(), ttl()).prop_map(|(key, value, ttl)| Write::Put { key, value, ttl }),
        (name(), delta(largest)).prop_map(|(key, delta)| Write::Add { key, delta }),
        (name(), name()).prop_map(|(index, member)| Write::Append { index, member }),
        (name(), name(), -3..3_i64, any::<bool>()).prop_map(|(index, member, score, keep)| {
            Write::Index {
                index,
                member,
                score,
                keep,
            }
        }),
        (name(), name()).prop_map(|(index, member)| Write::Unindex { index, member }),
        name().prop_map(|key| Write::Delete { key }),
        (name(), 0..6_u64).prop_map(|(lane, epoch)| Write::Release { lane, epoch }),
    ]
}

fn step(largest: Option<i64>) -> impl Strategy<Value = Step> {
    let commit = (
        prop::option::weighted(0.2, 0..9_u8),
        prop::collection::vec(guard(largest), 0..3),
        prop::collection::vec(write(largest), 0..5),
    );
    prop_oneof![
        8 => commit.prop_map(|(op_id, guards, writes)| {
            let mut commit = Commit::new();
            commit.op_id = op_id.map(|n| format!("op{n}"));
            commit.guards = guards;
            commit.writes = writes;
            Step::Commit(commit)
        }),
        2 => (prop::sample::select(&NAMES[..]), 0..40_u64).prop_map(|(lane, ttl)| Step::Claim(lane, ttl)),
        1 => (0..9_usize, 0..40_u64).prop_map(|(which, ttl)| Step::Renew(which, ttl)),
        2 => prop_oneof![0..60_u64, Just(86_400_u64)].prop_map(Step::Wait),
    ]
}

/// What a store answers to a step, as text that can be compared.
async fn answer(store: &dyn Store, step: &Step, leases: &[Lease]) -> (String, Option<Lease>) {
    match step {
        Step::Commit(commit) => {
            let answer = store.commit(commit.clone()).await;
            (format!("{:?}", answer.map_err(|error| error.code())), None)
        }
        Step::Claim(lane, ttl) => {
            let lease = store.claim(lane, Duration::from_secs(*ttl)).await.unwrap();
            (format!("{lease:?}"), lease)
        }
        Step::Renew(which, ttl) => {
            let Some(lease) = leases.get(*which) else {
                return (String::new(), None);
            };
            let renewed = store.renew(lease, Duration::from_secs(*ttl)).await.unwrap();
            (format!("{renewed:?}"), None)
        }
        Step::Wait(_) => (String::new(), None),
    }
}

async fn state(store: &dyn Store) -> String {
    let mut state = String::new();
    for name in NAMES {
        let record = store.get(name).await.unwrap();
        let sum = store.sum(name).await.unwrap();
        let entries = store.scan(name, Range::first(99)).await.unwrap();
        let count = store.count(name).await.unwrap();
        let _ = writeln!(state, "{name}: {record:?} {sum} {entries:?} {count}");
    }
    state
}

/// Up to 60 random steps.
pub(crate) fn steps(largest: Option<i64>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(largest), 1..60)
}

/// Where both stores have the time from.
pub(crate) fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
}

/// Takes all steps on both stores and compares whatever can be seen.
pub(crate) async fn same(
    ours: &dyn Store,
    theirs: &dyn Store,
    clock: &FakeClock,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut leases = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        if let Step::Wait(seconds) = step {
            clock.advance(Duration::from_secs(*seconds));
        }
        let (here, lease) = answer(ours, step, &leases).await;
        let (there, _) = answer(theirs, step, &leases).await;
        prop_assert_eq!(here, there, "step {}: {:?}", n, step);
        prop_assert_eq!(state(ours).await, state(theirs).await, "after step {}", n);
        leases.extend(lease);
    }
    Ok(())
}
