//! Messaging channels behind one adapter: nothing accepted is lost, nothing is blindly sent twice.

#![forbid(unsafe_code)]

pub mod text;
