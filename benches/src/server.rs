//! A server that costs as little as one can: it reads the request, looks at its path and answers bytes that it made before.
//!
//! HTTP/1.1, kept alive, `TCP_NODELAY`; one thread, meant for a core of its own.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, samples};

struct Canned {
    small: Bytes,
    large: Bytes,
    stream: Vec<Bytes>,
    mail: Bytes,
    note: Bytes,
    token: Bytes,
}

/// Prints its address and answers until its input ends, so that it never outlives who started it.
pub(crate) fn run() -> Result<(), Failure> {
    let canned = Arc::new(Canned {
        small: samples::answer(350).into(),
        large: samples::answer(10_000).into(),
        stream: samples::stream().into_iter().map(Bytes::from).collect(),
        mail: samples::mail().into(),
        note: samples::note().into(),
        token: Bytes::from_static(
            br#"{"access_token":"bench-access","expires_in":3599,"token_type":"Bearer","scope":"https://www.googleapis.com/auth/gmail.readonly"}"#,
        ),
    });
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("http://{}", listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(serve(socket, canned.clone()));
        }
    })
}

async fn serve(socket: TcpStream, canned: Arc<Canned>) {
    let service = service_fn(move |request| {
        let canned = canned.clone();
        async move { Ok::<_, Infallible>(answer(request, &canned).await) }
    });
    // A client that goes away ends its connection; nobody needs to hear of it.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, canned: &Canned) -> Response<Body> {
    let (head, body) = request.into_parts();
    let asked = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let path = head.uri.path();
    if head.method == Method::POST && path.ends_with("/chat/completions") {
        if wants_stream(&asked) {
            let frames = futures::stream::iter(canned.stream.clone()).map(|event| Ok(Frame::data(event)));
            return reply(
                "text/event-stream; charset=utf-8",
                BodyExt::boxed(StreamBody::new(frames)),
            );
        }
        return whole(if path.starts_with("/large") {
            &canned.large
        } else {
            &canned.small
        });
    }
    match path {
        "/token" => whole(&canned.token),
        path if path.ends_with("/note") => whole(&canned.note),
        _ => whole(&canned.mail),
    }
}

/// Streams are asked for with `"stream": true`, near an end of the body.
fn wants_stream(body: &[u8]) -> bool {
    let near = 400.min(body.len());
    [&body[..near], &body[body.len() - near..]].iter().any(|part| {
        [&b"\"stream\":true"[..], b"\"stream\": true"]
            .iter()
            .any(|word| part.windows(word.len()).any(|window| window == *word))
    })
}

fn whole(bytes: &Bytes) -> Response<Body> {
    reply("application/json", BodyExt::boxed(Full::new(bytes.clone())))
}

/// With the headers that a model provider sends: reading them is part of everybody's work.
fn reply(kind: &str, body: Body) -> Response<Body> {
    Response::builder()
        .header("content-type", kind)
        .header("x-request-id", "req_0123456789abcdef0123456789abcdef")
        .header("openai-processing-ms", "312")
        .header("openai-version", "2020-10-01")
        .header("x-ratelimit-limit-requests", "10000")
        .header("x-ratelimit-limit-tokens", "2000000")
        .header("x-ratelimit-remaining-requests", "9999")
        .header("x-ratelimit-remaining-tokens", "1999000")
        .header("x-ratelimit-reset-requests", "6ms")
        .header("x-ratelimit-reset-tokens", "30ms")
        .body(body)
        .unwrap_or_default()
}
