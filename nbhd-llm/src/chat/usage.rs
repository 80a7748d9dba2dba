//! What an answer used, in buckets that never overlap: their sum is the whole, so nothing is paid for twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens used, in disjoint buckets. A bucket that the provider did not speak of is absent; a 0 that it gave stays 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Text read afresh: neither from a cache nor into one.
    pub input: Option<u64>,
    /// Read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Written into the provider's cache for its usual, short lifetime.
    pub cache_write: Option<u64>,
    /// Written into the provider's cache for an hour.
    pub cache_write_1h: Option<u64>,
    /// Sound in the input.
    pub input_audio: Option<u64>,
    /// Pictures in the input, where the provider counts them apart.
    pub input_image: Option<u64>,
    /// Text written, without reasoning.
    pub output: Option<u64>,
    /// Reasoning written, delivered or not.
    pub reasoning: Option<u64>,
    /// Sound in the output.
    pub output_audio: Option<u64>,
    /// Pictures in the output.
    pub output_image: Option<u64>,
    /// The provider's own total.
    pub total: Option<u64>,
    /// What the provider itself says that it cost, in nano-USD, rounded up.
    pub provider_cost: Option<i64>,
}

impl Usage {
    /// All that was read.
    pub fn input_tokens(&self) -> u64 {
        sum([
            self.input,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.input_audio,
            self.input_image,
        ])
    }

    /// All that was written.
    pub fn output_tokens(&self) -> u64 {
        sum([self.output, self.reasoning, self.output_audio, self.output_image])
    }

    /// Everything.
    pub fn tokens(&self) -> u64 {
        self.input_tokens().saturating_add(self.output_tokens())
    }

    /// Whether the buckets add up to the provider's own total, if it gave one.
    pub fn adds_up(&self) -> bool {
        self.total.is_none_or(|total| total == self.tokens())
    }
}

fn sum<const N: usize>(buckets: [Option<u64>; N]) -> u64 {
    buckets.into_iter().flatten().fold(0, u64::saturating_add)
}
