//! What inbox, outbox, queue and limits promise, on whatever store they are given: one suite, run against every store.

mod clock;
mod inbox;
mod limits;
mod queue;
mod run;

pub use run::work_contract;
