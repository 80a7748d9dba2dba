//! Envelopes: what a generic webhook or poll brings, made into an event.
//!
//! The body is an envelope, `{schema, event_id?, occurred_at?, metadata?, payload}`, or any other JSON, which then is the
//! payload as it stands. What says that it is an envelope must be one: a misspelled field is refused, not taken for a
//! payload. The id may come in a header, in the envelope, or in both: then they agree. An event without an id is an
//! event of its own each time, so nothing is lost; with one, a redelivery is a duplicate, and says whether it
//! brought the same payload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Accepted, Inbox, NewEvent};
use crate::audit::parameters_hash;
use crate::clock::Timestamp;
use crate::store::key;
use crate::{Code, Error, Result};

/// The schema of our envelopes.
pub const ENVELOPE: &str = "nbhd_envelope_v1";

/// What the schemas of our envelopes begin with: one of another version is refused, not taken for a payload.
const FAMILY: &str = "nbhd_envelope_";

/// The largest body, in bytes: an event is work to be done, not a file.
pub const LARGEST_ENVELOPE: usize = 1024 * 1024;

/// The longest id and name of a source, in characters.
const NAME: usize = 200;

/// How an envelope came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvelopeKind {
    /// Somebody called us.
    #[default]
    Webhook,
    /// We asked somebody.
    Poll,
}

impl EnvelopeKind {
    /// The provider of its events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Poll => "poll",
        }
    }
}

/// Where a body came from, and what is known of it beside the body.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// The name of the source: its events are told from others by it. Case does not matter.
    pub source: String,
    /// How the body came.
    #[serde(default)]
    pub kind: EnvelopeKind,
    /// The id of the event, as a header gave it.
    #[serde(default)]
    pub event_id: Option<String>,
    /// The lane whose events are handled one after another; the source unless said otherwise.
    #[serde(default)]
    pub lane: Option<String>,
}

impl Ingest {
    /// A webhook call from `source`.
    pub fn webhook(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            ..Self::default()
        }
    }

    /// What a poll of `source` found.
    pub fn poll(source: impl Into<String>) -> Self {
        Self {
            kind: EnvelopeKind::Poll,
            ..Self::webhook(source)
        }
    }

    /// Sets the id that a header gave.
    pub fn with_event_id(mut self, id: impl Into<String>) -> Self {
        self.event_id = Some(id.into());
        self
    }

    /// Sets the lane.
    pub fn with_lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = Some(lane.into());
        self
    }
}

/// What ingesting answered. Only after it may the host acknowledge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Ingested {
    /// The id of the inbox's event: of the first one, when this is a duplicate.
    pub id: String,
    /// Whether the event had been accepted before; then nothing runs.
    pub duplicate: bool,
    /// For a duplicate: whether it brought the same payload as the first one.
    pub same_payload: Option<bool>,
    /// The name of the source, in lower case.
    pub source: String,
    /// The sender's id of the event.
    pub event_id: Option<String>,
    /// When it happened, as the envelope says, ISO 8601.
    pub occurred_at: Option<String>,
    /// The envelope's metadata.
    pub metadata: Map<String, Value>,
    /// The size of the body.
    pub payload_bytes: u64,
}

/// An envelope on the wire.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "schema")]
    _schema: String,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    occurred_at: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    payload: Value,
}

impl Inbox {
    /// Accepts the body of a webhook call or poll: the envelope's fields become the event's own (`event_id`,
    /// `occurred_at`, `metadata`, `payload`), its provider is `webhook` or `poll`, its instance the source.
    ///
    /// Verify who sent it first. Errors: `invalid_input` for what is no JSON, no envelope although it says so, larger than
    /// 1 MiB, or has another id than the header; `unsupported` for an envelope of another version; `quota_exhausted` when
    /// the inbox is full.
    pub async fn ingest(&self, from: Ingest, body: &[u8]) -> Result<Ingested> {
        let source = from.source.trim().to_lowercase();
        check_name("the source", &source)?;
        let envelope = read(body)?;
        let event_id = agreed(from.event_id, envelope.event_id)?;
        let mut dedupe = Vec::new();
        let mut same = None;
        if let Some(id) = &event_id {
            // In one form, so that a redelivery that is spelled otherwise is still the same.
            let payload = format!("payload:{id}:{}", parameters_hash(&envelope.payload));
            same = Some(key(["inbox", "dedupe", from.kind.name(), &source, &payload]));
            dedupe.extend([format!("id:{id}"), payload]);
        } else {
            dedupe.push(format!("once:{}", self.host.random().id()));
        }
        let data = [
            ("event_id", event_id.clone().map(Value::from)),
            ("occurred_at", envelope.occurred_at.clone().map(Value::from)),
            ("metadata", Some(Value::Object(envelope.metadata.clone()))),
            ("payload", Some(envelope.payload)),
        ];
        let event = NewEvent {
            provider: from.kind.name().to_owned(),
            instance: source.clone(),
            dedupe,
            lane: from.lane.unwrap_or_else(|| source.clone()),
            data: data
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.unwrap_or(Value::Null)))
                .collect(),
        };
        let Accepted { id, duplicate } = self.accept(event).await?;
        let same_payload = match same {
            Some(same) if duplicate => Some(self.host.store().get(&same).await?.is_some()),
            _ => None,
        };
        Ok(Ingested {
            id,
            duplicate,
            same_payload,
            source,
            event_id,
            occurred_at: envelope.occurred_at,
            metadata: envelope.metadata,
            payload_bytes: body.len() as u64,
        })
    }
}

fn read(body: &[u8]) -> Result<Envelope> {
    if body.len() > LARGEST_ENVELOPE {
        return Err(invalid(format!(
            "the body has {} bytes, {LARGEST_ENVELOPE} may be",
            body.len()
        )));
    }
    // The parser's own message may quote the body.
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| invalid(format!("the body is no JSON (line {})", error.line())))?;
    let schema = value.get("schema").and_then(Value::as_str);
    match schema {
        Some(ENVELOPE) => {}
        Some(other) if other.starts_with(FAMILY) => {
            return Err(Error::new(
                Code::Unsupported,
                format!("an envelope of this version is not read, only {ENVELOPE}"),
            ));
        }
        _ => {
            return Ok(Envelope {
                _schema: String::new(),
                event_id: None,
                occurred_at: None,
                metadata: Map::new(),
                payload: value,
            });
        }
    }
    let mut envelope = Envelope::deserialize(&value).map_err(|_| {
        invalid(
            "an envelope has schema, payload and, if need be, event_id, occurred_at and metadata, each of its kind, \
             and nothing else"
                .to_owned(),
        )
    })?;
    if let Some(at) = &mut envelope.occurred_at {
        let time = chrono::DateTime::parse_from_rfc3339(at).map_err(|_| {
            invalid("`occurred_at` of an envelope is a time as RFC 3339 writes it".to_owned())
        })?;
        *at = super::iso(Timestamp::from(time));
    }
    Ok(envelope)
}

fn agreed(header: Option<String>, body: Option<String>) -> Result<Option<String>> {
    let id = match (header, body) {
        (Some(header), Some(body)) if header != body => {
            return Err(invalid(
                "the header and the envelope name different event ids".to_owned(),
            ));
        }
        (header, body) => header.or(body),
    };
    if let Some(id) = &id {
        check_name("the event id", id)?;
    }
    Ok(id)
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let length = name.chars().count();
    if (1..=NAME).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(invalid(format!(
        "{what} is 1 to {NAME} characters without controls"
    )))
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidInput, message)
}
