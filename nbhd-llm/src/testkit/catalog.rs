//! Which models the stand-in has, and its own price list: written down here a second time on purpose, so that a mistake in
//! the router's list shows as a difference between two bills.

/// A model of the stand-in and what it charges, in nano-USD per million tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandInModel {
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) input: i64,
    pub(crate) cached: i64,
    pub(crate) output: i64,
    pub(crate) reasons: bool,
}

impl StandInModel {
    /// A model that costs nothing.
    pub fn new(provider: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            name: name.into(),
            input: 0,
            cached: 0,
            output: 0,
            reasons: false,
        }
    }

    /// Sets its prices, in nano-USD per million tokens; what comes from the cache costs as much as other input.
    pub fn with_prices(mut self, input: i64, output: i64) -> Self {
        (self.input, self.cached, self.output) = (input, input, output);
        self
    }

    /// Sets the price of input that comes from the cache, in nano-USD per million tokens.
    pub fn with_cached_price(mut self, cached: i64) -> Self {
        self.cached = cached;
        self
    }

    /// Makes it reason before it answers: some of its output is not shown.
    pub fn with_reasoning(mut self) -> Self {
        self.reasons = true;
        self
    }
}

/// The models that a stand-in has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandInCatalog(Vec<StandInModel>);

/// Provider, model, input, cached input, output in USD per billion tokens, reasons. List prices as read 2025-11 to 2026-08.
const USUAL: &[(&str, &str, i64, i64, i64, bool)] = &[
    ("openai", "gpt-4o-mini", 150, 75, 600, false),
    ("openai", "gpt-4o", 2_500, 1_250, 10_000, false),
    ("openai", "gpt-4.1", 2_000, 500, 8_000, false),
    ("openai", "gpt-4.1-mini", 400, 100, 1_600, false),
    ("openai", "gpt-4.1-nano", 100, 25, 400, false),
    ("openai", "gpt-5", 1_250, 125, 10_000, true),
    ("openai", "gpt-5-mini", 250, 25, 2_000, true),
    ("openai", "gpt-5-nano", 50, 5, 400, true),
    ("mistral", "mistral-small-2603", 150, 15, 600, false),
    ("mistral", "mistral-large-2512", 500, 50, 1_500, false),
    ("mistral", "devstral-2512", 400, 40, 2_000, false),
    ("mistral", "labs-devstral-small-2512", 100, 100, 300, false),
    ("moonshot", "kimi-k2.5", 600, 100, 3_000, true),
    ("ollama", "llama3.2", 0, 0, 0, false),
];

impl StandInCatalog {
    /// No model at all.
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// Adds a model, in the place of one of the same name.
    pub fn with_model(mut self, model: StandInModel) -> Self {
        self.0
            .retain(|known| known.provider != model.provider || known.name != model.name);
        self.0.push(model);
        self
    }

    pub(crate) fn find(&self, provider: &str, name: &str) -> Option<&StandInModel> {
        self.0
            .iter()
            .find(|model| model.provider == provider && model.name == name)
    }

    pub(crate) fn of<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = &'a StandInModel> {
        self.0.iter().filter(move |model| model.provider == provider)
    }

    pub(crate) fn has(&self, provider: &str) -> bool {
        self.of(provider).next().is_some()
    }
}

impl Default for StandInCatalog {
    /// The usual models at their list prices.
    fn default() -> Self {
        let models = USUAL
            .iter()
            .map(|&(provider, name, input, cached, output, reasons)| {
                // A USD per billion tokens is 10⁶ nano-USD per million.
                let model = StandInModel::new(provider, name)
                    .with_prices(input * 1_000_000, output * 1_000_000)
                    .with_cached_price(cached * 1_000_000);
                if reasons { model.with_reasoning() } else { model }
            });
        Self(models.collect())
    }
}
