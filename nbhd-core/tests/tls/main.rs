//! What is only to be had over TLS: refusals of HTTP/2 on real connections, and a Redis server whose certificate counts.
//!
//! Each test starts this program again as a process that trusts one certificate of ours, by the variable that the system's
//! stores of certificates go by.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod certificate;
mod http2;
#[cfg(feature = "redis")]
mod redis;
