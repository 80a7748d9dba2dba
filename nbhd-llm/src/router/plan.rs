//! What a call becomes before anybody is asked: its candidates, who pays, its limits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nbhd_core::transport::Transport;
use nbhd_core::{Code, Error, Result};

use super::config::{PurposeConfig, RouterConfig, split};
use super::gateway::{Inner, Wired};
use crate::budget::Scope;
use crate::chat::{Chat, Content, OutputCap, Part, ReasoningEffort};
use crate::price::Catalog;
use crate::provider::Provider;

/// For the whole call, where the purpose names no limit.
const TOTAL: Duration = Duration::from_secs(120);

/// To the first content; models that reason think longer before they speak.
const FIRST_CONTENT: Duration = Duration::from_secs(30);
const FIRST_CONTENT_REASONING: Duration = Duration::from_secs(120);

/// Between two pieces of an answer.
const IDLE: Duration = Duration::from_secs(30);

/// The output cap where nobody names one.
const OUTPUT_CAP: u64 = 4_096;
const OUTPUT_CAP_REASONING: u64 = 16_384;

/// A cap is never shrunk below the smaller of what was wanted and this: less is no answer.
const SMALLEST_CAP: u64 = 1_024;
const SMALLEST_CAP_REASONING: u64 = 8_192;

/// A call, ready to be tried.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) chat: Chat,
    pub(super) purpose: String,
    pub(super) config: &'a PurposeConfig,
    pub(super) scopes: Vec<Scope>,
    /// Whether any scope has a cap.
    pub(super) bounded: bool,
    pub(super) chain: &'a [Arc<Candidate>],
}

/// One provider and model of a chain.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) model: String,
    /// The name under which its models are priced.
    pub(super) price_name: String,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) reasons: bool,
    /// Its window, in tokens; 0 where it is not known.
    pub(super) window: u64,
    /// The most tokens of one answer, where that is known.
    pub(super) max_output: Option<u64>,
}

impl Candidate {
    /// The candidate that a chain names as `provider/model`.
    pub(super) fn new(
        entry: &str,
        providers: &BTreeMap<String, Wired>,
        config: &RouterConfig,
        catalog: &Catalog,
    ) -> Result<Self> {
        let (name, model) = split(entry)
            .ok_or_else(|| Error::new(Code::InvalidConfig, format!("{entry:?} is not provider/model")))?;
        let wired = (providers.get(name))
            .ok_or_else(|| Error::new(Code::InvalidConfig, format!("no provider is called {name:?}")))?;
        let price_name = config.price_name(name);
        let models = catalog.find(price_name, model);
        Ok(Self {
            name: name.to_owned(),
            model: model.to_owned(),
            price_name: price_name.to_owned(),
            reasons: wired.provider.reasons(model),
            window: models
                .iter()
                .filter_map(|model| model.context_window)
                .min()
                .unwrap_or(0),
            max_output: models.iter().filter_map(|model| model.max_output).min(),
            provider: wired.provider.clone(),
            transport: wired.transport.clone(),
        })
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(router: &'a Inner, mut chat: Chat) -> Result<Self> {
        let purpose = chat.purpose.clone().unwrap_or_else(|| "general".to_owned());
        let purposes = (router.config.purpose.get(&purpose)).zip(router.chains.get(&purpose));
        let Some((config, chain)) = purposes else {
            return Err(Error::new(
                Code::InvalidInput,
                format!("no purpose is called {purpose:?} in the router's configuration"),
            ));
        };
        let scopes = scopes(router, &chat, &purpose, config)?;
        let bounded = router.ledger.bounds(&scopes);
        if bounded && has_media(&chat) {
            return Err(Error::new(
                Code::Unsupported,
                "pictures, files and sound are not sent under a budget: what they cost has no bound here yet",
            )
            .with_user_action("Send text alone, or use a purpose whose scopes have no budget."));
        }
        if let Some(temperature) = config.temperature {
            chat.temperature = Some(temperature);
        }
        Ok(Self {
            chat,
            purpose,
            config,
            scopes,
            bounded,
            chain,
        })
    }

    /// The limit of the whole call.
    pub(super) fn total(&self) -> Duration {
        self.config.timeout.total.map_or(TOTAL, |limit| limit.0)
    }

    pub(super) fn first_content(&self, candidate: &Candidate) -> Duration {
        let usual = if candidate.reasons {
            FIRST_CONTENT_REASONING
        } else {
            FIRST_CONTENT
        };
        self.config.timeout.first_content.map_or(usual, |limit| limit.0)
    }

    pub(super) fn idle(&self) -> Duration {
        self.config.timeout.idle.map_or(IDLE, |limit| limit.0)
    }

    /// The cap that is wanted for this candidate, and the smallest that is worth sending.
    pub(super) fn output_cap(&self, candidate: &Candidate) -> (OutputCap, u64) {
        let usual = if candidate.reasons {
            OUTPUT_CAP_REASONING
        } else {
            OUTPUT_CAP
        };
        let (mut tokens, mut reason) = match (self.chat.output_cap, self.config.output_cap) {
            (Some(asked), _) => (asked, "asked"),
            (None, Some(purpose)) => (purpose, "purpose"),
            (None, None) => (usual, "default"),
        };
        if let Some(most) = self.config.max_output_cap.filter(|most| *most < tokens) {
            (tokens, reason) = (most, "purpose");
        }
        if let Some(most) = candidate.max_output.filter(|most| *most < tokens) {
            (tokens, reason) = (most, "model");
        }
        let smallest = if candidate.reasons {
            SMALLEST_CAP_REASONING
        } else {
            SMALLEST_CAP
        };
        (OutputCap::new(tokens, reason), tokens.min(smallest))
    }

    /// Whether the model is asked to reason.
    pub(super) fn reasons(&self) -> bool {
        self.chat
            .reasoning
            .is_some_and(|effort| effort != ReasoningEffort::None)
    }
}

fn scopes(router: &Inner, chat: &Chat, purpose: &str, config: &PurposeConfig) -> Result<Vec<Scope>> {
    let mut scopes = Vec::with_capacity(chat.scopes.len() + 1);
    for text in &chat.scopes {
        scopes.push(text.parse::<Scope>()?);
    }
    let needs_global =
        config.scopes.iter().any(|kind| kind == "global") || router.config.budget.contains_key("global");
    if needs_global && scopes.iter().all(|scope| scope.kind() != "global") {
        scopes.push(Scope::global());
    }
    for kind in &config.scopes {
        if scopes.iter().all(|scope| scope.kind() != kind) {
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "purpose {purpose:?} needs to know its {kind}: name the scope \"{kind}:…\" in the call"
                ),
            ));
        }
    }
    Ok(scopes)
}

fn has_media(chat: &Chat) -> bool {
    chat.messages.iter().any(|message| match &message.content {
        Content::Text(_) => false,
        Content::Parts(parts) => parts.iter().any(|part| !matches!(part, Part::Text { .. })),
    })
}
