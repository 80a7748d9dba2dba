//! The refresh itself: one process at a time, decided by a lease, stored before it is used.

use std::sync::Arc;
use std::time::Duration;

use nbhd_core::store::Lease;
use nbhd_core::{Code, Error, Operation, Result, Secret};

use super::access::Access;
use super::keeper::Inner;
use super::record::{Field, Record};
use super::{ConnectionState, verdict};
use crate::credentials::{Granted, refused};

/// How long a refresh may take, waiting for another process included.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// How long the lease is held at most. Longer than [`LIMIT`], so that a holder within its limit still holds it.
const LEASE: Duration = Duration::from_secs(40);

/// How long to wait before looking whether another process has finished. A refresh takes about 100 ms.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often a write is repeated whose answer was lost, and a refresh whose record changed meanwhile.
pub(super) const TRIES: u32 = 3;

/// An access token from the store where another process has left one, else from Google.
pub(super) async fn obtain(
    keeper: &Inner,
    operation: &Operation,
    rejected: Option<Arc<Secret>>,
) -> Result<Access> {
    if let Some(access) = look(keeper, rejected.as_ref()).await? {
        return Ok(access);
    }
    refresh(keeper, operation, rejected).await
}

/// The refresh as a part of the call that needed it first. It goes on when that caller goes away, so that a token which
/// Google has already rotated is still stored.
pub(super) fn branch(operation: &Operation) -> Operation {
    operation.branch("google.refresh_token", LIMIT)
}

/// Connects an account: nothing is stored unless Google takes the token.
pub(super) async fn connect(
    keeper: &Inner,
    operation: &Operation,
    refresh_token: &Secret,
    scopes: &[String],
) -> Result<Access> {
    // Sealed before anything is sent: without a key nothing happens at all.
    let mut record = Record::new(&keeper.client_id, keeper.host.clock().now());
    record.refresh_token = Some(keeper.seal().seal(Field::Refresh, refresh_token)?);
    record.scopes = scopes.to_vec();
    let granted = keeper.endpoint.refresh(operation, refresh_token).await?;
    if granted.scopes.is_none() && scopes.is_empty() {
        return Err(Error::new(
            Code::InvalidInput,
            "Google did not say which scopes were granted: name them when connecting",
        ));
    }
    take(keeper, &mut record, &granted)?;
    for _ in 0..TRIES {
        let before = keeper.stored().await?;
        if let Some(version) = keeper.put(operation, &mut record, before.as_ref(), None).await? {
            return opened(keeper, &record, version);
        }
    }
    Err(contended())
}

/// Ends the grant at Google and then here; where Google cannot be asked, nothing is changed.
pub(super) async fn disconnect(keeper: &Inner, operation: &Operation) -> Result<()> {
    for _ in 0..TRIES {
        let before = keeper.stored().await?.ok_or_else(verdict::not_connected)?;
        let mut record = Record::parse(&before.text)?;
        let Some(sealed) = &record.refresh_token else {
            return Ok(());
        };
        let token = keeper.seal().open(Field::Refresh, sealed)?;
        keeper
            .endpoint
            .revoke(operation, &keeper.places.revoke, &token)
            .await?;
        record.bury();
        if keeper
            .put(operation, &mut record, Some(&before), None)
            .await?
            .is_some()
        {
            return Ok(());
        }
    }
    Err(contended())
}

async fn refresh(keeper: &Inner, operation: &Operation, rejected: Option<Arc<Secret>>) -> Result<Access> {
    for _ in 0..TRIES {
        let lease = match hold(keeper, operation, rejected.as_ref()).await? {
            Held::Lease(lease) => lease,
            Held::Access(access) => return Ok(access),
        };
        let turn = turn(keeper, operation, rejected.as_ref(), &lease).await;
        if !matches!(turn, Ok(Some(_))) {
            keeper.release(&lease).await;
        }
        if let Some(access) = turn? {
            return Ok(access);
        }
    }
    Err(contended())
}

enum Held {
    Lease(Lease),
    Access(Access),
}

/// Waits for the lease, or for the token that its holder leaves.
async fn hold(keeper: &Inner, operation: &Operation, rejected: Option<&Arc<Secret>>) -> Result<Held> {
    loop {
        if let Some(lease) = keeper
            .host
            .store()
            .claim(&Record::lane(&keeper.account), LEASE)
            .await?
        {
            return Ok(Held::Lease(lease));
        }
        operation.wait("refresh_lease", LOOK_AGAIN).await?;
        if let Some(access) = look(keeper, rejected).await? {
            return Ok(Held::Access(access));
        }
    }
}

/// One refresh under a lease; `None` when the record was changed by somebody else meanwhile.
async fn turn(
    keeper: &Inner,
    operation: &Operation,
    rejected: Option<&Arc<Secret>>,
    lease: &Lease,
) -> Result<Option<Access>> {
    let before = keeper.stored().await?.ok_or_else(verdict::not_connected)?;
    let (mut record, version) = (Record::parse(&before.text)?, before.version);
    verdict::admit(&record, &keeper.client_id, keeper.host.clock().now())?;
    if let Some(access) = keeper.stored_access(&record, version, rejected)? {
        keeper.release(lease).await;
        return Ok(Some(access));
    }
    let sealed = record
        .refresh_token
        .as_deref()
        .ok_or_else(verdict::not_connected)?;
    let refresh_token = keeper.seal().open(Field::Refresh, sealed)?;
    let refusal = match keeper.endpoint.refresh(operation, &refresh_token).await {
        Ok(granted) => {
            take(keeper, &mut record, &granted)?;
            None
        }
        Err(error) => {
            let now = keeper.host.clock().now();
            let Some((state, reason)) = verdict::permanent(&error, &record, now) else {
                keeper.release(lease).await;
                return still_good(keeper, &record, version, rejected, error).map(Some);
            };
            refuse(keeper, &mut record, state, reason);
            Some(told(error, reason))
        }
    };
    let put = keeper
        .put(operation, &mut record, Some(&before), Some(lease))
        .await?;
    let Some(version) = put else {
        return Ok(None);
    };
    match refusal {
        Some(error) => Err(error),
        None => opened(keeper, &record, version).map(Some),
    }
}

/// What a refresh brought goes into the record.
fn take(keeper: &Inner, record: &mut Record, granted: &Granted) -> Result<()> {
    let now = keeper.host.clock().now();
    let later = |life: Duration| {
        chrono::Duration::from_std(life)
            .ok()
            .and_then(|life| now.checked_add_signed(life))
    };
    record.state = ConnectionState::Active;
    record.reason = None;
    record.refused_at = None;
    record.refreshed_at = Some(now);
    record.access_token = Some(keeper.seal().seal(Field::Access, &granted.access_token)?);
    record.access_expires_at = later(granted.lifetime);
    if let Some(scopes) = &granted.scopes {
        record.scopes.clone_from(scopes);
    }
    if let Some(rotated) = &granted.refresh_token {
        record.refresh_token = Some(keeper.seal().seal(Field::Refresh, rotated)?);
    } else if let Some(sealed) = &record.refresh_token
        && let Some(resealed) = keeper.seal().renew(Field::Refresh, sealed)?
    {
        // The vault has a newer key: it seals from here on.
        record.refresh_token = Some(resealed);
    }
    if let Some(life) = granted.refresh_lifetime {
        record.refresh_expires_at = later(life);
    }
    Ok(())
}

fn refuse(keeper: &Inner, record: &mut Record, state: ConnectionState, reason: &str) {
    record.state = state;
    record.reason = Some(reason.to_owned());
    record.refused_at = Some(keeper.host.clock().now());
    record.access_token = None;
    record.access_expires_at = None;
}

/// The refusal in the words of its reason, where the record knows more than the answer.
fn told(error: Error, reason: &str) -> Error {
    if error.provider_reason() == Some(reason) {
        return error;
    }
    let status = error.provider_status();
    let error = refused(reason);
    match status {
        Some(status) => error.with_provider_status(status),
        None => error,
    }
}

/// A refresh that failed for a while: the token at hand serves as long as it lives.
fn still_good(
    keeper: &Inner,
    record: &Record,
    version: u64,
    rejected: Option<&Arc<Secret>>,
    error: Error,
) -> Result<Access> {
    keeper
        .open_access(record, version)?
        .filter(|access| access.is_live(keeper.host.clock().now()))
        .filter(|access| rejected.is_none_or(|token| *token != access.token))
        .map(|access| access.postponed(keeper.host.clock().now()))
        .ok_or(error)
}

/// A token that another process has left in the store.
async fn look(keeper: &Inner, rejected: Option<&Arc<Secret>>) -> Result<Option<Access>> {
    let (record, version) = keeper.record().await?;
    verdict::admit(&record, &keeper.client_id, keeper.host.clock().now())?;
    keeper.stored_access(&record, version, rejected)
}

fn opened(keeper: &Inner, record: &Record, version: u64) -> Result<Access> {
    keeper
        .open_access(record, version)?
        .ok_or_else(|| Error::new(Code::Internal, "the record that was just written has no token"))
}

fn contended() -> Error {
    Error::new(
        Code::StoreConflict,
        "the connection kept changing while its token was being refreshed",
    )
}
