//! What a bot needs to be told.

use nbhd_core::secret::SecretSource;
use url::Url;

/// Where the Bot API answers. <https://core.telegram.org/bots/api#making-requests>
const BASE_URL: &str = "https://api.telegram.org/";

/// What a bot needs to be told. Secrets are read at the first call that needs them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TelegramConfig {
    /// The token that BotFather gave.
    pub bot_token: SecretSource,
    /// The secrets that a webhook call may carry; several while one is rotated. Without any, every call is refused.
    pub webhook_secrets: Vec<SecretSource>,
    /// Where the Bot API answers.
    pub base_url: String,
    /// The bot's handle without `@`: by it, mentions of the bot in groups are recognised.
    pub username: Option<String>,
}

impl TelegramConfig {
    /// A bot by its token.
    pub fn new(bot_token: impl Into<SecretSource>) -> Self {
        Self {
            bot_token: bot_token.into(),
            webhook_secrets: Vec::new(),
            base_url: BASE_URL.to_owned(),
            username: None,
        }
    }

    /// Adds a secret that a webhook call may carry: what `setWebhook` was given as `secret_token`.
    pub fn with_webhook_secret(mut self, secret: impl Into<SecretSource>) -> Self {
        self.webhook_secrets.push(secret.into());
        self
    }

    /// Sets where the Bot API answers: a server of one's own, or a stand-in.
    pub fn with_base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Names the bot's handle.
    pub fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into().trim_start_matches('@').to_owned());
        self
    }

    /// The base URL, with the slash that a relative path needs.
    pub(super) fn base(&self) -> nbhd_core::Result<Url> {
        let mut text = self.base_url.clone();
        if !text.ends_with('/') {
            text.push('/');
        }
        text.parse().map_err(|_| {
            nbhd_core::Error::new(
                nbhd_core::Code::InvalidConfig,
                "the base URL of the Bot API is not a URL",
            )
        })
    }
}
