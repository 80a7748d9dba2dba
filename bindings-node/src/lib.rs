//! The Node binding: conversions and one door into Rust, no logic of its own.
//!
//! Loading starts nothing: the runtime comes with the first call, and an idle binding never keeps the process alive.

mod cancel;
mod convert;
mod core;
mod error;
