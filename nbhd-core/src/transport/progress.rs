//! How far one attempt has come, watched from inside the connector and the request's body: which time limit counts, and whether
//! anything can have left when a limit is reached.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use crate::Outcome;
use crate::http::Timeouts;

/// How much of a body is handed to the connection at a time: each piece is a sign of life.
const PIECE: usize = 64 * 1024;

tokio::task_local! {
    /// The attempt on whose behalf the connector is called.
    static ATTEMPT: Progress;
}

/// One attempt. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    timeouts: Timeouts,
    length: usize,
    /// Whether a connection is being made for this attempt.
    connecting: AtomicBool,
    /// Whether one ever was.
    connected: AtomicBool,
    /// How much of the body the connection has taken. It takes some only once it stands.
    taken: AtomicUsize,
    moved: Notify,
}

impl Progress {
    pub(super) fn new(timeouts: Timeouts, length: usize) -> Self {
        Self(Arc::new(Inner {
            timeouts,
            length,
            connecting: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            moved: Notify::new(),
        }))
    }

    /// Runs the attempt, so that the connector knows it.
    pub(super) async fn watch<T>(&self, attempt: impl Future<Output = T>) -> T {
        ATTEMPT.scope(self.clone(), attempt).await
    }

    /// The body, which tells how much of it was taken.
    pub(super) fn body(&self, bytes: Bytes) -> reqwest::Body {
        reqwest::Body::wrap(Watched {
            left: bytes,
            progress: self.clone(),
        })
    }

    /// Waits until the limit of the present step, or the deadline, is reached without a sign of life; says which.
    pub(super) async fn exhausted(&self, remaining: Duration) -> &'static str {
        let began = Instant::now();
        loop {
            let moved = self.0.moved.notified();
            let (limit, what) = self.limit();
            let left = remaining.saturating_sub(began.elapsed());
            let (limit, what) = if left <= limit {
                (left, "the deadline of the call was reached")
            } else {
                (limit, what)
            };
            tokio::select! {
                () = tokio::time::sleep(limit) => return what,
                () = moved => {}
            }
        }
    }

    /// The limit of the present step. Where a connection is made, the connector's own limit comes first.
    fn limit(&self) -> (Duration, &'static str) {
        let Timeouts {
            connect,
            first_byte,
            idle,
        } = self.0.timeouts;
        let taken = self.0.taken.load(Ordering::Acquire);
        if taken == self.0.length && !self.is_connecting() {
            (first_byte, "no reply came in time")
        } else if taken == self.0.length {
            // Without a body it does not show whether the connection stands, or another one became free meanwhile.
            (connect + first_byte, "no reply came in time")
        } else if taken == 0 {
            (connect + idle, "the request was not taken in time")
        } else {
            (idle, "the request's body was not taken in time")
        }
    }

    /// What a limit reached now means: not one byte of a body was taken while the connection was still being made, so
    /// nothing can have left.
    pub(super) fn outcome(&self) -> Outcome {
        let untouched = self.0.length > 0 && self.0.taken.load(Ordering::Acquire) == 0;
        if untouched && self.is_connecting() {
            Outcome::NotSent
        } else {
            Outcome::Unknown
        }
    }

    /// Whether a connection was made for this attempt; else it was given one that had been used before.
    pub(super) fn connected(&self) -> bool {
        self.0.connected.load(Ordering::Acquire)
    }

    fn is_connecting(&self) -> bool {
        self.0.connecting.load(Ordering::Acquire)
    }

    fn connecting(&self, now: bool) {
        self.0.connected.store(true, Ordering::Release);
        self.0.connecting.store(now, Ordering::Release);
        self.0.moved.notify_one();
    }

    fn take(&self, bytes: usize) {
        self.0.taken.fetch_add(bytes, Ordering::AcqRel);
        self.0.moved.notify_one();
    }
}

/// A body in pieces.
struct Watched {
    left: Bytes,
    progress: Progress,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        self.progress.take(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// Puts the connect limit of the attempt around the making of a connection, name and TLS included.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectWatch;

impl<S> Layer<S> for ConnectWatch {
    type Service = Connecting<S>;

    fn layer(&self, inner: S) -> Connecting<S> {
        Connecting(inner)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Connecting<S>(S);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, R> Service<R> for Connecting<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connection = self.0.call(request);
        let attempt = ATTEMPT.try_with(Progress::clone).ok();
        Box::pin(async move {
            let Some(attempt) = attempt else {
                return connection.await;
            };
            attempt.connecting(true);
            let made = tokio::time::timeout(attempt.0.timeouts.connect, connection).await;
            attempt.connecting(false);
            made.unwrap_or_else(|_| Err(Box::new(io::Error::from(io::ErrorKind::TimedOut))))
        })
    }
}
