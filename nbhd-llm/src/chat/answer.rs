//! The answer: what was said, by whom, what it used and what it cost.

use nbhd_core::Receipt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Message, ProviderBlocks, Role, ToolCall, Usage};

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Answer {
    /// The text.
    pub text: String,
    /// What the model let see of its reasoning.
    pub reasoning: Option<String>,
    /// The tools that it calls.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// The provider's own word for why it ended.
    pub finish_detail: Option<String>,
    /// What it used, in disjoint buckets; absent when the provider did not say.
    pub usage: Option<Usage>,
    /// What it cost, all attempts together.
    pub cost: Cost,
    /// The provider that answered.
    pub provider: String,
    /// The model that really answered, in the provider's words.
    pub model: String,
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// Every attempt, in order; the last one answered.
    pub attempts: Vec<ModelAttempt>,
    /// The output cap that was sent.
    pub output_cap: OutputCap,
    /// What only the provider understands: goes back with the message, see [`Answer::to_message`].
    pub provider_blocks: Option<ProviderBlocks>,
    /// The record of the call.
    pub receipt: Receipt,
}

impl Answer {
    /// The answer as the assistant's message, to go on with the conversation.
    pub fn to_message(&self) -> Message {
        Message {
            role: Role::Assistant,
            content: self.text.as_str().into(),
            tool_calls: self.tool_calls.clone(),
            tool_call_id: None,
            provider_blocks: self.provider_blocks.clone(),
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// All was said.
    Stop,
    /// The output cap or the window was reached.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// The provider's filter stepped in, or the model refused.
    Filtered,
    /// The provider paused; the conversation goes on with the answer sent back.
    Paused,
    /// The provider failed within the answer.
    Error,
    /// Something else: see `finish_detail`.
    Other,
}

/// What something cost. Money is integer nano-USD (1 USD = 10⁹).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Cost {
    /// In nano-USD.
    pub nano_usd: i64,
    /// In USD, exact, such as `0.00042`.
    pub usd: String,
    /// How it is known.
    pub basis: CostBasis,
    /// The version of the price row, when a row of ours made the price.
    pub price: Option<String>,
}

impl Cost {
    /// A cost of so many nano-USD.
    pub fn new(nano_usd: i64, basis: CostBasis) -> Self {
        Self {
            nano_usd,
            usd: decimal(nano_usd),
            basis,
            price: None,
        }
    }

    /// Names the version of the price row.
    pub fn with_price(mut self, version: impl Into<String>) -> Self {
        self.price = Some(version.into());
        self
    }
}

/// How a cost is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CostBasis {
    /// From the usage that the provider reported.
    Actual,
    /// At the bound, because the usage is not known yet.
    Provisional,
    /// No price is known.
    Unknown,
}

/// The output cap of the attempt that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OutputCap {
    /// In tokens, reasoning included.
    pub tokens: u64,
    /// Why it is this one: `asked`, `default`, `purpose`, `model` or `affordable`.
    pub reason: String,
}

impl OutputCap {
    /// A cap and its reason.
    pub fn new(tokens: u64, reason: impl Into<String>) -> Self {
        Self {
            tokens,
            reason: reason.into(),
        }
    }
}

/// One attempt to get an answer from one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ModelAttempt {
    /// The provider asked.
    pub provider: String,
    /// The model asked.
    pub model: String,
    /// The key it was asked with, by the name of its profile.
    pub profile: Option<String>,
    /// `ok`, or the code of the error.
    pub outcome: String,
    /// The lane the failure was put into, such as `rate` or `money`.
    pub class: Option<String>,
    /// The provider's status.
    pub status: Option<u16>,
    /// The provider's own reason.
    pub reason: Option<String>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// Seconds waited before it.
    pub waited: f64,
    /// Seconds it took.
    pub seconds: f64,
    /// Seconds to its first content, when it had any.
    pub first_content: Option<f64>,
    /// The id of its hold.
    pub hold: Option<String>,
    /// What was held for it, in nano-USD.
    pub held: i64,
    /// What it was settled at, in nano-USD.
    pub settled: i64,
}

impl ModelAttempt {
    /// An attempt that has just begun.
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            profile: None,
            outcome: "ok".to_owned(),
            class: None,
            status: None,
            reason: None,
            request_id: None,
            waited: 0.0,
            seconds: 0.0,
            first_content: None,
            hold: None,
            held: 0,
            settled: 0,
        }
    }
}

fn decimal(nano_usd: i64) -> String {
    let sign = if nano_usd < 0 { "-" } else { "" };
    let amount = nano_usd.unsigned_abs();
    let (whole, fraction) = (amount / 1_000_000_000, amount % 1_000_000_000);
    if fraction == 0 {
        return format!("{sign}{whole}.00");
    }
    let digits = format!("{fraction:09}");
    let digits = digits.trim_end_matches('0');
    format!("{sign}{whole}.{digits:0<2}")
}

#[cfg(test)]
mod tests {
    use super::{Cost, CostBasis};

    #[test]
    fn usd_is_exact() {
        let cases = [
            (0, "0.00"),
            (1, "0.000000001"),
            (420_000, "0.00042"),
            (1_500_000_000, "1.50"),
            (-2_000_000_000, "-2.00"),
            (i64::MIN, "-9223372036.854775808"),
        ];
        for (nano, text) in cases {
            assert_eq!(Cost::new(nano, CostBasis::Actual).usd, text);
        }
    }
}
