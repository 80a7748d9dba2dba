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
        // As text, once: else serde_json looks at each of its texts again. What is not wholly text may still be readable.
        let chunk: serde_json::Result<wire::Reply<'_>> = match std::str::from_utf8(data) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(data),
        };
        let chunk = chunk.map_err(|error| convert::unreadable(&self.provider, &error))?;
        self.chunks += 1;
        self.gather.take(&self.provider, chunk, data, Some(events))
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
        let foreign = state.chunks == 0 && parser.is_foreign();
        let whole = match taken {
            // A line that was cut in its middle is a cut stream, not a garbled one.
            Err(error) if error.code() != Code::ProtocolError || !cut => Err(error),
            // Bytes that are no events, such as the page of a proxy: nothing was cut, and asking again brings the same.
            _ if foreign => Err(Error::new(
                Code::ProtocolError,
                format!("what {} answered is no stream of events", state.provider),
            )
            .with_provider(&state.provider)
            .with_outcome(Outcome::Unknown)),
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

#[cfg(test)]
mod tests {
    use super::Decoder;
    use crate::openai::row;
    use crate::provider::{ProviderEvent, StreamDecoder};
    use nbhd_core::{Code, Outcome};
    use proptest::prelude::*;

    fn decoder() -> Decoder {
        Decoder::new("openai", row("openai").unwrap())
    }

    #[test]
    fn an_error_within_the_stream_is_raised_after_what_came_before() {
        let mut decoder = decoder();
        let mut events = Vec::new();
        let body = b"data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n\
            data: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1},\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n";
        let error = decoder.feed(body, &mut events).unwrap_err();
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::ProviderUnavailable, Outcome::Unknown)
        );
        assert_eq!(
            events,
            [ProviderEvent::Started, ProviderEvent::Text("Hel".to_owned())]
        );
        assert_eq!(decoder.usage().unwrap().tokens(), 4);
        assert!(decoder.feed(b"data: [DONE]\n\n", &mut events).is_err());
        assert!(decoder.finish(&mut events).is_err());
    }

    #[test]
    fn nothing_after_the_end_counts() {
        let mut decoder = decoder();
        let mut events = Vec::new();
        decoder
            .feed(b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE] \n\n", &mut events)
            .unwrap();
        assert!(decoder.ended());
        decoder
            .feed(
                b"data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n",
                &mut events,
            )
            .unwrap();
        assert_eq!(decoder.finish(&mut events).unwrap().text, "a");
    }

    /// Something that looks like a chunk, with any value in any place.
    fn chunk() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("null".to_owned()),
            Just("[]".to_owned()),
            Just("{}".to_owned()),
            Just("-1".to_owned()),
            Just("1.5".to_owned()),
            Just("true".to_owned()),
            "\"[a{}\\[\\]]{0,4}\"",
        ];
        prop::collection::vec(value, 9).prop_map(|v| {
            format!(
                "{{\"id\":{},\"usage\":{{\"prompt_tokens\":{},\"completion_tokens\":{}}},\"choices\":[{{\"index\":0,\"delta\":\
                 {{\"content\":{},\"reasoning\":{},\"tool_calls\":[{{\"id\":{},\"function\":{{\"name\":{},\"arguments\":{}}}}}]}},\
                 \"finish_reason\":{}}}]}}",
                v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]
            )
        })
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), chunks in prop::collection::vec(chunk(), 0..6)) {
            let mut events = Vec::new();
            let mut decoder = decoder();
            let _ = decoder.feed(&bytes, &mut events);
            let _ = decoder.finish(&mut events);
            let mut decoder = super::tests::decoder();
            for chunk in &chunks {
                let _ = decoder.feed(format!("data: {chunk}\n\n").as_bytes(), &mut events);
            }
            let _ = decoder.finish(&mut events);
        }
    }
}
