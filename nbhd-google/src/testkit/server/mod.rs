//! The stand-in itself: what it knows, what it answers, and the server around it.

mod answer;
mod batch;
mod calendar;
mod door;
mod fields;
mod gmail;
mod oauth;
mod route;
mod search;
mod seen;
mod stand_in;
mod state;
#[cfg(test)]
mod tests;

pub use seen::SeenCall;
pub use stand_in::{GoogleSetup, GoogleStandIn};
