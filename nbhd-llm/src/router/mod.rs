//! The router: a purpose names who may answer, who pays and how long it may take; the router owns every attempt.
//!
//! One hold per attempt, durable before the request leaves. The commit point of a stream is its first content: before it a
//! failure goes to the next candidate, after it the failure is the caller's to see.

mod attempt;
mod billing;
mod body;
mod chain;
mod classify;
mod config;
mod explain;
mod gateway;
mod health;
mod plan;
mod seconds;
mod stream;
#[cfg(test)]
mod tests;

pub use classify::Lane;
pub use config::{Limits, OnDrop, PurposeConfig, RouterConfig};
pub use explain::{CandidateExplanation, Explanation, ProviderStatus, Status, Verdict};
pub use gateway::Router;
pub use seconds::Seconds;
pub use stream::ChatStream;
