//! What a bot needs to be told.

use nbhd_core::secret::SecretSource;
use nbhd_core::{Code, Error, Result};
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

    /// The base URL, with the slash that a relative path needs. What a URL can carry beside an address is refused: it
    /// would be shown with the configuration, and a token does not belong there.
    pub(super) fn base(&self) -> Result<Url> {
        let refuse =
            |what: &str| Error::new(Code::InvalidConfig, format!("the base URL of the Bot API {what}"));
        let mut text = self.base_url.clone();
        if !text.ends_with('/') {
            text.push('/');
        }
        let url: Url = text.parse().map_err(|_| refuse("is not a URL"))?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(refuse("must have no user name, password, query or fragment"));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use nbhd_core::Secret;

    use super::TelegramConfig;

    #[test]
    fn a_base_url_is_an_address_and_nothing_else() {
        let base = |url: &str| TelegramConfig::new(Secret::new("1:a")).with_base_url(url).base();
        assert_eq!(
            base("https://bots.example/api").map(String::from).ok().as_deref(),
            Some("https://bots.example/api/")
        );
        for url in [
            "https://u:p@bots.example",
            "https://bots.example/?token=1",
            "https://bots.example/#1",
            "bots",
        ] {
            assert!(base(url).is_err(), "{url}");
        }
    }
}
