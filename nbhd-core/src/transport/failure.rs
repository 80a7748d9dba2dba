//! What a failed connection means, decided by the types of the errors, never by their text.
//!
//! reqwest's own text holds the URL, so nothing of it is repeated.

use std::error::Error as StdError;
use std::io;

use super::resolve::Denied;
use crate::{Code, Error, Outcome};

/// Before the reply's head was here.
pub(crate) fn before_head(error: &reqwest::Error) -> Error {
    if error.is_builder() {
        return Error::new(
            Code::InvalidInput,
            "the request cannot be written as HTTP: check its URL and headers",
        );
    }
    if find::<Denied>(error).is_some() {
        return Error::new(
            Code::AddressDenied,
            "the host name stands for an address that is not public",
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

#[cfg(test)]
#[expect(
    clippy::disallowed_types,
    reason = "a client that speaks HTTP/2 at once, without TLS"
)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Frames as RFC 9113, 4.1 writes them: length, type, flags, stream, payload.
    fn frame(kind: u8, stream: u32, payload: &[u32]) -> Vec<u8> {
        let mut bytes = ((payload.len() * 4) as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, 0]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload.iter().flat_map(|word| word.to_be_bytes()));
        bytes
    }

    /// What a request is told when the server, having its head, sends `frames` and, perhaps, closes.
    async fn told(frames: Vec<u8>, close: bool) -> Error {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(&frame(4, 0, &[])).expect("settings");
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).expect("the preface");
            loop {
                let mut head = [0; 9];
                stream.read_exact(&mut head).expect("a frame");
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; length as usize];
                stream.read_exact(&mut payload).expect("a payload");
                if head[3] == 1 {
                    break; // HEADERS
                }
            }
            stream.write_all(&frames).expect("written");
            if !close {
                let _ = wait.recv();
            }
        });
        let error = reqwest::Client::builder()
            .http2_prior_knowledge()
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .expect("a client")
            .get(format!("http://{address}/"))
            .send()
            .await
            .expect_err("it fails");
        drop(done);
        thread.join().expect("a thread");
        before_head(&error)
    }

    #[tokio::test]
    async fn http2_says_what_was_not_processed() {
        const RESET: u8 = 3;
        const GOAWAY: u8 = 7;
        let table = [
            ("refused stream", frame(RESET, 1, &[7]), false, Outcome::NotSent),
            ("internal error", frame(RESET, 1, &[2]), false, Outcome::Unknown),
            ("cancel", frame(RESET, 1, &[8]), false, Outcome::Unknown),
            (
                "goaway below the stream",
                frame(GOAWAY, 0, &[0, 0]),
                false,
                Outcome::NotSent,
            ),
            (
                "goaway at the stream, then closed",
                frame(GOAWAY, 0, &[1, 0]),
                true,
                Outcome::Unknown,
            ),
            (
                "goaway with an error, then closed",
                frame(GOAWAY, 0, &[1, 2]),
                true,
                Outcome::Unknown,
            ),
            ("closed", Vec::new(), true, Outcome::Unknown),
        ];
        for (name, frames, close, outcome) in table {
            let error = told(frames, close).await;
            assert_eq!(
                (error.code(), error.outcome()),
                (Code::ConnectionFailed, outcome),
                "{name}: {error:?}"
            );
        }
    }
}
