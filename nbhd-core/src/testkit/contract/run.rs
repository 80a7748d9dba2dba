//! Running the contract: each case on a fresh store whose clock the case moves.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{contention, guards, leases, writes};
use crate::clock::{Clock, FakeClock};
use crate::store::{Commit, Committed, Durability, Guard, Store, Write};
use crate::{Error, Timestamp};

/// What came of a run. A case counts as run only if it asserted something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContractReport {
    /// The cases that ran.
    pub ran: Vec<String>,
    /// The cases that this store cannot have: a volatile one has no second handle.
    pub not_applicable: Vec<String>,
    /// The cases that failed, each with what was seen.
    pub failures: Vec<(String, String)>,
}

impl fmt::Display for ContractReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ran, absent, failed) = (self.ran.len(), self.not_applicable.len(), self.failures.len());
        write!(f, "{ran} cases ran, {absent} not applicable, {failed} failed")?;
        self.failures
            .iter()
            .try_for_each(|(case, what)| write!(f, "\n  {case}: {what}"))
    }
}

/// Runs every case of the contract.
///
/// `open(name, clock)` is asked for a store under `name` that takes its time from `clock`: a fresh one for each new
/// name, and another handle on the same data when a name comes again.
pub async fn store_contract<F>(open: F) -> ContractReport
where
    F: Fn(&str, Arc<dyn Clock>) -> Arc<dyn Store> + Send + Sync,
{
    let mut report = ContractReport::default();
    for (name, case) in cases() {
        let world = World::new(name, &open);
        // Where a store makes itself, this does nothing.
        let verdict = match world.store.create().await {
            Ok(()) => case(&world).await,
            Err(error) => Err(error.into()),
        };
        match verdict {
            Ok(()) => report.ran.push(name.to_owned()),
            Err(Stop::NotApplicable) => report.not_applicable.push(name.to_owned()),
            Err(Stop::Failed(what)) => {
                report.ran.push(name.to_owned());
                report.failures.push((name.to_owned(), what));
            }
        }
    }
    report
}

/// Why a case ended early.
pub(in crate::testkit) enum Stop {
    Failed(String),
    NotApplicable,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(format!("unexpected error: {error}"))
    }
}

pub(in crate::testkit) type Verdict = Result<(), Stop>;

/// Ends the case unless the two are equal.
pub(in crate::testkit) fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Verdict {
    if found == expected {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "{what}: found {found:?}, expected {expected:?}"
    )))
}

type Open<'a> = &'a (dyn Fn(&str, Arc<dyn Clock>) -> Arc<dyn Store> + Send + Sync);

/// A fresh store for one case.
pub(super) struct World<'a> {
    name: &'a str,
    open: Open<'a>,
    pub(super) clock: Arc<FakeClock>,
    pub(super) store: Arc<dyn Store>,
}

impl<'a> World<'a> {
    fn new(name: &'a str, open: Open<'a>) -> Self {
        // With a fraction below the millisecond, which no store may lose.
        let clock = Arc::new(FakeClock::at(noon()));
        let store = open(name, clock.clone());
        Self {
            name,
            open,
            clock,
            store,
        }
    }

    /// A second handle on the same data, on a clock of its own.
    pub(super) async fn beside(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Stop> {
        if self.store.durability().await? == Durability::Volatile {
            return Err(Stop::NotApplicable);
        }
        Ok((self.open)(self.name, clock))
    }

    pub(super) fn seconds(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
    }

    /// Commits what must be made; answers its results.
    pub(super) async fn made(&self, commit: Commit) -> Result<Vec<i64>, Stop> {
        match self.store.commit(commit).await? {
            Committed::Done { results, .. } => Ok(results),
            Committed::Refused(refusal) => Err(Stop::Failed(format!("unexpected refusal: {refusal:?}"))),
        }
    }

    /// Commits what must be refused; answers the place of the guard and what it found.
    pub(super) async fn refused(&self, commit: Commit) -> Result<(usize, i64), Stop> {
        match self.store.commit(commit).await? {
            Committed::Refused(refusal) => Ok((refusal.guard, refusal.found)),
            Committed::Done { .. } => Err(Stop::Failed("a commit was made that a guard forbids".to_owned())),
        }
    }

    pub(super) async fn value(&self, key: &str) -> Result<Option<String>, Stop> {
        Ok(self.store.get(key).await?.map(|record| record.value))
    }
}

#[expect(clippy::expect_used, reason = "the number is a constant")]
pub(in crate::testkit) fn noon() -> Timestamp {
    Timestamp::from_timestamp_micros(1_767_268_800_000_250).expect("a time of 2026")
}

pub(super) fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: value.to_owned(),
        ttl: None,
    }
}

pub(super) fn add(key: &str, delta: i64) -> Write {
    Write::Add {
        key: key.to_owned(),
        delta,
    }
}

pub(super) fn absent(key: &str) -> Guard {
    Guard::Absent { key: key.to_owned() }
}

pub(super) fn version(key: &str, version: u64) -> Guard {
    Guard::Version {
        key: key.to_owned(),
        version,
    }
}

pub(super) fn at_most(key: &str, delta: i64, cap: i64) -> Guard {
    Guard::SumAtMost {
        key: key.to_owned(),
        delta,
        cap,
    }
}

type Case = for<'a> fn(&'a World<'a>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

macro_rules! cases {
    ($($room:ident: $($case:ident),+;)+) => {
        fn cases() -> Vec<(&'static str, Case)> {
            vec![$($((
                concat!(stringify!($room), "_", stringify!($case)),
                (|world| Box::pin($room::$case(world))) as Case,
            )),+),+]
        }
    };
}

cases! {
    guards: absent_record, version_is, lease_is_live, sum_at_most, count_below, bucket, bucket_shared_by_two_guards,
        first_of_many_is_named, looked_at_before_the_writes, nothing_of_a_refused_commit;
    writes: versions_rise, sums, sum_beyond_what_is_counted, sequences, scores, ranges, names_are_bytes, large_values,
        records_end, repeated_op_id, repeated_op_id_of_a_refusal, op_id_is_forgotten, empty_commit;
    leases: one_holder, epochs_rise, renewal, release, end_by_the_store_clock, time_of_a_second_handle;
    contention: cap_holds, one_winner, lost_updates, one_lease, sequences_are_unique, two_handles;
}
