//! The layers: their order, what is repeated and what is not, what the receipt says. The clock is a fake one: nobody waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nbhd_core::clock::FakeClock;
use nbhd_core::http::{Authorization, HeaderMap, Method, Repeat, Request, Response, StatusCode, header};
use nbhd_core::limit::Gate;
use nbhd_core::receipt::{MemoryReceipts, Receipt};
use nbhd_core::testkit::Storeless;
use nbhd_core::transport::{
    Authorize, Classify, HostRule, Layers, Permit, Permits, Refusal, RetryPolicy, Transport, stack,
};
use nbhd_core::{Code, Error, Host, Operation, Outcome, Result, Secret};

/// What happened, in order.
#[derive(Debug, Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().expect("a story").push(what.into());
    }

    fn told(&self) -> Vec<String> {
        self.0.lock().expect("a story").clone()
    }
}

type Answer = Result<Response>;

/// A socket that plays answers.
#[derive(Debug)]
struct Played(Story, Mutex<VecDeque<Answer>>);

#[async_trait]
impl Transport for Played {
    async fn send(&self, operation: &Operation, request: Request) -> Answer {
        let credential = match &request.authorization {
            Authorization::Bearer(token) => format!(" {}", token.expose()),
            _ => String::new(),
        };
        self.0.add(format!(
            "socket after {} attempts{credential}",
            operation.attempts()
        ));
        self.1
            .lock()
            .expect("answers")
            .pop_front()
            .expect("an answer is left")
    }
}

#[derive(Debug)]
struct Gatekeeper(Story);

#[async_trait]
impl Permits for Gatekeeper {
    async fn acquire(&self, _operation: &Operation, units: u32) -> Result<Permit> {
        self.0.add(format!("permit {units}"));
        let (told, held) = (self.0.clone(), Held(self.0.clone()));
        Ok(Permit::new(move |status, _| told.add(format!("permit told {}", status.as_u16()))).holding(held))
    }
}

struct Held(Story);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.add("permit ends");
    }
}

#[derive(Debug)]
struct Keys(Story, Mutex<VecDeque<Option<&'static str>>>);

#[async_trait]
impl Authorize for Keys {
    async fn authorization(&self, _operation: &Operation) -> Result<Authorization> {
        self.0.add("auth");
        Ok(Authorization::Bearer(Arc::new(Secret::new("key-1"))))
    }

    async fn rejected(&self, operation: &Operation, _used: &Authorization) -> Result<Option<Authorization>> {
        self.0
            .add(format!("rejected after {} attempts", operation.attempts()));
        let next = self.1.lock().expect("keys").pop_front().flatten();
        Ok(next.map(|key| Authorization::Bearer(Arc::new(Secret::new(key)))))
    }
}

struct Stage {
    host: Host,
    story: Story,
    receipts: Arc<MemoryReceipts>,
}

impl Stage {
    fn new(answers: Vec<Answer>) -> Self {
        let (story, receipts) = (Story::default(), Arc::new(MemoryReceipts::default()));
        let start = "2026-11-21T08:00:00Z".parse().expect("a time");
        let host = Storeless::host()
            .with_clock(Arc::new(FakeClock::at(start)))
            .with_receipts(receipts.clone())
            .with_socket(Arc::new(Played(story.clone(), Mutex::new(answers.into()))))
            .build();
        Self {
            host,
            story,
            receipts,
        }
    }

    async fn call(&self, layers: Layers, request: Request) -> Result<String> {
        let stack = stack(&self.host, layers);
        self.call_through(&*stack, request, Duration::from_secs(120))
            .await
    }

    async fn call_through(&self, stack: &dyn Transport, request: Request, limit: Duration) -> Result<String> {
        let operation = Operation::begin_within(&self.host, "test.call", limit);
        let inside = operation.clone();
        let work = async move {
            let body = stack.send(&inside, request).await?.bytes().await?;
            Ok(String::from_utf8_lossy(&body).into_owned())
        };
        Ok(operation.run(work).await?.0)
    }

    fn receipt(&self) -> Receipt {
        let all = self.receipts.all();
        assert_eq!(all.len(), 1, "one receipt a call");
        all.into_iter().next().expect("a receipt")
    }

    fn waits(&self) -> Vec<(String, f64)> {
        let waits = self.receipt().waits;
        waits.into_iter().map(|wait| (wait.cause, wait.seconds)).collect()
    }

    fn sent(&self) -> usize {
        self.story
            .told()
            .iter()
            .filter(|line| line.starts_with("socket"))
            .count()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in lists of answers")]
fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value")))
        .collect();
    Ok(Response::whole(
        StatusCode::from_u16(status).expect("a status"),
        headers,
        body,
    ))
}

fn ok() -> Answer {
    reply(
        200,
        &[("x-request-id", "r-1"), ("x-ratelimit-remaining", "5")],
        "fine",
    )
}

fn lost(outcome: Outcome) -> Answer {
    Err(Error::new(Code::ConnectionFailed, "lost").with_outcome(outcome))
}

fn get() -> Request {
    Request::new(
        Method::GET,
        "https://api.example.org/v1/a?q=canary".parse().expect("a URL"),
        "test.get",
    )
}

fn post() -> Request {
    Request::new(
        Method::POST,
        "https://api.example.org/v1/a".parse().expect("a URL"),
        "test.post",
    )
    .with_body("text/plain".parse().expect("a value"), "hello")
}

fn all_layers(story: &Story, keys: Vec<Option<&'static str>>) -> Layers {
    Layers::default()
        .with_permits(Arc::new(Gatekeeper(story.clone())))
        .with_authorize(Arc::new(Keys(story.clone(), Mutex::new(keys.into()))))
}

#[tokio::test]
async fn the_order_of_the_layers() {
    let stage = Stage::new(vec![reply(503, &[], "busy"), ok()]);
    let body = stage
        .call(all_layers(&stage.story, vec![]), get().with_units(5))
        .await;
    assert_eq!(body.expect("a body"), "fine");
    // Retry is outside the permit (each attempt pays), the permit outside auth, the attempt is noted before the next begins,
    // and the permit ends with the body.
    let expected = [
        "permit 5",
        "auth",
        "socket after 0 attempts key-1",
        "permit told 503",
        "permit ends",
        "permit 5",
        "auth",
        "socket after 1 attempts key-1",
        "permit told 200",
        "permit ends",
    ];
    assert_eq!(stage.story.told(), expected);
    // And the names, outermost first, as the stack itself says.
    let built = format!("{:?}", stack(&stage.host, all_layers(&stage.story, vec![])));
    let places: Vec<_> = [
        "Retry",
        "Paid",
        "Broken",
        "Authorized",
        "Guard",
        "Recorded",
        "Traced",
        "Played",
    ]
    .into_iter()
    .map(|name| {
        built
            .find(&format!("{name} {{"))
            .or_else(|| built.find(&format!("{name}(")))
    })
    .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?} {built}"
    );
}

#[tokio::test]
async fn the_guard_is_inside_auth_and_outside_the_attempt() {
    for url in [
        "http://api.example.org/",
        "ftp://127.0.0.1/",
        "https://user:pass@api.example.org/",
    ] {
        let stage = Stage::new(vec![]);
        let request = Request::new(Method::GET, url.parse().expect("a URL"), "test.get");
        let error = stage
            .call(all_layers(&stage.story, vec![]), request)
            .await
            .expect_err("denied");
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::AddressDenied, Outcome::NotSent),
            "{url}"
        );
        assert_eq!(stage.story.told(), ["permit 1", "auth", "permit ends"]);
        assert!(stage.receipt().attempts.is_empty());
    }
}

#[tokio::test]
async fn only_allowed_hosts_are_called() {
    let rules = || [HostRule::new("*.example.org").expect("a rule")];
    let stage = Stage::new(vec![ok()]);
    assert!(
        stage
            .call(Layers::default().with_allowed_hosts(rules()), get())
            .await
            .is_ok()
    );
    let stage = Stage::new(vec![]);
    let elsewhere = Request::new(
        Method::GET,
        "https://example.com/".parse().expect("a URL"),
        "test.get",
    );
    let error = stage
        .call(Layers::default().with_allowed_hosts(rules()), elsewhere)
        .await
        .expect_err("denied");
    assert_eq!(error.code(), Code::AddressDenied);
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    let stage = Stage::new(vec![reply(302, &[("location", "https://evil.test/")], "")]);
    let error = stage.call(Layers::default(), get()).await.expect_err("refused");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::AddressDenied, Outcome::Refused)
    );
    assert_eq!(error.provider_status(), Some(302));
    assert!(!format!("{error:?}").contains("evil"));
    assert_eq!(stage.sent(), 1);
}

#[tokio::test]
async fn answers_that_are_not_2xx() {
    let stage = Stage::new(vec![
        reply(304, &[], ""),
        reply(308, &[("range", "bytes=0-9")], ""),
    ]);
    let conditional = get().with_header(header::IF_NONE_MATCH, "\"a\"".parse().expect("a value"));
    assert!(stage.call(Layers::default(), conditional).await.is_ok());
    let mut piece = post().with_header(header::CONTENT_RANGE, "bytes 0-9/20".parse().expect("a value"));
    piece.method = Method::PUT;
    assert!(stage.call(Layers::default(), piece).await.is_ok());
    let stage = Stage::new(vec![reply(304, &[], "")]);
    assert_eq!(
        stage
            .call(Layers::default(), get())
            .await
            .expect_err("no answer")
            .code(),
        Code::ProtocolError
    );
}

#[tokio::test]
async fn what_is_repeated_and_what_is_not() {
    let keyed = || post().with_repeat(Repeat::Keyed("k".to_owned()));
    let table: Vec<(&str, Request, Answer, bool)> = vec![
        ("safe, unknown", get(), lost(Outcome::Unknown), true),
        ("safe, not sent", get(), lost(Outcome::NotSent), true),
        ("keyed, unknown", keyed(), lost(Outcome::Unknown), true),
        ("never, unknown", post(), lost(Outcome::Unknown), false),
        ("never, not sent", post(), lost(Outcome::NotSent), true),
        ("safe, 500", get(), reply(500, &[], ""), true),
        ("never, 500", post(), reply(500, &[], ""), false),
        ("never, 503", post(), reply(503, &[], ""), false),
        ("never, 429", post(), reply(429, &[], ""), true),
        ("safe, 408", get(), reply(408, &[], ""), true),
        ("safe, 400", get(), reply(400, &[], ""), false),
        ("safe, 404", get(), reply(404, &[], ""), false),
        ("safe, tls", get(), Err(Error::new(Code::TlsFailed, "no")), false),
    ];
    for (name, request, first, repeated) in table {
        let stage = Stage::new(vec![first, ok()]);
        let result = stage.call(Layers::default(), request).await;
        assert_eq!(
            (result.is_ok(), stage.sent()),
            (repeated, 1 + usize::from(repeated)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn attempts_pauses_and_the_receipt() {
    let stage = Stage::new((0..4).map(|_| reply(503, &[], "busy")).collect());
    let error = stage
        .call(Layers::default(), get())
        .await
        .expect_err("four times");
    assert_eq!((error.code(), error.attempts()), (Code::ProviderOverloaded, 4));
    assert_eq!(stage.sent(), 4);
    let receipt = stage.receipt();
    assert_eq!(receipt.outcome, "provider_overloaded");
    assert_eq!((receipt.attempts.len(), receipt.waits.len()), (4, 3));
    for (wait, ceiling) in receipt.waits.iter().zip([0.5, 1.0, 2.0]) {
        assert!(wait.cause == "backoff" && wait.seconds <= ceiling, "{wait:?}");
    }
    let attempt = &receipt.attempts[0];
    assert_eq!(
        (attempt.label.as_str(), attempt.host.as_str()),
        ("test.get", "api.example.org")
    );
    assert_eq!((attempt.status, attempt.bytes_received), (Some(503), 4));
    assert!(!serde_json::to_string(&receipt).expect("JSON").contains("canary"));
}

#[tokio::test]
async fn the_receipt_knows_ids_limits_and_bytes() {
    let stage = Stage::new(vec![ok()]);
    stage.call(Layers::default(), post()).await.expect("a body");
    let receipt = stage.receipt();
    let attempt = &receipt.attempts[0];
    assert_eq!(attempt.request_id.as_deref(), Some("r-1"));
    assert_eq!((attempt.bytes_sent, attempt.bytes_received), (5, 4));
    assert_eq!(attempt.limits["x-ratelimit-remaining"], "5");
    assert_eq!((receipt.bytes_sent, receipt.bytes_received), (5, 4));
}

#[tokio::test]
async fn what_the_other_side_asks_for_is_a_floor() {
    let table: [(&'static str, &'static str, f64); 4] = [
        ("retry-after", "7", 7.0),
        ("retry-after", "2.5", 2.5),
        ("retry-after", "Sat, 21 Nov 2026 08:00:20 GMT", 20.0),
        ("retry-after-ms", "1500", 1.5),
    ];
    for (name, value, seconds) in table {
        let stage = Stage::new(vec![reply(429, &[(name, value)], ""), ok()]);
        stage.call(Layers::default(), get()).await.expect("a body");
        assert_eq!(
            stage.waits(),
            [("retry_after".to_owned(), seconds)],
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_surfaced() {
    let stage = Stage::new(vec![reply(429, &[("retry-after", "61")], "")]);
    let error = stage.call(Layers::default(), get()).await.expect_err("too long");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::RateLimited, Outcome::Refused)
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(61)));
    // And so is one that the deadline does not allow.
    let stage = Stage::new(vec![reply(429, &[("retry-after", "30")], "")]);
    let layers = stack(&stage.host, Layers::default());
    let error = stage
        .call_through(&*layers, get(), Duration::from_secs(20))
        .await
        .expect_err("too long");
    assert_eq!(
        (error.code(), error.retry_after()),
        (Code::RateLimited, Some(Duration::from_secs(30)))
    );
    assert_eq!(
        stage.host.clock().monotonic(),
        Duration::ZERO,
        "it did not wait in vain"
    );
}

#[tokio::test]
async fn without_retry_there_is_one_attempt_and_still_an_error() {
    let stage = Stage::new(vec![reply(429, &[("retry-after", "1")], "")]);
    let error = stage
        .call(Layers::default().without_retry(), get())
        .await
        .expect_err("refused");
    assert_eq!((error.code(), stage.sent()), (Code::RateLimited, 1));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn an_outage_is_not_answered_by_a_storm() {
    let stage = Stage::new((0..24).map(|_| reply(500, &[], "")).collect());
    let layers = stack(
        &stage.host,
        Layers::default()
            .with_retry(RetryPolicy::default().with_budget(4))
            .without_breaker(),
    );
    for _ in 0..20 {
        let result = stage
            .call_through(&*layers, get(), Duration::from_secs(120))
            .await;
        assert_eq!(result.expect_err("an outage").code(), Code::ProviderUnavailable);
    }
    assert_eq!(stage.sent(), 24, "20 calls and the 4 repetitions of the budget");
}

#[tokio::test]
async fn a_401_is_replayed_once_with_a_fresh_credential() {
    let stage = Stage::new(vec![reply(401, &[], "old"), ok()]);
    let layers = all_layers(&stage.story, vec![Some("key-2")]).without_retry();
    assert_eq!(stage.call(layers, post()).await.expect("a body"), "fine");
    let expected = [
        "permit 1",
        "auth",
        "socket after 0 attempts key-1",
        "rejected after 0 attempts",
        "permit told 401",
        "permit ends",
        "permit 1",
        "socket after 1 attempts key-2",
        "permit told 200",
        "permit ends",
    ];
    assert_eq!(stage.story.told(), expected);
    assert_eq!(stage.receipt().attempts.len(), 2);
    assert!(stage.waits().is_empty());
}

#[tokio::test]
async fn a_401_that_stays_is_unauthenticated() {
    let stage = Stage::new(vec![reply(401, &[], ""), reply(401, &[], "")]);
    let error = stage
        .call(all_layers(&stage.story, vec![Some("key-2")]), get())
        .await
        .expect_err("refused");
    assert_eq!((error.code(), stage.sent()), (Code::Unauthenticated, 2));
    // No fresh credential: the first 401 is the answer.
    let stage = Stage::new(vec![reply(401, &[], "")]);
    let error = stage
        .call(all_layers(&stage.story, vec![None]), get())
        .await
        .expect_err("refused");
    assert_eq!((error.code(), stage.sent()), (Code::Unauthenticated, 1));
    // A credential on the request itself is the caller's: nobody else is asked.
    let stage = Stage::new(vec![reply(401, &[], "")]);
    let own = get().with_authorization(Authorization::Bearer(Arc::new(Secret::new("own"))));
    let error = stage
        .call(all_layers(&stage.story, vec![Some("key-2")]), own)
        .await
        .expect_err("refused");
    assert_eq!((error.code(), stage.sent()), (Code::Unauthenticated, 1));
}

/// A provider that says "too fast" with a 403.
#[derive(Debug)]
struct Reader;

impl Classify for Reader {
    fn classify(&self, _request: &Request, refusal: Refusal<'_>) -> Option<Error> {
        let body: serde_json::Value = serde_json::from_slice(refusal.body).ok()?;
        (body["reason"] == "tooFast").then(|| {
            Error::new(Code::RateLimited, "too fast")
                .with_provider_reason("tooFast")
                .with_retry_after(Duration::from_secs(3))
        })
    }
}

#[tokio::test]
async fn a_providers_own_words_decide() {
    let stage = Stage::new(vec![
        reply(403, &[], r#"{"reason":"tooFast"}"#),
        reply(403, &[("request-id", "r-9")], r#"{"reason":"forbidden"}"#),
    ]);
    let layers = Layers::default().with_classify(Arc::new(Reader));
    let error = stage.call(layers, post()).await.expect_err("the second is final");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::PermissionDenied, Outcome::Refused)
    );
    assert_eq!(
        (error.provider_status(), error.request_id()),
        (Some(403), Some("r-9"))
    );
    assert_eq!(stage.waits(), [("retry_after".to_owned(), 3.0)]);
}

#[tokio::test]
async fn who_gave_up_already_is_not_repeated() {
    #[derive(Debug)]
    struct Broken;
    #[async_trait]
    impl Authorize for Broken {
        async fn authorization(&self, _operation: &Operation) -> Result<Authorization> {
            Err(Error::new(
                Code::ProviderUnavailable,
                "the token endpoint is away",
            ))
        }
        async fn rejected(&self, _: &Operation, _: &Authorization) -> Result<Option<Authorization>> {
            Ok(None)
        }
    }
    let stage = Stage::new(vec![]);
    let error = stage
        .call(Layers::default().with_authorize(Arc::new(Broken)), get())
        .await
        .expect_err("broken");
    assert!(error.retryable(), "the caller may still try later");
    assert!(stage.waits().is_empty());
}

#[tokio::test]
async fn siblings_slow_down_together() {
    let stage = Stage::new(vec![reply(429, &[("retry-after", "9")], ""), ok()]);
    let gate = Gate::per_minute(6000).expect("a gate");
    let layers = || {
        Layers::default()
            .without_retry()
            .with_permits(Arc::new(gate.clone()))
    };
    let refused = stage.call(layers(), get()).await;
    assert_eq!(refused.expect_err("refused").code(), Code::RateLimited);
    stage.call(layers(), get()).await.expect("a body");
    assert_eq!(stage.host.clock().monotonic(), Duration::from_secs(9));
}

#[tokio::test]
async fn a_body_that_is_dropped_ends_the_attempt() {
    let stage = Stage::new(vec![ok()]);
    let stack = stack(&stage.host, all_layers(&stage.story, vec![]));
    let operation = Operation::begin(&stage.host, "test.call");
    let reply = stack.send(&operation, get()).await.expect("a reply");
    assert_eq!(operation.attempts(), 0);
    drop(reply);
    assert_eq!(operation.attempts(), 1);
    assert_eq!(stage.story.told().last().map(String::as_str), Some("permit ends"));
}
