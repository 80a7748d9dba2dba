//! What inbox, outbox, queue and limits promise, on whatever store they are given: one suite, run against every store.

mod clock;
mod limits;
mod run;

pub use run::work_contract;
