//! The router's door: how it is made, and its verbs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nbhd_core::http::Request;
use nbhd_core::transport::{Classify, Layers, Refusal, Transport, stack};
use nbhd_core::{Code, Error, Host, Operation, Outcome, Result};

use super::config::{RouterConfig, split};
use super::health::Health;
use super::plan::{Candidate, Plan};
use super::stream::ChatStream;
use super::{Explanation, Status, chain, explain};
use crate::budget::{Ledger, Remaining, Scope, Spend};
use crate::chat::{Answer, Chat};
use crate::price::Catalog;
use crate::provider::Provider;
use crate::registry::{ProviderConfig, provider};

/// Routes chats to models within budgets. Cheap to clone; does nothing until it is called.
///
/// ```no_run
/// # async fn example() -> Result<(), nbhd_core::Error> {
/// use nbhd_core::Host;
/// use nbhd_llm::{Chat, Router};
///
/// let host = Host::new("sqlite:nbhd.db")?;
/// let router = Router::from_file(&host, "llm.toml")?;
/// let chat = Chat::user("What needs my attention?").with_purpose("general").with_scopes(["tenant:42"]);
/// let answer = router.chat(chat).await?;
/// println!("{} ({}, {} USD)", answer.text, answer.model, answer.cost.usd);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Router(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) host: Host,
    pub(super) config: RouterConfig,
    pub(super) catalog: Catalog,
    pub(super) ledger: Ledger,
    pub(super) health: Health,
    /// The candidates of each purpose, in order.
    pub(super) chains: BTreeMap<String, Vec<Arc<Candidate>>>,
}

/// A provider and the way to it.
#[derive(Debug)]
pub(super) struct Wired {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) transport: Arc<dyn Transport>,
}

impl Router {
    /// A router with a configuration. Reads no key and opens nothing yet. `invalid_config` names every violation.
    pub fn new(host: &Host, config: RouterConfig) -> Result<Self> {
        Self::with_catalog(host, config, Catalog::built_in())
    }

    /// A router whose configuration is TOML text.
    pub fn from_toml(host: &Host, text: &str) -> Result<Self> {
        Self::new(host, RouterConfig::from_toml(text)?)
    }

    /// A router whose configuration is a TOML file.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the router's configuration"
    )]
    pub fn from_file(host: &Host, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(
                Code::InvalidConfig,
                format!(
                    "the router's configuration {} cannot be read: {}",
                    path.display(),
                    error.kind()
                ),
            )
        })?;
        Self::from_toml(host, &text)
    }

    /// A router with other prices than those that nbhd carries.
    pub fn with_catalog(host: &Host, config: RouterConfig, catalog: Catalog) -> Result<Self> {
        config.check(&catalog)?;
        let catalog = config.priced(&catalog, &mut Vec::new());
        let ledger = Ledger::new(host, config.budget.clone())?;
        let chains = config.purpose.values().flat_map(|purpose| &purpose.chain);
        let named = chains.filter_map(|entry| Some(split(entry)?.0));
        let mut providers = BTreeMap::new();
        for name in named.chain(config.provider.keys().map(String::as_str)) {
            if !providers.contains_key(name) {
                let unset = ProviderConfig::new();
                let made = provider(name, config.provider.get(name).unwrap_or(&unset))?;
                providers.insert(name.to_owned(), wire(host, made));
            }
        }
        let mut chains = BTreeMap::new();
        for (name, purpose) in &config.purpose {
            let entries = purpose.chain.iter();
            let chain: Result<Vec<_>> = entries
                .map(|entry| Candidate::new(entry, &providers, &config, &catalog).map(Arc::new))
                .collect();
            chains.insert(name.clone(), chain?);
        }
        Ok(Self(Arc::new(Inner {
            host: host.clone(),
            health: Health::new(host),
            chains,
            config,
            catalog,
            ledger,
        })))
    }

    /// Asks, and waits for the whole answer.
    ///
    /// Errors: `budget_exceeded` with what is left and what would fit, `chain_exhausted` with every attempt, or the error of
    /// the one model that was asked.
    pub async fn chat(&self, chat: impl Into<Chat>) -> Result<Answer> {
        let (plan, operation) = self.begin("llm.chat", chat.into())?;
        // Boxed: an attempt holds much, and the caller's own future should not.
        let work = Box::pin(chain::whole(&self.0, &plan, &operation));
        let (finished, receipt) = operation.clone().run(work).await?;
        Ok(finished.into_answer(receipt))
    }

    /// Asks, and gives the answer as it comes. Returns when the first content is there; until then a failing model gives way
    /// to the next. A failure after that is raised by the stream.
    pub async fn stream(&self, chat: impl Into<Chat>) -> Result<ChatStream> {
        let (plan, operation) = self.begin("llm.stream", chat.into())?;
        let opened = tokio::select! {
            biased;
            () = operation.cancellation().cancelled() => {
                Err(Error::new(Code::Cancelled, "the call was cancelled").with_outcome(Outcome::Unknown))
            }
            opened = Box::pin(chain::streamed(&self.0, &plan, &operation)) => opened,
        };
        match opened {
            Ok(stream) => Ok(stream),
            Err(error) => operation.end(Err(error)).map(|(stream, _)| stream),
        }
    }

    /// What would happen to this chat: nobody is called and nothing is held.
    pub async fn explain(&self, chat: &Chat) -> Result<Explanation> {
        explain::explain(&self.0, &Plan::new(&self.0, chat.clone())?).await
    }

    /// How the router is: who rests and why, and which models broke their bound.
    pub async fn status(&self) -> Result<Status> {
        explain::status(&self.0).await
    }

    /// What these scopes spent, by day, model and purpose.
    pub async fn spend<S: AsRef<str>>(&self, scopes: impl IntoIterator<Item = S>) -> Result<Vec<Spend>> {
        self.0.ledger.spend(&parse(scopes)?).await
    }

    /// What is left in every window of these scopes, the tightest first.
    pub async fn remaining<S: AsRef<str>>(
        &self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<Vec<Remaining>> {
        self.0.ledger.remaining(&parse(scopes)?).await
    }

    /// The ledger, for late evidence and reports.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// The prices, ceilings included.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Opens the operation of a call; a call that is wrong in itself ends it at once, with its receipt.
    fn begin(&self, name: &'static str, chat: Chat) -> Result<(Plan<'_>, Operation)> {
        let plan = match Plan::new(&self.0, chat) {
            Ok(plan) => plan,
            Err(error) => {
                return Operation::begin(&self.0.host, name)
                    .end(Err(error))
                    .map(|(never, _)| never);
            }
        };
        let operation = Operation::begin_within(&self.0.host, name, plan.total());
        Ok(match plan.scopes.first() {
            Some(scope) => {
                let account = scope.to_string();
                (plan, operation.with_account(account))
            }
            None => (plan, operation),
        })
    }
}

/// The stack of a provider: its own reading of refusals, no repetition, because the router owns the attempts, and no breaker, because
/// the router keeps the health of each model and an origin serves many.
fn wire(host: &Host, provider: Arc<dyn Provider>) -> Wired {
    let classify = Arc::new(Reader(provider.clone()));
    let layers = Layers::default()
        .without_retry()
        .without_breaker()
        .with_classify(classify);
    Wired {
        provider,
        transport: stack(host, layers),
    }
}

/// A provider's own reading of refusals, as a layer wants it.
#[derive(Debug)]
struct Reader(Arc<dyn Provider>);

impl Classify for Reader {
    fn classify(&self, _request: &Request, refusal: Refusal<'_>) -> Option<Error> {
        Some(
            self.0
                .error(refusal.status, refusal.headers, refusal.body, refusal.now),
        )
    }
}

fn parse<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Vec<Scope>> {
    scopes.into_iter().map(|scope| scope.as_ref().parse()).collect()
}
