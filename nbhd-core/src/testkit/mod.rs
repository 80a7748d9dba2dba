//! What tests need, of this suite and of its users: a server on loopback that plays what it is told, faults,
//! and the way to the shared fixtures. Nothing here is meant for production.

mod fixtures;
mod server;
mod storeless;

pub use fixtures::shared_fixtures;
pub use server::{Call, Handler, Log, Reply, Server};
pub use storeless::Storeless;
