//! What tests need, of this suite and of its users: a server on loopback that plays what it is told, faults,
//! and the way to the shared fixtures. Nothing here is meant for production.

mod faulty_store;
mod fixtures;
mod kill;
mod sabotaged_store;
mod server;
mod storeless;

pub use faulty_store::FaultyStore;
pub use fixtures::shared_fixtures;
pub use kill::KillPlan;
pub use sabotaged_store::{Sabotage, SabotagedStore};
pub use server::{Call, Handler, Log, Reply, Server};
pub use storeless::Storeless;
