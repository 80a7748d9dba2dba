//! What the server or the connection said, as our errors. Only the first word of a server's error is repeated: the rest may
//! hold keys and addresses.

use redis::{ErrorKind, RedisError};

use crate::{Code, Error, Outcome};

pub(super) fn unavailable(message: impl AsRef<str>) -> Error {
    Error::new(Code::StoreUnavailable, message)
}

/// What is to be done about an error of the client.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server does not know the script; nothing was run.
    NoScript,
    /// The connection is gone, and with it the answer: whether the command was run is not known.
    Lost(Error),
    /// The server answered; the flag says that this server is no longer the right one.
    Answered(Error, bool),
}

pub(super) fn of(error: &RedisError) -> Failure {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {}
        ErrorKind::AuthenticationFailed => {
            return Failure::Answered(denied("did not accept the user or the password"), true);
        }
        _ => {
            return Failure::Lost(
                unavailable("the connection to Redis was lost before the answer came")
                    .with_outcome(Outcome::Unknown),
            );
        }
    }
    // Redis 6 puts the error of a command within a script into the text of another.
    let text = format!(
        "{} {}",
        error.code().unwrap_or("ERR"),
        error.detail().unwrap_or_default()
    );
    let says = |word: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|found| found == word)
    };
    // Redis 7 says it in a sentence.
    if text.contains("The user executing the script") {
        return Failure::Answered(not_allowed(), false);
    }
    if says("NOSCRIPT") {
        return Failure::NoScript;
    }
    let (error, moved) = answered(&says, error.code().unwrap_or("ERR"));
    Failure::Answered(error, moved)
}

fn answered(says: &dyn Fn(&str) -> bool, code: &str) -> (Error, bool) {
    let config = |message: &str| Error::new(Code::InvalidConfig, message);
    if says("READONLY") {
        let error = unavailable("the Redis server is a replica now and takes no writes");
        return (error, true);
    }
    if says("LOADING") || says("MASTERDOWN") {
        return (unavailable("the Redis server is still loading its data"), true);
    }
    let error = if says("OOM") {
        unavailable("the memory of the Redis server is full").with_user_action(
            "Give Redis more memory (maxmemory); it must not evict, so the policy stays noeviction.",
        )
    } else if says("MISCONF") {
        unavailable("the Redis server takes no writes because it cannot save its data").with_user_action(
            "Look at the disk and the log of the Redis server; it takes writes again when it can save.",
        )
    } else if says("NOREPLICAS") {
        unavailable("the Redis server takes no writes because too few replicas follow it")
    } else if says("BUSY") {
        unavailable("the Redis server is busy with somebody's long script")
    } else if says("NOPERM") {
        not_allowed()
    } else if says("NOAUTH") || says("WRONGPASS") || says("invalid") && says("password") {
        denied("did not accept the user or the password")
    } else if says("MOVED") || says("ASK") || says("CROSSSLOT") || says("CLUSTERDOWN") {
        config("this is a Redis Cluster, whose commits cannot span its parts")
            .with_user_action("Use one Redis server, with replicas if you like, instead of a cluster.")
    } else if says("WRONGTYPE") {
        Error::new(
            Code::InvalidState,
            "keys of the store's namespace hold something else",
        )
        .with_outcome(Outcome::Unknown)
        .with_user_action("Give the store a namespace of its own: `redis://…?namespace=name`.")
    } else {
        unavailable(format!("Redis answered {}", first_word(code))).with_outcome(Outcome::Unknown)
    };
    (error, false)
}

/// A script that was stopped by a missing permission may have written before it.
fn not_allowed() -> Error {
    denied("does not allow this user what the store needs").with_outcome(Outcome::Unknown)
}

fn denied(what: &str) -> Error {
    Error::new(Code::InvalidConfig, format!("the Redis server {what}")).with_user_action(
        "Check user and password of the address; the user needs +@read +@write +@scripting +info, for the keys of the \
         namespace, and should have +config|get.",
    )
}

/// Letters alone: what a server says is not ours to print.
fn first_word(code: &str) -> String {
    code.chars()
        .take_while(char::is_ascii_uppercase)
        .take(32)
        .collect()
}
