//! The world of an assistant: where its services are and how it proves who it is; and stand-ins for all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use nbhd_channels::testkit::Telegram as TelegramStandIn;
use nbhd_channels::{Telegram, TelegramConfig};
use nbhd_core::testkit::Fault;
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Error, Host, Result, Secret};
use nbhd_google::testkit::{GoogleSetup, GoogleStandIn};
use nbhd_google::{Endpoints, Google, OAuthClient};
use nbhd_llm::budget::Budget;
use nbhd_llm::registry::ProviderConfig;
use nbhd_llm::router::PurposeConfig;
use nbhd_llm::testkit::{ModelStandIn, StandInCatalog};
use nbhd_llm::{Router, RouterConfig};
use serde::{Deserialize, Serialize};

use crate::data::Data;

/// The model that is asked first.
pub const PRIMARY: &str = "openai/gpt-4o-mini";

/// The model that answers where the first one cannot.
pub const FALLBACK: &str = "mistral/mistral-small-2603";

/// What may be spent.
pub const BUDGET: &str = r#"
[budget.tenant]
day  = "2.00 USD"
call = "0.20 USD"

[budget.global]
month = "500 USD"
zone  = "Europe/Berlin"
"#;

/// How long the throttled model asks to be left alone, in seconds.
const THROTTLED: f64 = 20.0;

/// The stand-ins' tokens are no secrets, so they are sealed with a key that everybody knows.
const OPEN_KEY: &str = "bmJoZCBzdGFuZC1pbnMgaGF2ZSBubyBzZWNyZXRzISE";

/// Where the services are. The process of the stand-ins prints it; fields that are not named here are for other readers.
#[derive(Clone, Serialize, Deserialize)]
pub struct World {
    /// Gmail and Calendar.
    pub google: GoogleWorld,
    /// The providers of models.
    pub models: ModelsWorld,
    /// The bot.
    pub telegram: TelegramWorld,
}

/// Google, and the account of its user.
#[derive(Clone, Serialize, Deserialize)]
pub struct GoogleWorld {
    /// In the place of all of Google's origins.
    pub url: String,
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret.
    pub client_secret: String,
    /// What the account is connected with.
    pub refresh_token: String,
    /// The user's address.
    pub address: String,
}

/// The addresses of the providers, up to and including the version.
#[derive(Clone, Serialize, Deserialize)]
pub struct ModelsWorld {
    /// OpenAI.
    pub openai: String,
    /// Mistral.
    pub mistral: String,
    /// The key for both.
    pub api_key: String,
}

/// The bot.
#[derive(Clone, Serialize, Deserialize)]
pub struct TelegramWorld {
    /// Where its API answers.
    pub url: String,
    /// Its token.
    pub token: String,
    /// What its webhook calls carry.
    pub webhook_secret: String,
}

impl World {
    /// What seals the tokens of the stand-ins.
    pub fn vault() -> Vault {
        Vault::with_key(Secret::new(OPEN_KEY))
    }

    /// Google, as one OAuth client sees it.
    pub fn google(&self, host: &Host) -> Result<Google> {
        let secret = Secret::new(self.google.client_secret.as_str());
        Google::new(host, OAuthClient::new(self.google.client_id.as_str(), secret))
            .with_endpoints(Endpoints::at(&self.google.url))
    }

    /// The configuration of one provider.
    pub fn provider(&self, name: &str) -> ProviderConfig {
        let url = match name {
            "mistral" => &self.models.mistral,
            _ => &self.models.openai,
        };
        ProviderConfig::new()
            .with_base_url(url.as_str())
            .with_api_key(Secret::new(self.models.api_key.as_str()))
    }

    /// A router whose first model and whose fallback are both of this world.
    pub fn router(&self, host: &Host) -> Result<Router> {
        let providers = ["openai", "mistral"].map(|name| (name, self.provider(name)));
        Router::new(host, router_config(&[PRIMARY, FALLBACK], providers)?)
    }

    /// The same, with this much a day for each tenant.
    pub fn router_within(&self, host: &Host, day: &str) -> Result<Router> {
        let providers = ["openai", "mistral"].map(|name| (name, self.provider(name)));
        let mut config = router_config(&[PRIMARY, FALLBACK], providers)?;
        if let Some(tenant) = config.budget.get_mut("tenant") {
            tenant.day = Some(day.parse()?);
        }
        Router::new(host, config)
    }

    /// The bot.
    pub fn telegram(&self, host: &Host) -> Result<Telegram> {
        let config = TelegramConfig::new(Secret::new(self.telegram.token.as_str()))
            .with_webhook_secret(Secret::new(self.telegram.webhook_secret.as_str()))
            .with_base_url(self.telegram.url.as_str());
        Telegram::new(host, config)
    }
}

/// The router's configuration: who is asked in which order, within [`BUDGET`].
pub fn router_config<'p>(
    chain: &[&str],
    providers: impl IntoIterator<Item = (&'p str, ProviderConfig)>,
) -> Result<RouterConfig> {
    let budget = toml::from_str::<Budgets>(BUDGET)
        .map_err(|error| Error::new(Code::InvalidConfig, error.message()))?
        .budget;
    let purpose = PurposeConfig {
        chain: chain.iter().map(|&entry| entry.to_owned()).collect(),
        scopes: vec!["tenant".to_owned(), "global".to_owned()],
        ..PurposeConfig::default()
    };
    let providers = providers
        .into_iter()
        .map(|(name, provider)| (name.to_owned(), provider));
    Ok(RouterConfig {
        budget,
        purpose: BTreeMap::from([("general".to_owned(), purpose)]),
        provider: providers.collect(),
        ..RouterConfig::default()
    })
}

#[derive(Deserialize)]
struct Budgets {
    budget: BTreeMap<String, Budget>,
}

/// How the stand-ins are started.
#[derive(Clone)]
pub struct Setup {
    /// The port of the Google stand-in, of the models' and of Telegram's; 0 is a free one.
    pub ports: [u16; 3],
    /// The refresh token that the Google stand-in knows.
    pub refresh_token: String,
    /// What the access tokens of the Google stand-in begin with.
    pub token_prefix: String,
    /// How long the access tokens of the Google stand-in live.
    pub token_lifetime: Duration,
    /// The bot token that the Telegram stand-in knows.
    pub bot_token: String,
    /// The secret that its webhook calls carry.
    pub webhook_secret: String,
    /// The key with which the models are asked.
    pub api_key: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            ports: [0; 3],
            refresh_token: "1//stand-in-refresh-token".to_owned(),
            token_prefix: "ya29.stand-in-".to_owned(),
            token_lifetime: Duration::from_secs(3600),
            bot_token: "123456:stand-in-bot-token-of-35-characters".to_owned(),
            webhook_secret: "stand-in-webhook-secret".to_owned(),
            api_key: "sk-stand-in".to_owned(),
        }
    }
}

/// Reading mail, reading calendars.
pub const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/calendar.readonly",
];

/// A grant that does not suffice for bodies and events: how a client meets a refusal for scopes.
pub const NARROW_TOKEN: &str = "1//stand-in-headers-only";
const READ_HEADERS: &str = "https://www.googleapis.com/auth/gmail.metadata";

/// Google, the providers of models and Telegram, each on a port of 127.0.0.1 until this is dropped.
pub struct StandIns {
    /// Gmail and Calendar.
    pub google: GoogleStandIn,
    /// The providers of models.
    pub models: ModelStandIn,
    /// The bot's platform.
    pub telegram: TelegramStandIn,
    api_key: String,
}

impl StandIns {
    /// Starts all three; `watch` may set more of Google's. `invalid_config` when a port is taken.
    pub fn start(data: Data, setup: &Setup, watch: impl FnOnce(GoogleSetup) -> GoogleSetup) -> Result<Self> {
        let [google, models, telegram] = setup.ports;
        let google = GoogleSetup::new()
            .with_mailbox(data.mailbox)
            .with_calendar(data.calendar)
            .with_port(google)
            .with_refresh_token(&setup.refresh_token, SCOPES)
            .with_refresh_token(NARROW_TOKEN, [READ_HEADERS])
            .with_token_prefix(&setup.token_prefix)
            .with_token_lifetime(setup.token_lifetime);
        Ok(Self {
            google: watch(google).start()?,
            models: ModelStandIn::start_with(StandInCatalog::default(), models)?,
            telegram: TelegramStandIn::start_as(telegram, &setup.bot_token, &setup.webhook_secret)?,
            api_key: setup.api_key.clone(),
        })
    }

    /// Where they are.
    pub fn world(&self) -> World {
        World {
            google: GoogleWorld {
                url: self.google.url().as_str().trim_end_matches('/').to_owned(),
                client_id: self.google.client_id().to_owned(),
                client_secret: self.google.client_secret().to_owned(),
                refresh_token: self.google.refresh_token().to_owned(),
                address: self.google.address().to_owned(),
            },
            models: ModelsWorld {
                openai: self.models.base_url("openai"),
                mistral: self.models.base_url("mistral"),
                api_key: self.api_key.clone(),
            },
            telegram: TelegramWorld {
                url: self.telegram.base_url().trim_end_matches('/').to_owned(),
                token: self.telegram.token().to_owned(),
                webhook_secret: self.telegram.webhook_secret(),
            },
        }
    }

    /// Makes the first model say "too many requests" to the next `times` calls.
    pub fn throttle_primary(&self, times: usize) {
        let model = PRIMARY.split_once('/').map_or(PRIMARY, |(_, model)| model);
        self.models.fail(
            &format!("llm.chat:{model}"),
            Fault::status_after(429, THROTTLED),
            times,
        );
    }
}
