//! An HTTP server on loopback, on a thread and runtime of its own: it also serves beside sync callers, and a
//! forked child does not inherit it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use crate::{Code, Error, Result};

/// A request as the server saw it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded as it came.
    pub path: String,
    /// The query as it came, without the question mark; empty when there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// What the handler calls it, such as `gmail.messages.get`: see [`Handler::label`].
    pub label: Option<String>,
}

impl Call {
    /// A call without headers and body, for handlers that are tried without a server.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            label: None,
        }
    }

    /// The body as JSON, or `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as form fields, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The query as fields, in order.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .into_owned()
            .collect()
    }

    /// The value of a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What the server does with a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reply {
    /// A whole answer.
    Full {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: HeaderMap,
        /// The body.
        body: Bytes,
    },
    /// An answer in pieces, each after its pause.
    Stream {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: HeaderMap,
        /// The pieces and the pause before each.
        chunks: Vec<(Duration, Bytes)>,
    },
    /// Reads the request, then closes the connection without a byte.
    Close,
    /// Promises the whole body, sends `after` bytes of it, then closes the connection.
    Cut {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: HeaderMap,
        /// The body that is promised.
        body: Bytes,
        /// How much of it is sent.
        after: usize,
    },
    /// Reads the request and never answers.
    Hang,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::full(status, "application/json", value.to_string())
    }

    /// A text answer.
    pub fn text(status: u16, text: impl Into<Bytes>) -> Self {
        Self::full(status, "text/plain; charset=utf-8", text)
    }

    /// Server-sent events, each piece as it goes over the wire (`data: …\n\n`), without pauses.
    pub fn events(pieces: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self::Stream {
            status: StatusCode::OK,
            headers: content_type("text/event-stream"),
            chunks: pieces
                .into_iter()
                .map(|piece| (Duration::ZERO, piece.into()))
                .collect(),
        }
    }

    /// A whole answer of a content type.
    pub fn full(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self::Full {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: content_type(kind),
            body: body.into(),
        }
    }

    /// An answer in pieces, each after its pause.
    pub fn stream(status: u16, chunks: impl IntoIterator<Item = (Duration, impl Into<Bytes>)>) -> Self {
        Self::Stream {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            chunks: chunks
                .into_iter()
                .map(|(pause, piece)| (pause, piece.into()))
                .collect(),
        }
    }

    /// The same whole answer, cut after so many bytes of its body; a stream is cut in the same place.
    pub fn cut(self, after: usize) -> Self {
        match self {
            Self::Full {
                status,
                headers,
                body,
            } => Self::Cut {
                status,
                headers,
                body,
                after,
            },
            Self::Stream {
                status,
                headers,
                chunks,
            } => Self::Cut {
                status,
                headers,
                body: chunks
                    .into_iter()
                    .flat_map(|(_, piece)| piece)
                    .collect::<Vec<u8>>()
                    .into(),
                after,
            },
            other => other,
        }
    }

    /// The same answer with a header, or with another content type; nothing changes where there is no answer.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Reply::Full { headers, .. } | Reply::Stream { headers, .. } | Reply::Cut { headers, .. } =
            &mut self
            && let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
        {
            if name == http::header::CONTENT_TYPE {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        self
    }
}

fn content_type(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static(kind))])
}

/// What answers calls.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Answers.
    async fn handle(&self, call: Call) -> Reply;

    /// What the call is, in our words, so that faults and counts can name it.
    fn label(&self, _call: &Call) -> Option<&'static str> {
        None
    }
}

/// Every call that a server saw, in order. Clones share it.
#[derive(Clone, Default)]
pub struct Log {
    calls: Arc<Mutex<Vec<Call>>>,
    observer: Arc<Mutex<Option<Observer>>>,
}

type Observer = Arc<dyn Fn(&Call) + Send + Sync>;

impl Log {
    /// Who is told of every call from now on, after it was handled and before the answer leaves: a log that outlives the
    /// process that calls. It takes the place of the one before.
    pub fn observe(&self, observer: impl Fn(&Call) + Send + Sync + 'static) {
        *self.observer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(observer));
    }

    fn tell(&self, call: &Call) {
        let observer = self
            .observer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(observer) = observer {
            observer(call);
        }
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().clone()
    }

    /// How many calls there were.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Adds a call.
    pub fn push(&self, call: Call) {
        self.lock().push(call);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("calls", &self.len())
            .finish_non_exhaustive()
    }
}

/// A running server; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    log: Log,
    connections: Arc<AtomicUsize>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts on a free port of 127.0.0.1.
    pub fn start(handler: Arc<dyn Handler>) -> Result<Self> {
        Self::start_on(0, handler)
    }

    /// Starts on this port of 127.0.0.1; `invalid_config` when it is taken.
    pub fn start_on(port: u16, handler: Arc<dyn Handler>) -> Result<Self> {
        let refuse = |error: std::io::Error| {
            let why = if error.kind() == std::io::ErrorKind::AddrInUse {
                "another program uses it".to_owned()
            } else {
                error.kind().to_string()
            };
            Error::new(
                Code::InvalidConfig,
                format!("cannot listen on port {port} of 127.0.0.1: {why}"),
            )
            .with_user_action("Choose another port, or stop the program that uses it.")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refuse)?;
        listener.set_nonblocking(true).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refuse)?;
        let log = Log::default();
        let stop = CancellationToken::new();
        let connections = Arc::new(AtomicUsize::new(0));
        let (log_inside, stop_inside, counted) = (log.clone(), stop.clone(), connections.clone());
        let thread = std::thread::Builder::new()
            .name("nbhd-testkit".to_owned())
            .spawn(move || runtime.block_on(serve(listener, handler, log_inside, stop_inside, counted)))
            .map_err(refuse)?;
        Ok(Self {
            address,
            log,
            connections,
            stop,
            thread: Some(thread),
        })
    }

    /// Its base URL: `http://127.0.0.1:<port>/`.
    #[expect(clippy::expect_used, reason = "a socket address makes a URL")]
    pub fn url(&self) -> Url {
        format!("http://{}/", self.address)
            .parse()
            .expect("a socket address makes a valid URL")
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What it saw.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A handler that panicked has failed its own test already.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

#[expect(clippy::disallowed_types, reason = "the testkit is what listens")]
async fn serve(
    listener: TcpListener,
    handler: Arc<dyn Handler>,
    log: Log,
    stop: CancellationToken,
    counted: Arc<AtomicUsize>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        counted.fetch_add(1, Ordering::Relaxed);
        let _ = stream.set_nodelay(true);
        let (handler, log, stop) = (handler.clone(), log.clone(), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(handler.clone(), log.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A client that goes away, and a reply that is cut, are both an error here.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

/// Why a connection is closed on purpose.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

type Pieces = StreamBody<BoxStream<'static, Result<Frame<Bytes>, Closed>>>;

async fn answer(
    handler: Arc<dyn Handler>,
    log: Log,
    request: http::Request<Incoming>,
) -> Result<http::Response<Pieces>, Closed> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Err(Closed);
    };
    let mut call = Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        label: None,
    };
    call.label = handler.label(&call).map(str::to_owned);
    log.push(call.clone());
    let reply = handler.handle(call.clone()).await;
    log.tell(&call);
    match reply {
        Reply::Full {
            status,
            mut headers,
            body,
        } => {
            promise(&mut headers, body.len());
            Ok(response(status, headers, futures::stream::iter([Ok(body)])))
        }
        Reply::Stream {
            status,
            headers,
            chunks,
        } => {
            let pieces = futures::stream::iter(chunks).then(|(pause, piece)| async move {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                // Each piece leaves on its own, as it would over a real network.
                tokio::task::yield_now().await;
                Ok(piece)
            });
            Ok(response(status, headers, pieces))
        }
        Reply::Close => Err(Closed),
        Reply::Cut {
            status,
            mut headers,
            body,
            after,
        } => {
            promise(&mut headers, body.len());
            let sent = body.slice(..after.min(body.len()));
            let pieces = futures::stream::iter([Ok(sent), Err(Closed)]).then(|piece| async move {
                // The piece before is flushed while this one waits.
                tokio::task::yield_now().await;
                piece
            });
            Ok(response(status, headers, pieces))
        }
        Reply::Hang => std::future::pending().await,
    }
}

fn promise(headers: &mut HeaderMap, length: usize) {
    headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
}

fn response(
    status: StatusCode,
    headers: HeaderMap,
    pieces: impl futures::Stream<Item = Result<Bytes, Closed>> + Send + 'static,
) -> http::Response<Pieces> {
    let mut response = http::Response::new(StreamBody::new(
        pieces.map(|piece| piece.map(Frame::data)).boxed(),
    ));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A function of the call is a handler: for short tests.
#[async_trait]
impl<F> Handler for F
where
    F: Fn(Call) -> Reply + Send + Sync,
{
    async fn handle(&self, call: Call) -> Reply {
        self(call)
    }
}
