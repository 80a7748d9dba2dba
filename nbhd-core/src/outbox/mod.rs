//! Send intents: stored before anything is dispatched, resumed at the part that is missing, never sent blindly twice.

mod words;

pub use words::{Intent, NewIntent, Part, PartState, SendPart};
