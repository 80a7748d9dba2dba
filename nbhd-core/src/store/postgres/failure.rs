//! What the server and the connection say, in our words. The server's own text may hold keys and values: of it, only the
//! SQLSTATE is repeated. <https://www.postgresql.org/docs/15/errcodes-appendix.html>

use std::time::Duration;

use tokio_postgres::error::{Severity, SqlState};

use crate::{Code, Error};

/// What a failed statement means for the call.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server undid it because of others: it can be run again.
    Undone(Error),
    /// The server said no and undid it; the connection lives unless it said so with its last words.
    Said { error: Error, lives: bool },
    /// No word came: it may have been made.
    Lost(Error),
}

/// Judges an error of a statement.
pub(super) fn judge(error: &tokio_postgres::Error) -> Failure {
    let Some(said) = error.as_db_error() else {
        let ours = error.is_closed() || is_io(error) || error.to_string().contains("parsing response");
        return if ours {
            Failure::Lost(unavailable("the connection to PostgreSQL was lost"))
        } else {
            Failure::Said {
                error: Error::new(
                    Code::Internal,
                    format!("the PostgreSQL store misread the server: {error}"),
                ),
                lives: false,
            }
        };
    };
    let state = said.code();
    if matches!(
        *state,
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED
    ) {
        return Failure::Undone(unavailable("PostgreSQL undid a commit because of others"));
    }
    let ends = matches!(
        said.parsed_severity(),
        Some(Severity::Fatal | Severity::Panic) | None
    );
    if ends || state.code().starts_with("08") {
        return Failure::Lost(unavailable(&format!(
            "PostgreSQL ended the connection ({})",
            state.code()
        )));
    }
    Failure::Said {
        error: words(state),
        lives: true,
    }
}

/// Judges an error of connecting: nothing was asked yet. The second value says that trying again soon may help: the server
/// is about to be ready, or somebody was there and went away.
pub(super) fn connecting(error: &tokio_postgres::Error) -> (Error, bool) {
    if let Some(said) = error.as_db_error() {
        let soon = *said.code() == SqlState::CANNOT_CONNECT_NOW;
        return (words(said.code()), soon);
    }
    let text = error.to_string();
    let error = if text.contains("TLS") && !was_cut(error) {
        Error::new(
            Code::TlsFailed,
            "the TLS handshake with PostgreSQL failed: it has no TLS, or its certificate is not trusted",
        )
        .with_user_action(
            "Name the root certificate with sslrootcert=, or sslmode=disable where the network is trusted.",
        )
    } else if text.contains("authentication") || text.contains("configuration") {
        Error::new(
            Code::InvalidConfig,
            "PostgreSQL asks for a password that the address does not have, or in a way that is not known",
        )
    } else {
        // Whether nobody was there at all, the client says by its words alone.
        let soon = !text.contains("error connecting");
        return (unavailable("PostgreSQL cannot be reached"), soon);
    };
    (error, false)
}

/// Judges an error of the first words after connecting.
pub(super) fn greeting(error: &tokio_postgres::Error) -> (Error, bool) {
    match judge(error) {
        Failure::Said { error, .. } => (error, false),
        Failure::Undone(error) | Failure::Lost(error) => (error, true),
    }
}

/// No word within the time of a call.
pub(super) fn silent(deadline: Duration) -> Error {
    unavailable(&format!(
        "PostgreSQL did not answer within {} s",
        deadline.as_secs_f64()
    ))
}

/// There is no store where the address points.
pub(super) fn missing() -> Error {
    unavailable("there is no store in this database: it was never created, or it was lost").with_user_action(
        "Restore it from a copy. Where there never was one, create it once with create_store().",
    )
}

/// There is another store than before.
pub(super) fn replaced() -> Error {
    unavailable("the database holds another store than the one that this program began with")
        .with_user_action("Put the store back, or restart the program to begin with what is there now.")
}

/// A server that follows another one.
pub(super) fn standby() -> Error {
    unavailable("this PostgreSQL server is a standby: it takes no writes")
        .with_user_action("Point the address at the primary server.")
}

/// The store is newer than this code.
pub(super) fn too_old(verb: &str, schema: i32, ours: i32) -> Error {
    Error::new(
        Code::InvalidState,
        format!(
            "the PostgreSQL store has schema {schema}, which this version (schema {ours}) may not {verb}"
        ),
    )
    .with_user_action("Update this program: a newer one has changed the store.")
}

/// The store is older than this code can use.
pub(super) fn too_new(schema: i32, ours: i32) -> Error {
    Error::new(
        Code::InvalidState,
        format!("the PostgreSQL store has schema {schema}, older than this version (schema {ours}) uses"),
    )
    .with_user_action(
        "Call create_store() of this version once: it brings the store up to date beside what runs.",
    )
}

fn words(state: &SqlState) -> Error {
    match *state {
        SqlState::UNDEFINED_TABLE
        | SqlState::INVALID_SCHEMA_NAME
        | SqlState::UNDEFINED_FUNCTION
        | SqlState::INVALID_CATALOG_NAME => missing(),
        SqlState::UNDEFINED_COLUMN | SqlState::DUPLICATE_TABLE | SqlState::DUPLICATE_OBJECT => Error::new(
            Code::InvalidConfig,
            "the schema of the PostgreSQL store holds something else: name another with ?schema=",
        ),
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE => invalid("a sum would leave the range of 64-bit numbers"),
        SqlState::PROGRAM_LIMIT_EXCEEDED => invalid(
            "a key, or an index and its member, is longer than PostgreSQL can index (about 2,600 bytes)",
        ),
        SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => {
            unavailable("PostgreSQL was busy with the same keys for longer than the deadline")
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => standby(),
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Error::new(
            Code::InvalidConfig,
            "PostgreSQL refuses the user or the password of the store's address",
        ),
        SqlState::INSUFFICIENT_PRIVILEGE => Error::new(
            Code::InvalidConfig,
            "the user of the PostgreSQL store may not do this in its schema",
        ),
        SqlState::DISK_FULL => unavailable("the disk of the PostgreSQL server is full"),
        SqlState::TOO_MANY_CONNECTIONS => unavailable("PostgreSQL has too many connections"),
        SqlState::CANNOT_CONNECT_NOW => unavailable("PostgreSQL is starting or stopping"),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            unavailable("the PostgreSQL store is damaged: restore it from a copy").with_retryable(false)
        }
        _ => match state.code() {
            "NB001" => invalid(
                "a bucket needs a capacity, a refill time, and a product of both below 2^61 microseconds",
            ),
            "NB002" => invalid("more tokens are asked for than the bucket ever holds"),
            other => unavailable(&format!("PostgreSQL failed (SQLSTATE {other})")),
        },
    }
}

/// Whether the other side went away in the middle.
fn was_cut(error: &tokio_postgres::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|io| {
            matches!(
                io.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            )
        })
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn unavailable(message: &str) -> Error {
    Error::new(Code::StoreUnavailable, message)
}

fn invalid(message: &str) -> Error {
    Error::new(Code::InvalidInput, message)
}
