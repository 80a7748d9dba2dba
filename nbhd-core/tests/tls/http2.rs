//! What HTTP/2 says was not processed is asked again, on connections as they are in the wild: over TLS, chosen by ALPN. The
//! server is one of frames, as RFC 9113 writes them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use nbhd_core::clock::FakeClock;
use nbhd_core::http::{Method, Request};
use nbhd_core::testkit::Storeless;
use nbhd_core::transport::{Layers, Transport, stack};
use nbhd_core::{Code, Error, Host, Operation, Outcome, Receipt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificate::{Certificates, trusting};

/// Kinds of frames and their flags (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What the server does about a request.
#[derive(Clone, Copy)]
enum Answer {
    /// Status 200 and nothing else.
    Serve,
    /// The stream was not processed: REFUSED_STREAM.
    Refuse,
    /// A graceful GOAWAY whose last stream is this one; the connection stays.
    GoAway(u32),
    /// The same, and the connection is closed.
    GoAwayAndClose(u32),
}

/// A server, and which requests it saw: the number of the connection and that of the stream.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<(usize, u32)>>>,
}

impl Server {
    /// Gives `answers` to the requests, in the order in which they come.
    fn start(certificates: &Certificates, answers: &[Answer]) -> Self {
        let certificate = CertificateDer::from_pem_file(certificates.certificate("known")).unwrap();
        let key = PrivateKeyDer::from_pem_file(certificates.key("known")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (config, answers, log) = (config.clone(), answers.clone(), log.clone());
                std::thread::spawn(move || converse(stream?, config, number, &answers, &log));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<(usize, u32)> {
        self.seen.lock().unwrap().clone()
    }
}

/// One connection, until either side ends it.
fn converse(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    number: usize,
    answers: &Mutex<VecDeque<Answer>>,
    seen: &Mutex<Vec<(usize, u32)>>,
) -> io::Result<()> {
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut wire = StreamOwned::new(tls, stream);
    let mut preface = [0; 24];
    wire.read_exact(&mut preface)?;
    wire.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    loop {
        let mut head = [0; 9];
        wire.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        wire.read_exact(&mut payload)?;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        if kind == SETTINGS && flags & ACK == 0 {
            wire.write_all(&frame(SETTINGS, ACK, 0, &[]))?;
        }
        if !matches!(kind, DATA | HEADERS) || flags & END_STREAM == 0 {
            continue;
        }
        seen.lock().unwrap().push((number, stream));
        let answer = answers.lock().unwrap().pop_front();
        match answer.expect("an answer is left") {
            Answer::Serve => {
                // The eighth entry of the static table is `:status: 200` (RFC 7541, appendix A).
                wire.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &[0x88]))?;
            }
            Answer::Refuse => wire.write_all(&frame(RST_STREAM, 0, stream, &7_u32.to_be_bytes()))?,
            Answer::GoAway(last) => wire.write_all(&go_away(last))?,
            Answer::GoAwayAndClose(last) => return wire.write_all(&go_away(last)),
        }
    }
}

fn go_away(last: u32) -> Vec<u8> {
    const NO_ERROR: [u8; 4] = [0; 4];
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), NO_ERROR].concat())
}

/// Length, kind, flags, stream, payload (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

async fn call(host: &Host, stack: &dyn Transport, request: Request) -> Result<Receipt, Error> {
    let operation = Operation::begin(host, "test.call");
    let ended = stack.send(&operation, request).await;
    operation.end(ended.map(drop)).map(|((), receipt)| receipt)
}

fn causes(receipt: &Receipt) -> Vec<&str> {
    receipt.waits.iter().map(|wait| wait.cause.as_str()).collect()
}

#[tokio::test]
async fn what_was_not_processed_is_asked_again_though_it_changes_something() {
    use Answer::{GoAway, GoAwayAndClose, Refuse, Serve};
    let test = "http2::what_was_not_processed_is_asked_again_though_it_changes_something";
    let Some(certificates) = trusting(test) else {
        return;
    };
    /// One row: what the server answers, in order; of how many calls; which requests it saw; why the last call waited.
    type Row = (
        &'static str,
        &'static [Answer],
        usize,
        &'static [(usize, u32)],
        &'static [&'static str],
    );
    let table: [Row; 4] = [
        (
            "refused on a new connection: there again, as another stream",
            &[Refuse, Serve],
            1,
            &[(0, 1), (0, 3)],
            &["backoff"],
        ),
        (
            "refused on a used one: at once, on another one",
            &[Serve, Refuse, Serve],
            2,
            &[(0, 1), (0, 3), (1, 1)],
            &["used_connection"],
        ),
        (
            "above the last stream of a GOAWAY: on another connection",
            &[Serve, GoAway(1), Serve],
            2,
            &[(0, 1), (0, 3), (1, 1)],
            &["used_connection"],
        ),
        (
            "the same, and closed",
            &[Serve, GoAwayAndClose(1), Serve],
            2,
            &[(0, 1), (0, 3), (1, 1)],
            &["used_connection"],
        ),
    ];
    for (name, answers, calls, seen, waits) in table {
        let (server, host, stack) = scene(&certificates, answers);
        let mut last = None;
        for _ in 0..calls {
            last = Some(call(&host, &*stack, post(&server)).await.expect(name));
        }
        let last = last.unwrap();
        assert_eq!(
            (server.seen().as_slice(), causes(&last).as_slice()),
            (seen, waits),
            "{name}"
        );
        assert_eq!(last.attempts.len(), 2, "{name}: an attempt of its own");
    }
    // The last stream is this one: it may have been processed. Only what is safe to repeat is asked again.
    let (server, host, stack) = scene(&certificates, &[Serve, GoAwayAndClose(3)]);
    call(&host, &*stack, post(&server)).await.expect("served");
    let error = call(&host, &*stack, post(&server)).await.expect_err("unknown");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::ConnectionFailed, Outcome::Unknown)
    );
    assert_eq!(server.seen(), [(0, 1), (0, 3)]);
    let (server, host, stack) = scene(&certificates, &[Serve, GoAwayAndClose(3), Serve]);
    for _ in 0..2 {
        let get = Request::new(Method::GET, server.url.parse().unwrap(), "test.get");
        call(&host, &*stack, get).await.expect("served");
    }
    assert_eq!(server.seen(), [(0, 1), (0, 3), (1, 1)]);
}

fn scene(certificates: &Certificates, answers: &[Answer]) -> (Server, Host, Arc<dyn Transport>) {
    let clock = FakeClock::at("2026-11-21T08:00:00Z".parse().unwrap());
    let host = Storeless::host().with_clock(Arc::new(clock)).build();
    let stack = stack(&host, Layers::default());
    (Server::start(certificates, answers), host, stack)
}

/// A request that changes something.
fn post(server: &Server) -> Request {
    Request::new(Method::POST, server.url.parse().unwrap(), "test.post")
        .with_body("text/plain".parse().unwrap(), "hello")
}
