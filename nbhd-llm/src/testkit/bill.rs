//! The stand-in's own count and its own bill. Nothing here is shared with the router: its promise is checked against this.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::StandInModel;

/// What one request is billed at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BillEntry {
    /// The id of the answer.
    pub id: String,
    /// The provider that was played.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Whether it was a stream. It is billed whole, read to its end or not.
    pub stream: bool,
    /// Input tokens, those from the cache included.
    pub input_tokens: u64,
    /// Input tokens that came from the cache.
    pub cached_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Output tokens that were reasoning.
    pub reasoning_tokens: u64,
    /// What it costs, in nano-USD.
    pub nano_usd: i64,
}

/// Everything billed so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Bill {
    /// The requests, in order.
    pub entries: Vec<BillEntry>,
    /// The sum, in nano-USD.
    pub nano_usd: i64,
    /// The sum by `provider/model`, in nano-USD.
    pub by_model: BTreeMap<String, i64>,
}

impl Bill {
    pub(super) fn add(&mut self, entry: BillEntry) {
        self.nano_usd += entry.nano_usd;
        *self
            .by_model
            .entry(format!("{}/{}", entry.provider, entry.model))
            .or_default() += entry.nano_usd;
        self.entries.push(entry);
    }
}

/// What the stand-in counts for a text: four characters to the token, begun ones count.
pub(super) fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

/// What it counts for a request: its texts, 4 for each message, 8 for each tool, 3 to begin; never more than its bytes.
pub(super) fn input_tokens(request: &Value, bytes: usize) -> u64 {
    let mut count = 3;
    for message in request["messages"].as_array().into_iter().flatten() {
        count += 4;
        match &message["content"] {
            Value::String(text) => count += tokens(text),
            Value::Array(parts) => {
                for part in parts {
                    count += part["text"].as_str().map_or(85, tokens);
                }
            }
            _ => {}
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            count += 8 + tokens(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    for tool in request["tools"].as_array().into_iter().flatten() {
        count += 8 + tokens(&tool["function"].to_string());
    }
    if !request["response_format"].is_null() {
        count += tokens(&request["response_format"].to_string());
    }
    count.min(bytes as u64)
}

/// What it charges, rounded up once.
pub(super) fn price(model: &StandInModel, input: u64, cached: u64, output: u64) -> i64 {
    let sum = i128::from(input - cached) * i128::from(model.input)
        + i128::from(cached) * i128::from(model.cached)
        + i128::from(output) * i128::from(model.output);
    i64::try_from((sum + 999_999) / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{input_tokens, price, tokens};
    use crate::testkit::{StandInCatalog, StandInModel};
    use serde_json::json;

    #[test]
    fn a_count_is_by_characters_and_never_above_bytes() {
        assert_eq!(
            (tokens(""), tokens("a"), tokens("abcd"), tokens("äöüßx")),
            (0, 1, 1, 2)
        );
        let request = json!({"messages": [{"role": "user", "content": "12345678"}]});
        assert_eq!(input_tokens(&request, 1_000), 9);
        assert_eq!(input_tokens(&request, 5), 5);
    }

    #[test]
    fn a_price_is_rounded_up_once() {
        let catalog = StandInCatalog::default();
        // 1,000 in at 0.15 and 100 out at 0.60 USD per million: 150 + 60 millionths of a USD.
        assert_eq!(
            price(catalog.find("openai", "gpt-4o-mini").unwrap(), 1_000, 0, 100),
            210_000
        );
        let cheap = StandInModel::new("x", "y").with_prices(1, 1);
        assert_eq!(price(&cheap, 1, 0, 1), 1);
    }
}
