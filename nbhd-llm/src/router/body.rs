//! The body of a streamed reply, read when its reader asks or ahead of it.
//!
//! Invariant: who has awaited [`Body::close`] knows that the attempt stands in the receipt, because the body is let go by then.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use nbhd_core::Result;
use nbhd_core::http::BodyStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// How far a body is read ahead of its reader: 64 KiB, about what the system keeps for a socket anyway.
const AHEAD: usize = 64 * 1024;

pub(super) enum Body {
    Asked(BodyStream),
    Ahead {
        pieces: UnboundedReceiver<Piece>,
        task: JoinHandle<()>,
    },
}

/// A piece, and the room that it takes until its reader has it.
type Piece = (Result<Bytes>, Option<OwnedSemaphorePermit>);

impl Body {
    /// The same body, read by a task of its own. Call it within a tokio runtime.
    pub(super) fn read_ahead(self) -> Self {
        let Self::Asked(body) = self else { return self };
        let (sender, pieces) = unbounded_channel();
        let task = tokio::spawn(read(body, sender));
        Self::Ahead { pieces, task }
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self {
            Self::Asked(body) => body.poll_next_unpin(context),
            Self::Ahead { pieces, .. } => pieces
                .poll_recv(context)
                .map(|piece| piece.map(|(bytes, _room)| bytes)),
        }
    }

    /// Lets a body go that said all it had to say. Its end is taken if it is there already, so that the connection can serve again.
    pub(super) async fn close(self) {
        match self {
            Self::Asked(body) => take_end(body),
            Self::Ahead { .. } => self.abandon().await,
        }
    }

    /// Lets it go as it is.
    pub(super) async fn abandon(self) {
        if let Self::Ahead { pieces, task } = self {
            drop(pieces);
            // A task that went with its runtime has let its body go too.
            let _ = task.await;
        }
    }
}

async fn read(mut body: BodyStream, pieces: UnboundedSender<Piece>) {
    let room = Arc::new(Semaphore::new(AHEAD));
    let read = async {
        // An error is the last piece.
        while let Some(piece) = body.next().await {
            let Ok(bytes) = piece else {
                let _ = pieces.send((piece, None));
                return;
            };
            let size = bytes.len().clamp(1, AHEAD) as u32;
            let room = Arc::clone(&room).acquire_many_owned(size).await.ok();
            if pieces.send((Ok(bytes), room)).is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => return,
        () = pieces.closed() => {}
    }
    // The reader has gone while the body goes on.
    take_end(body);
}

fn take_end(mut body: BodyStream) {
    let _ = body.next().now_or_never();
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures::StreamExt;
    use nbhd_core::{Code, Error};

    use super::{AHEAD, Body};

    const PIECE: usize = 1024;

    /// A body without end that counts what was asked of it, and knows by its last clone when it was let go.
    fn endless() -> (Body, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        let body = futures::stream::repeat_with(move || {
            counts.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::from_static(&[0; PIECE]))
        });
        (Body::Asked(body.boxed()), asked)
    }

    async fn others_run() {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn no_more_is_read_ahead_than_there_is_room_for() {
        let (body, asked) = endless();
        let mut body = body.read_ahead();
        others_run().await;
        // One more stands before the door.
        let full = AHEAD / PIECE + 1;
        assert_eq!(asked.load(Ordering::Relaxed), full);
        for taken in 1..=3 {
            assert!(poll_fn(|context| body.poll_next(context)).await.is_some());
            others_run().await;
            assert_eq!(asked.load(Ordering::Relaxed), full + taken);
        }
    }

    #[tokio::test]
    async fn who_closed_it_knows_that_it_is_let_go() {
        for ahead in [false, true] {
            for end in [false, true] {
                let (mut body, asked) = endless();
                if ahead {
                    body = body.read_ahead();
                }
                assert!(poll_fn(|context| body.poll_next(context)).await.is_some());
                if end {
                    body.close().await;
                } else {
                    body.abandon().await;
                }
                assert_eq!(Arc::strong_count(&asked), 1);
            }
        }
    }

    #[tokio::test]
    async fn an_error_is_the_last_piece() {
        let failed = || Err(Error::new(Code::ConnectionFailed, "cut"));
        let body = futures::stream::iter([
            Ok(Bytes::from_static(b"a")),
            failed(),
            Ok(Bytes::from_static(b"b")),
        ]);
        let mut body = Body::Asked(body.boxed()).read_ahead();
        let mut next = async || poll_fn(|context| body.poll_next(context)).await;
        assert_eq!(next().await.unwrap().unwrap(), "a");
        assert_eq!(next().await.unwrap().unwrap_err().code(), Code::ConnectionFailed);
        assert!(next().await.is_none());
    }
}
