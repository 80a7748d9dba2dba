//! A connection at rest. The two tokens stand in it sealed, together with the places that they may be sent to: a sealed
//! token opens for its account only, and a client that was pointed elsewhere is refused before anything is sent.

use nbhd_core::vault::{Place, Vault};
use nbhd_core::{Code, Error, Result, Secret, Timestamp, store};
use serde::{Deserialize, Serialize};

use super::ConnectionState;
use crate::endpoints::Places;

/// The version of the record's form. A record of a later form is refused, never guessed at.
const VERSION: u32 = 1;

/// A stored connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// Which writing of the record this is, where its storage does not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) revision: u64,
    pub(crate) state: ConnectionState,
    /// Why it is not active.
    pub(crate) reason: Option<String>,
    /// The OAuth client that the refresh token belongs to.
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    /// Sealed; absent once the account was disconnected.
    pub(crate) refresh_token: Option<String>,
    pub(crate) refresh_expires_at: Option<Timestamp>,
    /// Sealed.
    pub(crate) access_token: Option<String>,
    pub(crate) access_expires_at: Option<Timestamp>,
    pub(crate) connected_at: Timestamp,
    pub(crate) refreshed_at: Option<Timestamp>,
    /// When the last permanent refusal was met.
    pub(crate) refused_at: Option<Timestamp>,
}

impl Record {
    /// A connection that was just made and has no token yet.
    pub(crate) fn new(client_id: &str, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            revision: 0,
            state: ConnectionState::Active,
            reason: None,
            client_id: client_id.to_owned(),
            scopes: Vec::new(),
            refresh_token: None,
            refresh_expires_at: None,
            access_token: None,
            access_expires_at: None,
            connected_at: now,
            refreshed_at: None,
            refused_at: None,
        }
    }

    /// Forgets every secret and keeps a tombstone, so that no process goes on with an older record.
    pub(crate) fn bury(&mut self) {
        self.state = ConnectionState::NotConnected;
        self.reason = None;
        self.scopes.clear();
        self.refresh_token = None;
        self.refresh_expires_at = None;
        self.access_token = None;
        self.access_expires_at = None;
    }

    /// The key of an account's record.
    pub(crate) fn key(account: &str) -> String {
        store::key(["google", "connection", account])
    }

    /// The lane whose lease admits one refresh of the account at a time.
    pub(crate) fn lane(account: &str) -> String {
        store::key(["google", "refresh", account])
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let broken = |_| Error::new(Code::InvalidState, "the stored connection cannot be read");
        let Versioned { version } = serde_json::from_str(text).map_err(broken)?;
        if version != VERSION {
            return Err(Error::new(
                Code::InvalidState,
                format!("the stored connection has form {version}, this version knows form {VERSION}"),
            ));
        }
        serde_json::from_str(text).map_err(broken)
    }

    pub(crate) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|_| Error::new(Code::Internal, "the connection cannot be written as JSON"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn is_zero(revision: &u64) -> bool {
    *revision == 0
}

/// The sealed tokens of an account.
pub(crate) struct Seal<'a> {
    pub(crate) vault: &'a Vault,
    pub(crate) account: &'a str,
    pub(crate) places: &'a Places,
}

/// A token and where it may go, as one sealed text.
#[derive(Serialize, Deserialize)]
struct Bound<T> {
    token: T,
    to: Vec<String>,
}

/// Which of the two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Refresh,
    Access,
}

impl Seal<'_> {
    pub(crate) fn seal(&self, field: Field, token: &Secret) -> Result<String> {
        let bound = Bound {
            token: token.expose().as_str(),
            to: self.destinations(field),
        };
        let plain = serde_json::to_string(&bound)
            .map(Secret::new)
            .map_err(|_| Error::new(Code::Internal, "a token cannot be written as JSON"))?;
        self.vault.seal(self.place(field), plain.expose().as_bytes())
    }

    /// Opens a token, if it was sealed for the places that this client goes to.
    pub(crate) fn open(&self, field: Field, sealed: &str) -> Result<Secret> {
        let plain = self.vault.open(self.place(field), sealed)?;
        let bound: Bound<String> = serde_json::from_slice(plain.expose()).map_err(|_| {
            Error::new(
                Code::InvalidState,
                "a sealed token has a form that is not known here",
            )
        })?;
        let token = Secret::new(bound.token);
        if bound.to != self.destinations(field) {
            return Err(Error::new(
                Code::InvalidConfig,
                "the account was connected for other endpoints than this client has: its credential goes nowhere else",
            )
            .with_user_action("Use the endpoints that the account was connected with, or connect it again."));
        }
        Ok(token)
    }

    /// Seals a token again where an older key had sealed it.
    pub(crate) fn renew(&self, field: Field, sealed: &str) -> Result<Option<String>> {
        self.vault.reseal(self.place(field), sealed)
    }

    fn destinations(&self, field: Field) -> Vec<String> {
        match field {
            Field::Refresh => vec![self.places.token.to_string(), self.places.revoke.to_string()],
            Field::Access => self.places.origins(),
        }
    }

    fn place(&self, field: Field) -> Place<'_> {
        Place {
            tenant: self.account,
            provider: "google",
            account: self.account,
            field: match field {
                Field::Refresh => "refresh_token",
                Field::Access => "access_token",
            },
        }
    }
}
