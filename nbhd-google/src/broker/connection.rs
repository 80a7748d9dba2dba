//! What callers may see of a connection.

use nbhd_core::{Receipt, Secret, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In which state a connection is. Only a permanent answer of Google's changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConnectionState {
    /// It works.
    Active,
    /// The user has to sign in again; the grant may still be there.
    Expired,
    /// The grant is gone: the user has to connect again.
    Revoked,
    /// The program's own set-up or the organisation's policy stands in the way.
    Error,
    /// The account was never connected, or was disconnected.
    NotConnected,
}

/// A connection as plain data, without any secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Connection {
    /// The account's name, as the program chose it.
    pub account: String,
    /// Its state.
    pub state: ConnectionState,
    /// Why it is not active, in Google's word, such as `invalid_grant`, `invalid_rapt` or `testing_expiry`.
    pub reason: Option<String>,
    /// What the person can do about it.
    pub user_action: Option<String>,
    /// The granted scopes, as Google's last answer named them.
    pub scopes: Vec<String>,
    /// When the current access token ends.
    pub token_expires_at: Option<Timestamp>,
    /// When the refresh token ends, where Google said so: apps in testing (seven days) and grants limited in time.
    pub refresh_expires_at: Option<Timestamp>,
    /// When the account was connected.
    pub connected_at: Option<Timestamp>,
    /// When the last refresh succeeded.
    pub refreshed_at: Option<Timestamp>,
    /// The record of the call.
    pub receipt: Receipt,
}

/// A short-lived access token, handed out explicitly. It prints and serialises as `***`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The scopes it has.
    pub scopes: Vec<String>,
    /// The record of the call.
    pub receipt: Receipt,
}
