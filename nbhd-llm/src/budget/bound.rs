//! What an attempt can cost at most: the hold is never below any bill that it can produce.
//!
//! Input is bounded by the bytes of the serialised request: a byte-level tokenizer makes at most one token of a byte, and
//! the constants below stand for what providers add. Output is bounded by the cap that is always sent. Prices are the
//! dearest of every row, tier and bucket that the attempt can meet.

use nbhd_core::{Code, Error, Result, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::price::{Catalog, NanoUsd, Rates};

/// Tokens that a provider may add around one message: OpenAI's chat format adds 3 or 4; twice that.
const PER_MESSAGE: u64 = 8;

/// Tokens that a provider may add around one tool call of the conversation.
const PER_TOOL_CALL: u64 = 16;

/// Tokens of a provider's own preamble when tools or a schema are given: 159 to 530 published for one provider's models;
/// twice the largest.
const PREAMBLE: u64 = 1_024;

/// The size of a request, as far as the bill depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of the serialised request body.
    pub bytes: u64,
    /// Messages in it.
    pub messages: u64,
    /// Tool calls within the messages.
    pub tool_calls: u64,
    /// Whether tools or a schema are given.
    pub preamble: bool,
    /// Whether the model is asked to reason.
    pub reasons: bool,
}

impl Shape {
    /// The most input tokens that it can be billed for.
    pub fn input_tokens(&self) -> u64 {
        self.bytes
            .saturating_add(self.messages.saturating_mul(PER_MESSAGE))
            .saturating_add(self.tool_calls.saturating_mul(PER_TOOL_CALL))
            .saturating_add(if self.preamble { PREAMBLE } else { 0 })
    }
}

/// The most that an attempt can cost, as a function of its output cap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Bound {
    /// The most input tokens.
    pub input_tokens: u64,
    /// Output tokens that the cap does not bound.
    pub uncapped_output: u64,
    /// The dearest rates.
    pub rates: Rates,
    /// The version of the price row.
    pub price: String,
}

impl Bound {
    /// The bound of a request of this shape, made at `at` and over by `until`.
    pub fn new(
        catalog: &Catalog,
        provider: &str,
        model: &str,
        shape: &Shape,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Self> {
        let input_tokens = shape.input_tokens();
        let price = catalog.dearest(provider, model, input_tokens, at, until)?;
        let mut uncapped_output = 0;
        for found in catalog.find(provider, model) {
            if !found.reasoning || found.cap_covers_reasoning || (!shape.reasons && !price.ceiling) {
                continue;
            }
            let most = found.max_output.or(found.context_window).ok_or_else(|| {
                Error::new(
                    Code::UnpricedModel,
                    format!(
                        "{provider}/{model}: how much it can reason is not known, so its bill has no bound"
                    ),
                )
            })?;
            uncapped_output = uncapped_output.max(most);
        }
        Ok(Self {
            input_tokens,
            uncapped_output,
            rates: price.rates,
            price: price.version,
        })
    }

    /// The most that it costs with this output cap, in nano-USD.
    pub fn amount(&self, output_cap: u64) -> NanoUsd {
        crate::price::ceil_per_million(&[
            (self.input_tokens, self.rates.dearest_input()),
            (output_cap.saturating_add(self.uncapped_output), self.rates.output),
        ])
    }

    /// The largest output cap with which it costs at most `remaining`; `None` when not even its input fits.
    pub fn affordable(&self, remaining: NanoUsd) -> Option<u64> {
        let input = i128::from(self.input_tokens) * i128::from(self.rates.dearest_input().0);
        let left = i128::from(remaining.0) * 1_000_000 - input;
        if left < 0 {
            return None;
        }
        if self.rates.output.0 == 0 {
            return Some(u64::MAX);
        }
        let tokens = left / i128::from(self.rates.output.0) - i128::from(self.uncapped_output);
        u64::try_from(tokens).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Shape};
    use crate::price::{Catalog, NanoUsd, Tokens};
    use nbhd_core::Timestamp;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_amount_is_bytes_and_cap_at_the_dearest_rates() {
        let shape = Shape {
            bytes: 1_000,
            messages: 2,
            ..Shape::default()
        };
        let bound = Bound::new(
            &Catalog::built_in(),
            "openai",
            "gpt-4o-mini",
            &shape,
            now(),
            now(),
        )
        .unwrap();
        // (1,000 + 2 × 8) × 150 + 500 × 600 nano-USD
        assert_eq!(bound.amount(500), NanoUsd(1_016 * 150 + 500 * 600));
    }

    #[test]
    fn unbounded_reasoning_is_held_at_the_models_maximum() {
        let shape = Shape {
            reasons: true,
            ..Shape::default()
        };
        let bound = Bound::new(
            &Catalog::built_in(),
            "mistral",
            "mistral-small-2603",
            &shape,
            now(),
            now(),
        );
        assert_eq!(bound.unwrap().uncapped_output, 256_000);
        let covered = Bound::new(&Catalog::built_in(), "openai", "gpt-5-mini", &shape, now(), now()).unwrap();
        assert_eq!(covered.uncapped_output, 0);
    }

    proptest! {
        #[test]
        fn what_is_affordable_fits_and_one_more_does_not(
            bytes in 0_u64..2_000_000,
            remaining in 0_i64..5_000_000_000,
            place in 0_usize..1_000,
        ) {
            let catalog = Catalog::built_in();
            let models: Vec<_> = catalog.models().collect();
            let model = models[place % models.len()];
            let shape = Shape { bytes, ..Shape::default() };
            let bound = Bound::new(&catalog, &model.provider, &model.model, &shape, now(), now()).unwrap();
            match bound.affordable(NanoUsd(remaining)) {
                Some(cap) => {
                    prop_assert!(bound.amount(cap) <= NanoUsd(remaining));
                    prop_assert!(bound.amount(cap + 1) > NanoUsd(remaining));
                }
                None => prop_assert!(bound.amount(0) > NanoUsd(remaining)),
            }
        }

        #[test]
        fn no_bill_within_the_bounds_is_above_the_hold(
            bytes in 1_u64..1_000_000,
            cap in 0_u64..200_000,
            split in prop::array::uniform4(0_u64..=1_000),
            written in 0_u64..=1_000,
            reasoned in 0_u64..=1_000,
            place in 0_usize..1_000,
            day in 0_i64..900,
        ) {
            let catalog = Catalog::built_in();
            let models: Vec<_> = catalog.models().collect();
            let model = models[place % models.len()];
            let at = "2024-08-01T12:00:00Z".parse::<Timestamp>().unwrap() + chrono::Duration::days(day);
            let shape = Shape { bytes, ..Shape::default() };
            let Ok(bound) = Bound::new(&catalog, &model.provider, &model.model, &shape, at, at) else {
                return Ok(()); // no row that early: nothing is sent
            };
            let whole = split.iter().sum::<u64>().max(1);
            let share = |part: u64| bytes * part / whole;
            let output = cap * written / 1_000;
            let tokens = Tokens {
                input: share(split[0]),
                cache_read: share(split[1]),
                cache_write: share(split[2]),
                cache_write_1h: share(split[3]),
                output,
                reasoning: (cap - output) * reasoned / 1_000,
            };
            // The bill may be dated by the provider up to a day off.
            for shift in [-1, 0, 1] {
                let billed = at + chrono::Duration::days(shift);
                if let Ok(bill) = catalog.bill(&model.provider, &model.model, &tokens, billed) {
                    prop_assert!(bill.nano_usd <= bound.amount(cap), "{} {bill:?}", model.model);
                }
            }
        }
    }
}
