//! The Python binding: conversions and one door into Rust, no logic of its own.
//!
//! Importing starts nothing. The first call builds the engine of this process (see [`runtime`]).

// Event file descriptors and the engine's lock-free slot are the two places that need more than safe Rust offers.
#![deny(unsafe_op_in_unsafe_fn)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unreachable))]
#![expect(
    clippy::too_many_arguments,
    clippy::redundant_closure_for_method_calls,
    reason = "the shapes that Python's protocols and keywords take, and closures over their lifetimes"
)]

mod audit;
mod bridge;
mod brief;
mod callback;
mod channels;
mod convert;
mod core;
mod ending;
mod error;
mod google;
mod limit;
mod llm;
mod outbox;
mod queue;
mod runtime;
mod secret;
mod secure;
mod store;
mod testkit;
mod tokens;
mod vault;
mod window;
mod work;

use pyo3::prelude::*;

/// The compiled half of `nbhd`.
#[pymodule(name = "_native", gil_used = true)]
fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    core::register(module)?;
    secure::register(module)?;
    outbox::register(module)?;
    store::register(module)?;
    queue::register(module)?;
    limit::register(module)?;
    secret::register(module)?;
    vault::register(module)?;
    audit::register(module)?;
    window::register(module)?;
    google::register(module)?;
    brief::register(module)?;
    llm::register(module)?;
    channels::register(module)?;
    testkit::register(module)
}
