//! The configuration: one type that a TOML file, a dict and typed Rust all become.
//!
//! A configuration is valid or it is refused, with every violation named; nothing wrong ever becomes a default.

use std::collections::BTreeMap;

use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Seconds;
use crate::budget::{Budget, Scope};
use crate::price::{Catalog, Ceiling, NanoUsd};
use crate::registry::{ProviderConfig, provider};

/// The configuration of a router.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouterConfig {
    /// The providers, by the name that chains use. A provider that a chain names and that stands not here has its
    /// defaults and no key.
    pub provider: BTreeMap<String, ProviderConfig>,
    /// The purposes that calls name.
    pub purpose: BTreeMap<String, PurposeConfig>,
    /// The caps, by kind of scope.
    pub budget: BTreeMap<String, Budget>,
    /// What a model without a price row may cost at most, by `provider/model`.
    pub ceiling: BTreeMap<String, Ceiling>,
    /// Says that nothing bounds the spending. A router without any budget must say it.
    pub unbudgeted: bool,
    /// What becomes of a stream that its reader drops.
    pub on_drop: OnDrop,
    /// How long a dropped stream is read on for its usage; 30 s unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Seconds>,
}

/// One purpose: who is asked, who pays, how long it may take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PurposeConfig {
    /// The candidates in order, each `provider/model`.
    pub chain: Vec<String>,
    /// The kinds of scopes that pay. A call must name each of them, except `global`.
    pub scopes: Vec<String>,
    /// The time limits.
    pub timeout: Limits,
    /// Nobody outside the chain answers, and a candidate without its key is an error, not a reason to ask the next.
    pub pinned: bool,
    /// The output cap where the call names none; 4,096, or 16,384 for models that reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_cap: Option<u64>,
    /// The largest output cap that a call may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_cap: Option<u64>,
    /// Overrides the temperature of every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// Time limits of a purpose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TimeLimits")]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// For the whole call, all attempts together; 120 s unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Seconds>,
    /// From sending a request to its first content; 30 s, or 120 s for models that reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_content: Option<Seconds>,
    /// Between two pieces of an answer; 30 s unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Seconds>,
}

/// What becomes of a stream that its reader drops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrop {
    /// It is read on in the background for its usage, so that the bill is known.
    #[default]
    Drain,
    /// It is cut at once; the bill counts at its bound, tightened by the usage already seen.
    Abort,
}

impl RouterConfig {
    /// Reads a TOML file's text. `invalid_config` names every violation.
    pub fn from_toml(text: &str) -> Result<Self> {
        let table: toml::Table =
            toml::from_str(text).map_err(|error| refusal(&[error.message().to_owned()]))?;
        let value = serde_json::to_value(table)
            .map_err(|error| refusal(&[format!("it holds something that is no configuration: {error}")]))?;
        Self::from_value(value)
    }

    /// Reads plain data, such as a dict. `invalid_config` names every violation.
    pub fn from_value(value: Value) -> Result<Self> {
        let mut violations = Vec::new();
        let Value::Object(fields) = value else {
            return Err(refusal(&["it is not a table".to_owned()]));
        };
        let mut config = Self::default();
        let mut rest = serde_json::Map::new();
        for (name, value) in fields {
            match name.as_str() {
                "provider" => config.provider = entries("provider", value, &mut violations),
                "purpose" => config.purpose = entries("purpose", value, &mut violations),
                "budget" => config.budget = entries("budget", value, &mut violations),
                "ceiling" => config.ceiling = entries("ceiling", value, &mut violations),
                _ => {
                    // One at a time, so that each mistake is named.
                    let one = Value::Object(serde_json::Map::from_iter([(name.clone(), value.clone())]));
                    match serde_json::from_value::<Self>(one) {
                        Ok(_) => {
                            rest.insert(name, value);
                        }
                        Err(error) => violations.push(format!("{name}: {error}")),
                    }
                }
            }
        }
        if let Ok(simple) = serde_json::from_value::<Self>(Value::Object(rest)) {
            config = Self {
                provider: config.provider,
                purpose: config.purpose,
                budget: config.budget,
                ceiling: config.ceiling,
                ..simple
            };
        }
        violations.extend(config.violations(&Catalog::built_in()));
        if violations.is_empty() {
            return Ok(config);
        }
        Err(refusal(&violations))
    }

    /// Refuses a configuration with violations, naming all of them.
    pub(crate) fn check(&self, catalog: &Catalog) -> Result<()> {
        let violations = self.violations(catalog);
        if violations.is_empty() {
            return Ok(());
        }
        Err(refusal(&violations))
    }

    /// Everything that is wrong with it.
    fn violations(&self, catalog: &Catalog) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.purpose.is_empty() {
            wrong.push("there is no purpose: add [purpose.general] with a chain".to_owned());
        }
        let budgeted = self.budget.values().any(|budget| !budget.is_empty());
        if !budgeted && !self.unbudgeted {
            wrong.push("there is no budget: add one, or say unbudgeted = true".to_owned());
        }
        if budgeted && self.unbudgeted {
            wrong.push("unbudgeted = true stands beside a budget: take one of them away".to_owned());
        }
        for (name, config) in &self.provider {
            if let Err(error) = provider(name, config) {
                wrong.push(error.message().to_owned());
            }
        }
        for (kind, budget) in &self.budget {
            budget_violations(kind, budget, &mut wrong);
        }
        let priced = self.priced(catalog, &mut wrong);
        for (name, purpose) in &self.purpose {
            self.purpose_violations(name, purpose, &priced, &mut wrong);
        }
        wrong
    }

    /// The catalogue with the ceilings of the configuration.
    pub(crate) fn priced(&self, catalog: &Catalog, wrong: &mut Vec<String>) -> Catalog {
        let mut priced = catalog.clone();
        for (name, ceiling) in &self.ceiling {
            match name.split_once('/') {
                Some((provider, model))
                    if ceiling.input >= NanoUsd::ZERO && ceiling.output >= NanoUsd::ZERO =>
                {
                    priced = priced.with_ceiling(provider, model, *ceiling);
                }
                Some(_) => wrong.push(format!("ceiling.{name:?}: an amount below zero")),
                None => wrong.push(format!("ceiling.{name:?}: write \"provider/model\"")),
            }
        }
        priced
    }

    fn purpose_violations(
        &self,
        name: &str,
        purpose: &PurposeConfig,
        priced: &Catalog,
        wrong: &mut Vec<String>,
    ) {
        if purpose.chain.is_empty() {
            wrong.push(format!("purpose.{name}: its chain is empty"));
        }
        let mut seen = Vec::new();
        for entry in &purpose.chain {
            let Some((provider_name, model)) = split(entry) else {
                wrong.push(format!("purpose.{name}: {entry:?} is not provider/model"));
                continue;
            };
            if seen.contains(&entry) {
                wrong.push(format!("purpose.{name}: {entry} stands in the chain twice"));
            }
            seen.push(entry);
            if !self.provider.contains_key(provider_name)
                && let Err(error) = provider(provider_name, &ProviderConfig::new())
            {
                wrong.push(format!("purpose.{name}: {}", error.message()));
            } else if !self.unbudgeted && priced.find(self.price_name(provider_name), model).is_empty() {
                wrong.push(format!(
                    "purpose.{name}: {entry} has no price row: add [ceiling.\"{entry}\"], or choose a priced model"
                ));
            }
        }
        for kind in &purpose.scopes {
            if !Scope::is_kind(kind) {
                wrong.push(format!("purpose.{name}: {kind:?} is no kind of scope"));
            } else if !self.unbudgeted && self.budget.get(kind).is_none_or(Budget::is_empty) {
                wrong.push(format!("purpose.{name}: its scope {kind} has no [budget.{kind}]"));
            }
        }
        let global = self.budget.get("global").is_some_and(|budget| !budget.is_empty());
        if !self.unbudgeted && purpose.scopes.is_empty() && !global {
            wrong.push(format!(
                "purpose.{name}: nothing bounds it: name its scopes, or add [budget.global]"
            ));
        }
        if purpose.output_cap == Some(0) || purpose.max_output_cap == Some(0) {
            wrong.push(format!(
                "purpose.{name}: an output cap of 0 lets nothing be answered"
            ));
        }
        let limits = [
            purpose.timeout.total,
            purpose.timeout.first_content,
            purpose.timeout.idle,
        ];
        if limits.into_iter().flatten().any(|limit| limit.0.is_zero()) {
            wrong.push(format!("purpose.{name}: a time limit of 0"));
        }
    }

    /// The name under which a provider's models are priced: its own, because another vendor behind the same protocol has
    /// prices of its own. A local runtime keeps its price of nothing only while it is local.
    pub(crate) fn price_name<'a>(&'a self, provider: &'a str) -> &'a str {
        let config = self.provider.get(provider);
        let like = config
            .and_then(|config| config.like.as_deref())
            .unwrap_or(provider);
        let remote = config.is_some_and(|config| config.allow_remote);
        match (like, remote) {
            ("ollama", false) => "ollama",
            ("ollama", true) if provider == "ollama" => "ollama (remote)",
            _ => provider,
        }
    }
}

/// Reads one table of named entries, each by itself, so that each mistake is named.
fn entries<T: DeserializeOwned>(
    table: &str,
    value: Value,
    violations: &mut Vec<String>,
) -> BTreeMap<String, T> {
    let Value::Object(fields) = value else {
        violations.push(format!("{table}: it is not a table of named entries"));
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for (name, value) in fields {
        // Said before serde says it: its sentence would repeat a key that was written there.
        if table == "provider" && value.get("api_key").is_some_and(|key| !key.is_object()) {
            violations.push(format!(
                "provider.{name}: api_key says where the key is, {{ env = … }} or {{ file = … }}, never the key itself"
            ));
            continue;
        }
        match serde_json::from_value(value) {
            Ok(entry) => {
                read.insert(name, entry);
            }
            Err(error) => violations.push(format!("{table}.{name}: {error}")),
        }
    }
    read
}

fn budget_violations(kind: &str, budget: &Budget, wrong: &mut Vec<String>) {
    if !Scope::is_kind(kind) {
        wrong.push(format!(
            "budget.{kind}: not a kind of scope: small letters, digits, _ and -"
        ));
    }
    if budget.is_empty() {
        wrong.push(format!(
            "budget.{kind}: it caps nothing: name call, run, hour, day or month"
        ));
    }
    if let Err(error) = budget.time_zone() {
        wrong.push(format!("budget.{kind}: {}", error.message()));
    }
    let caps = budget.stored().map(|(_, cap)| cap).chain(budget.call);
    if caps.into_iter().any(|cap| cap < NanoUsd::ZERO) {
        wrong.push(format!("budget.{kind}: a cap below zero"));
    }
}

/// `provider/model`; a model may hold further slashes.
pub(crate) fn split(entry: &str) -> Option<(&str, &str)> {
    entry
        .split_once('/')
        .filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
}

fn refusal(violations: &[String]) -> Error {
    let count = violations.len();
    let plural = if count == 1 { "" } else { "s" };
    Error::new(
        Code::InvalidConfig,
        format!(
            "the router's configuration has {count} violation{plural}: {}",
            violations.join("; ")
        ),
    )
    .with_details(serde_json::json!({ "violations": violations }))
}

#[cfg(test)]
mod tests {
    use super::RouterConfig;
    use crate::price::NanoUsd;
    use nbhd_core::{Code, Error};

    const GOOD: &str = r#"
        [provider.openai]
        api_key = { env = "OPENAI_API_KEY" }

        [purpose.general]
        chain = ["openai/gpt-4o-mini", "mistral/mistral-small-2603"]
        scopes = ["tenant", "global"]
        timeout = { total = "60s", first_content = "30s", idle = 20 }

        [budget.tenant]
        day = "2.00 USD"
        call = "0.20 USD"

        [budget.global]
        month = "500 USD"
        zone = "Europe/Berlin"
    "#;

    fn violations(error: &Error) -> Vec<String> {
        serde_json::from_value(error.details().unwrap()["violations"].clone()).unwrap()
    }

    #[test]
    fn the_documented_file_is_read() {
        let config = RouterConfig::from_toml(GOOD).unwrap();
        assert_eq!(config.budget["tenant"].day, Some(NanoUsd(2_000_000_000)));
        assert_eq!(config.purpose["general"].timeout.idle.unwrap().0.as_secs(), 20);
        let again = RouterConfig::from_value(serde_json::to_value(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn every_violation_is_named() {
        let text = r#"
            unbudgted = true
            [provider.acme]
            [provider.openai]
            api_key = "sk-123"
            [purpose.general]
            chain = ["openai/gpt-4o-mini", "gpt-4o", "openai/no-such-model", "openai/gpt-4o-mini"]
            scopes = ["team"]
            [purpose.fast]
            chian = []
            [budget.tenant]
            day = "2 EUR"
            [budget.global]
            zone = "Mars/Olympus"
            month = 5
        "#;
        let error = RouterConfig::from_toml(text).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        let all = violations(&error);
        for part in [
            "unbudgted",
            "acme",
            "provider.openai",
            "\"gpt-4o\" is not provider/model",
            "no-such-model has no price row",
            "twice",
            "scope team",
            "purpose.fast",
            "budget.tenant",
            "Mars/Olympus",
        ] {
            assert!(all.iter().any(|one| one.contains(part)), "{part}: {all:#?}");
        }
        assert!(all.iter().all(|one| !one.contains("sk-123")), "{all:#?}");
    }

    #[test]
    fn to_forget_the_budget_is_no_option() {
        let text = "[purpose.general]\nchain = [\"openai/gpt-4o-mini\"]";
        assert!(RouterConfig::from_toml(text).is_err());
        assert!(RouterConfig::from_toml(&format!("unbudgeted = true\n{text}")).is_ok());
    }
}
