//! Which providers there are, and how each is configured.

use std::sync::Arc;

use nbhd_core::http::Url;
use nbhd_core::secret::SecretSource;
use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::openai;
use crate::provider::Provider;

/// The configuration of one provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// Where its key comes from: `{ env = "…" }`, `{ file = "…" }` or `{ keyring = { service = "…", account = "…" } }`,
    /// never the key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<KeySource>,
    /// Which known provider it behaves like, when its own name is not a known one; `compatible` where none fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Its address up to and including the version, such as `https://api.openai.com/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Lets a provider that is local by nature be at another host.
    pub allow_remote: bool,
}

impl ProviderConfig {
    /// The defaults of the named provider, without a key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says where the key comes from.
    pub fn with_api_key(mut self, source: impl Into<KeySource>) -> Self {
        self.api_key = Some(source.into());
        self
    }

    /// Says which known provider it behaves like.
    pub fn like(mut self, provider: impl Into<String>) -> Self {
        self.like = Some(provider.into());
        self
    }

    /// Sets its address.
    pub fn with_base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Lets it be at another host although it is local by nature.
    pub fn with_allow_remote(mut self, allow: bool) -> Self {
        self.allow_remote = allow;
        self
    }
}

/// Where a key comes from.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read.
    File(String),
    /// The keyring of the operating system (feature `keyring`). Nobody is asked to unlock it.
    Keyring(KeyringEntry),
    /// Given by the program, in code; a configuration file cannot say it.
    #[serde(skip)]
    #[schemars(skip)]
    Given(SecretSource),
}

/// An entry of the keyring, by the two attributes that programs store theirs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyringEntry {
    /// What the key is for, such as `nbhd`.
    pub service: String,
    /// Which one of them, such as `openai`.
    pub account: String,
}

impl KeySource {
    /// The source as the core knows it.
    pub fn source(&self) -> SecretSource {
        match self {
            KeySource::Env(name) => SecretSource::Env(name.clone()),
            KeySource::File(path) => SecretSource::File(path.into()),
            KeySource::Keyring(KeyringEntry { service, account }) => SecretSource::Keyring {
                service: service.clone(),
                account: account.clone(),
            },
            KeySource::Given(source) => source.clone(),
        }
    }
}

impl<T: Into<SecretSource>> From<T> for KeySource {
    fn from(source: T) -> Self {
        match source.into() {
            SecretSource::Env(name) => KeySource::Env(name),
            SecretSource::Keyring { service, account } => {
                KeySource::Keyring(KeyringEntry { service, account })
            }
            source => KeySource::Given(source),
        }
    }
}

impl PartialEq for KeySource {
    // Two keys given in code are never called equal: comparing secrets is nobody's business here.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (KeySource::Env(a), KeySource::Env(b)) | (KeySource::File(a), KeySource::File(b)) => a == b,
            (KeySource::Keyring(a), KeySource::Keyring(b)) => a == b,
            _ => false,
        }
    }
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySource({})", self.source().label())
    }
}

/// The names of the known providers.
pub fn names() -> impl Iterator<Item = &'static str> {
    openai::rows().iter().map(|row| row.name)
}

/// The provider called `name`, made from its configuration. Reads no key yet.
pub fn provider(name: &str, config: &ProviderConfig) -> Result<Arc<dyn Provider>> {
    let like = config.like.as_deref().unwrap_or(name);
    let Some(row) = openai::row(like) else {
        let known: Vec<&str> = names().collect();
        return Err(Error::new(
            Code::InvalidConfig,
            format!(
                "no provider is called {like:?}; known are {}, and `like` says which of them another one behaves like",
                known.join(", ")
            ),
        ));
    };
    if config.base_url.is_none() && (like != name || row.base_url.is_empty()) {
        return Err(Error::new(
            Code::InvalidConfig,
            format!("provider {name:?} has no usual address: set its `base_url`"),
        ));
    }
    let base = address(name, config.base_url.as_deref().unwrap_or(row.base_url))?;
    let local = is_loopback(&base);
    if row.local && !local && !config.allow_remote {
        return Err(Error::new(
            Code::AddressDenied,
            format!(
                "provider {name:?} is local, but its `base_url` is not; `allow_remote = true` allows that"
            ),
        ));
    }
    if base.scheme() != "https" && !local && !(row.local && config.allow_remote && config.api_key.is_none()) {
        return Err(Error::new(
            Code::InvalidConfig,
            format!("the `base_url` of provider {name:?} must be https: a key would be readable on the way"),
        ));
    }
    let key = config.api_key.as_ref().map(KeySource::source);
    if let Some(Err(error)) = key.as_ref().map(SecretSource::check) {
        let message = format!("the key of provider {name:?}: {}", error.message());
        return Err(Error::new(error.code(), message).with_user_action(error.user_action()));
    }
    Ok(Arc::new(
        openai::OpenAi::new(name, row, &base, key).with_remote(config.allow_remote),
    ))
}

fn address(name: &str, text: &str) -> Result<Url> {
    let refuse = |what: &str| {
        Err(Error::new(
            Code::InvalidConfig,
            format!("the `base_url` of provider {name:?} {what}"),
        ))
    };
    let Ok(url) = Url::parse(text) else {
        return refuse("is not a URL");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return refuse("must be http or https");
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return refuse("must not have a user, a query or a fragment");
    }
    Ok(url)
}

/// Decided on the parsed host, so that `127.0.0.1.example.com` is not local and `[::1]` is.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{KeySource, ProviderConfig, provider};
    use nbhd_core::{Code, Secret};
    use serde_json::json;

    fn refusal(name: &str, config: &ProviderConfig) -> Code {
        provider(name, config).unwrap_err().code()
    }

    #[test]
    fn a_local_provider_stays_local_unless_allowed() {
        let at = |url: &str| ProviderConfig::new().with_base_url(url);
        for url in [
            "http://localhost:11434/v1",
            "http://127.0.0.1/v1",
            "http://[::1]:1/v1",
            "http://2130706433/v1",
        ] {
            assert!(provider("ollama", &at(url)).is_ok(), "{url}");
        }
        for url in [
            "http://127.0.0.1.example.com/v1",
            "http://localhost.example.com/v1",
            "http://192.168.1.2:11434/v1",
            "http://[2001:db8::1]/v1",
            "https://ollama.com/v1",
        ] {
            assert_eq!(refusal("ollama", &at(url)), Code::AddressDenied, "{url}");
            assert!(
                provider("ollama", &at(url).with_allow_remote(true)).is_ok(),
                "{url}"
            );
        }
    }

    #[test]
    fn a_key_travels_by_https_or_not_at_all() {
        let at = |url: &str| ProviderConfig::new().with_base_url(url);
        assert_eq!(
            refusal("openai", &at("http://api.example.com/v1")),
            Code::InvalidConfig
        );
        assert!(provider("openai", &at("http://127.0.0.1:8080/v1")).is_ok());
        assert_eq!(
            refusal("openai", &at("https://user:pass@api.example.com/v1")),
            Code::InvalidConfig
        );
        assert_eq!(refusal("openai", &at("file:///etc/passwd")), Code::InvalidConfig);
    }

    #[test]
    fn an_unknown_provider_is_named_and_an_own_one_needs_an_address() {
        assert_eq!(refusal("acme", &ProviderConfig::new()), Code::InvalidConfig);
        assert_eq!(
            refusal("acme", &ProviderConfig::new().like("openai")),
            Code::InvalidConfig
        );
        let config = ProviderConfig::new()
            .like("openai")
            .with_base_url("https://llm.example.com/v1");
        assert_eq!(provider("acme", &config).unwrap().name(), "acme");
    }

    #[test]
    fn a_keyring_that_this_build_does_not_have_is_no_configuration() {
        let config = ProviderConfig::new().with_api_key(Secret::keyring("nbhd", "openai"));
        let made = provider("openai", &config);
        if config.api_key.unwrap().source().check().is_ok() {
            assert!(made.is_ok(), "features of other crates are united with ours");
            return;
        }
        let error = made.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        for part in ["\"openai\"", "nbhd/openai", "feature `keyring`"] {
            assert!(error.message().contains(part), "{error}");
        }
        // Somebody else who has the keyring may come after it in a chain.
        let chain = Secret::chain([Secret::keyring("nbhd", "openai"), Secret::env("OPENAI_API_KEY")]);
        assert!(provider("openai", &ProviderConfig::new().with_api_key(chain)).is_ok());
    }

    #[test]
    fn a_configuration_names_where_the_key_is_and_never_holds_it() {
        let config: ProviderConfig =
            serde_json::from_value(json!({"api_key": {"env": "OPENAI_API_KEY"}})).unwrap();
        assert_eq!(config.api_key, Some(KeySource::Env("OPENAI_API_KEY".to_owned())));
        assert!(serde_json::from_value::<ProviderConfig>(json!({"api_key": "sk-123"})).is_err());
        assert!(serde_json::from_value::<ProviderConfig>(json!({"api_key": {"given": "sk-123"}})).is_err());
        let entry = json!({"keyring": {"service": "nbhd", "account": "openai"}});
        let config: ProviderConfig = serde_json::from_value(json!({"api_key": entry})).unwrap();
        let same = ProviderConfig::new().with_api_key(Secret::keyring("nbhd", "openai"));
        assert_eq!(config, same);
        assert_eq!(serde_json::to_value(&config).unwrap()["api_key"], entry);
        assert!(serde_json::from_value::<KeySource>(json!({"keyring": {"service": "nbhd"}})).is_err());
        let config = ProviderConfig::new().with_api_key(Secret::new("sk-canary-0123456789"));
        assert!(!format!("{config:?}").contains("canary"));
        assert!(serde_json::to_string(&config).map_or(true, |text| !text.contains("canary")));
    }
}
