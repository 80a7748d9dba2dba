//! Which service is real and which is a stand-in.

use std::time::Duration;

use nbhd_channels::{Telegram, TelegramConfig};
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Error, Host, Result, Secret};
use nbhd_google::{Account, Google, OAuthClient};
use nbhd_llm::registry::ProviderConfig;
use nbhd_llm::router::Seconds;
use nbhd_llm::{Router, RouterConfig};

use super::Options;
use crate::data::Data;
use crate::world::{FALLBACK, PRIMARY, Setup, StandIns, World, router_config};

/// The tenant that asks and pays.
pub(super) const TENANT: &str = "42";

/// The chat with the stand-in.
const CHAT: i64 = 42;

/// How long a model on this machine may take: it may have to be loaded first.
const LOCAL_MODEL: Duration = Duration::from_secs(300);

/// A service that can be the real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Live {
    /// Gmail and Calendar.
    #[value(alias = "google")]
    Gmail,
    /// The bot.
    Telegram,
    /// The first model.
    Openai,
    /// The fallback.
    Mistral,
}

impl Live {
    fn name(self) -> &'static str {
        match self {
            Live::Gmail => "gmail",
            Live::Telegram => "telegram",
            Live::Openai => "openai",
            Live::Mistral => "mistral",
        }
    }

    /// The environment variables that it needs.
    fn needs(self) -> &'static [&'static str] {
        match self {
            Live::Gmail => &["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GOOGLE_REFRESH_TOKEN"],
            Live::Telegram => &["TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"],
            Live::Openai => &["OPENAI_API_KEY"],
            Live::Mistral => &["MISTRAL_API_KEY"],
        }
    }
}

/// The services of one run.
pub struct Services {
    /// The stand-ins; they run also where the real service is used.
    pub stand_ins: StandIns,
    world: World,
    live: Vec<Live>,
    model: Option<String>,
}

impl Services {
    /// Checks the credentials of the real ones, then starts the stand-ins.
    pub fn start(options: &Options, data: Data) -> Result<Self> {
        for service in &options.live {
            for name in service.needs() {
                if variable(name).is_none() {
                    let message = format!(
                        "--live {} needs the environment variable {name}, which is not set",
                        service.name()
                    );
                    return Err(Error::new(Code::SecretMissing, message));
                }
            }
        }
        if options.live.contains(&Live::Telegram) {
            chat_id()?;
        }
        let model = options.model.as_deref().map(known_model).transpose()?;
        let next = |by| {
            let port = if options.port == 0 {
                Some(0)
            } else {
                options.port.checked_add(by)
            };
            port.ok_or_else(|| {
                Error::new(
                    Code::InvalidInput,
                    "--port leaves no room for three ports below 65536",
                )
            })
        };
        let setup = Setup {
            ports: [next(0)?, next(1)?, next(2)?],
            ..Setup::default()
        };
        let stand_ins = StandIns::start(data, &setup, |google| google)?;
        if model.is_none() && !options.live.contains(&Live::Openai) {
            stand_ins.throttle_primary(1);
        }
        Ok(Self {
            world: stand_ins.world(),
            stand_ins,
            live: options.live.clone(),
            model,
        })
    }

    /// Whether a service is the real one.
    pub fn is_live(&self, service: Live) -> bool {
        self.live.contains(&service)
    }

    /// What seals the tokens: real ones with the user's own key.
    pub fn vault(&self) -> Vault {
        if self.is_live(Live::Gmail) {
            Vault::default()
        } else {
            World::vault()
        }
    }

    /// The account, connected. At a stand-in its access token has expired since.
    pub async fn account(&self, host: &Host) -> Result<Account> {
        let name = format!("tenant-{TENANT}");
        if self.is_live(Live::Gmail) {
            let id = variable("GOOGLE_CLIENT_ID").unwrap_or_default();
            let client = OAuthClient::new(id, Secret::env("GOOGLE_CLIENT_SECRET"));
            let account = Google::new(host, client).account(name);
            account.connect(Secret::env("GOOGLE_REFRESH_TOKEN")).await?;
            return Ok(account);
        }
        let account = self.world.google(host)?.account(name);
        let token = Secret::new(self.world.google.refresh_token.as_str());
        account.connect(token).await?;
        self.stand_ins.google.expire_access_tokens();
        Ok(account)
    }

    /// The router: the first model, and another one for when it cannot; or the one model that was named.
    pub fn router(&self, host: &Host) -> Result<Router> {
        let providers = [
            ("openai", self.provider(Live::Openai, "openai", "OPENAI_API_KEY")),
            (
                "mistral",
                self.provider(Live::Mistral, "mistral", "MISTRAL_API_KEY"),
            ),
        ];
        let mut config: RouterConfig = match self.model.as_deref() {
            Some(model) => router_config(&[model], providers)?,
            None => router_config(&[PRIMARY, FALLBACK], providers)?,
        };
        if self.model.is_some() {
            for purpose in config.purpose.values_mut() {
                purpose.timeout.total = Some(Seconds(LOCAL_MODEL));
                purpose.timeout.first_content = Some(Seconds(LOCAL_MODEL));
            }
        }
        Router::new(host, config)
    }

    /// The bot.
    pub fn telegram(&self, host: &Host) -> Result<Telegram> {
        if !self.is_live(Live::Telegram) {
            return self.world.telegram(host);
        }
        let secret = Secret::new(self.world.telegram.webhook_secret.as_str());
        let config = TelegramConfig::new(Secret::env("TELEGRAM_BOT_TOKEN")).with_webhook_secret(secret);
        Telegram::new(host, config)
    }

    /// The chat in which is asked and answered.
    pub fn chat(&self) -> Result<i64> {
        if self.is_live(Live::Telegram) {
            chat_id()
        } else {
            Ok(CHAT)
        }
    }

    /// The user's address, where it is known.
    pub fn address(&self) -> Option<&str> {
        (!self.is_live(Live::Gmail)).then_some(self.world.google.address.as_str())
    }

    /// What each service is: its name, and `live` or the port of its stand-in.
    pub fn described(&self) -> Vec<(String, String)> {
        let world = &self.world;
        let local = self
            .model
            .as_deref()
            .is_some_and(|model| model.starts_with("ollama/"));
        let mut services = vec![("Google", Live::Gmail, &world.google.url)];
        if !local {
            services.push(("OpenAI", Live::Openai, &world.models.openai));
            services.push(("Mistral", Live::Mistral, &world.models.mistral));
        }
        services.push(("Telegram", Live::Telegram, &world.telegram.url));
        let mut described: Vec<(String, String)> = services
            .into_iter()
            .map(|(name, live, url)| {
                let what = if self.is_live(live) {
                    "live".to_owned()
                } else {
                    format!("stand-in, port {}", port(url))
                };
                (name.to_owned(), what)
            })
            .collect();
        if local {
            described.push(("Ollama".to_owned(), "on this machine".to_owned()));
        }
        described
    }

    fn provider(&self, live: Live, name: &str, key: &str) -> ProviderConfig {
        if self.is_live(live) {
            ProviderConfig::new().with_api_key(Secret::env(key))
        } else {
            self.world.provider(name)
        }
    }
}

fn port(url: &str) -> &str {
    let host = url.split('/').nth(2).unwrap_or_default();
    host.rsplit(':').next().unwrap_or_default()
}

fn known_model(name: &str) -> Result<String> {
    let known = name.split_once('/').is_some_and(|(provider, model)| {
        ["ollama", "openai", "mistral"].contains(&provider) && !model.is_empty()
    });
    if known {
        return Ok(name.to_owned());
    }
    Err(Error::new(
        Code::InvalidInput,
        format!("--model takes ollama/<name>, openai/<name> or mistral/<name>, not {name:?}"),
    ))
}

fn chat_id() -> Result<i64> {
    variable("TELEGRAM_CHAT_ID")
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| {
            Error::new(
                Code::InvalidConfig,
                "TELEGRAM_CHAT_ID is not the number of a chat",
            )
        })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
