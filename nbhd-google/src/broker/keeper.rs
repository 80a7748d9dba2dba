//! Keeps the tokens of one account: the only place that opens what is sealed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nbhd_core::http::Authorization;
use nbhd_core::transport::Authorize;
use nbhd_core::{Code, Error, Host, Operation, Receipt, Result, Secret, generation};

use super::access::Access;
use super::flight::Flight;
use super::lease;
use super::record::{Field, Record, Seal};
use super::{Connection, ConnectionState, shelf, verdict};
use crate::credentials::{self, Consent, Method, TokenEndpoint, next_step};
use crate::endpoints::Places;

/// The keeper of one account. Clones are the same keeper.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Inner>);

pub(super) struct Inner {
    pub(super) host: Host,
    pub(super) account: String,
    pub(super) client_id: String,
    pub(super) places: Places,
    pub(super) endpoint: TokenEndpoint,
    /// What an account is connected with when nobody connected it: for tests against a stand-in only.
    grant: Option<Secret>,
    desk: Mutex<Desk>,
}

/// What is at hand in this process.
#[derive(Default)]
struct Desk {
    /// The process that it belongs to: a flight of the parent never lands in a forked child.
    process: u32,
    access: Option<Access>,
    flight: Option<Flight<Access>>,
}

impl Keeper {
    pub(crate) fn new(
        host: Host,
        account: String,
        client_id: String,
        places: Places,
        endpoint: TokenEndpoint,
        grant: Option<Secret>,
    ) -> Self {
        Self(Arc::new(Inner {
            host,
            account,
            client_id,
            places,
            endpoint,
            grant,
            desk: Mutex::default(),
        }))
    }

    pub(crate) fn account(&self) -> &str {
        &self.0.account
    }

    /// An access token that is fresh and passes `method`. The scope guard stands before everything that is sent.
    pub(crate) async fn admit(&self, operation: &Operation, method: &Method) -> Result<Access> {
        let known = self.desk().access.clone();
        let passes = known
            .as_ref()
            .is_some_and(|access| credentials::guard(&access.scopes, method, self.0.consent()).is_ok());
        if !passes {
            // Nothing at hand, or too little of it: the store may know of a wider grant.
            let (record, version) = match (self.0.record().await, &self.0.grant) {
                (Err(error), Some(grant)) if error.code() == Code::NotConnected => {
                    self.connect(operation, grant, &[]).await?;
                    self.0.record().await?
                }
                (record, _) => record?,
            };
            verdict::admit(&record, &self.0.client_id, self.0.host.clock().now())?;
            credentials::guard(&record.scopes, method, self.0.consent())?;
            if let Some(access) = self.0.stored_access(&record, version, None)? {
                self.keep(&access);
            } else {
                self.desk().access = None;
            }
        }
        let access = self.access(operation, None).await?;
        credentials::guard(&access.scopes, method, self.0.consent())?;
        Ok(access)
    }

    /// An access token that is fresh and is not the one that was `rejected`.
    pub(crate) async fn access(
        &self,
        operation: &Operation,
        rejected: Option<&Arc<Secret>>,
    ) -> Result<Access> {
        // A flight that was under way before the rejection may land with the rejected token: then a second one starts.
        for _ in 0..2 {
            let (flight, joined) = match self.at_hand(operation, rejected) {
                AtHand::Access(access) => return Ok(access),
                AtHand::Started(flight) => (flight, None),
                AtHand::Joined(flight) => (flight, Some(self.0.host.clock().monotonic())),
            };
            let landed = tokio::time::timeout(operation.remaining(), flight.wait()).await;
            if let Some(since) = joined {
                let now = self.0.host.clock().monotonic();
                operation.note_wait("single_flight", now.saturating_sub(since));
            }
            let access = landed
                .map_err(|_| Error::new(Code::Timeout, "the deadline came before the access token"))??;
            if rejected.is_none_or(|token| *token != access.token) {
                return Ok(access);
            }
        }
        Err(Error::new(
            Code::Unauthenticated,
            "Google does not accept its own new access token",
        ))
    }

    /// Connects: seals the refresh token, proves it by one refresh, and stores it with what that brought.
    pub(crate) async fn connect(
        &self,
        operation: &Operation,
        refresh_token: &Secret,
        scopes: &[String],
    ) -> Result<()> {
        let access = lease::connect(&self.0, operation, refresh_token, scopes).await?;
        self.keep(&access);
        Ok(())
    }

    /// Ends the grant at Google and forgets it here.
    pub(crate) async fn disconnect(&self, operation: &Operation) -> Result<()> {
        match lease::disconnect(&self.0, operation).await {
            Err(error) if error.code() == Code::NotConnected => {}
            ended => ended?,
        }
        self.desk().access = None;
        Ok(())
    }

    /// The connection as it stands in the store, without its receipt.
    pub(crate) async fn status(&self) -> Result<impl FnOnce(Receipt) -> Connection + use<>> {
        let record = match self.0.record().await {
            Ok((record, _)) => Some(record),
            Err(error) if error.code() == Code::NotConnected => None,
            Err(error) => return Err(error),
        };
        let account = self.0.account.clone();
        Ok(move |receipt| match record {
            Some(record) => Connection {
                account,
                state: record.state,
                user_action: record.reason.as_deref().and_then(next_step).map(str::to_owned),
                reason: record.reason,
                scopes: record.scopes,
                token_expires_at: record.access_expires_at,
                refresh_expires_at: record.refresh_expires_at,
                connected_at: Some(record.connected_at),
                refreshed_at: record.refreshed_at,
                receipt,
            },
            None => Connection {
                account,
                state: ConnectionState::NotConnected,
                reason: None,
                user_action: Some(Code::NotConnected.user_action().to_owned()),
                scopes: Vec::new(),
                token_expires_at: None,
                refresh_expires_at: None,
                connected_at: None,
                refreshed_at: None,
                receipt,
            },
        })
    }

    /// A token, or the refresh that brings one. Its requests stand in the receipt of the call that starts it; those who join
    /// say that they waited.
    fn at_hand(&self, operation: &Operation, rejected: Option<&Arc<Secret>>) -> AtHand {
        let now = self.0.host.clock().now();
        let mut desk = self.desk();
        if let Some(access) = &desk.access
            && access.is_fresh(now)
            && rejected.is_none_or(|token| *token != access.token)
        {
            return AtHand::Access(access.clone());
        }
        if let Some(flight) = desk.flight.as_ref().filter(|flight| !flight.has_ended()) {
            return AtHand::Joined(flight.clone());
        }
        let (keeper, rejected) = (self.clone(), rejected.cloned());
        let branch = lease::branch(operation);
        // The flight goes on without whoever set it off, and still asks the program through them.
        let bound = self.0.host.tokens().and_then(|tokens| tokens.bound());
        let flight = Flight::start(shelf::carry(bound, async move {
            let access = lease::obtain(&keeper.0, &branch, rejected).await?;
            keeper.keep(&access);
            Ok(access)
        }));
        desk.flight = Some(flight.clone());
        AtHand::Started(flight)
    }

    /// Keeps a token at hand unless a later record's is there already.
    fn keep(&self, access: &Access) {
        let mut desk = self.desk();
        if desk
            .access
            .as_ref()
            .is_none_or(|kept| kept.version <= access.version)
        {
            desk.access = Some(access.clone());
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        let mut desk = self.0.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if desk.process != generation::current() {
            // Forgotten, not dropped: what drives it is in the other process.
            std::mem::forget(desk.flight.take());
            desk.process = generation::current();
        }
        desk
    }
}

enum AtHand {
    Access(Access),
    /// This call refreshes.
    Started(Flight<Access>),
    /// Another call does.
    Joined(Flight<Access>),
}

impl Inner {
    /// The account's record and its version.
    pub(super) async fn record(&self) -> Result<(Record, u64)> {
        let stored = self.stored().await?.ok_or_else(verdict::not_connected)?;
        Ok((Record::parse(&stored.text)?, stored.version))
    }

    /// The access token of a record, when it is fresh and not the rejected one.
    pub(super) fn stored_access(
        &self,
        record: &Record,
        version: u64,
        rejected: Option<&Arc<Secret>>,
    ) -> Result<Option<Access>> {
        let access = self.open_access(record, version)?;
        Ok(access.filter(|access| {
            access.is_fresh(self.host.clock().now()) && rejected.is_none_or(|token| *token != access.token)
        }))
    }

    /// The access token of a record, fresh or not.
    pub(super) fn open_access(&self, record: &Record, version: u64) -> Result<Option<Access>> {
        let (Some(sealed), Some(expires_at), Some(issued_at)) = (
            &record.access_token,
            record.access_expires_at,
            record.refreshed_at,
        ) else {
            return Ok(None);
        };
        let token = self.seal().open(Field::Access, sealed)?;
        let life = (issued_at, expires_at);
        Ok(Some(Access::new(
            token,
            &record.scopes,
            version,
            life,
            self.host.random().fraction(),
        )))
    }

    fn consent(&self) -> Consent<'_> {
        Consent {
            client_id: &self.client_id,
            page: &self.places.authorize,
        }
    }

    pub(super) fn seal(&self) -> Seal<'_> {
        Seal {
            vault: self.host.vault(),
            account: &self.account,
            places: &self.places,
        }
    }
}

#[async_trait]
impl Authorize for Keeper {
    async fn authorization(&self, operation: &Operation) -> Result<Authorization> {
        let access = self.access(operation, None).await?;
        Ok(Authorization::Bearer(access.token))
    }

    async fn rejected(&self, operation: &Operation, used: &Authorization) -> Result<Option<Authorization>> {
        let Authorization::Bearer(used) = used else {
            return Ok(None);
        };
        let access = self.access(operation, Some(used)).await?;
        Ok(Some(Authorization::Bearer(access.token)))
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("account", &self.0.account)
            .finish_non_exhaustive()
    }
}
