//! What every channel is: verified events in, planned messages out, and what the platform can do as data.
//!
//! A channel does no I/O of its own: `parse` and `prepare` are pure, `dispatch` and `probe` hand requests to the transport.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use nbhd_core::{Host, Operation, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ingress::{Reply, Verified, Webhook};
use crate::message::{AccountId, Delivery, InboundEvent, Message, Plan};
use crate::text::Unit;

/// One platform, behind one account of ours.
#[async_trait]
pub trait Channel: Send + Sync + Debug {
    /// The host that it lives in.
    fn host(&self) -> &Host;

    /// What the platform can do.
    fn capabilities(&self) -> &'static Capabilities;

    /// The account of ours.
    fn account(&self) -> Result<AccountId>;

    /// The names of its public calls.
    fn operations(&self) -> Operations;

    /// Checks a webhook call on its raw bytes; `signature_invalid` when it does not prove who made it.
    fn verify(&self, call: &Webhook) -> Result<Verified>;

    /// Reads verified bytes. Several events may come at once; events that this suite has no word for are left out.
    fn parse(&self, body: &Verified) -> Result<Vec<InboundEvent>>;

    /// What the platform wants to hear before, or instead of, events: a challenge, a ping.
    fn handshake(&self, _body: &Verified) -> Result<Option<Reply>> {
        Ok(None)
    }

    /// Renders, splits and checks a message. Pure; may refuse.
    fn prepare(&self, message: &Message) -> Result<Plan>;

    /// Sends one part of a plan.
    async fn dispatch(&self, operation: &Operation, part: &Value) -> Result<Value>;

    /// Asks the platform who we are: proof that credential and address are right.
    async fn probe(&self) -> Result<Probe>;

    /// Sends a message: returns only if every part was sent, else the error carries the delivery.
    async fn send(&self, message: Message) -> Result<Delivery>;

    /// Takes a webhook call: verified, claimed and stored before it is acknowledged.
    async fn receive(&self, call: Webhook) -> Result<Reply>;
}

/// The names under which the calls of a channel stand in receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operations {
    /// `Channel::send`.
    pub send: &'static str,
    /// `Channel::receive`.
    pub receive: &'static str,
    /// `Channel::probe`.
    pub probe: &'static str,
}

impl Operations {
    /// The names of a channel's calls.
    pub const fn new(send: &'static str, receive: &'static str, probe: &'static str) -> Self {
        Self { send, receive, probe }
    }
}

/// Who the platform says that we are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Probe {
    /// The account's id.
    pub account: String,
    /// Its handle.
    pub username: Option<String>,
    /// Its shown name.
    pub name: Option<String>,
    /// The record of the call.
    pub receipt: nbhd_core::Receipt,
}

impl Probe {
    /// An account of which only the id is known.
    pub fn new(account: impl Into<String>, receipt: nbhd_core::Receipt) -> Self {
        Self {
            account: account.into(),
            username: None,
            name: None,
            receipt,
        }
    }
}

/// What a platform can do, as data: the documentation's table is printed from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Capabilities {
    /// The channel's name, such as `telegram`.
    pub channel: String,
    /// The most that one part of text may hold, in `text_unit`.
    pub text_limit: usize,
    /// What the platform counts.
    pub text_unit: Unit,
    /// The most styled stretches in one part.
    pub span_limit: Option<usize>,
    /// The most text under an attachment.
    pub caption_limit: Option<usize>,
    /// In what form styled text goes out.
    pub dialect: Dialect,
    /// Files it takes: kind and the largest size in bytes.
    pub media: Vec<MediaLimit>,
    /// The largest file that can be fetched, in bytes.
    pub download_limit: Option<u64>,
    /// Whether our own messages can be changed.
    pub edit: Edit,
    /// Whether chats have threads.
    pub threads: bool,
    /// Whether messages can be reacted to.
    pub reactions: bool,
    /// How long a typing mark lasts, in seconds.
    pub typing_seconds: Option<f64>,
    /// How fast one may send.
    pub rate_limits: Vec<RateLimit>,
    /// How long the platform waits for an acknowledgement, in seconds, where it says.
    pub ack_seconds: Option<f64>,
    /// What identifies an event.
    pub dedupe: String,
    /// How long the platform may deliver an event again after it was first delivered, in seconds, where it says; the
    /// inbox remembers events at least this long, and where it does not say, for the inbox's own default.
    pub redelivery_seconds: Option<f64>,
    /// For how long the platform deduplicates our sends by their key, in seconds; `None` where it does not. Within it an
    /// unknown part is sent again under the same key.
    pub send_dedupe_seconds: Option<f64>,
    /// How a webhook call proves who made it.
    pub verification: Verification,
}

impl Capabilities {
    /// How long the inbox has to know an event again, where the platform says.
    pub(crate) fn redelivery(&self) -> Option<Duration> {
        window(self.redelivery_seconds)
    }

    /// For how long the platform deduplicates a part's key.
    pub(crate) fn send_dedupe(&self) -> Option<Duration> {
        window(self.send_dedupe_seconds)
    }
}

fn window(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// In what form styled text goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// Text and a list of ranges.
    Ranges,
    /// A subset of HTML.
    Html,
    /// A kind of Markdown.
    Markdown,
    /// Text alone.
    Plain,
}

/// The largest file of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaLimit {
    /// What it is.
    pub kind: crate::message::AttachmentKind,
    /// The most bytes.
    pub bytes: u64,
}

/// Whether our own messages can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Edit {
    /// Never.
    No,
    /// For so many seconds.
    Within(f64),
    /// Always.
    Always,
}

/// How fast one may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimit {
    /// What is counted together: `account`, `conversation` or `group`.
    pub scope: String,
    /// So many messages …
    pub count: u32,
    /// … in so many seconds.
    pub seconds: f64,
}

/// How a webhook call proves who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verification {
    /// A secret in a header, which does not cover the body: only the dedupe key stops a replay.
    SharedSecret,
    /// A keyed hash of the body.
    Mac,
    /// A public-key signature of the body.
    Signature,
    /// There are no webhooks.
    None,
}
