//! Windows of time as people say them (`today`, `last_7_days`, `since:2026-01-01`), resolved in their zone.
//!
//! A day runs from its first instant to 23:59:59, each end with the offset that holds there, so that a day of 23 or 25
//! hours is still one day. Where midnight does not exist (clocks go forward at midnight in Havana, Cairo, Santiago) the
//! day begins at its first instant; where it exists twice, at the earlier one. A day that a zone skipped as a whole (Samoa had no
//! 2011-12-30) is no day: `tomorrow` is the next one that exists. The present is given, never read: the same input gives the same
//! window.
//!
//! ```
//! use nbhd_core::window::{Window, zone};
//!
//! # fn main() -> nbhd_core::Result<()> {
//! let now = "2026-03-08T12:00:00Z".parse().expect("a time");
//! let span = "today".parse::<Window>()?.resolve(now, zone("America/Havana")?)?;
//! assert_eq!(nbhd_core::clock::rfc3339(span.start), "2026-03-08T01:00:00-04:00");
//! # Ok(())
//! # }
//! ```

mod day;
mod name;
mod resolve;

pub use day::{TIME_ZONE_VERSION, first_instant, last_second, zone};
pub use name::Window;
pub use resolve::{Span, resolve};

#[cfg(test)]
mod tests;
