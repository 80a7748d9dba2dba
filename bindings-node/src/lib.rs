//! The Node binding: conversions and one door into Rust, no logic of its own.
//!
//! Loading starts nothing: the runtime comes with the first call, and an idle binding never keeps the process alive.

#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unreachable))]
#![expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::elidable_lifetime_names,
    unreachable_pub,
    reason = "the shapes that the napi macros take"
)]
// The macros register nothing in a test build, which has no Node to link to.
#![cfg_attr(test, allow(dead_code, reason = "registered by the macros outside of tests"))]

mod audit;
mod brief;
mod cancel;
mod channels;
mod convert;
mod core;
mod error;
mod google;
mod limit;
mod llm;
mod outbox;
mod queue;
mod secure;
mod store;
mod testkit;
mod tokens;
mod vault;
mod window;
