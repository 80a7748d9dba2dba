//! The contract of a provider.

use std::fmt::Debug;

use nbhd_core::clock::Timestamp;
use nbhd_core::http::{Authorization, HeaderMap, Request, StatusCode};
use nbhd_core::{Error, Result};

use crate::chat::{Chat, FinishReason, ProviderBlocks, ToolCall, Usage};

/// A provider of models. It makes requests and reads replies; it never sends anything.
pub trait Provider: Send + Sync + Debug {
    /// Its name, as it stands in chains and receipts.
    fn name(&self) -> &str;

    /// Whether its requests carry the dearest price that is accepted. Where they do not, a request whose cap stays as it was
    /// is not written twice.
    fn sends_max_price(&self) -> bool {
        true
    }

    /// Whether `model` reasons before it answers: such models get a larger default output cap and more patience.
    fn reasons(&self, model: &str) -> bool;

    /// The request for `chat`. A chat that this provider cannot be asked is `invalid_input` or `unsupported`.
    fn request(&self, chat: &Chat, model: &str, options: &RequestOptions) -> Result<Request>;

    /// Reads a whole reply with a success status. An error inside it is an error here.
    fn answer(&self, body: &[u8]) -> Result<ProviderAnswer>;

    /// A decoder for the body of one streamed reply with a success status.
    fn stream(&self) -> Box<dyn StreamDecoder>;

    /// Reads a reply with a failure status. `now` is for a `Retry-After` that names a date.
    fn error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Error;

    /// The request that lists the models: the free probe of the doctor.
    fn models_request(&self, options: &RequestOptions) -> Result<Request>;
}

/// How a chat is asked.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    /// Whether the answer comes as a stream.
    pub stream: bool,
    /// The output cap, in tokens, reasoning included. It is always sent.
    pub output_cap: u64,
    /// The key to use instead of the configured one.
    pub authorization: Option<Authorization>,
    /// The dearest price to accept, for providers that choose among sellers of a model.
    pub max_price: Option<MaxPrice>,
}

/// The dearest price to accept, in nano-USD per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPrice {
    /// For what is read.
    pub input: i64,
    /// For what is written.
    pub output: i64,
}

impl RequestOptions {
    /// A whole answer of at most `output_cap` tokens.
    pub fn new(output_cap: u64) -> Self {
        Self {
            stream: false,
            output_cap,
            authorization: None,
            max_price: None,
        }
    }

    /// Asks for a stream.
    pub fn with_stream(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }

    /// Uses another key than the configured one.
    pub fn with_authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// Accepts no dearer price.
    pub fn with_max_price(mut self, price: MaxPrice) -> Self {
        self.max_price = Some(price);
        self
    }
}

/// What a provider answered, before the router adds its attempts and the cost.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ProviderAnswer {
    /// The text.
    pub text: String,
    /// What the model let see of its reasoning.
    pub reasoning: Option<String>,
    /// The tools that it calls.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended; absent while it has not.
    pub finish_reason: Option<FinishReason>,
    /// The provider's own word for why it ended.
    pub finish_detail: Option<String>,
    /// What it used, if the provider said so.
    pub usage: Option<Usage>,
    /// The model that answered, in the provider's words.
    pub model: Option<String>,
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The service tier that it was billed at.
    pub service_tier: Option<String>,
    /// What only the provider understands.
    pub provider_blocks: Option<ProviderBlocks>,
}

/// What a stream decoder says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProviderEvent {
    /// The first event of the reply: says nothing about whether content will follow.
    Started,
    /// More text: content.
    Text(String),
    /// More visible reasoning: content, if it is delivered.
    Reasoning(String),
    /// A piece of a tool call has come; the call itself is given whole at the end.
    ToolProgress,
}

/// Decodes the body of one streamed reply.
pub trait StreamDecoder: Send + Debug {
    /// Takes the next bytes, however they are cut, and adds what they say to `events`. On an error the events before it
    /// are there, and the decoder takes no more.
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<ProviderEvent>) -> Result<()>;

    /// Takes the end of the body: the whole answer, or an error with the outcome `unknown` when the body ended too early.
    /// What the last, unfinished line said is added to `events`.
    fn finish(&mut self, events: &mut Vec<ProviderEvent>) -> Result<ProviderAnswer>;

    /// Whether the provider has said that the stream is over: bytes after that mean nothing.
    fn ended(&self) -> bool;

    /// The usage seen so far: what tightens the bill of a stream that was cut.
    fn usage(&self) -> Option<Usage>;
}
