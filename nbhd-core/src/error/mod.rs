//! One error for everything: a stable [`Code`], an [`Outcome`], and what a person can do next.
//!
//! ```
//! use nbhd_core::{Code, Error, Outcome};
//!
//! let error = Error::new(Code::RateLimited, "the mailbox answered 429").with_outcome(Outcome::Refused);
//! assert!(error.retryable());
//! assert_eq!(error.user_action(), "Wait as long as retry_after says, then call again.");
//! ```

mod code;
mod data;
mod report;

pub use code::{Class, Code};
pub use data::{BudgetRefusal, ErrorData};
pub use report::{Error, Outcome, Result};
