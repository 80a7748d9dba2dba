//! A stream that its reader may drop at any point without the money going astray.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use nbhd_core::http::BodyStream;
use nbhd_core::{Error, Operation, Outcome, Result};

use super::attempt::Running;
use super::billing::at_bound;
use super::body::Body;
use super::chain::{Finished, Progress};
use super::config::OnDrop;
use crate::chat::StreamEvent;
use crate::provider::{ProviderAnswer, ProviderEvent, StreamDecoder};

/// How long a dropped stream is read on for its usage.
const DRAIN: Duration = Duration::from_secs(30);

/// How many events in a row are given without waiting: 64, as short a turn as a tokio task's own budget of 128 steps.
const IN_A_ROW: u8 = 64;

/// The events of one answer. A failure is raised and ends it. Dropped before its end it leaves the rest to `on_drop`.
pub struct ChatStream {
    state: State,
    ready: VecDeque<StreamEvent>,
    /// How many were given without waiting since one was waited for.
    in_a_row: u8,
}

enum State {
    Reading(Box<Flow>),
    Ending(BoxFuture<'static, Result<Vec<StreamEvent>>>),
    Ended,
}

/// What flows, and what has to be settled when it ends.
pub(super) struct Flow {
    running: Running,
    operation: Operation,
    decoder: Box<dyn StreamDecoder>,
    body: Body,
    progress: Progress,
    /// Room for what one piece says.
    events: Vec<ProviderEvent>,
}

impl ChatStream {
    /// A stream whose first content is there. `answer` is whole already when the reply ended with it.
    pub(super) fn new(
        flow: Flow,
        begun: StreamEvent,
        events: Vec<ProviderEvent>,
        answer: Option<ProviderAnswer>,
    ) -> Self {
        let mut ready = VecDeque::from([begun]);
        ready.extend(events.into_iter().filter_map(event));
        let state = match answer {
            Some(answer) => State::Ending(Box::pin(flow.finish(answer))),
            None => State::Reading(Box::new(flow)),
        };
        Self {
            state,
            ready,
            in_a_row: 0,
        }
    }

    /// The next event; `None` when it is over. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Result<StreamEvent>> {
        StreamExt::next(self).await
    }

    /// The same stream, read by a task of its own up to 64 KiB ahead of its reader: for one that is expensive to wake, such as
    /// another language's. Call it within a tokio runtime.
    pub fn read_ahead(mut self) -> Self {
        if let State::Reading(flow) = &mut self.state {
            flow.read_ahead();
        }
        self
    }

    /// The next event if it is here already, without waiting; `None` does not say that it is over, but that [`Self::next`] has
    /// the answer. After 64 in a row it is `None` once, so that a reader that waits then lets others run. Call it within a tokio
    /// runtime.
    pub fn next_ready(&mut self) -> Option<StreamEvent> {
        if self.in_a_row == IN_A_ROW {
            return None;
        }
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.in_a_row += 1;
                return Some(event);
            }
            // What settles is left to who waits for it.
            if !matches!(self.state, State::Reading(_)) || self.poll_body(&mut context).is_pending() {
                return None;
            }
        }
    }

    /// Reads on, if it is reading.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let State::Reading(flow) = &mut self.state else {
            return Poll::Ready(());
        };
        if let Some(step) = std::task::ready!(flow.poll(context, &mut self.ready))
            && let State::Reading(flow) = std::mem::replace(&mut self.state, State::Ended)
        {
            self.state = State::Ending(match step {
                Step::Answered(answer) => flow.finish(*answer).boxed(),
                Step::Failed(error) => flow.fail(error).boxed(),
            });
        }
        Poll::Ready(())
    }

    /// Ends it now, as dropping it does.
    pub fn close(self) {}
}

impl Flow {
    pub(super) fn new(
        running: Running,
        operation: Operation,
        decoder: Box<dyn StreamDecoder>,
        body: BodyStream,
        progress: Progress,
    ) -> Self {
        Self {
            running,
            operation,
            decoder,
            body: Body::Asked(body),
            progress,
            events: Vec::new(),
        }
    }

    /// The rest of a body, after the error that its first content came with, if there was one.
    pub(super) fn resumed(fed: Result<()>, body: BodyStream) -> BodyStream {
        match fed {
            Ok(()) => body,
            Err(error) => {
                Box::pin(futures::stream::once(async move { Err::<Bytes, Error>(error) }).chain(body))
            }
        }
    }

    fn read_ahead(&mut self) {
        let body = std::mem::replace(&mut self.body, Body::Asked(Box::pin(futures::stream::empty())));
        self.body = body.read_ahead();
    }

    /// Takes the next piece of the body, if it is there.
    fn poll(&mut self, context: &mut Context<'_>, ready: &mut VecDeque<StreamEvent>) -> Poll<Option<Step>> {
        let Some(piece) = std::task::ready!(self.body.poll_next(context)) else {
            return Poll::Ready(Some(self.finished(ready)));
        };
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => return Poll::Ready(Some(Step::Failed(error))),
        };
        let fed = self.decoder.feed(&piece, &mut self.events);
        ready.extend(self.events.drain(..).filter_map(event));
        Poll::Ready(match fed {
            Err(error) => Some(Step::Failed(error)),
            Ok(()) if self.decoder.ended() => Some(self.finished(ready)),
            Ok(()) => None,
        })
    }

    fn finished(&mut self, ready: &mut VecDeque<StreamEvent>) -> Step {
        let answer = self.decoder.finish(&mut self.events);
        ready.extend(self.events.drain(..).filter_map(event));
        match answer {
            Ok(answer) => Step::Answered(Box::new(answer)),
            Err(error) => Step::Failed(error),
        }
    }

    /// Settles a whole answer and gives its last events.
    async fn finish(self, answer: ProviderAnswer) -> Result<Vec<StreamEvent>> {
        let Self {
            mut running,
            operation,
            body,
            mut progress,
            ..
        } = self;
        body.close().await;
        let charge = running.answered(&operation, &answer).await;
        progress.add(running.record, &charge);
        let cost = progress.cost(&charge);
        let ((), receipt) = operation.end(Ok(()))?;
        let calls = answer.tool_calls.iter().cloned().enumerate();
        let mut events: Vec<StreamEvent> = calls
            .map(|(index, call)| StreamEvent::ToolCall { index, call })
            .collect();
        if let Some(usage) = answer.usage {
            events.push(StreamEvent::Usage {
                usage,
                cost: cost.clone(),
            });
        }
        let finished = Finished {
            answer,
            candidate: running.candidate,
            cap: running.cap,
            progress,
            cost,
        };
        events.push(StreamEvent::Finished {
            answer: Box::new(finished.into_answer(receipt)),
        });
        Ok(events)
    }

    /// Settles a stream that broke after its first content: provisional, because what was written is billed.
    async fn fail(self, error: Error) -> Result<Vec<StreamEvent>> {
        let Self {
            running,
            operation,
            decoder,
            body,
            mut progress,
            ..
        } = self;
        body.abandon().await;
        let usage = decoder.usage();
        let error = error.with_outcome(Outcome::Unknown);
        let failure = running.failed(&operation, error, false, usage.as_ref()).await;
        progress.add(failure.record, &failure.charge);
        let details = serde_json::json!({ "attempts": progress.attempts });
        let error = failure.error.with_details(details);
        operation.end(Err(error)).map(|((), _)| Vec::new())
    }

    /// Reads on for the usage, then settles with it.
    async fn drain(mut self, limit: Duration) {
        let mut ready = VecDeque::new();
        let step = tokio::time::timeout(limit, async {
            loop {
                ready.clear();
                if let Some(step) = std::future::poll_fn(|context| self.poll(context, &mut ready)).await {
                    return step;
                }
            }
        })
        .await;
        match step {
            Ok(Step::Answered(answer)) => {
                self.running.answered(&self.operation, &answer).await;
            }
            Ok(Step::Failed(_)) | Err(_) => self.abort().await,
        }
    }

    /// Settles at the bound, tightened by the usage that came.
    async fn abort(mut self) {
        let usage = self.decoder.usage();
        let charge = at_bound(usage.as_ref(), &self.running.terms);
        self.running.settle(&self.operation, &charge).await;
    }
}

enum Step {
    Answered(Box<ProviderAnswer>),
    Failed(Error),
}

impl Stream for ChatStream {
    type Item = Result<StreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.in_a_row = 0;
        loop {
            if let Some(event) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            match &mut this.state {
                State::Ended => return Poll::Ready(None),
                State::Reading(_) => std::task::ready!(this.poll_body(context)),
                State::Ending(ending) => {
                    let ended = std::task::ready!(ending.poll_unpin(context));
                    this.state = State::Ended;
                    match ended {
                        Ok(events) => this.ready.extend(events),
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
            }
        }
    }
}

impl Drop for ChatStream {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        // Without a runtime the hold itself stays, and recovery finds it after its deadline.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        match state {
            State::Ended => {}
            State::Ending(ending) => {
                runtime.spawn(ending);
            }
            State::Reading(flow) => {
                let config = &flow.running.router.config;
                let limit = config.drain.map_or(DRAIN, |limit| limit.0);
                match config.on_drop {
                    OnDrop::Drain => runtime.spawn(flow.drain(limit)),
                    OnDrop::Abort => runtime.spawn(flow.abort()),
                };
            }
        }
    }
}

impl fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Reading(_) => "reading",
            State::Ending(_) => "ending",
            State::Ended => "ended",
        };
        f.debug_struct("ChatStream")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

/// The event that the reader sees.
fn event(event: ProviderEvent) -> Option<StreamEvent> {
    match event {
        ProviderEvent::Text(text) if !text.is_empty() => Some(StreamEvent::Text { text }),
        ProviderEvent::Reasoning(text) if !text.is_empty() => Some(StreamEvent::Reasoning { text }),
        _ => None,
    }
}
