//! One price row, and what a number of tokens costs under it.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NanoUsd;

/// Tokens in disjoint buckets: no token is counted in two of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Read at the full rate.
    pub input: u64,
    /// Read from the provider's cache.
    pub cache_read: u64,
    /// Written to the provider's cache, in its short lifetime (5 or 30 minutes).
    pub cache_write: u64,
    /// Written to the provider's cache for an hour or longer.
    pub cache_write_1h: u64,
    /// Written by the model, without reasoning.
    pub output: u64,
    /// Reasoning, where it is billed; priced as output.
    pub reasoning: u64,
}

impl Tokens {
    /// Everything that the model read: what decides a long-context tier.
    pub fn prompt(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
    }
}

/// Rates in nano-USD per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Input that no cache served.
    pub input: NanoUsd,
    /// Input that the cache served; the input rate where the provider names none.
    #[serde(default)]
    pub cache_read: Option<NanoUsd>,
    /// Writing to the cache; the input rate where the provider names none.
    #[serde(default)]
    pub cache_write: Option<NanoUsd>,
    /// Writing to the cache for an hour; the rate of `cache_write` where the provider names none.
    #[serde(default)]
    pub cache_write_1h: Option<NanoUsd>,
    /// Output, reasoning included.
    pub output: NanoUsd,
}

impl Rates {
    /// What `tokens` cost, rounded up once.
    pub fn cost(&self, tokens: &Tokens) -> NanoUsd {
        let written = tokens.output.saturating_add(tokens.reasoning);
        ceil_per_million(&[
            (tokens.input, self.input),
            (tokens.cache_read, self.cache_read.unwrap_or(self.input)),
            (tokens.cache_write, self.write()),
            (tokens.cache_write_1h, self.write_1h()),
            (written, self.output),
        ])
    }

    /// The dearest rate at which one token of the prompt can be billed.
    pub fn dearest_input(&self) -> NanoUsd {
        self.input
            .max(self.cache_read.unwrap_or(self.input))
            .max(self.write())
            .max(self.write_1h())
    }

    /// Bucket by bucket the dearer of the two.
    pub fn dearest(self, other: Self) -> Self {
        let read = |rates: &Self| rates.cache_read.unwrap_or(rates.input);
        Self {
            input: self.input.max(other.input),
            cache_read: Some(read(&self).max(read(&other))),
            cache_write: Some(self.write().max(other.write())),
            cache_write_1h: Some(self.write_1h().max(other.write_1h())),
            output: self.output.max(other.output),
        }
    }

    fn write(&self) -> NanoUsd {
        self.cache_write.unwrap_or(self.input)
    }

    fn write_1h(&self) -> NanoUsd {
        self.cache_write_1h.unwrap_or(self.write())
    }
}

/// Rates that take the place of the row's for the whole request once its prompt is longer than `above` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tier {
    /// The longest prompt to which the tier does not yet apply, in tokens.
    pub above: u64,
    /// The rates.
    #[serde(flatten)]
    pub rates: Rates,
}

/// The rates of a model from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Row {
    /// The first day on which it applies, UTC; absent for "since there are records".
    #[serde(default)]
    pub from: Option<NaiveDate>,
    /// The rates.
    #[serde(flatten)]
    pub rates: Rates,
    /// Long-context tiers, by rising `above`.
    #[serde(default, rename = "tier")]
    pub tiers: Vec<Tier>,
    /// Where the numbers were read.
    pub source: String,
    /// When they were last read there.
    pub checked: NaiveDate,
}

impl Row {
    /// The rates for a prompt of so many tokens.
    pub fn rates_for(&self, prompt: u64) -> Rates {
        self.tiers
            .iter()
            .rev()
            .find(|tier| prompt > tier.above)
            .map_or(self.rates, |tier| tier.rates)
    }

    /// The dearest rates of every tier that a prompt of at most so many tokens can reach.
    pub fn dearest_up_to(&self, prompt: u64) -> Rates {
        self.tiers
            .iter()
            .filter(|tier| prompt > tier.above)
            .fold(self.rates, |dearest, tier| dearest.dearest(tier.rates))
    }
}

/// Σ tokens × rate, in nano-USD, rounded up once; saturates instead of wrapping.
pub(crate) fn ceil_per_million(parts: &[(u64, NanoUsd)]) -> NanoUsd {
    let sum: i128 = parts
        .iter()
        .map(|(tokens, rate)| i128::from(*tokens) * i128::from(rate.0))
        .sum();
    let nano = sum.div_euclid(1_000_000) + i128::from(sum.rem_euclid(1_000_000) != 0);
    NanoUsd(i64::try_from(nano).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{NanoUsd, Rates, Tokens};

    fn rates(input: i64, cache_read: Option<i64>, output: i64) -> Rates {
        Rates {
            input: NanoUsd(input),
            cache_read: cache_read.map(NanoUsd),
            cache_write: None,
            cache_write_1h: None,
            output: NanoUsd(output),
        }
    }

    #[test]
    fn a_bill_is_rounded_up_once_and_not_per_bucket() {
        // 0.15 nano-USD a token: three tokens in two buckets are 0.45, one nano-USD, not two.
        let cheap = rates(150_000, Some(150_000), 150_000);
        let tokens = Tokens {
            input: 1,
            cache_read: 1,
            output: 1,
            ..Tokens::default()
        };
        assert_eq!(cheap.cost(&tokens), NanoUsd(1));
        assert_eq!(cheap.cost(&Tokens::default()), NanoUsd(0));
    }

    #[test]
    fn absurd_counts_saturate() {
        let tokens = Tokens {
            input: u64::MAX,
            output: u64::MAX,
            ..Tokens::default()
        };
        assert_eq!(rates(1 << 40, None, 1 << 40).cost(&tokens), NanoUsd(i64::MAX));
    }
}
