//! The store contract: one suite that every store passes, of this suite or of somebody else's.

mod contention;
mod guards;
mod leases;
mod run;
mod writes;

pub use run::{ContractReport, store_contract};
pub(in crate::testkit) use run::{Stop, Verdict, noon, same};
