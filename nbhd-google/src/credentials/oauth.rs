//! The program's own identity at Google.

use nbhd_core::secret::SecretSource;

/// The OAuth client of the program: its id and where its secret comes from. The secret is read at the first refresh.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    id: String,
    secret: SecretSource,
}

impl OAuthClient {
    /// A client by its id and its secret.
    pub fn new(id: impl Into<String>, secret: impl Into<SecretSource>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
        }
    }

    /// Its id; not a secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn secret(&self) -> &SecretSource {
        &self.secret
    }
}
