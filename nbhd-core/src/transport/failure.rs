//! What a failed connection means, decided by the types of the errors, never by their text.
//!
//! reqwest's own text holds the URL, so nothing of it is repeated.

use std::error::Error as StdError;
use std::io;

use crate::{Code, Error, Outcome};

/// Before the reply's head was here.
pub(crate) fn before_head(error: &reqwest::Error) -> Error {
    if error.is_builder() {
        return Error::new(
            Code::InvalidInput,
            "the request cannot be written as HTTP: check its URL and headers",
        );
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return Error::new(
            Code::TlsFailed,
            format!("the TLS connection failed: {}", tls_words(tls)),
        );
    }
    if error.is_dns() {
        return Error::new(Code::ConnectionFailed, "the host name was not found");
    }
    if error.is_connect() {
        return if error.is_timeout() {
            Error::new(Code::Timeout, "the connection was not made in time")
        } else {
            Error::new(
                Code::ConnectionFailed,
                format!("the connection was not made: {}", io_words(error)),
            )
        };
    }
    if never_written(error) || never_processed(error) {
        return Error::new(
            Code::ConnectionFailed,
            "the connection was closed before the request was processed",
        );
    }
    let unknown = if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        Error::new(Code::ProtocolError, "the reply is not HTTP")
    } else if error.is_timeout() {
        Error::new(Code::Timeout, "no reply came in time")
    } else {
        Error::new(
            Code::ConnectionFailed,
            format!("the connection was lost before the reply: {}", io_words(error)),
        )
    };
    unknown.with_outcome(Outcome::Unknown)
}

/// After the head, within the body.
pub(crate) fn within_body(error: &reqwest::Error) -> Error {
    let connection = find::<hyper::Error>(error).is_some() || find::<h2::Error>(error).is_some();
    let error = if error.is_timeout() {
        Error::new(Code::Timeout, "the reply stopped coming")
    } else if connection {
        Error::new(
            Code::ConnectionFailed,
            "the connection was lost before the end of the reply",
        )
    } else {
        Error::new(Code::ProtocolError, "the reply's encoding is broken")
    };
    error.with_outcome(Outcome::Unknown)
}

/// Whether not one byte of the request was written: the pooled connection was gone already.
fn never_written(error: &reqwest::Error) -> bool {
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled)
}

/// Whether HTTP/2 says that the stream was not processed: REFUSED_STREAM, or above the last id of a graceful GOAWAY
/// (RFC 9113, 8.7 and 6.8).
fn never_processed(error: &reqwest::Error) -> bool {
    find::<h2::Error>(error).is_some_and(not_processed)
}

fn not_processed(error: &h2::Error) -> bool {
    if !error.is_remote() {
        return false;
    }
    let reason = error.reason();
    error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM)
        || error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)
}

/// The first error of type `T` in the chain; io errors carry theirs inside, beside the chain.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn io_words(error: &reqwest::Error) -> String {
    find::<io::Error>(error).map_or_else(|| "closed".to_owned(), |io| io.kind().to_string())
}

/// The kind of a TLS failure, without the names of a certificate.
fn tls_words(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) => "the certificate of the host is not trusted",
        rustls::Error::AlertReceived(_) => "the host refused it",
        rustls::Error::InvalidMessage(_) => "the host does not speak TLS",
        rustls::Error::PeerIncompatible(_) => "no common protocol version or cipher",
        _ => "the handshake did not succeed",
    }
}
