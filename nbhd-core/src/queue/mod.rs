//! Jobs that one part of a program gives to another: dispatched under rules, done once at a time, tried again, never lost.
//!
//! A caller [dispatches](Queue::dispatch) a job to a target that its [rules](QueueRules) allow; rate, depth and the job
//! itself are one commit. A [worker](Queue::worker) of the target claims jobs under a lease; when that ends without a
//! word the job is stalled and the next worker takes it. What fails too often is a [dead letter](Queue::dead_letters).
//!
//! Who may do what is looked at before anything else, and before the store is asked: without a store nothing is
//! dispatched, and nobody is let through because there is none.
//!
//! How it lies in the store: `queue/due/<target>` has every job that has not ended, scored by when it may next be claimed
//! (now, after a back-off, or when its lease ends): its length is the depth. `queue/active/<target>` has the leased
//! ones, scored by when the lease ends. `queue/by/<caller>` has a caller's jobs, newest first.

mod activity;
mod dead;
mod dispatch;
mod job;
mod rules;
mod view;
mod words;
mod work;
mod worker;

pub use activity::{Activity, ActivitySummary, TargetActivity, TargetStatus, WORKER_SEEN};
pub use dead::DeadJob;
pub use dispatch::Queue;
pub use rules::{CallerRules, EVERY_TARGET, QueueRules};
pub use words::{Dispatched, Job, JobEnd, JobStatus, JobView, ListJobs, NewJob};
pub use work::JobWork;
pub use worker::Worker;
