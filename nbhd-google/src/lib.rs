//! Google Workspace for assistants.

#[cfg(feature = "testkit")]
pub mod testkit;
