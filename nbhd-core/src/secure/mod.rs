//! The escape hatch for services without an adapter: one HTTP request, written by whoever, made under rules that the program sets.
//!
//! The request is data, so that an agent may write it. What it may reach, and which secrets go where, is said apart from it by the program:
//! hosts, and credentials that are bound to an origin and to a place. The answer comes back without the secrets, however they are spelled.
//!
//! ```no_run
//! use nbhd_core::secure::{Access, Credential, SecureRequest};
//! use nbhd_core::{Host, Secret};
//!
//! # async fn orders() -> Result<(), nbhd_core::Error> {
//! let host = Host::new("memory:")?;
//! let key = Credential::bearer("https://api.example.org", Secret::env("EXAMPLE_KEY"))?;
//! let access = Access::new().with_credential(key);
//! let request = SecureRequest::get("https://api.example.org/v1/orders").with_query("limit", "5");
//! let answer = host.secure_request(&request, &access).await?;
//! println!("{} {:?}", answer.status, answer.json);
//! # Ok(())
//! # }
//! ```

mod access;
mod answer;
mod call;
mod request;

pub use access::{Access, Credential};
pub use answer::SecureAnswer;
pub use request::{BODY_LIMIT, LONGEST, SecureRequest, TIMEOUT};
