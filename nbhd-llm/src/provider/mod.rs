//! What a provider of models is: requests and replies as pure pairs, no I/O.
//!
//! The router sends what [`Provider::request`] makes and hands the bytes that come back to [`Provider::answer`],
//! [`Provider::stream`] or [`Provider::error`]. So each provider is tested with recorded bytes alone.

mod contract;
mod sse;
mod wait;

pub use contract::{MaxPrice, Provider, ProviderAnswer, ProviderEvent, RequestOptions, StreamDecoder};
pub use sse::{SSE_LINE_LIMIT, SseParser};
pub use wait::retry_after;
