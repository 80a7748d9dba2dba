//! Secure requests over loopback: what is placed, what is refused, what comes back, what is written down.

use std::sync::Arc;

use nbhd_core::audit::{AuditEvent, MemoryJournal};
use nbhd_core::http::{HeaderMap, Method};
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::secure::{Access, Credential, SecureAnswer, SecureRequest};
use nbhd_core::testkit::{Call, Reply, Server, Storeless};
use nbhd_core::transport::HostRule;
use nbhd_core::{Code, Error, Host, Outcome, Result, Secret};
use serde_json::{Value, json};

const SECRET: &str = "canary\",\"admin\":true,\"x\":\"é&=%";
const PLAIN: &str = "canary-key-0123456789";

fn server(reply: impl Fn(Call) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(Arc::new(reply)).expect("a server on loopback")
}

struct Stage {
    host: Host,
    receipts: Arc<MemoryReceipts>,
    audit: Arc<MemoryJournal<AuditEvent>>,
}

impl Stage {
    fn new() -> Self {
        let receipts = Arc::new(MemoryReceipts::default());
        let audit = Arc::new(MemoryJournal::default());
        let host = Storeless::host()
            .with_receipts(receipts.clone())
            .with_audit(audit.clone())
            .build();
        Self {
            host,
            receipts,
            audit,
        }
    }

    async fn call(&self, request: SecureRequest, access: Access) -> Result<SecureAnswer> {
        let result = self.host.secure_request(&request, &access).await;
        let (receipts, events) = (self.receipts.all(), self.audit.all());
        assert_eq!(
            receipts.len(),
            events.len(),
            "one receipt and one audit event a call"
        );
        let event = events.last().expect("an audit event");
        let outcome = result.as_ref().map_or_else(|error| error.code().name(), |_| "ok");
        let last = receipts.last().expect("a receipt");
        assert_eq!(
            (last.operation.as_str(), last.outcome.as_str()),
            ("host.secure_request", outcome)
        );
        assert_eq!(
            (event.action.as_str(), event.outcome.as_str()),
            ("secure_request", outcome)
        );
        assert_eq!(event.actor, nbhd_core::audit::actor_fingerprint("program"));
        result
    }
}

fn origin(server: &Server) -> String {
    server.url().origin().ascii_serialization()
}

fn here(credential: Result<Credential>) -> Access {
    Access::new()
        .with_credential(credential.expect("a credential"))
        .with_loopback()
}

fn is(error: &Error, code: Code, outcome: Outcome) {
    assert_eq!((error.code(), error.outcome()), (code, outcome), "{error:?}");
}

#[tokio::test]
async fn a_secret_goes_to_its_place_as_a_value() {
    let server = server(|_| Reply::json(200, &json!({"ok": true})));
    let stage = Stage::new();
    let (origin, url) = (origin(&server), server.url().join("v1/x?q=1").expect("a URL"));
    let secret = || Secret::new(SECRET);
    let post = || SecureRequest::post(url.as_str(), json!({"name": "a"}));
    let form = || SecureRequest::new("POST", url.as_str()).with_field("a", "1 2");
    let table: Vec<(Result<Credential>, SecureRequest)> = vec![
        (Credential::bearer(&origin, Secret::new(PLAIN)), post()),
        (Credential::basic(&origin, "me", secret()), post()),
        (
            Credential::header(&origin, "x-api-key", Secret::new(PLAIN)),
            post(),
        ),
        (
            Credential::header_after(&origin, "x-api-key", "Token ", Secret::new(PLAIN)),
            post(),
        ),
        (
            Credential::query(&origin, "key", secret()),
            SecureRequest::get(url.as_str()),
        ),
        (Credential::json(&origin, "/auth", secret()), post()),
        (
            Credential::json(&origin, "/auth", secret()),
            SecureRequest::new("POST", url.as_str()),
        ),
        (Credential::form(&origin, "key", secret()), form()),
    ];
    for (credential, request) in table {
        let answer = stage.call(request, here(credential)).await.expect("an answer");
        assert_eq!((answer.status, answer.concealed), (200, 0));
        assert_eq!(answer.json, Some(json!({"ok": true})));
        assert_eq!(answer.receipt.attempts.len(), 1);
    }
    let calls = server.log().calls();
    let header = |at: usize, name: &str| calls[at].header(name).unwrap_or_default().to_owned();
    assert_eq!(header(0, "authorization"), format!("Bearer {PLAIN}"));
    // `printf 'me:canary","admin":true,"x":"é&=%%' | base64`
    assert_eq!(
        header(1, "authorization"),
        "Basic bWU6Y2FuYXJ5IiwiYWRtaW4iOnRydWUsIngiOiLDqSY9JQ=="
    );
    assert_eq!(header(2, "x-api-key"), PLAIN);
    assert_eq!(header(3, "x-api-key"), format!("Token {PLAIN}"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(calls[4].query_pairs(), [pair("q", "1"), pair("key", SECRET)]);
    assert_eq!(calls[5].json(), json!({"name": "a", "auth": SECRET}));
    assert_eq!(calls[6].json(), json!({"auth": SECRET}));
    assert_eq!(calls[7].form(), [pair("a", "1 2"), pair("key", SECRET)]);
    assert_eq!(header(7, "content-type"), "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn an_answer_comes_without_the_secret() {
    let server = server(|call: Call| {
        let text = format!("{SECRET} {}", serde_json::to_string(SECRET).expect("JSON"));
        match call.path.as_str() {
            "/text" => Reply::text(200, text),
            "/binary" => Reply::full(
                200,
                "image/png",
                [b"\xff\xfe", SECRET.as_bytes(), b"\xff"].concat(),
            ),
            "/pieces" => Reply::stream(
                200,
                SECRET.bytes().map(|byte| (std::time::Duration::ZERO, vec![byte])),
            ),
            "/refused" => Reply::json(403, &json!({"error": SECRET}))
                .with_header("x-request-id", PLAIN)
                .with_header("x-ratelimit-key", PLAIN),
            "/none" => Reply::text(204, ""),
            _ => Reply::json(200, &json!({"echo": [{"deep": SECRET}], SECRET: 1}))
                .with_header("x-echo", &format!("a {PLAIN}"))
                .with_header("x-request-id", PLAIN)
                .with_header("x-many", "1")
                .with_header("x-many", "2")
                .with_header("set-cookie", "session=1"),
        }
    });
    let stage = Stage::new();
    let origin = origin(&server);
    let call = async |path: &str, any: bool| {
        let mut request = SecureRequest::get(format!("{origin}{path}"));
        request.any_status = any;
        let access = here(Credential::query(&origin, "key", Secret::new(SECRET)))
            .with_credential(Credential::header(&origin, "x-key", Secret::new(PLAIN)).expect("a credential"));
        let result = stage.call(request, access).await;
        let written = format!("{result:?} {:?} {:?}", stage.receipts.all(), stage.audit.all());
        for shape in ["canary", "admin"] {
            assert!(!written.contains(shape), "{path}: {written}");
        }
        result
    };
    let answer = call("/", false).await.expect("an answer");
    assert_eq!(answer.json, Some(json!({"echo": [{"deep": "***"}], "***": 1})));
    assert_eq!(answer.concealed, 4);
    assert_eq!(answer.headers["x-echo"], "a ***");
    assert_eq!(answer.headers["x-many"], "1, 2");
    assert!(!answer.headers.contains_key("set-cookie"));
    assert_eq!(answer.receipt.attempts[0].request_id.as_deref(), Some("***"));
    let answer = call("/text", false).await.expect("an answer");
    assert_eq!(answer.text.as_deref(), Some("*** \"***\""));
    let answer = call("/binary", false).await.expect("an answer");
    assert_eq!(answer.base64.as_deref(), Some("//4qKir/"));
    let answer = call("/pieces", false).await.expect("an answer");
    assert_eq!((answer.text.as_deref(), answer.concealed), (Some("***"), 1));
    let answer = call("/none", false).await.expect("an answer");
    assert_eq!((answer.json, answer.text, answer.base64), (None, None, None));
    is(
        &call("/refused", false).await.expect_err("refused"),
        Code::PermissionDenied,
        Outcome::Refused,
    );
    let answer = call("/refused", true).await.expect("an answer of any status");
    assert_eq!((answer.status, answer.json), (403, Some(json!({"error": "***"}))));
}

#[tokio::test]
async fn what_is_refused_is_not_sent() {
    let server = server(|_| Reply::text(200, "reached"));
    let stage = Stage::new();
    let origin = origin(&server);
    let access = || here(Credential::json(&origin, "/key", Secret::new(PLAIN)));
    let open = |host: &str| {
        Access::new()
            .with_host(HostRule::new(host).expect("a rule"))
            .with_loopback()
    };
    let get = |url: &str| SecureRequest::get(url);
    let table: Vec<(&str, SecureRequest, Access, Code)> = vec![
        ("nothing allowed", get(&origin), Access::new(), Code::PolicyDenied),
        (
            "loopback not allowed",
            get(&origin),
            Access::new().with_host(HostRule::new("127.0.0.1").expect("a rule")),
            Code::AddressDenied,
        ),
        (
            "another host",
            get("https://example.com/"),
            open("example.org"),
            Code::AddressDenied,
        ),
        (
            "not https",
            get("http://example.org/"),
            open("example.org"),
            Code::AddressDenied,
        ),
        (
            "another origin than the credential's",
            get("https://example.org/"),
            access().with_host(HostRule::new("example.org").expect("a rule")),
            Code::PolicyDenied,
        ),
        (
            "a body that is no JSON",
            SecureRequest::new("POST", &origin).with_text("x"),
            access(),
            Code::InvalidInput,
        ),
        ("no URL", get("https://"), open("example.org"), Code::InvalidInput),
        (
            "no method",
            SecureRequest::new("CONNECT", &origin),
            open("127.0.0.1"),
            Code::InvalidInput,
        ),
        (
            "two bodies",
            SecureRequest::post(&origin, json!(1)).with_text("x"),
            open("127.0.0.1"),
            Code::InvalidInput,
        ),
        (
            "a header of the connection",
            get(&origin).with_header("Host", "x"),
            open("127.0.0.1"),
            Code::InvalidInput,
        ),
        (
            "a header with a line break",
            get(&origin).with_header("x", "a\r\nb: c"),
            open("127.0.0.1"),
            Code::InvalidInput,
        ),
        (
            "a credential in the request",
            get(&origin).with_header("Authorization", "x"),
            open("127.0.0.1"),
            Code::PolicyDenied,
        ),
        (
            "the credential's header",
            get(&origin).with_header("x-key", "x"),
            here(Credential::header(&origin, "X-Key", Secret::new(PLAIN))),
            Code::PolicyDenied,
        ),
        (
            "the credential's parameter",
            get(&origin).with_query("key", "x"),
            here(Credential::query(&origin, "key", Secret::new(PLAIN))),
            Code::PolicyDenied,
        ),
        (
            "a timeout of nothing",
            get(&origin).with_timeout(0.0),
            open("127.0.0.1"),
            Code::InvalidInput,
        ),
        (
            "too large a limit",
            get(&origin).with_max_bytes(1 << 40),
            open("127.0.0.1"),
            Code::InvalidInput,
        ),
        (
            "a short secret",
            get(&origin),
            here(Credential::bearer(&origin, Secret::new("abc"))),
            Code::InvalidConfig,
        ),
        (
            "a missing secret",
            get(&origin),
            here(Credential::bearer(&origin, Secret::env("NBHD_NOT_SET"))),
            Code::SecretMissing,
        ),
    ];
    for (name, request, access, code) in table {
        let error = stage.call(request, access).await.expect_err(name);
        assert_eq!(
            (error.code(), error.outcome()),
            (code, Outcome::NotSent),
            "{name}: {error:?}"
        );
        assert_eq!(error.operation(), Some("host.secure_request"));
    }
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn redirects_within_and_beyond_the_origin() {
    let other = server(|_| Reply::text(200, "other"));
    let there = origin(&other);
    let elsewhere = there.clone();
    let server = server(move |call: Call| {
        let to = |status: u16, place: &str| Reply::text(status, "").with_header("location", place);
        match call.path.as_str() {
            "/same" => to(302, "/end?a=1"),
            "/done" => to(303, "/end"),
            "/keep" => to(307, "/end"),
            "/other" => to(302, &format!("{elsewhere}/x")),
            "/other-keep" => to(308, &format!("{elsewhere}/x")),
            "/leak" => to(302, &format!("{elsewhere}/x?k={PLAIN}")),
            "/loop" => to(302, "/loop"),
            "/post-loop" => to(303, "/loop"),
            "/metadata" => to(302, "http://169.254.169.254/latest/"),
            "/nowhere" => to(302, "https://"),
            "/empty" => to(302, ""),
            "/done-refused" => to(303, "/refused"),
            "/refused" => Reply::text(429, ""),
            _ => Reply::json(
                200,
                &json!({"method": call.method.as_str(), "type": call.header("content-type"), "body": call.json(),
                "key": call.header("x-key") == Some(PLAIN)}),
            ),
        }
    });
    let stage = Stage::new();
    let origin = origin(&server);
    let access = || {
        here(Credential::header(&origin, "x-key", Secret::new(PLAIN)))
            .with_host(HostRule::new(&there["http://".len()..]).expect("a rule"))
    };
    let call = async |path: &str, post: bool| {
        let url = format!("{origin}{path}");
        let request = if post {
            SecureRequest::post(url, json!({"a": 1}))
        } else {
            SecureRequest::get(url)
        };
        stage
            .call(
                request
                    .with_header("x-custom", "mine")
                    .with_header("accept", "a/b"),
                access(),
            )
            .await
    };
    let json_of = |answer: SecureAnswer| answer.json.unwrap_or(Value::Null);
    let get = json!({"method": "GET", "type": null, "body": null, "key": true});
    let post = json!({"method": "POST", "type": "application/json", "body": {"a": 1}, "key": true});
    assert_eq!(json_of(call("/same", false).await.expect("an answer")), get);
    assert_eq!(json_of(call("/same", true).await.expect("an answer")), get);
    assert_eq!(json_of(call("/done", true).await.expect("an answer")), get);
    assert_eq!(json_of(call("/keep", true).await.expect("an answer")), post);

    for (path, post) in [("/other", false), ("/other", true), ("/other-keep", true)] {
        let answer = call(path, post).await.expect("an answer");
        assert_eq!(answer.text.as_deref(), Some("other"));
        assert_eq!(answer.receipt.attempts.len(), 2);
    }
    let calls = other.log().calls();
    let methods: Vec<_> = calls.iter().map(|call| call.method.clone()).collect();
    assert_eq!(methods, [Method::GET, Method::GET, Method::POST]);
    assert_eq!(calls[2].json(), json!({"a": 1}));
    for call in &calls {
        let names = |headers: &HeaderMap| {
            headers
                .keys()
                .map(|name| name.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(call.header("accept"), Some("a/b"));
        assert!(
            call.header("x-key").is_none() && call.header("x-custom").is_none(),
            "{:?}",
            names(&call.headers)
        );
    }

    let refused = Outcome::Refused;
    is(
        &call("/leak", false).await.expect_err("leak"),
        Code::PolicyDenied,
        refused,
    );
    is(
        &call("/loop", false).await.expect_err("loop"),
        Code::PolicyDenied,
        refused,
    );
    is(
        &call("/post-loop", true).await.expect_err("loop"),
        Code::PolicyDenied,
        Outcome::Unknown,
    );
    is(
        &call("/metadata", false).await.expect_err("metadata"),
        Code::AddressDenied,
        refused,
    );
    is(
        &call("/metadata", true).await.expect_err("metadata"),
        Code::AddressDenied,
        Outcome::Unknown,
    );
    is(
        &call("/nowhere", false).await.expect_err("nowhere"),
        Code::ProtocolError,
        refused,
    );
    is(
        &call("/empty", false).await.expect_err("nowhere"),
        Code::ProtocolError,
        refused,
    );
    // A 429 behind "done, see there" says nothing about what was done: it is not sent again.
    let before = server
        .log()
        .calls()
        .iter()
        .filter(|call| call.path == "/done-refused")
        .count();
    is(
        &call("/done-refused", true).await.expect_err("refused"),
        Code::RateLimited,
        Outcome::Unknown,
    );
    let after = server
        .log()
        .calls()
        .iter()
        .filter(|call| call.path == "/done-refused")
        .count();
    assert_eq!(after - before, 1);
    assert_eq!(other.log().len(), 3, "nothing else went there");

    // A body that holds the credential goes to no other origin.
    let access = here(Credential::json(&origin, "/key", Secret::new(PLAIN)))
        .with_host(HostRule::new(&there["http://".len()..]).expect("a rule"));
    let request = SecureRequest::post(format!("{origin}/other-keep"), json!({}));
    is(
        &stage.call(request, access).await.expect_err("a body"),
        Code::PolicyDenied,
        refused,
    );
    assert_eq!(other.log().len(), 3);
}

#[tokio::test]
async fn bodies_have_limits() {
    let server = server(|call: Call| {
        let piece = vec![b'x'; 1000];
        match call.path.as_str() {
            "/declared" => Reply::text(200, piece),
            "/chunked" => Reply::stream(200, (0..10).map(|_| (std::time::Duration::ZERO, vec![b'x'; 100]))),
            "/slow" => Reply::stream(
                200,
                (0..1000).map(|_| (std::time::Duration::from_millis(20), vec![b'x'; 1])),
            ),
            "/encoded" => Reply::text(200, "x").with_header("content-encoding", "br"),
            _ => Reply::Hang,
        }
    });
    let stage = Stage::new();
    let origin = origin(&server);
    let call = async |path: &str, seconds: f64| {
        let request = SecureRequest::get(format!("{origin}{path}"))
            .with_max_bytes(999)
            .with_timeout(seconds);
        stage
            .call(request, here(Credential::bearer(&origin, Secret::new(PLAIN))))
            .await
            .expect_err("refused")
    };
    is(
        &call("/declared", 5.0).await,
        Code::ResponseTooLarge,
        Outcome::Unknown,
    );
    is(
        &call("/chunked", 5.0).await,
        Code::ResponseTooLarge,
        Outcome::Unknown,
    );
    is(&call("/slow", 0.2).await, Code::Timeout, Outcome::Unknown);
    is(&call("/hang", 0.2).await, Code::Timeout, Outcome::Unknown);
    is(
        &call("/encoded", 5.0).await,
        Code::ProtocolError,
        Outcome::Unknown,
    );
}
