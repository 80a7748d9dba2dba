//! Send intents: stored before anything is dispatched, resumed at the part that is missing, never sent blindly twice.
//!
//! A part goes `pending` → `sending` (stored, under a lease, before a byte leaves) → `sent`, `refused`, or `unknown`;
//! an attempt that provably did not leave goes back to `pending`. Whoever finds a part `sending` whose lease has ended
//! makes it `unknown`, and an unknown part is never sent again: [`Outbox::prove_sent`] is the only way on.

mod book;
mod dispatch;
mod words;

pub use book::Outbox;
pub use words::{Intent, NewIntent, Part, PartState, SendPart};

#[cfg(test)]
mod tests;
