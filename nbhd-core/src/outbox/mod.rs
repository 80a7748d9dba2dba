//! Send intents: stored before anything is dispatched, resumed at the part that is missing, never sent blindly twice.
//!
//! A part goes `pending` → `sending` (stored, under a lease, before a byte leaves) → `sent`, `refused`, or `unknown`;
//! an attempt that provably did not leave goes back to `pending`. Whoever finds a part `sending` whose lease has ended
//! makes it `unknown`. An unknown part is sent again only where and as long as the platform deduplicates its key
//! ([`Part::resend_until`]), and then it is `sent` or still `unknown`; elsewhere [`Outbox::prove_sent`] is the only way on.
//!
//! Several may know something of one part: who was slow, who took over, who looked into the history. `sent` is a fact
//! for ever; all else is said of one attempt, which the part's epoch names, and holds only while no other was begun.

mod book;
mod dispatch;
mod words;

pub use book::Outbox;
pub use words::{Intent, NewIntent, Part, PartState, SendPart};

#[cfg(test)]
mod tests;
