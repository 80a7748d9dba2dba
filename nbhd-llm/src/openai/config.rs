//! A provider that speaks this protocol, at its address, with its key.

use std::sync::Arc;

use nbhd_core::clock::Timestamp;
use nbhd_core::http::{Authorization, HeaderMap, HeaderValue, Method, Request, StatusCode, Url, header};
use nbhd_core::secret::SecretSource;
use nbhd_core::{Code, Error, Result};

use super::compatible::Row;
use super::convert::{self, Prepared};
use super::gather::{Gather, empty};
use super::stream::Decoder;
use super::{error, wire};
use crate::chat::Chat;
use crate::provider::{Provider, ProviderAnswer, RequestOptions, StreamDecoder};

/// A provider of chat completions. Cheap to make: it reads no key and opens nothing until it is asked.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    row: &'static Row,
    chat: Url,
    models: Url,
    key: Option<SecretSource>,
    remote: bool,
}

impl OpenAi {
    /// The provider `name` with the quirks of `row` at `base`, the address up to and including the version.
    pub fn new(name: impl Into<String>, row: &'static Row, base: &Url, key: Option<SecretSource>) -> Self {
        Self {
            name: name.into(),
            row,
            chat: below(base, &["chat", "completions"]),
            models: below(base, &["models"]),
            key,
            remote: !row.local,
        }
    }

    /// Lets a provider that is local by nature run models elsewhere.
    pub fn with_remote(mut self, allow: bool) -> Self {
        self.remote |= allow;
        self
    }

    /// Models that a local server only passes on, and suffixes that buy more than tokens, are not asked by accident.
    fn is_allowed(&self, model: &str) -> Result<()> {
        if !self.remote && (model.ends_with("-cloud") || model.ends_with(":cloud")) {
            return Err(Error::new(
                Code::AddressDenied,
                format!(
                    "{} runs {model:?} elsewhere; `allow_remote = true` allows that",
                    self.name
                ),
            )
            .with_provider(&self.name));
        }
        if self.row.max_price && model.ends_with(":online") {
            return Err(Error::new(
                Code::Unsupported,
                format!("{model:?} searches at a price of its own, which no budget here can bound"),
            )
            .with_provider(&self.name));
        }
        Ok(())
    }

    fn authorization(&self, options: &RequestOptions) -> Result<Authorization> {
        match (&options.authorization, &self.key) {
            (Some(authorization), _) => Ok(authorization.clone()),
            (None, Some(source)) => Ok(Authorization::Bearer(Arc::new(source.reveal()?))),
            (None, None) if self.row.local => Ok(Authorization::None),
            (None, None) => Err(Error::new(
                Code::SecretMissing,
                format!("provider {:?} has no `api_key`", self.name),
            )
            .with_provider(&self.name)),
        }
    }
}

impl Provider for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn reasons(&self, model: &str) -> bool {
        self.row.reasons(model)
    }

    fn sends_max_price(&self) -> bool {
        self.row.max_price
    }

    fn request(&self, chat: &Chat, model: &str, options: &RequestOptions) -> Result<Request> {
        self.is_allowed(model)?;
        let prepared = Prepared::new(self.row, chat);
        let body = convert::request(&self.name, self.row, chat, model, options, &prepared)?;
        let accept = if options.stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        Ok(Request::new(Method::POST, self.chat.clone(), "llm.chat")
            .with_json(&body)?
            .with_header(header::ACCEPT, HeaderValue::from_static(accept))
            .with_authorization(self.authorization(options)?))
    }

    fn answer(&self, body: &[u8]) -> Result<ProviderAnswer> {
        let reply: wire::Reply<'_> =
            serde_json::from_slice(body).map_err(|error| convert::unreadable(&self.name, &error))?;
        let answered = reply.choices.as_ref().is_some_and(|choices| !choices.is_empty());
        let mut gather = Gather::new(self.row);
        gather.take(&self.name, reply, body, None)?;
        if !answered {
            return Err(empty(&self.name));
        }
        gather.finish(&self.name)
    }

    fn stream(&self) -> Box<dyn StreamDecoder> {
        Box::new(Decoder::new(&self.name, self.row))
    }

    fn error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Error {
        error::refusal(&self.name, status, headers, body, now)
    }

    fn models_request(&self, options: &RequestOptions) -> Result<Request> {
        Ok(Request::new(Method::GET, self.models.clone(), "llm.models")
            .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .with_authorization(self.authorization(options)?))
    }
}

fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}
