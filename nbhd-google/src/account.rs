//! One account of the program's user.

use std::sync::Arc;

use nbhd_core::secret::SecretSource;
use nbhd_core::{Code, Error, Result, Secret};

use crate::broker::{AccessToken, Connection};
use crate::calendar::Calendar;
use crate::credentials::full;
use crate::gmail::Gmail;
use crate::service::Service;

/// An account: a handle that costs nothing and does nothing until a call is made.
#[derive(Debug, Clone)]
pub struct Account(Arc<Service>);

/// What an account is connected with: a refresh token that the program holds already.
#[derive(Debug, Clone)]
pub struct Connect {
    refresh_token: SecretSource,
    scopes: Vec<String>,
}

impl Connect {
    /// With this refresh token.
    pub fn new(refresh_token: impl Into<SecretSource>) -> Self {
        Self {
            refresh_token: refresh_token.into(),
            scopes: Vec::new(),
        }
    }

    /// Names the granted scopes, in full or without `https://www.googleapis.com/auth/`. What Google answers counts;
    /// these stand in only where its answer names none.
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.scopes = scopes.into_iter().map(|scope| full(scope.as_ref())).collect();
        self
    }
}

impl From<SecretSource> for Connect {
    fn from(refresh_token: SecretSource) -> Self {
        Self::new(refresh_token)
    }
}

impl From<Secret> for Connect {
    fn from(refresh_token: Secret) -> Self {
        Self::new(refresh_token)
    }
}

impl Account {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// The name that the program gave it.
    pub fn name(&self) -> &str {
        self.0.keeper.account()
    }

    /// Connects the account with a refresh token. It is sealed at once, proved by one refresh, and stored together with the
    /// scopes that Google says were granted; when Google refuses it, nothing is stored. Replaces what was connected before.
    ///
    /// Errors: `secret_missing` (no token, or the vault has no key), `reauthorization_required` (Google does not take the
    /// token), `invalid_config` (the OAuth client), `permission_denied` (the organisation's policy).
    pub async fn connect(&self, with: impl Into<Connect>) -> Result<Connection> {
        let with = with.into();
        let operation = self.0.begin("google.connect");
        let keeper = &self.0.keeper;
        let work = async {
            named(self.name())?;
            let refresh_token = with.refresh_token.reveal()?;
            keeper.connect(&operation, &refresh_token, &with.scopes).await?;
            keeper.status().await
        };
        let (connection, receipt) = operation.clone().run(work).await?;
        Ok(connection(receipt))
    }

    /// Ends the account's grant at Google and forgets its tokens here. Where Google cannot be asked this fails and changes
    /// nothing; an account that is not connected, or whose grant is gone already, is no error.
    pub async fn disconnect(&self) -> Result<Connection> {
        let operation = self.0.begin("google.disconnect");
        let keeper = &self.0.keeper;
        let work = async {
            keeper.disconnect(&operation).await?;
            keeper.status().await
        };
        let (connection, receipt) = operation.clone().run(work).await?;
        Ok(connection(receipt))
    }

    /// The connection as it stands: its state, scopes and ends. Asks the store, not Google. An account that was never
    /// connected is an answer, not an error.
    pub async fn status(&self) -> Result<Connection> {
        let operation = self.0.begin("google.status");
        let (connection, receipt) = operation.run(self.0.keeper.status()).await?;
        Ok(connection(receipt))
    }

    /// A short-lived access token, for calls that nbhd does not make itself. It is refreshed first when it is about to end.
    pub async fn access_token(&self) -> Result<AccessToken> {
        let operation = self.0.begin("google.access_token");
        let work = self.0.keeper.access(&operation, None);
        let (access, receipt) = operation.clone().run(work).await?;
        Ok(AccessToken {
            token: (*access.token).clone(),
            expires_at: access.expires_at,
            scopes: access.scopes.to_vec(),
            receipt,
        })
    }

    /// The account's mail.
    pub fn gmail(&self) -> Gmail {
        Gmail::new(self.0.clone())
    }

    /// The account's calendars.
    pub fn calendar(&self) -> Calendar {
        Calendar::new(self.0.clone())
    }
}

/// The name becomes a key of the store and a part of what seals the tokens.
fn named(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(Error::new(
            Code::InvalidInput,
            "the name of an account has 1 to 256 bytes and no control characters",
        ));
    }
    Ok(())
}
