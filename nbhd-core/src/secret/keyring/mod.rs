//! The keyring of the operating system: the Secret Service of a Linux desktop session (GNOME Keyring, KWallet, KeePassXC), spoken to
//! over the session's message bus. Why not a ready-made crate: see `docs/decisions`.
//!
//! Invariant: nobody is asked anything. What is locked stays locked and counts as absent.

#[cfg(all(feature = "keyring", target_os = "linux"))]
mod service;

#[cfg(all(feature = "keyring", target_os = "linux"))]
pub(super) use service::look;

/// Whether this build has one.
pub(super) const IS_HERE: bool = cfg!(all(feature = "keyring", target_os = "linux"));

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
pub(super) fn look(_: &str, _: &str) -> Result<super::Secret, super::source::Missing> {
    Err(super::source::Missing::Absent(
        "this build has no keyring".to_owned(),
    ))
}
