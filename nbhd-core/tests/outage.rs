//! When the other side goes away: connections that were used before and died in silence, and breakers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nbhd_core::clock::FakeClock;
use nbhd_core::http::{Method, Request, Url};
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::testkit::{Call, Reply, Server, Storeless};
use nbhd_core::transport::{BreakerPosition, Layers, Transport, stack};
use nbhd_core::{Code, Error, Host, Operation, Outcome, Result};

async fn call(host: &Host, stack: &dyn Transport, method: Method, url: &Url) -> Result<String> {
    let operation = Operation::begin(host, "test.call");
    let inside = operation.clone();
    let request = Request::new(method, url.clone(), "test.call");
    let work = async move {
        let body = stack.send(&inside, request).await?.bytes().await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    };
    Ok(operation.run(work).await?.0)
}

fn is(error: &Error, code: Code, outcome: Outcome) {
    assert_eq!((error.code(), error.outcome()), (code, outcome), "{error:?}");
}

/// A server that answers once on each connection, takes the next request there, and goes without a word.
fn forgetful() -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine");
                let _ = stream.read(&mut head);
            });
        }
    });
    (url.parse().expect("a URL"), connections)
}

#[tokio::test]
async fn a_used_connection_that_died_is_replaced_once_and_only_where_that_is_safe() {
    let (url, connections) = forgetful();
    let receipts = Arc::new(MemoryReceipts::default());
    let host = Storeless::host().with_receipts(receipts.clone()).build();
    let stack_of = |layers| stack(&host, layers);
    let client = stack_of(Layers::default());
    // Up to two idle connections, both of which will die: the repetition must not take the other one.
    let (one, other) = tokio::join!(
        call(&host, &*client, Method::GET, &url),
        call(&host, &*client, Method::GET, &url)
    );
    assert!(one.is_ok() && other.is_ok());
    let before = connections.load(Ordering::Relaxed);
    let again = call(&host, &*client, Method::GET, &url).await;
    assert_eq!(again.expect("a reply"), "fine");
    assert_eq!(
        connections.load(Ordering::Relaxed),
        before + 1,
        "a new connection"
    );
    let receipt = receipts.all().pop().expect("a receipt");
    let waits: Vec<_> = receipt
        .waits
        .iter()
        .map(|wait| (wait.cause.as_str(), wait.seconds))
        .collect();
    assert_eq!(waits, [("used_connection", 0.0)]);
    assert_eq!(receipt.attempts.len(), 2, "a new attempt");

    // What must not be sent twice is not: silence is unknown, on a used connection too. And who owns the attempts is told.
    for (layers, method) in [
        (Layers::default(), Method::POST),
        (Layers::default().without_retry(), Method::GET),
    ] {
        let host = Storeless::host().build();
        let client = stack(&host, layers);
        call(&host, &*client, Method::GET, &url).await.expect("a reply");
        let error = call(&host, &*client, method, &url).await.expect_err("silence");
        is(&error, Code::ConnectionFailed, Outcome::Unknown);
        assert_eq!(error.attempts(), 1);
    }
}

#[tokio::test]
async fn a_provider_that_is_away_is_left_alone_for_a_while() {
    let (away, counted) = (Arc::new(AtomicUsize::new(503)), Arc::new(AtomicUsize::new(0)));
    let (status, calls) = (away.clone(), counted.clone());
    let server = Server::start(Arc::new(move |_: Call| {
        calls.fetch_add(1, Ordering::Relaxed);
        Reply::text(status.load(Ordering::Relaxed) as u16, "said")
    }))
    .expect("a server");
    let clock = Arc::new(FakeClock::at("2026-11-21T08:00:00Z".parse().expect("a time")));
    let host = Storeless::host().with_clock(clock.clone()).build();
    let url = server.url();
    let once = stack(&host, Layers::default().without_retry());
    let asked = || counted.load(Ordering::Relaxed);

    for _ in 0..5 {
        let error = call(&host, &*once, Method::GET, &url).await.expect_err("away");
        is(&error, Code::ProviderOverloaded, Outcome::Unknown);
    }
    assert_eq!(host.breakers().state(&url).position, BreakerPosition::Open);
    // Every client of the host learns of it, and nobody waits or repeats.
    let other = stack(&host, Layers::default());
    let error = call(&host, &*other, Method::POST, &url)
        .await
        .expect_err("left alone");
    is(&error, Code::ProviderUnavailable, Outcome::NotSent);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!((asked(), error.attempts()), (5, 0));
    // Who keeps the health of the other side in another way still asks.
    let own = stack(&host, Layers::default().without_retry().without_breaker());
    assert!(call(&host, &*own, Method::GET, &url).await.is_err());
    assert_eq!(asked(), 6);

    clock.advance(Duration::from_secs(30));
    away.store(429, Ordering::Relaxed);
    let error = call(&host, &*once, Method::GET, &url).await.expect_err("refused");
    assert_eq!(error.code(), Code::RateLimited);
    assert_eq!(host.breakers().states(), [], "a refusal says that it is back");
    // Refusals for what was asked never open it.
    for status in [400, 401, 403, 404, 409, 429] {
        away.store(status, Ordering::Relaxed);
        for _ in 0..6 {
            assert!(call(&host, &*once, Method::GET, &url).await.is_err());
        }
    }
    assert_eq!(host.breakers().states(), []);
    assert_eq!(asked(), 6 + 1 + 36);
}

#[tokio::test]
async fn no_connection_opens_it_too() {
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let url: Url = format!("http://{free}/").parse().expect("a URL");
    let host = Storeless::host().build();
    let once = stack(&host, Layers::default().without_retry());
    for _ in 0..5 {
        let error = call(&host, &*once, Method::GET, &url).await.expect_err("closed");
        is(&error, Code::ConnectionFailed, Outcome::NotSent);
    }
    let error = call(&host, &*once, Method::GET, &url)
        .await
        .expect_err("left alone");
    is(&error, Code::ProviderUnavailable, Outcome::NotSent);
    // What our own rules refuse says nothing about the provider.
    let denied: Url = "https://10.0.0.1/".parse().expect("a URL");
    for _ in 0..6 {
        let error = call(&host, &*once, Method::GET, &denied)
            .await
            .expect_err("denied");
        is(&error, Code::AddressDenied, Outcome::NotSent);
    }
    assert_eq!(host.breakers().states().len(), 1);
}
