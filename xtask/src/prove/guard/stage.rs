//! What the attacks stand on: recorders, doors, names that change, a server that redirects.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use nbhd_core::http::{HeaderMap, Request, Response, StatusCode};
use nbhd_core::secure::{Access, Credential, SecureAnswer, SecureRequest};
use nbhd_core::testkit::{Call, Reply, Server, Storeless};
use nbhd_core::transport::{BreakerPolicy, HostRule, Resolver, Socket, Transport};
use nbhd_core::{Host, Operation, Secret};

/// The secret that must not go anywhere else.
pub(super) const KEY: &str = "canary-key-0123456789";

/// `ok`, or the code of the error.
pub(super) fn code_of(result: nbhd_core::Result<SecureAnswer>) -> &'static str {
    result.map_or_else(|error| error.code().name(), |_| "ok")
}

/// A host without a store over this socket. Its breakers never open: every attack is made, whatever became of the one before.
pub(super) fn host_over(socket: impl Transport + 'static) -> Host {
    Storeless::host()
        .with_breaker_policy(BreakerPolicy::default().with_failures(u32::MAX))
        .with_socket(Arc::new(socket))
        .build()
}

pub(super) fn socket_with(resolver: Arc<Named>) -> Socket {
    Socket::default().with_resolver(resolver)
}

/// Counts what comes past the guard, and connects to nothing.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) reached: AtomicUsize,
}

impl Recorder {
    pub(super) fn host() -> (Arc<Self>, Host) {
        let recorder = Arc::new(Self::default());
        let host = Storeless::host().with_socket(recorder.clone()).build();
        (recorder, host)
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, _operation: &Operation, _request: Request) -> nbhd_core::Result<Response> {
        self.reached.fetch_add(1, Ordering::Relaxed);
        Ok(Response::whole(StatusCode::OK, HeaderMap::new(), "reached"))
    }
}

/// Answers one list after the other for whatever name; the last one from then on.
#[derive(Debug)]
pub(super) struct Named(Mutex<Vec<Vec<IpAddr>>>);

impl Named {
    pub(super) fn new(answers: impl IntoIterator<Item = Vec<&'static str>>) -> Arc<Self> {
        let read = |list: Vec<&str>| list.iter().filter_map(|text| text.parse().ok()).collect();
        Arc::new(Self(Mutex::new(answers.into_iter().map(read).collect())))
    }
}

#[async_trait]
impl Resolver for Named {
    async fn resolve(&self, _name: &str) -> std::io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() > 1 {
            return Ok(answers.remove(0));
        }
        Ok(answers.first().cloned().unwrap_or_default())
    }
}

/// Says who it is to whoever comes, then closes.
pub(super) struct Door {
    port: u16,
    visits: Arc<AtomicUsize>,
    shut: Arc<AtomicBool>,
    address: std::net::SocketAddr,
}

impl Door {
    pub(super) fn open(address: &str, says: &'static str) -> Result<Self, String> {
        let listener = TcpListener::bind(address).map_err(|error| format!("{address}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (visits, shut) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, closing) = (visits.clone(), shut.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if closing.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                counted.fetch_add(1, Ordering::Relaxed);
                let mut head = [0; 2048];
                let _ = stream.read(&mut head);
                let length = says.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{says}"
                );
            }
        });
        Ok(Self {
            port: address.port(),
            visits,
            shut,
            address,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shut.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(self.address); // wakes it
    }
}

/// Redirects to `to` with `status`.
pub(super) fn redirector(call: Call) -> Reply {
    let pairs = call.query_pairs();
    let field = |name: &str| {
        pairs
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value)
    };
    let status = field("status").parse().unwrap_or(302);
    // A header holds no other characters: what is beyond ASCII goes as the bytes that a browser would get.
    let to: String = field("to")
        .chars()
        .map(|one| {
            if one.is_ascii() {
                one.to_string()
            } else {
                percent(one)
            }
        })
        .collect();
    Reply::text(status, "").with_header("location", &to)
}

fn percent(character: char) -> String {
    let mut bytes = [0; 4];
    let bytes = character.encode_utf8(&mut bytes).bytes();
    bytes
        .map(|byte| format!("%{byte:02X}"))
        .collect::<Vec<_>>()
        .concat()
}

/// A secret in a header of its own for `server`; `friend` is allowed, without a secret.
pub(super) fn keyed(server: &Server, friend: &Server) -> Result<Access, String> {
    let say = |error: nbhd_core::Error| error.to_string();
    let origin = server.url().origin().ascii_serialization();
    let key = Credential::header(&origin, "x-key", Secret::new(KEY)).map_err(say)?;
    let friend = HostRule::new(&friend.address().to_string()).map_err(say)?;
    Ok(Access::new()
        .with_credential(key)
        .with_host(friend)
        .with_loopback())
}

/// One request that is redirected.
pub(super) async fn redirect(
    host: &Host,
    server: &Server,
    status: u16,
    target: &str,
    access: &Access,
) -> nbhd_core::Result<SecureAnswer> {
    let request = SecureRequest::get(server.url().as_str())
        .with_query("status", status.to_string())
        .with_query("to", target)
        .with_header("x-custom", KEY);
    host.secure_request(&request, access).await
}
