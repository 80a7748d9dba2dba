//! Sealed records at rest: AES-256-GCM with a random nonce, in a versioned envelope that names its key.
//!
//! ```
//! use nbhd_core::vault::{Place, Vault};
//! use nbhd_core::Secret;
//!
//! # fn main() -> nbhd_core::Result<()> {
//! let vault = Vault::with_key(Secret::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
//! let place = Place { tenant: "42", provider: "google", account: "a@example.org", field: "refresh_token" };
//! let sealed = vault.seal(place, b"secret")?;
//! assert_eq!(vault.open(place, &sealed)?.expose(), b"secret");
//! assert!(vault.open(Place { account: "b@example.org", ..place }, &sealed).is_err());
//! # Ok(())
//! # }
//! ```

mod envelope;
mod file;
mod key;
mod program;

pub use envelope::{Place, Vault};
pub use key::VaultStatus;
pub use program::{ProgramVault, RecordPlace};
