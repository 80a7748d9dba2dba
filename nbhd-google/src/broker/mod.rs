//! The token boundary: who holds a refresh token, in which state a connection is, and what callers may see.
//!
//! Invariants. A refresh token stands sealed in the store (or in the storage of the program) and nowhere else; nothing here returns it. However many callers
//! need a fresh access token, one refresh goes out: one flight within the process, one lease across processes. What a
//! refresh brought is stored, under the live lease, before the access token is handed out. Only a permanent answer of
//! Google's changes the state of a connection; a timeout, a 5xx or a failing store never does.

mod access;
mod connection;
mod flight;
mod keeper;
mod lease;
mod record;
mod shelf;
mod verdict;

pub use connection::{AccessToken, Connection, ConnectionState};

pub(crate) use keeper::Keeper;
