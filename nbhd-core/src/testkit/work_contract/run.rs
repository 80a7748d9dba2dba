//! Running the suite: each case on a fresh store, whose clock and the host's are one that the case moves.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{clock, inbox, limits, queue, workers};
use crate::clock::{Clock, FakeClock};
use crate::store::Store;
use crate::testkit::ContractReport;
use crate::testkit::contract::{Stop, Verdict, noon};
use crate::{Code, Error, Host, Result};

/// Runs every case. `open(name, clock)` is asked for a fresh store under `name` that takes its time from `clock`.
pub async fn work_contract<F>(open: F) -> ContractReport
where
    F: Fn(&str, Arc<dyn Clock>) -> Arc<dyn Store> + Send + Sync,
{
    let mut report = ContractReport::default();
    for (name, case) in cases() {
        let clock = Arc::new(FakeClock::at(noon()));
        let store = open(name, clock.clone());
        let host = Host::builder(store).with_clock(clock.clone()).build();
        let world = World { clock, host };
        report.ran.push(name.to_owned());
        let verdict = match world.host.create_store().await {
            Ok(()) => case(&world).await,
            Err(error) => Err(error.into()),
        };
        match verdict {
            Ok(()) => {}
            Err(Stop::NotApplicable) => {
                report.ran.pop();
                report.not_applicable.push(name.to_owned());
            }
            Err(Stop::Failed(what)) => report.failures.push((name.to_owned(), what)),
        }
    }
    report
}

/// A host on a fresh store.
pub(super) struct World {
    pub(super) clock: Arc<FakeClock>,
    pub(super) host: Host,
}

impl World {
    pub(super) fn seconds(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) fn micros(&self, micros: u64) {
        self.clock.advance(Duration::from_micros(micros));
    }
}

/// Ends the case unless the call failed with `code`.
pub(super) fn refused<T>(what: &str, result: Result<T>, code: Code) -> std::result::Result<Error, Stop> {
    match result {
        Err(error) if error.code() == code => Ok(error),
        Err(error) => Err(Stop::Failed(format!(
            "{what}: failed with {error}, expected {}",
            code.name()
        ))),
        Ok(_) => Err(Stop::Failed(format!(
            "{what}: succeeded, expected {}",
            code.name()
        ))),
    }
}

/// Ends the case when there is nothing.
pub(super) fn some<T>(what: &str, found: Option<T>) -> std::result::Result<T, Stop> {
    found.ok_or_else(|| Stop::Failed(format!("{what}: nothing is there")))
}

type Case = for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

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
    clock: step_ahead_ends_nothing, step_back_is_held, sleep_is_no_step;
    limits: all_or_none, local_and_stored_agree, kept_apart, shapes_refused, alerts_once_in_half_an_hour,
        one_sender_at_a_time, failed_alert_leaves_the_gate_open, states_told_once;
    inbox: accepted_once_by_any_key, lanes_wait_for_their_head, overtaken_workers_change_nothing,
        done_and_its_sends_are_one_step, tombstones_are_counted_by_instance, tombstones_end_after_thirty_days, envelopes,
        what_is_no_envelope;
    queue: deny_by_default, dispatched_claimed_done, rate_and_depth, a_key_is_one_job, own_jobs_only, in_order,
        what_is_no_job;
    workers: failures_back_off_then_a_dead_letter, stalled_jobs_are_taken_up, renewed_jobs_are_kept,
        activity_follows_the_workers, many_workers_do_each_job_once;
}
