//! The catalogue: which models are priced, by which rows, and what else the money needs to know of them.
//!
//! Facts live in `prices.toml` beside this file. Invariant: whoever holds money asks [`Catalog::dearest`], which is never
//! below what [`Catalog::price`] answers for any instant and any prompt within the asked bounds.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use chrono::Duration;
use nbhd_core::{Code, Error, Result, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NanoUsd, Rates, Row, Tokens};

/// What the money needs to know of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Model {
    /// The provider, by its kind: `openai`, `mistral` …
    pub provider: String,
    /// Its name at the provider.
    pub model: String,
    /// Other names of exactly this model, such as dated ones.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The most tokens of prompt and answer together.
    #[serde(default)]
    pub context_window: Option<u64>,
    /// The most tokens of one answer.
    #[serde(default)]
    pub max_output: Option<u64>,
    /// Whether it can reason before it answers.
    #[serde(default)]
    pub reasoning: bool,
    /// Whether the provider's output count contains the reasoning.
    #[serde(default)]
    pub reasoning_in_output: bool,
    /// Whether the output cap bounds the reasoning too.
    #[serde(default)]
    pub cap_covers_reasoning: bool,
    /// Where the two facts on reasoning come from.
    #[serde(default)]
    pub reasoning_source: Option<String>,
    /// Its price rows, by rising day.
    #[serde(default, rename = "row")]
    pub rows: Vec<Row>,
}

impl Model {
    /// The row in force at `at`.
    pub fn row(&self, at: Timestamp) -> Option<&Row> {
        let day = at.date_naive();
        self.rows
            .iter()
            .rev()
            .find(|row| row.from.is_none_or(|from| from <= day))
    }

    /// Whether the row starting at `from` until the next one is in force at some instant of the span.
    fn rows_between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Row> {
        let (first, last) = (from.date_naive(), to.date_naive());
        self.rows.iter().enumerate().filter_map(move |(place, row)| {
            let begins = row.from.is_none_or(|day| day <= last);
            let next = self.rows.get(place + 1).and_then(|next| next.from);
            let over = next.is_some_and(|next| next <= first);
            (begins && !over).then_some(row)
        })
    }

    fn version(&self, row: &Row) -> String {
        let day = row.from.unwrap_or(row.checked);
        format!("{}/{}@{day}", self.provider, self.model)
    }
}

/// A name that moves from model to model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alias {
    provider: String,
    #[serde(rename = "alias")]
    name: String,
    targets: Vec<String>,
}

/// What `prices.toml` holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    model: Vec<Model>,
    #[serde(default)]
    alias: Vec<Alias>,
}

/// Rates, and the version of the row they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Price {
    /// The rates.
    pub rates: Rates,
    /// The row's version, such as `openai/gpt-4o-mini@2025-07-04`.
    pub version: String,
    /// Whether a ceiling of the configuration took the place of a row.
    pub ceiling: bool,
}

/// What tokens cost, and by which row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Bill {
    /// The amount.
    pub nano_usd: NanoUsd,
    /// The row's version.
    pub price: String,
}

/// The priced models. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Index>);

#[derive(Debug, Clone, Default)]
struct Index {
    models: Vec<Model>,
    by_name: HashMap<String, Vec<usize>>,
    ceilings: HashMap<String, Model>,
}

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
static BUILT_IN: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::parse(include_str!("prices.toml"))
        .expect("the price file in the source tree is tested to be valid")
});

impl Catalog {
    /// The catalogue that this version of nbhd carries.
    pub fn built_in() -> Self {
        BUILT_IN.clone()
    }

    /// A catalogue from the text of a price file.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |what: String| Error::new(Code::InvalidConfig, format!("the price file: {what}"));
        let facts: Facts = toml::from_str(text).map_err(|error| refuse(error.message().to_owned()))?;
        let mut index = Index::default();
        for model in facts.model {
            let name = format!("{}/{}", model.provider, model.model);
            if model.rows.is_empty() {
                return Err(refuse(format!("{name} has no row")));
            }
            let ordered = model.rows.windows(2).all(|pair| pair[0].from < pair[1].from);
            let negative = |row: &Row| {
                let rates = row.tiers.iter().map(|tier| tier.rates).chain([row.rates]);
                rates
                    .into_iter()
                    .any(|rates| rates.input.0 < 0 || rates.output.0 < 0)
            };
            if !ordered || model.rows.iter().any(negative) {
                return Err(refuse(format!(
                    "{name}: rows rise by day and no rate is negative"
                )));
            }
            let place = index.models.len();
            for alias in model.aliases.iter().chain([&model.model]) {
                let key = format!("{}/{alias}", model.provider);
                if index.by_name.insert(key, vec![place]).is_some() {
                    return Err(refuse(format!("{}/{alias} stands there twice", model.provider)));
                }
            }
            index.models.push(model);
        }
        for alias in facts.alias {
            let mut places = Vec::new();
            for target in &alias.targets {
                let found = index.by_name.get(&format!("{}/{target}", alias.provider));
                let found = found.ok_or_else(|| refuse(format!("{target} has no row")))?;
                places.extend(found.iter().copied());
            }
            let key = format!("{}/{}", alias.provider, alias.name);
            if places.is_empty() || index.by_name.insert(key, places).is_some() {
                return Err(refuse(format!(
                    "{}/{} is no clear alias",
                    alias.provider, alias.name
                )));
            }
        }
        Ok(Self(Arc::new(index)))
    }

    /// The same catalogue with a ceiling for a model without a row; it wins over rows, so that it can also raise one.
    pub fn with_ceiling(&self, provider: &str, model: &str, ceiling: Ceiling) -> Self {
        let mut index = (*self.0).clone();
        index
            .ceilings
            .insert(format!("{provider}/{model}"), ceiling.into_model(provider, model));
        Self(Arc::new(index))
    }

    /// Every priced model.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.0.models.iter()
    }

    /// The models that a name can stand for: one, or several for a name that moves. Empty when it is not priced.
    pub fn find(&self, provider: &str, model: &str) -> Vec<&Model> {
        let key = format!("{provider}/{model}");
        if let Some(ceiling) = self.0.ceilings.get(&key) {
            return vec![ceiling];
        }
        match self.0.by_name.get(&key) {
            Some(places) => places.iter().map(|place| &self.0.models[*place]).collect(),
            None if provider == "ollama" && !is_cloud(model) => vec![&FREE],
            None => Vec::new(),
        }
    }

    /// The price for a prompt of `prompt` tokens at `at`: for a name that moves, the dearest of its targets.
    pub fn price(&self, provider: &str, model: &str, prompt: u64, at: Timestamp) -> Result<Price> {
        let priced = self.find(provider, model).into_iter().filter_map(|found| {
            let row = found.row(at)?;
            Some(Price {
                rates: row.rates_for(prompt),
                version: found.version(row),
                ceiling: row.source == CEILING,
            })
        });
        fold_dearest(priced).ok_or_else(|| unpriced(provider, model))
    }

    /// The dearest price that a prompt of at most `prompt` tokens can meet between a day before `from` and a day after
    /// `to`: every row in force in that span, every tier that the prompt can reach, every target of a name that moves.
    pub fn dearest(
        &self,
        provider: &str,
        model: &str,
        prompt: u64,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Price> {
        let (from, to) = (from - Duration::days(1), to + Duration::days(1));
        let priced = self.find(provider, model).into_iter().flat_map(|found| {
            found.rows_between(from, to).map(move |row| Price {
                rates: row.dearest_up_to(prompt),
                version: found.version(row),
                ceiling: row.source == CEILING,
            })
        });
        fold_dearest(priced).ok_or_else(|| unpriced(provider, model))
    }

    /// What `tokens` cost at `at`, rounded up once. The model is named as the provider names it, dated names included.
    pub fn bill(&self, provider: &str, model: &str, tokens: &Tokens, at: Timestamp) -> Result<Bill> {
        let price = self.price(provider, model, tokens.prompt(), at)?;
        Ok(Bill {
            nano_usd: price.rates.cost(tokens),
            price: price.version,
        })
    }
}

/// The most that a model without a row may cost, per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// For each million tokens read, whatever bucket they are in.
    pub input: NanoUsd,
    /// For each million tokens written, reasoning included.
    pub output: NanoUsd,
    /// The most tokens of prompt and answer together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// The most tokens of one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// Whether it can reason before it answers.
    #[serde(default)]
    pub reasoning: bool,
    /// Whether the output cap bounds the reasoning too.
    #[serde(default)]
    pub cap_covers_reasoning: bool,
}

impl Ceiling {
    fn into_model(self, provider: &str, model: &str) -> Model {
        let rates = Rates {
            input: self.input,
            cache_read: None,
            cache_write: None,
            cache_write_1h: None,
            output: self.output,
        };
        Model {
            provider: provider.to_owned(),
            model: model.to_owned(),
            aliases: Vec::new(),
            context_window: self.context_window,
            max_output: self.max_output,
            reasoning: self.reasoning,
            // Not known, so the dearer reading: counted beside the output.
            reasoning_in_output: false,
            cap_covers_reasoning: self.cap_covers_reasoning,
            reasoning_source: None,
            rows: vec![row_of(rates, CEILING)],
        }
    }
}

const CEILING: &str = "ceiling of the configuration";

/// What runs on the machine itself costs nothing, whatever its name.
static FREE: LazyLock<Model> = LazyLock::new(|| Model {
    provider: "ollama".to_owned(),
    model: "*".to_owned(),
    aliases: Vec::new(),
    context_window: None,
    max_output: None,
    reasoning: false,
    reasoning_in_output: true,
    cap_covers_reasoning: true,
    reasoning_source: None,
    rows: vec![row_of(
        Rates {
            input: NanoUsd::ZERO,
            cache_read: None,
            cache_write: None,
            cache_write_1h: None,
            output: NanoUsd::ZERO,
        },
        "runs on this machine",
    )],
});

fn row_of(rates: Rates, source: &str) -> Row {
    Row {
        from: None,
        rates,
        tiers: Vec::new(),
        source: source.to_owned(),
        checked: chrono::NaiveDate::default(),
    }
}

/// Ollama's cloud models answer on loopback too, but run elsewhere and are billed: `name-cloud`, `name:tag-cloud`.
fn is_cloud(model: &str) -> bool {
    model.rsplit([':', '-']).next() == Some("cloud")
}

fn fold_dearest(prices: impl Iterator<Item = Price>) -> Option<Price> {
    prices.reduce(|dearest, price| {
        let rates = dearest.rates.dearest(price.rates);
        let version = if price.rates.output > dearest.rates.output {
            price.version
        } else {
            dearest.version
        };
        Price {
            rates,
            version,
            ceiling: dearest.ceiling || price.ceiling,
        }
    })
}

fn unpriced(provider: &str, model: &str) -> Error {
    Error::new(
        Code::UnpricedModel,
        format!("{provider}/{model} has no price row"),
    )
    .with_provider(provider)
    .with_user_action("Add a ceiling for the model to the configuration, or choose a priced one.")
}

#[cfg(test)]
mod tests {
    use super::{Catalog, Ceiling, NanoUsd, Tokens};
    use nbhd_core::{Code, Timestamp};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn tokens(input: u64, output: u64) -> Tokens {
        Tokens {
            input,
            output,
            ..Tokens::default()
        }
    }

    #[test]
    fn a_dated_name_costs_what_its_model_costs() {
        let catalog = Catalog::built_in();
        let now = at("2026-11-21T12:00:00Z");
        for name in ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"] {
            let bill = catalog
                .bill("openai", name, &tokens(1_000_000, 1_000_000), now)
                .unwrap();
            assert_eq!(bill.nano_usd, NanoUsd(750_000_000), "{name}");
        }
    }

    #[test]
    fn cached_tokens_have_their_own_rate() {
        let mixed = Tokens {
            input: 1_000,
            cache_read: 9_000,
            output: 100,
            ..Tokens::default()
        };
        let bill = Catalog::built_in().bill("openai", "gpt-4o-mini", &mixed, at("2026-11-21T12:00:00Z"));
        // 1,000 × 150 + 9,000 × 75 + 100 × 600 nano-USD
        assert_eq!(bill.unwrap().nano_usd, NanoUsd(150_000 + 675_000 + 60_000));
    }

    #[test]
    fn the_row_in_force_prices_and_the_dearest_row_of_the_span_holds() {
        let catalog = Catalog::built_in();
        let bill = |day: &str| {
            catalog
                .bill("openai", "o3", &tokens(1_000_000, 0), at(day))
                .unwrap()
                .nano_usd
        };
        assert_eq!(bill("2025-06-09T23:59:59Z"), NanoUsd(10_000_000_000));
        assert_eq!(bill("2025-06-10T00:00:00Z"), NanoUsd(2_000_000_000));
        let held = |day: &str| {
            catalog
                .dearest("openai", "o3", 1, at(day), at(day))
                .unwrap()
                .rates
                .input
        };
        assert_eq!(held("2025-06-10T12:00:00Z"), NanoUsd(10_000_000_000));
        assert_eq!(held("2025-06-11T12:00:00Z"), NanoUsd(2_000_000_000));
    }

    #[test]
    fn a_long_prompt_pays_the_tier_for_all_of_it() {
        let catalog = Catalog::built_in();
        let now = at("2026-11-21T12:00:00Z");
        let bill = |input| {
            catalog
                .bill("openai", "gpt-5.4", &tokens(input, 0), now)
                .unwrap()
                .nano_usd
        };
        assert_eq!(bill(272_000), NanoUsd(272_000 * 2_500));
        assert_eq!(bill(272_001), NanoUsd(272_001 * 5_000));
        let held = |prompt| {
            catalog
                .dearest("openai", "gpt-5.4", prompt, now, now)
                .unwrap()
                .rates
        };
        assert_eq!(held(272_000).output, NanoUsd(15_000_000_000));
        assert_eq!(held(272_001).output, NanoUsd(22_500_000_000));
    }

    #[test]
    fn a_name_that_moves_costs_its_dearest_target() {
        let price =
            Catalog::built_in().price("mistral", "mistral-medium-latest", 1, at("2026-11-21T12:00:00Z"));
        let price = price.unwrap();
        assert_eq!(price.rates.output, NanoUsd(7_500_000_000));
        assert!(
            price.version.starts_with("mistral/mistral-medium-3.5@"),
            "{}",
            price.version
        );
    }

    #[test]
    fn what_has_no_row_is_refused_until_a_ceiling_is_named() {
        let catalog = Catalog::built_in();
        let now = at("2026-11-21T12:00:00Z");
        let error = catalog.price("openai", "ft:gpt-4o:acme", 1, now).unwrap_err();
        assert_eq!(error.code(), Code::UnpricedModel);
        assert!(catalog.price("ollama", "gpt-oss:120b-cloud", 1, now).is_err());
        assert_eq!(
            catalog.price("ollama", "llama3", 1, now).unwrap().rates.output,
            NanoUsd(0)
        );
        let ceiling: Ceiling = toml::from_str("input = \"1 USD\"\noutput = \"4 USD\"").unwrap();
        let catalog = catalog.with_ceiling("openai", "ft:gpt-4o:acme", ceiling);
        let bill = catalog
            .bill("openai", "ft:gpt-4o:acme", &tokens(1, 1), now)
            .unwrap();
        assert_eq!(bill.nano_usd, NanoUsd(5_000));
    }

    #[test]
    fn every_row_names_its_source_and_reads_as_it_was_written() {
        let catalog = Catalog::built_in();
        assert!(catalog.models().count() >= 30);
        for model in catalog.models() {
            assert!(
                model.rows.iter().all(|row| !row.source.is_empty()),
                "{}",
                model.model
            );
            assert!(
                !model.reasoning || model.reasoning_source.is_some(),
                "{}",
                model.model
            );
        }
    }

    #[test]
    fn a_broken_price_file_is_refused() {
        for text in [
            "model = []\nnonsense = 1",
            "[[model]]\nprovider = \"a\"\nmodel = \"b\"",
            "[[model]]\nprovider = \"a\"\nmodel = \"b\"\n[[model.row]]\ninput = \"-1 USD\"\noutput = \"1 USD\"\nsource = \"\"\nchecked = \"2026-01-01\"",
        ] {
            assert_eq!(
                Catalog::parse(text).unwrap_err().code(),
                Code::InvalidConfig,
                "{text}"
            );
        }
    }
}
