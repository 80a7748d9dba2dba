//! The socket against real loopback connections: what each way of failing means.

use std::sync::Arc;
use std::time::Duration;

use nbhd_core::http::{Authorization, Method, Request, Timeouts};
use nbhd_core::testkit::{Call, Reply, Server, Storeless};
use nbhd_core::transport::{Socket, Transport};
use nbhd_core::{Code, Error, Operation, Outcome, Secret};

/// For what is waited for in vain; every other limit stays at its default, which no machine reaches.
const BRIEF: Duration = Duration::from_millis(80);

const PATIENT: Duration = Duration::from_secs(60);

fn server(reply: impl Fn(Call) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(Arc::new(reply)).expect("a server on loopback")
}

fn operation() -> Operation {
    Operation::begin(&Storeless::host().build(), "test.call")
}

fn get(server: &Server) -> Request {
    Request::new(Method::GET, server.url(), "test.get")
}

async fn fails(request: Request) -> Error {
    let reply = Socket::default().send(&operation(), request).await;
    match reply {
        Err(error) => error,
        Ok(reply) => reply.bytes().await.expect_err("it fails in the body"),
    }
}

fn is(error: &Error, code: Code, outcome: Outcome) {
    assert_eq!((error.code(), error.outcome()), (code, outcome), "{error:?}");
}

#[tokio::test]
async fn a_reply_comes_whole_and_the_request_arrives() {
    let server = server(|call: Call| {
        assert_eq!(call.json(), serde_json::json!({"a": 1}));
        Reply::json(201, &serde_json::json!({"ok": true})).with_header("x-request-id", "r1")
    });
    let url = server.url().join("one/two?q=3").expect("a URL");
    let request = Request::new(Method::POST, url, "test.post")
        .with_json(&serde_json::json!({"a": 1}))
        .expect("JSON")
        .with_authorization(Authorization::Bearer(Arc::new(Secret::new("canary-1"))));
    let reply = Socket::default()
        .send(&operation(), request)
        .await
        .expect("a reply");
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("x-request-id"), Some("r1"));
    assert_eq!(reply.bytes().await.expect("a body"), r#"{"ok":true}"#);
    let calls = server.log().calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].path.as_str(), calls[0].query.as_str()),
        ("/one/two", "q=3")
    );
    assert_eq!(calls[0].header("authorization"), Some("Bearer canary-1"));
    assert_eq!(calls[0].header("content-length"), Some("7"));
    assert_eq!(calls[0].header("referer"), None);
    assert!(
        calls[0]
            .header("user-agent")
            .is_some_and(|agent| agent.contains("gzip"))
    );
    assert_eq!(calls[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_secret_goes_into_its_path_segment_and_nowhere_else() {
    let server = server(|_| Reply::json(200, &serde_json::json!({})));
    let url = server.url().join("bot{secret}/getMe").expect("a URL");
    let secret = |text: &str| Authorization::PathSegment(Arc::new(Secret::new(text)));
    let request = Request::new(Method::GET, url, "test.get");
    let sent = request.clone().with_authorization(secret("12345678:AAE-x_y"));
    assert!(!format!("{sent:?}").contains("AAE"));
    Socket::default().send(&operation(), sent).await.expect("a reply");
    assert_eq!(server.log().calls()[0].path, "/bot12345678:AAE-x_y/getMe");
    for bad in ["", "a/b", "a?b", "a#b", "a%2f", "../x", "a\r\nb"] {
        let error = fails(request.clone().with_authorization(secret(bad))).await;
        is(&error, Code::InvalidInput, Outcome::NotSent);
    }
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn a_closed_port_is_not_sent() {
    let server = server(|_| Reply::Close);
    let request = get(&server);
    drop(server);
    let error = fails(request).await;
    is(&error, Code::ConnectionFailed, Outcome::NotSent);
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn an_unknown_host_is_not_sent() {
    let url = "https://nowhere.invalid/secret-path".parse().expect("a URL");
    let error = fails(Request::new(Method::GET, url, "test.get")).await;
    is(&error, Code::ConnectionFailed, Outcome::NotSent);
    assert!(!error.to_string().contains("secret-path"), "{error}");
}

#[tokio::test]
async fn plain_http_behind_https_is_a_tls_failure() {
    let server = server(|_| Reply::text(200, "x"));
    let mut url = server.url();
    url.set_scheme("https").expect("a scheme");
    let error = fails(Request::new(Method::GET, url, "test.get")).await;
    is(&error, Code::TlsFailed, Outcome::NotSent);
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_not_sent() {
    // It accepts, because the kernel does, and never answers the TLS handshake.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}/", silent.local_addr().expect("an address"));
    let request = Request::new(Method::POST, url.parse().expect("a URL"), "test.post")
        .with_body("text/plain".parse().expect("a value"), "hello")
        .with_timeouts(Timeouts::new(BRIEF, PATIENT, PATIENT));
    is(&fails(request.clone()).await, Code::Timeout, Outcome::NotSent);
    // The deadline of the operation cuts it too, and then as well nothing had left.
    let patient = request.with_timeouts(Timeouts::default());
    let brief = Operation::begin_within(&Storeless::host().build(), "test.call", BRIEF);
    let error = Socket::default()
        .send(&brief, patient)
        .await
        .expect_err("the deadline");
    is(&error, Code::Timeout, Outcome::NotSent);
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let server = server(|call: Call| Reply::text(200, call.body.len().to_string()));
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let request = Request::new(Method::POST, server.url(), "test.post")
        .with_body("application/octet-stream".parse().expect("a value"), body.clone());
    let reply = Socket::default()
        .send(&operation(), request)
        .await
        .expect("a reply");
    assert_eq!(reply.bytes().await.expect("a body"), "3000000");
    let call = &server.log().calls()[0];
    assert_eq!(call.header("content-length"), Some("3000000"));
    assert_eq!(call.header("transfer-encoding"), None);
    assert!(call.body == body);
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = server(|_| Reply::text(200, "x"));
    let socket = Socket::default();
    for _ in 0..3 {
        let reply = socket.send(&operation(), get(&server)).await.expect("a reply");
        reply.bytes().await.expect("a body");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_here_either() {
    let server = server(|_| Reply::text(302, "").with_header("location", "/elsewhere"));
    let reply = Socket::default()
        .send(&operation(), get(&server))
        .await
        .expect("a reply");
    assert_eq!((reply.status.as_u16(), server.log().len()), (302, 1));
}

#[tokio::test]
async fn a_compressed_reply_is_unpacked_and_a_broken_one_is_a_protocol_error() {
    // printf hello | gzip -n
    const HELLO: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0,
        0, 0,
    ];
    let good = server(|_| Reply::text(200, HELLO).with_header("content-encoding", "gzip"));
    let reply = Socket::default()
        .send(&operation(), get(&good))
        .await
        .expect("a reply");
    assert_eq!(reply.bytes().await.expect("a body"), "hello");
    let bad = server(|_| Reply::text(200, "not gzip at all").with_header("content-encoding", "gzip"));
    is(&fails(get(&bad)).await, Code::ProtocolError, Outcome::Unknown);
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 1024];
        let _ = stream.read(&mut request);
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").expect("written");
    });
    let error = fails(Request::new(Method::GET, url.parse().expect("a URL"), "test.get")).await;
    is(&error, Code::ProtocolError, Outcome::Unknown);
    thread.join().expect("a thread");
}

#[tokio::test]
async fn closed_without_a_byte_is_unknown() {
    let server = server(|_| Reply::Close);
    is(
        &fails(get(&server)).await,
        Code::ConnectionFailed,
        Outcome::Unknown,
    );
    assert_eq!(server.log().len(), 1, "the socket itself repeats nothing");
}

#[tokio::test]
async fn silence_is_a_timeout_and_unknown() {
    let server = server(|_| Reply::Hang);
    let request = get(&server).with_timeouts(Timeouts::new(PATIENT, BRIEF, PATIENT));
    is(&fails(request).await, Code::Timeout, Outcome::Unknown);
}

#[tokio::test]
async fn a_cut_body_is_unknown() {
    let server = server(|_| Reply::full(200, "text/plain", "0123456789").cut(4));
    is(
        &fails(get(&server)).await,
        Code::ConnectionFailed,
        Outcome::Unknown,
    );
}

#[tokio::test]
async fn a_body_that_stops_is_a_timeout() {
    let hour = Duration::from_secs(3600);
    let server = server(move |_| Reply::stream(200, [(Duration::ZERO, "a"), (hour, "b")]));
    let request = get(&server).with_timeouts(Timeouts::new(PATIENT, PATIENT, BRIEF));
    is(&fails(request).await, Code::Timeout, Outcome::Unknown);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = server(|_| Reply::text(200, "0123456789"));
    let error = fails(get(&server).with_response_limit(9)).await;
    is(&error, Code::ResponseTooLarge, Outcome::Unknown);
}

#[tokio::test]
async fn a_cancelled_operation_lets_go() {
    let server = server(|_| Reply::Hang);
    let operation = operation();
    operation.cancellation().cancel();
    let error = Socket::default()
        .send(&operation, get(&server))
        .await
        .expect_err("it was cancelled");
    assert_eq!(error.code(), Code::Cancelled);
}

#[tokio::test]
async fn a_port_in_use_is_said() {
    let server = server(|_| Reply::Close);
    let error =
        Server::start_on(server.address().port(), Arc::new(|_: Call| Reply::Close)).expect_err("in use");
    assert_eq!(error.code(), Code::InvalidConfig);
    assert!(error.message().contains("another program uses it"), "{error}");
}
