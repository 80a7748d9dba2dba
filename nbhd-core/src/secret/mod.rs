//! Secrets that cannot be printed, URLs that are safe to print, and the redaction of everything else.
//!
//! ```
//! use nbhd_core::Secret;
//!
//! let key = Secret::new("sk-0123456789abcdef");
//! assert_eq!(format!("{key:?}"), "Secret(***)");
//! assert_eq!(key.fingerprint(), "sk-…cdef");
//! ```

mod conceal;
mod file;
mod keyring;
mod limit;
mod redact;
mod source;
mod url;
mod value;

pub(crate) use conceal::{Concealer, SHORTEST};
#[cfg(any(test, feature = "testkit"))]
pub use redact::redaction_work;
pub use redact::{ALERT_LIMIT, redact, redact_to};
pub use source::{SecretSource, SecretStatus};
pub use url::SafeUrl;
pub use value::Secret;
