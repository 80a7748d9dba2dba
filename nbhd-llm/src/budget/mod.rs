//! Budgets that cannot be overspent: money is held before a request leaves and settled when its bill is known.
//!
//! Invariant, for every scope and window, under the published bounds and prices: `settled + provisional + held ≤ cap`. One
//! hold per attempt; all its scopes are taken in one commit of the store, or none.

mod bound;
mod hold;
mod ledger;
mod record;
mod refusal;
mod report;
mod scope;
#[cfg(test)]
mod tests;
mod window;

pub use bound::{Bound, Shape};
pub use hold::Hold;
pub use ledger::{HoldRequest, Ledger, Settled, State};
pub use report::{Overrun, Remaining, Room, Spend};
pub use scope::Scope;
pub use window::{Budget, WindowKind};
