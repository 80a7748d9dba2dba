//! What inbox, outbox, queue and limits promise, on whatever store they are given: one suite, run against every store.

mod clock;
mod inbox;
mod limits;
mod queue;
mod run;
mod workers;

pub use run::work_contract;
