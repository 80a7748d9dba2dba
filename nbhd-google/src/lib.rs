//! Google Workspace for assistants: what is read becomes text and facts that a model can use, and tokens stay inside.

#![forbid(unsafe_code)]

pub mod mime;
#[cfg(feature = "testkit")]
pub mod testkit;
