//! The promise of the ledger, attacked: random interleavings against a model that counts by its own rule, on both
//! embedded stores, and many tasks at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nbhd_core::clock::{Clock, FakeClock};
use nbhd_core::store::{MemoryStore, SqliteStore, Store};
use nbhd_core::{Code, Host, Timestamp};
use proptest::prelude::*;

use super::{Bound, Budget, Hold, HoldRequest, Ledger, Scope, Settled, State};
use crate::price::{NanoUsd, Rates};

const START: &str = "2026-11-30T21:10:00Z";
const LIFETIME: Duration = Duration::from_secs(600);

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        use nbhd_core::id::{Random, SystemRandomness};
        let path = std::env::temp_dir().join(format!("nbhd-ledger-{}", SystemRandomness.id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(START.parse().unwrap()))
}

fn memory(clock: &Arc<FakeClock>) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new().with_clock(clock.clone()))
}

fn sqlite(clock: &Arc<FakeClock>, folder: &Folder) -> Arc<dyn Store> {
    Arc::new(
        SqliteStore::new(folder.0.join("ledger.db"))
            .unwrap()
            .with_clock(clock.clone()),
    )
}

fn host(store: &Arc<dyn Store>, clock: &Arc<FakeClock>) -> Host {
    Host::builder(store.clone()).with_clock(clock.clone()).build()
}

fn budgets() -> BTreeMap<String, Budget> {
    let cap = |amount| Some(NanoUsd(amount));
    let tenant = Budget {
        hour: cap(700),
        day: cap(1_000),
        ..Budget::default()
    };
    let global = Budget {
        month: cap(2_500),
        ..Budget::default()
    };
    let run = Budget {
        run: cap(900),
        ..Budget::default()
    };
    BTreeMap::from([
        ("tenant".to_owned(), tenant),
        ("global".to_owned(), global),
        ("run".to_owned(), run),
    ])
}

/// A bound at one nano-USD an output token, so that the cap is the amount.
fn bound() -> Bound {
    Bound {
        input_tokens: 0,
        uncapped_output: 0,
        rates: Rates {
            input: NanoUsd(0),
            cache_read: None,
            cache_write: None,
            cache_write_1h: None,
            output: NanoUsd(1_000_000),
        },
        price: "test/model@2026-01-01".to_owned(),
    }
}

fn request(scopes: &[&str], amount: u64) -> HoldRequest {
    HoldRequest::new("test", "model", bound(), amount)
        .with_scopes(scopes.iter().map(|scope| scope.parse().unwrap()))
        .with_lifetime(LIFETIME)
}

fn scopes(names: &[&str]) -> Vec<Scope> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

const SCOPES: [&[&str]; 4] = [
    &["tenant:a", "global"],
    &["tenant:b", "global"],
    &["tenant:a", "run:1", "global"],
    &["run:1", "run:2"],
];

#[derive(Debug, Clone)]
enum Step {
    Hold {
        who: usize,
        amount: u64,
    },
    /// Settles one of the live holds at so many thousandths of what it holds.
    Settle {
        which: prop::sample::Index,
        share: u64,
    },
    Unknown {
        which: prop::sample::Index,
        share: u64,
    },
    Drop {
        which: prop::sample::Index,
        sent: bool,
    },
    Crash {
        which: prop::sample::Index,
    },
    /// Evidence by id for any hold that ever was.
    Evidence {
        which: prop::sample::Index,
        share: u64,
    },
    Recover,
    Advance {
        minutes: u64,
    },
    /// The process starts anew on the same store.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        6 => (0..SCOPES.len(), 0_u64..400).prop_map(|(who, amount)| Step::Hold { who, amount }),
        2 => (index(), 0_u64..=1_000).prop_map(|(which, share)| Step::Settle { which, share }),
        1 => (index(), 0_u64..=1_000).prop_map(|(which, share)| Step::Unknown { which, share }),
        1 => (index(), any::<bool>()).prop_map(|(which, sent)| Step::Drop { which, sent }),
        1 => index().prop_map(|which| Step::Crash { which }),
        1 => (index(), 0_u64..=1_000).prop_map(|(which, share)| Step::Evidence { which, share }),
        1 => Just(Step::Recover),
        2 => (1_u64..90).prop_map(|minutes| Step::Advance { minutes }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the model knows of a hold.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    scopes: Vec<&'static str>,
    begun: Timestamp,
    counted: i64,
    state: &'static str,
}

/// The windows of the test's budgets, by text alone: the model shares no code with the ledger.
fn instances(scope: &str, at: Timestamp) -> Vec<(String, i64)> {
    match scope.split(':').next().unwrap() {
        "tenant" => vec![
            (format!("{scope} hour {}", at.format("%Y-%m-%dT%H")), 700),
            (format!("{scope} day {}", at.format("%Y-%m-%d")), 1_000),
        ],
        "global" => vec![(format!("{scope} month {}", at.format("%Y-%m")), 2_500)],
        _ => vec![(format!("{scope} run"), 900)],
    }
}

fn counted(holds: &[Known]) -> BTreeMap<String, (i64, i64)> {
    let mut sums = BTreeMap::new();
    for hold in holds {
        for (window, cap) in hold.scopes.iter().flat_map(|scope| instances(scope, hold.begun)) {
            sums.entry(window).or_insert((0, cap)).0 += hold.counted;
        }
    }
    sums
}

/// Waits until what a drop spawned is done.
async fn settled_behind(ledger: &Ledger, id: &str) {
    for _ in 0..100_000 {
        if !matches!(ledger.state(id).await.unwrap(), State::Held(_)) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the dropped hold was never settled");
}

async fn run(store: Arc<dyn Store>, clock: Arc<FakeClock>, steps: Vec<Step>) {
    let open = || Ledger::new(&host(&store, &clock), budgets()).unwrap();
    let mut ledger = open();
    let mut live: Vec<(usize, Hold)> = Vec::new();
    let mut all: Vec<Known> = Vec::new();
    for step in steps {
        let now = clock.now();
        match step {
            Step::Hold { who, amount } => {
                let answer = ledger.hold(request(SCOPES[who], amount)).await;
                expire(&mut all, now);
                let mut after = all.clone();
                after.push(Known {
                    id: String::new(),
                    scopes: SCOPES[who].to_vec(),
                    begun: now,
                    counted: amount as i64,
                    state: "held",
                });
                let mine: Vec<String> = SCOPES[who]
                    .iter()
                    .flat_map(|scope| instances(scope, now))
                    .map(|(window, _)| window)
                    .collect();
                let fits = counted(&after)
                    .iter()
                    .all(|(window, (sum, cap))| !mine.contains(window) || sum <= cap);
                match answer {
                    Ok(hold) => {
                        assert!(fits, "a hold was given that does not fit");
                        after.last_mut().unwrap().id = hold.id().to_owned();
                        live.push((all.len(), hold));
                        all = after;
                    }
                    Err(error) => {
                        assert!(!fits, "a hold that fits was refused: {error}");
                        assert_eq!(error.code(), Code::BudgetExceeded);
                        assert!(error.budget().unwrap().remaining < amount as i64);
                    }
                }
            }
            Step::Settle { which, share } if !live.is_empty() => {
                let (place, hold) = live.swap_remove(which.index(live.len()));
                let amount = hold.amount().0 * share as i64 / 1_000;
                hold.settle(Settled::Final(NanoUsd(amount))).await.unwrap();
                finish(&mut all[place], amount);
            }
            Step::Unknown { which, share } if !live.is_empty() => {
                let (place, hold) = live.swap_remove(which.index(live.len()));
                let amount = hold.amount().0 * share as i64 / 1_000;
                hold.settle(Settled::Provisional(NanoUsd(amount))).await.unwrap();
                if all[place].state == "held" {
                    all[place].counted = amount;
                    all[place].state = "provisional";
                }
            }
            Step::Drop { which, sent } if !live.is_empty() => {
                let (place, mut hold) = live.swap_remove(which.index(live.len()));
                if sent {
                    hold.mark_sent();
                }
                let id = hold.id().to_owned();
                drop(hold);
                if all[place].state == "held" {
                    settled_behind(&ledger, &id).await;
                    if sent {
                        all[place].state = "provisional";
                    } else {
                        finish(&mut all[place], 0);
                    }
                } else if !sent {
                    // Turned provisional while its owner lived; the owner knows that nothing left.
                    for _ in 0..100_000 {
                        if ledger.state(&id).await.unwrap() == State::Gone {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                    finish(&mut all[place], 0);
                }
            }
            Step::Crash { which } if !live.is_empty() => {
                let (_, hold) = live.swap_remove(which.index(live.len()));
                hold.forget();
            }
            Step::Evidence { which, share } if !all.is_empty() => {
                let place = which.index(all.len());
                // A true bill is within the bound, also within a tightened one.
                let amount = all[place].counted * share as i64 / 1_000;
                for _ in 0..2 {
                    ledger
                        .settle(&all[place].id, Settled::Final(NanoUsd(amount)))
                        .await
                        .unwrap();
                }
                finish(&mut all[place], amount);
            }
            Step::Recover => {
                while ledger.recover().await.unwrap() > 0 {}
                expire(&mut all, now);
            }
            Step::Advance { minutes } => clock.advance(Duration::from_secs(minutes * 60)),
            Step::Restart => {
                for (_, hold) in live.drain(..) {
                    hold.forget();
                }
                ledger = open();
            }
            _ => {}
        }
        check(&ledger, &all, clock.now()).await;
    }
    for (_, hold) in live {
        hold.forget();
    }
}

/// Final wins over everything but final.
fn finish(known: &mut Known, amount: i64) {
    if known.state != "final" {
        known.counted = amount;
        known.state = "final";
    }
}

/// Holds past their deadline are provisional at their bound. Their amount does not change, so when exactly the ledger
/// looks does not show in any sum but the split.
fn expire(all: &mut [Known], now: Timestamp) {
    for known in all.iter_mut().filter(|known| known.state == "held") {
        if now - known.begun >= chrono::Duration::from_std(LIFETIME).unwrap() {
            known.state = "provisional";
        }
    }
}

async fn check(ledger: &Ledger, all: &[Known], now: Timestamp) {
    let sums = counted(all);
    for (window, (sum, cap)) in &sums {
        assert!(sum <= cap, "{window}: {sum} > {cap}");
    }
    let names = ["tenant:a", "tenant:b", "run:1", "run:2", "global"];
    for left in ledger.remaining(&scopes(&names)).await.unwrap() {
        let window = instances(&left.scope, now)
            .into_iter()
            .map(|(window, _)| window)
            .find(|window| window.contains(left.window.name()))
            .unwrap();
        let expected = sums.get(&window).map_or(0, |(sum, _)| *sum);
        let sum = left.settled.0 + left.provisional.0 + left.held.0;
        assert_eq!(sum, expected, "{window}: {left:?}");
        assert!(sum <= left.cap.0, "{left:?}");
        assert!(
            left.settled.0 >= 0 && left.provisional.0 >= 0 && left.held.0 >= 0,
            "{left:?}"
        );
        assert_eq!(left.remaining.0, left.cap.0 - sum, "{left:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_passes_a_cap_in_memory(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = clock();
        runtime.block_on(run(memory(&clock), clock, steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_passes_a_cap_in_sqlite(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (clock, folder) = (clock(), Folder::new());
        runtime.block_on(async {
            let store = sqlite(&clock, &folder);
            run(store.clone(), clock, steps).await;
            store.close().await.unwrap();
        });
    }
}

async fn hammer(store: Arc<dyn Store>, clock: Arc<FakeClock>, tasks: usize, rounds: usize) {
    let mut running = Vec::new();
    for task in 0..tasks {
        // Each task is a process of its own as far as the ledger can tell: only the store is shared.
        let ledger = Ledger::new(&host(&store, &clock), budgets()).unwrap();
        running.push(tokio::spawn(async move {
            let mut billed = 0;
            for round in 0..rounds {
                match ledger.hold(request(&["tenant:a", "global"], 60)).await {
                    Ok(hold) => {
                        let left = ledger.remaining(&scopes(&["tenant:a"])).await.unwrap();
                        assert!(
                            left.iter()
                                .all(|left| left.settled.0 + left.provisional.0 + left.held.0 <= left.cap.0)
                        );
                        let bill = ((task + round) % 60) as i64;
                        if round % 7 == 3 {
                            hold.settle(Settled::Provisional(NanoUsd(60))).await.unwrap();
                            billed += 60;
                        } else {
                            hold.settle(Settled::Final(NanoUsd(bill))).await.unwrap();
                            billed += bill;
                        }
                    }
                    Err(error) => assert_eq!(error.code(), Code::BudgetExceeded),
                }
            }
            billed
        }));
    }
    let mut billed = 0;
    for task in running {
        billed += task.await.unwrap();
    }
    assert!(billed <= 700, "{billed}");
    let ledger = Ledger::new(&host(&store, &clock), budgets()).unwrap();
    let left = &ledger.remaining(&scopes(&["tenant:a"])).await.unwrap()[0];
    assert_eq!(left.settled.0 + left.provisional.0, billed);
    let spent: i64 = ledger
        .spend(&scopes(&["tenant:a"]))
        .await
        .unwrap()
        .iter()
        .map(|spend| spend.nano_usd.0)
        .sum();
    assert_eq!(spent, billed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_share_one_cap_in_memory() {
    let clock = clock();
    hammer(memory(&clock), clock, 16, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_share_one_cap_in_sqlite() {
    let (clock, folder) = (clock(), Folder::new());
    let store = sqlite(&clock, &folder);
    hammer(store.clone(), clock, 8, 15).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_refusal_says_what_is_left_and_when_it_resets() {
    let clock = clock();
    let ledger = Ledger::new(&host(&memory(&clock), &clock), budgets()).unwrap();
    let hold = ledger.hold(request(&["tenant:a", "global"], 500)).await.unwrap();
    let error = ledger
        .hold(request(&["tenant:a", "global"], 201))
        .await
        .unwrap_err();
    let budget = error.budget().unwrap();
    assert_eq!(
        (budget.scope.as_str(), budget.window.as_str()),
        ("tenant:a", "hour")
    );
    assert_eq!((budget.remaining, budget.needed), (200, 201));
    assert_eq!(budget.resets_at.as_deref(), Some("2026-11-30T22:00:00Z"));
    assert!(ledger.hold(request(&["tenant:a", "global"], 200)).await.is_ok());
    hold.settle(Settled::Final(NanoUsd(0))).await.unwrap();
}

#[tokio::test]
async fn a_bill_above_its_hold_is_booked_in_full_and_blocks_the_model() {
    let clock = clock();
    let ledger = Ledger::new(&host(&memory(&clock), &clock), budgets()).unwrap();
    let hold = ledger.hold(request(&["tenant:a"], 100)).await.unwrap();
    hold.settle(Settled::Final(NanoUsd(130))).await.unwrap();
    let left = ledger.remaining(&scopes(&["tenant:a"])).await.unwrap();
    assert!(left.iter().all(|left| left.settled == NanoUsd(130)), "{left:?}");
    let overruns = ledger.overruns().await.unwrap();
    assert_eq!(
        (overruns[0].held, overruns[0].billed),
        (NanoUsd(100), NanoUsd(130))
    );
    let error = ledger.hold(request(&["tenant:b"], 1)).await.unwrap_err();
    assert_eq!(error.code(), Code::UnpricedModel);
    // Without a cap it may go on, and a raised row lifts the block.
    assert!(ledger.hold(request(&["team:x"], 1)).await.is_ok());
    let mut raised = request(&["tenant:b"], 1);
    raised.bound.rates.output = NanoUsd(2_000_000);
    assert!(ledger.hold(raised).await.is_ok());
    ledger.unblock("test", "model").await.unwrap();
    assert!(ledger.hold(request(&["tenant:b"], 1)).await.is_ok());
}

#[tokio::test]
async fn a_lowered_cap_admits_no_new_hold() {
    let clock = clock();
    let store = memory(&clock);
    let before = Ledger::new(&host(&store, &clock), budgets()).unwrap();
    let hold = before.hold(request(&["tenant:a"], 600)).await.unwrap();
    hold.settle(Settled::Final(NanoUsd(600))).await.unwrap();
    let lowered = Budget {
        day: Some(NanoUsd(300)),
        ..Budget::default()
    };
    let after = Ledger::new(
        &host(&store, &clock),
        BTreeMap::from([("tenant".to_owned(), lowered)]),
    )
    .unwrap();
    let error = after.hold(request(&["tenant:a"], 1)).await.unwrap_err();
    assert_eq!(error.budget().unwrap().remaining, 0);
}

#[tokio::test]
async fn the_call_window_counts_all_attempts_of_the_call() {
    let clock = clock();
    let call = Budget {
        call: Some(NanoUsd(100)),
        ..Budget::default()
    };
    let ledger = Ledger::new(
        &host(&memory(&clock), &clock),
        BTreeMap::from([("tenant".to_owned(), call)]),
    )
    .unwrap();
    assert!(ledger.hold(request(&["tenant:a"], 100)).await.is_ok());
    let second = request(&["tenant:a"], 60).with_counted_in_call(NanoUsd(50));
    let error = ledger.hold(second).await.unwrap_err();
    assert_eq!(error.budget().unwrap().remaining, 50);
}

#[tokio::test]
async fn the_stores_clock_is_asked_once_a_second_and_counted_on_between() {
    let (here, there) = (clock(), clock());
    let start: Timestamp = START.parse().unwrap();
    let ledger = Ledger::new(&host(&memory(&there), &here), BTreeMap::new()).unwrap();
    let seconds = |n| start + chrono::Duration::seconds(n);
    assert_eq!(ledger.now().await.unwrap(), start);
    there.advance(Duration::from_secs(10));
    here.advance(Duration::from_millis(999));
    let counted = ledger.now().await.unwrap();
    assert_eq!(counted, start + chrono::Duration::milliseconds(999), "not asked");
    here.advance(Duration::from_millis(1));
    assert_eq!(ledger.now().await.unwrap(), seconds(10), "asked again");
    // Our wall clock plays no part, and a machine that slept has not counted on.
    here.step(chrono::Duration::hours(-1));
    assert_eq!(ledger.now().await.unwrap(), seconds(10));
    there.advance(Duration::from_secs(10));
    here.suspend(Duration::from_secs(1));
    assert_eq!(ledger.now().await.unwrap(), seconds(20));
}
