//! A streamed reply: server-sent events with one chunk each, ended by `[DONE]`.

use nbhd_core::{Code, Error, Outcome, Result};

use super::compatible::Row;
use super::gather::{Gather, empty};
use super::{convert, wire};
use crate::chat::Usage;
use crate::provider::{ProviderAnswer, ProviderEvent, SseParser, StreamDecoder};

/// Decodes one streamed reply.
#[derive(Debug)]
pub(super) struct Decoder {
    parser: SseParser,
    state: State,
}

#[derive(Debug)]
struct State {
    provider: String,
    gather: Gather,
    chunks: u64,
    done: bool,
    failed: bool,
}

impl Decoder {
    pub(super) fn new(provider: &str, row: &'static Row) -> Self {
        Self {
            parser: SseParser::new(),
            state: State {
                provider: provider.to_owned(),
                gather: Gather::new(row),
                chunks: 0,
                done: false,
                failed: false,
            },
        }
    }
}

impl State {
    fn take(&mut self, data: &[u8], events: &mut Vec<ProviderEvent>) -> Result<()> {
        let data = data.trim_ascii();
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: wire::Reply<'_> =
            serde_json::from_slice(data).map_err(|error| convert::unreadable(&self.provider, &error))?;
        self.chunks += 1;
        self.gather.take(&self.provider, chunk, data, events)
    }

    fn is_failed(&self) -> Result<()> {
        if self.failed {
            return Err(Error::new(Code::ProtocolError, "the stream has failed before")
                .with_outcome(Outcome::Unknown));
        }
        Ok(())
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<ProviderEvent>) -> Result<()> {
        let Self { parser, state } = self;
        state.is_failed()?;
        let taken = parser.feed(bytes, |data| state.take(data, events));
        state.failed = taken.is_err();
        taken
    }

    fn finish(&mut self, events: &mut Vec<ProviderEvent>) -> Result<ProviderAnswer> {
        let Self { parser, state } = self;
        state.is_failed()?;
        let taken = parser.finish(|data| state.take(data, events));
        let cut = !state.done && !state.gather.is_finished();
        let whole = match taken {
            // A line that was cut in its middle is a cut stream, not a garbled one.
            Err(error) if error.code() != Code::ProtocolError || !cut => Err(error),
            _ if cut => Err(Error::new(
                Code::ProviderUnavailable,
                format!("the stream of {} ended before its end", state.provider),
            )
            .with_provider(&state.provider)
            .with_outcome(Outcome::Unknown)),
            _ if state.chunks == 0 => Err(empty(&state.provider)),
            _ => state.gather.finish(&state.provider),
        };
        state.failed = true;
        whole
    }

    fn ended(&self) -> bool {
        self.state.done
    }

    fn usage(&self) -> Option<Usage> {
        self.state.gather.usage()
    }
}
