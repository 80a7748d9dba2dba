//! Secrets that cannot be printed, URLs that are safe to print, and the redaction of everything else.
//!
//! ```
//! use nbhd_core::Secret;
//!
//! let key = Secret::new("sk-0123456789abcdef");
//! assert_eq!(format!("{key:?}"), "Secret(***)");
//! assert_eq!(key.fingerprint(), "sk-…cdef");
//! ```

mod redact;
mod source;
mod url;
mod value;

pub use redact::{redact, redact_to};
pub use source::SecretSource;
pub use url::SafeUrl;
pub use value::Secret;
