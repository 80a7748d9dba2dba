//! Durable work: accepted once, handled in order within a lane, tried again, never lost.

mod words;

pub use words::{Accepted, Event, NewEvent};
