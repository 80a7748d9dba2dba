//! A stand-in for the providers of models: it runs in-process on loopback, speaks the chat completions protocol strictly,
//! answers with what it was given, and keeps its own bill by its own rule.
//!
//! ```
//! use nbhd_llm::testkit::ModelStandIn;
//!
//! # fn main() -> nbhd_core::Result<()> {
//! let models = ModelStandIn::start()?;
//! let config = models.config("openai"); // as `[provider.openai]` of a router
//! assert!(config.base_url.is_some());
//! assert_eq!(models.bill().nano_usd, 0);
//! # Ok(())
//! # }
//! ```

mod ask;
mod bill;
mod catalog;
mod extract;
mod fill;
mod reply;
mod standin;

pub use bill::{Bill, BillEntry};
pub use catalog::{StandInCatalog, StandInModel};
pub use standin::ModelStandIn;
