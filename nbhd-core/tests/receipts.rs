//! What the receipt says of each attempt: why it was refused, in the words of those who read its body, and in which order they began.

use std::sync::Arc;

use async_trait::async_trait;
use nbhd_core::clock::FakeClock;
use nbhd_core::http::{Authorization, Method, Request};
use nbhd_core::inbox::Ingest;
use nbhd_core::limit::{Limit, Limits, StoreLimits};
use nbhd_core::queue::{NewJob, Queue, QueueRules};
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::testkit::{Call, Reply, Server, Storeless};
use nbhd_core::transport::{Authorize, Classify, Layers, Refusal, stack};
use nbhd_core::{Code, Error, Host, Operation, Receipt, Result, Secret};

/// One call whose replies have these statuses; its receipt.
async fn call(statuses: &'static [u16], layers: Layers) -> Receipt {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(Arc::new(move |_: Call| {
        let turn = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::json(statuses[turn], &serde_json::json!({"reason": "tooFast"}))
    }))
    .expect("a server on loopback");
    let (host, operation) = begin();
    let request = Request::new(Method::GET, server.url(), "test.get").with_whole_body();
    let ended = stack(&host, layers).send(&operation, request).await;
    let ended = match ended {
        Ok(reply) => reply.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    match operation.end(ended) {
        Ok(((), receipt)) => receipt,
        Err(error) => error.receipt().expect("a receipt").clone(),
    }
}

fn begin() -> (Host, Operation) {
    let clock = FakeClock::at("2026-11-21T08:00:00Z".parse().expect("a time"));
    let host = Storeless::host().with_clock(Arc::new(clock)).build();
    let operation = Operation::begin(&host, "test.call");
    (host, operation)
}

fn told(receipt: &Receipt) -> Vec<(&str, Option<u16>, Option<&str>)> {
    let attempts = receipt.attempts.iter();
    attempts
        .map(|attempt| (attempt.label.as_str(), attempt.status, attempt.error.as_deref()))
        .collect()
}

/// A provider that says "too fast" with a 403.
#[derive(Debug)]
struct Reader;

impl Classify for Reader {
    fn classify(&self, _request: &Request, refusal: Refusal<'_>) -> Option<Error> {
        let fast = refusal.status == 403 && refusal.body.windows(7).any(|part| part == b"tooFast");
        fast.then(|| Error::new(Code::RateLimited, "too fast"))
    }
}

#[tokio::test]
async fn a_refused_attempt_says_why() {
    let receipt = call(&[503, 200], Layers::default()).await;
    let why = Some("provider_overloaded");
    assert_eq!(
        told(&receipt),
        [("test.get", Some(503), why), ("test.get", Some(200), None)]
    );
    let receipt = call(&[404], Layers::default()).await;
    assert_eq!(told(&receipt), [("test.get", Some(404), Some("not_found"))]);
    // Not the status decides but who knows the provider.
    let receipt = call(
        &[403],
        Layers::default().without_retry().with_classify(Arc::new(Reader)),
    )
    .await;
    assert_eq!(told(&receipt), [("test.get", Some(403), Some("rate_limited"))]);
}

/// Credentials that are refreshed by a request of the same call.
#[derive(Debug)]
struct Keys {
    server: Server,
}

impl Keys {
    fn key() -> Authorization {
        Authorization::Bearer(Arc::new(Secret::new("key")))
    }
}

#[async_trait]
impl Authorize for Keys {
    async fn authorization(&self, _operation: &Operation) -> Result<Authorization> {
        Ok(Self::key())
    }

    async fn rejected(&self, operation: &Operation, _used: &Authorization) -> Result<Option<Authorization>> {
        let request = Request::new(Method::POST, self.server.url(), "test.refresh").with_whole_body();
        let transport = stack(operation.host(), Layers::default().without_retry());
        transport.send(operation, request).await?;
        Ok(Some(Self::key()))
    }
}

#[tokio::test]
async fn attempts_stand_in_the_order_in_which_they_began() {
    let keys = |status| {
        let server = Server::start(Arc::new(move |_: Call| {
            Reply::json(status, &serde_json::json!({}))
        }));
        let keys = Keys {
            server: server.expect("a server on loopback"),
        };
        Layers::default().with_authorize(Arc::new(keys))
    };
    let receipt = call(&[401, 200], keys(200)).await;
    assert_eq!(
        told(&receipt),
        [
            ("test.get", Some(401), Some("unauthenticated")),
            ("test.refresh", Some(200), None),
            ("test.get", Some(200), None),
        ]
    );
    // The refresh is refused: both refusals say why.
    let receipt = call(&[401], keys(400)).await;
    assert_eq!(
        told(&receipt),
        [
            ("test.get", Some(401), Some("unauthenticated")),
            ("test.refresh", Some(400), Some("invalid_input")),
        ]
    );
    assert_eq!(receipt.outcome, "invalid_input");
}

#[tokio::test]
async fn the_store_of_the_host_is_nobody_who_is_asked() {
    let receipts = Arc::new(MemoryReceipts::default());
    let host = Host::builder_at("memory:", None)
        .expect("a host")
        .with_receipts(receipts.clone())
        .build();
    let inbox = host.inbox();
    inbox
        .ingest(Ingest::webhook("shop"), b"{}")
        .await
        .expect("accepted");
    let work = inbox.claim().await.expect("a claim").expect("work");
    work.done().await.expect("done");
    assert!(inbox.claim().await.expect("a claim").is_none());
    host.outbox().undelivered(1).await.expect("a list");
    let limit = Limit::new("search", 1, std::time::Duration::from_secs(1));
    let limits = StoreLimits::new(&host);
    limits.take(std::slice::from_ref(&limit)).await.expect("taken");
    limits.take(&[limit]).await.expect_err("used up");
    let queue = Queue::new(&host, QueueRules::new()).expect("a queue");
    let refused = queue.dispatch("nobody", NewJob::new("writer", "write")).await;
    assert_eq!(refused.expect_err("denied").code(), Code::PolicyDenied);
    assert_eq!(receipts.all(), []);
}
