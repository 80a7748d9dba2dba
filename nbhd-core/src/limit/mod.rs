//! Limits: how much may be asked of somebody within a time, and how often somebody may be told.
//!
//! [`Gate`] paces the requests of one client within this process and waits. [`Limits`] says yes or no at once, to several
//! limits together: [`LocalLimits`] counts in this process, [`StoreLimits`] in the store, for all processes that share it;
//! both give the same answers. [`AlertGate`] and [`StateGate`] let a message through, and close only when it was sent.

mod alert;
mod gate;
mod local;
mod stored;
mod words;

pub use alert::{ALERT_INTERVAL, AlertGate, StateGate, Ticket};
pub use gate::Gate;
pub use local::LocalLimits;
pub use stored::StoreLimits;
pub use words::{Limit, Limits};

#[cfg(test)]
mod tests;
