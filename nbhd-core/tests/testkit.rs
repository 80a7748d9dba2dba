//! The stand-ins themselves: scripts report what differs, faults happen as planned, plans count their points.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nbhd_core::http::{Authorization, Method, Request, header};
use nbhd_core::testkit::{
    Call, Fault, Faults, FaultyTransport, Handler, KillPlan, Reply, SabotagedTransport, Script, Server,
    Storeless, TransportSabotage,
};
use nbhd_core::transport::{Layers, Socket, stack};
use nbhd_core::{Code, Error, Host, Operation, Outcome, Result, Secret};
use serde_json::{Value, json};

fn host() -> Host {
    Storeless::host().build()
}

/// One request through a stack without retry, read to its end.
async fn call(host: &Host, request: Request) -> Result<String> {
    let operation = Operation::begin(host, "test.call");
    let reply = stack(host, Layers::default().without_retry())
        .send(&operation, request)
        .await?;
    Ok(String::from_utf8_lossy(&reply.bytes().await?).into_owned())
}

fn request(server: &Server, method: Method, path: &str) -> Request {
    Request::new(method, server.url().join(path).expect("a URL"), "test.call")
}

fn script(http: &Value) -> (Arc<Script>, Server) {
    let script = Arc::new(Script::new(http).expect("a script"));
    let server = Server::start(script.clone()).expect("a server");
    (script, server)
}

#[tokio::test]
async fn a_script_plays_in_order_and_counts() {
    let (script, server) = script(&json!([
        {"expect": {"method": "POST", "path": "/v1/items/*/send", "query": {"limit": 5, "part": ["a", "b"]},
                    "json": {"to": "x", "id": "*"}, "headers": {"Content-Type": "application/json"}},
         "reply": {"status": 201, "json": {"next": "{{server}}/two"}, "headers": {"x-request-id": "r1"}}},
        {"expect": {"method": "POST", "path": "/token", "form": {"grant_type": "refresh_token", "refresh_token": "*"}},
         "reply": {"sse": [{"a": 1}, "[DONE]"]}},
        {"expect": {"method": "GET", "path": "/lines"}, "reply": {"lines": [{"a": 1}, {"a": 2}]}},
        {"expect": {"method": "GET", "path": "/raw"}, "reply": {"raw": ["event: x\n", "data: y\n\n"]}},
        {"expect": {"method": "GET", "path": "/bytes"}, "reply": {"base64": "aGk="}},
        {"expect": {"method": "GET", "path": "/empty"}, "reply": {"status": 204}},
    ]));
    let host = host();
    let one = request(&server, Method::POST, "v1/items/7/send?part=a&limit=5&part=b")
        .with_json(&json!({"id": 9, "to": "x"}))
        .expect("JSON");
    let body = call(&host, one).await.expect("a body");
    assert_eq!(body, json!({"next": format!("{}two", server.url())}).to_string());
    let two = request(&server, Method::POST, "token")
        .with_form([("refresh_token", "r"), ("grant_type", "refresh_token")]);
    assert_eq!(
        call(&host, two).await.expect("a body"),
        "data: {\"a\":1}\n\ndata: [DONE]\n\n"
    );
    let get = |path: &str| call(&host, request(&server, Method::GET, path));
    assert_eq!(get("lines").await.expect("a body"), "{\"a\":1}\n{\"a\":2}\n");
    assert_eq!(get("raw").await.expect("a body"), "event: x\ndata: y\n\n");
    assert_eq!(get("bytes").await.expect("a body"), "hi");
    assert_eq!(get("empty").await.expect("a body"), "");
    assert_eq!(script.finish(), Ok(6));
}

#[tokio::test]
async fn a_script_reports_what_differs() {
    let (script, server) = script(&json!([
        {"expect": {"method": "POST", "path": "/a", "query": {}, "json": {"n": 1}, "headers": {"x-key": "canary-a"}},
         "reply": {}},
        {"expect": {"method": "GET", "path": "/b"}, "reply": {}},
    ]));
    let host = host();
    let wrong = request(&server, Method::PUT, "c?q=1")
        .with_json(&json!({"n": 2}))
        .expect("JSON")
        .with_header(
            header::HeaderName::from_static("x-key"),
            "canary-b".parse().expect("a value"),
        );
    let error = call(&host, wrong).await.expect_err("599");
    assert_eq!(error.provider_status(), Some(599));
    let expected = [
        "request 1: method: expected POST, got PUT",
        "request 1: path: expected /a, got /c",
        "request 1: query.q: it was not expected",
        "request 1: json.n: expected \"1\", got \"2\"",
        "request 1: headers.x-key: expected \"canary-a\", got another value",
        "request 1 never came: POST /a",
        "request 2 never came: GET /b",
    ];
    assert_eq!(script.finish().expect_err("problems"), expected);
}

#[tokio::test]
async fn a_request_too_many_is_reported() {
    let (script, server) = script(&json!([]));
    assert_eq!(script.finish(), Ok(0));
    let error = call(&host(), request(&server, Method::GET, "x"))
        .await
        .expect_err("599");
    assert_eq!(error.provider_status(), Some(599));
    let problems = script.finish().expect_err("problems");
    assert_eq!(problems, ["request 1: nothing more is expected, but GET /x came"]);
}

#[tokio::test]
async fn a_script_fails_as_told() {
    let (script, server) = script(&json!([
        {"expect": {"method": "GET", "path": "/"}, "reply": "close"},
        {"expect": {"method": "GET", "path": "/"}, "reply": "cut"},
        {"expect": {"method": "GET", "path": "/"}, "reply": {"text": "0123456789", "cut": 3}},
        {"expect": {"method": "GET", "path": "/"}, "reply": "garbage"},
    ]));
    let host = host();
    for _ in 0..3 {
        let error = call(&host, request(&server, Method::GET, "/"))
            .await
            .expect_err("lost");
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::ConnectionFailed, Outcome::Unknown)
        );
    }
    let body = call(&host, request(&server, Method::GET, "/"))
        .await
        .expect("a body");
    assert!(serde_json::from_str::<Value>(&body).is_err());
    assert_eq!(script.finish(), Ok(4));
}

#[test]
fn a_script_that_is_none_is_refused() {
    for bad in [
        json!({}),
        json!([{}]),
        json!([{"expect": {"method": "GET", "path": "/", "jsn": 1}, "reply": {}}]),
        json!([{"expect": {"method": "GET", "path": "/"}, "reply": "explode"}]),
        json!([{"expect": {"method": "GET", "path": "/"}, "reply": {"json": 1, "text": "x"}}]),
        json!([{"expect": {"method": "GET", "path": "/"}, "reply": {"base64": "?"}}]),
    ] {
        assert_eq!(
            Script::new(&bad).expect_err("none").code(),
            Code::InvalidInput,
            "{bad}"
        );
    }
}

/// Counts what was really done.
#[derive(Default)]
struct Counter(Mutex<usize>);

#[async_trait]
impl Handler for Counter {
    async fn handle(&self, _call: Call) -> Reply {
        *self.0.lock().expect("a count") += 1;
        Reply::json(200, &json!({"done": true}))
    }

    fn label(&self, call: &Call) -> Option<&'static str> {
        (call.path == "/a").then_some("a.call")
    }
}

#[tokio::test]
async fn faults_happen_as_planned_and_calls_are_counted() {
    let counter = Arc::new(Counter::default());
    let faults = Faults::new(counter.clone());
    let server = Server::start(Arc::new(faults.clone())).expect("a server");
    let host = host();
    let a = || call(&host, request(&server, Method::GET, "a"));
    let done = || *counter.0.lock().expect("a count");

    faults.fail("a.call", Fault::status_after(429, 2.5), 2);
    for _ in 0..2 {
        let error = a().await.expect_err("refused");
        assert_eq!(error.code(), Code::RateLimited);
        assert_eq!(error.retry_after().map(|wait| wait.as_secs_f64()), Some(2.5));
    }
    assert_eq!(done(), 0);
    assert!(a().await.is_ok());
    faults.fail("a.call", Fault::Close, 1);
    assert_eq!(a().await.expect_err("closed").outcome(), Outcome::Unknown);
    assert_eq!(done(), 1, "closed before anything was done");
    faults.fail("a.call", Fault::Lost, 1);
    faults.fail("a.call", Fault::Cut, 1);
    assert!(a().await.is_err() && a().await.is_err());
    assert_eq!(done(), 3, "done, and the answer lost");
    faults.fail("a.call", Fault::Garbage, 1);
    assert!(a().await.expect("a page").contains("<html>"));
    faults.fail("*", Fault::status(500), 1);
    assert!(call(&host, request(&server, Method::GET, "b")).await.is_err());
    faults.fail("a.call", Fault::Close, 9);
    faults.clear();
    assert!(a().await.is_ok());
    assert_eq!(
        (faults.calls("a.call"), faults.calls("*"), faults.calls("c")),
        (8, 9, 0)
    );
    assert_eq!(server.log().calls()[0].label.as_deref(), Some("a.call"));
}

#[tokio::test]
async fn the_points_of_a_request() {
    let server = Server::start(Arc::new(Counter::default())).expect("a server");
    let plan = KillPlan::counting();
    let host = Storeless::host()
        .with_socket(Arc::new(FaultyTransport::killing(
            Arc::new(Socket::default()),
            plan.clone(),
        )))
        .build();
    call(&host, request(&server, Method::GET, "a"))
        .await
        .expect("a body");
    let points = [
        "request.write.before",
        "request.write.after",
        "reply.read.before",
        "reply.read.after",
    ];
    assert_eq!(plan.passed(), points);
    for (at, point) in points.into_iter().enumerate() {
        let breaks = move |here: &str| (here == point).then(|| Error::new(Code::ConnectionFailed, "broken"));
        let host = Storeless::host()
            .with_socket(Arc::new(FaultyTransport::new(
                Arc::new(Socket::default()),
                breaks,
            )))
            .build();
        assert!(
            call(&host, request(&server, Method::GET, "a")).await.is_err(),
            "{point}"
        );
        assert_eq!(server.log().len(), 1 + at, "{point}");
    }
}

#[tokio::test]
async fn planted_defects_do_their_work() {
    let server = Server::start(Arc::new(Counter::default())).expect("a server");
    let sabotaged = |sabotage| {
        let socket = SabotagedTransport::new(Arc::new(Socket::default()), sabotage);
        Storeless::host().with_socket(Arc::new(socket)).build()
    };
    let get = || {
        request(&server, Method::GET, "a")
            .with_authorization(Authorization::Bearer(Arc::new(Secret::new("canary-log"))))
    };
    call(&sabotaged(TransportSabotage::SendTwice), get())
        .await
        .expect("a body");
    assert_eq!(server.log().len(), 2);

    let log = Written::default();
    let guard = tracing::subscriber::set_default(log.clone());
    call(&host(), get()).await.expect("a body");
    let clean = log.text();
    assert!(
        clean.contains("test.call") && !clean.contains("canary"),
        "{clean}"
    );
    call(&sabotaged(TransportSabotage::LogCredential), get())
        .await
        .expect("a body");
    drop(guard);
    assert!(log.text().contains("canary-log"));
}

/// A listener that writes every field of every event of this suite down.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<String>>);

impl Written {
    fn text(&self) -> String {
        self.0.lock().expect("a log").clone()
    }
}

impl tracing::Subscriber for Written {
    fn enabled(&self, _metadata: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields<'a>(&'a mut String);
        impl tracing::field::Visit for Fields<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                use std::fmt::Write;
                let _ = write!(self.0, "{field}={value:?} ");
            }
        }
        event.record(&mut Fields(&mut self.0.lock().expect("a log")));
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}
