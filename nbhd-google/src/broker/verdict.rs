//! Which answers change the state of a connection, and what a connection that is not active answers.

use nbhd_core::{Code, Error, Timestamp};

use super::ConnectionState;
use super::record::Record;
use crate::credentials::next_step;

/// How long a connection that stands in `error` is left alone before Google is asked again: the set-up may have been
/// mended, and a program that calls in a loop must not hammer the token endpoint meanwhile.
const SECOND_LOOK: chrono::Duration = chrono::Duration::seconds(60);

/// A permanent refusal: the state that it leads to, and its reason.
pub(super) fn permanent(
    error: &Error,
    record: &Record,
    now: Timestamp,
) -> Option<(ConnectionState, &'static str)> {
    Some(match error.provider_reason()? {
        "invalid_rapt" => (ConnectionState::Expired, "invalid_rapt"),
        "invalid_grant" if record.refresh_expires_at.is_some_and(|end| end <= now) => {
            (ConnectionState::Expired, "testing_expiry")
        }
        "invalid_grant" => (ConnectionState::Revoked, "invalid_grant"),
        "invalid_client" => (ConnectionState::Error, "invalid_client"),
        "unauthorized_client" => (ConnectionState::Error, "unauthorized_client"),
        "admin_policy_enforced" => (ConnectionState::Error, "admin_policy_enforced"),
        _ => return None,
    })
}

/// Refuses where no token may be asked for.
pub(super) fn admit(record: &Record, client_id: &str, now: Timestamp) -> Result<(), Error> {
    if record.state == ConnectionState::NotConnected {
        return Err(not_connected());
    }
    if record.client_id != client_id {
        return Err(Error::new(
            Code::InvalidConfig,
            "the account was connected with another OAuth client than this one",
        )
        .with_user_action("Use the client id that the account was connected with, or connect it again."));
    }
    let waits = match record.state {
        ConnectionState::Active | ConnectionState::NotConnected => false,
        ConnectionState::Expired | ConnectionState::Revoked => true,
        ConnectionState::Error => record.refused_at.is_some_and(|at| now < at + SECOND_LOOK),
    };
    if waits { Err(inactive(record)) } else { Ok(()) }
}

/// No account of this name is connected.
pub(super) fn not_connected() -> Error {
    Error::new(Code::NotConnected, "the account is not connected to Google").with_provider("google")
}

fn inactive(record: &Record) -> Error {
    let state = match record.state {
        ConnectionState::Expired => "expired",
        ConnectionState::Revoked => "revoked",
        _ => "in error",
    };
    let error = Error::new(
        Code::ConnectionInactive,
        format!("the connection to Google is {state}"),
    )
    .with_provider("google");
    match record.reason.as_deref() {
        Some(reason) => {
            let error = error.with_provider_reason(reason);
            match next_step(reason) {
                Some(step) => error.with_user_action(step),
                None => error,
            }
        }
        None => error,
    }
}
