//! Usage in disjoint buckets, from counts that include each other.

use super::compatible::Row;
use super::wire;
use crate::chat::Usage;

/// The buckets of `wire`. `prompt_tokens` includes what came from a cache, went into one, and sound;
/// `completion_tokens` includes sound, pictures and reasoning, except where the provider counts reasoning beside it.
///
/// Where the counts contradict each other, the larger reading is taken: a bill is never read too low.
pub(super) fn usage(row: &Row, wire: &wire::Usage) -> Usage {
    let prompt = wire.prompt_tokens.0;
    let completion = wire.completion_tokens.0;
    let total = wire.total_tokens.0;

    let details = wire
        .prompt_tokens_details
        .as_ref()
        .or(wire.prompt_token_details.as_ref());
    let cache_read = details
        .and_then(|details| details.cached_tokens.0)
        .or(wire.cached_tokens.0)
        .or(wire.num_cached_tokens.0)
        .or(wire.prompt_cache_hit_tokens.0);
    let cache_write = details.and_then(|details| details.cache_write_tokens.0);
    let input_audio = details.and_then(|details| details.audio_tokens.0);
    let input = prompt.map(|prompt| rest(prompt, &[cache_read, cache_write, input_audio]));

    let details = wire.completion_tokens_details.as_ref();
    let reasoning = details.and_then(|details| details.reasoning_tokens.0);
    let output_audio = details.and_then(|details| details.audio_tokens.0);
    let output_image = details.and_then(|details| details.image_tokens.0);
    let outside = reasoning_is_outside(row, prompt, completion, total, reasoning);
    let output = completion.map(|completion| {
        let inside = if outside { None } else { reasoning };
        rest(completion, &[inside, output_audio, output_image])
    });

    let mut usage = Usage {
        input,
        cache_read,
        cache_write,
        cache_write_1h: None,
        input_audio,
        input_image: None,
        output,
        reasoning,
        output_audio,
        output_image,
        total,
        provider_cost: cost(wire),
    };
    // A total above all buckets: what they do not explain counts as output, the dearer side.
    if let (Some(total), Some(output)) = (total, usage.output)
        && usage.input.is_some()
    {
        usage.output = Some(output + total.saturating_sub(usage.tokens()));
    }
    usage
}

/// What is left of `whole` without its parts; all of it where the parts are more than the whole.
fn rest(whole: u64, parts: &[Option<u64>]) -> u64 {
    let parts = parts
        .iter()
        .flatten()
        .fold(0, |sum: u64, part| sum.saturating_add(*part));
    whole.checked_sub(parts).unwrap_or(whole)
}

/// The total decides, where it agrees with one reading; else the provider's row; and more reasoning than completion cannot
/// be inside it.
fn reasoning_is_outside(
    row: &Row,
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    reasoning: Option<u64>,
) -> bool {
    let (Some(completion), Some(reasoning)) = (completion, reasoning) else {
        return row.reasoning_outside;
    };
    if reasoning > completion {
        return true;
    }
    let (Some(prompt), Some(total)) = (prompt, total) else {
        return row.reasoning_outside;
    };
    let inside = prompt.saturating_add(completion);
    if total == inside {
        return false;
    }
    total == inside.saturating_add(reasoning) || row.reasoning_outside
}

/// What the provider says that it cost, in nano-USD, rounded up.
fn cost(wire: &wire::Usage) -> Option<i64> {
    if let Some(ticks) = wire.cost_in_usd_ticks {
        // 10⁻¹⁰ USD each: the recorded bills agree with the price list under this reading.
        return nano(ticks / 10.0);
    }
    let cost = wire.cost?;
    let upstream = wire
        .cost_details
        .as_ref()
        .filter(|_| wire.is_byok == Some(true))
        .and_then(|details| details.upstream_inference_cost)
        .unwrap_or(0.0);
    nano((cost + upstream) * 1e9)
}

fn nano(amount: f64) -> Option<i64> {
    if !amount.is_finite() || !(0.0..9e18).contains(&amount) {
        return None;
    }
    // A decimal such as 0.0000033 USD is not exact as a float: what is a whole number but for that stays it.
    let near = amount.round();
    let whole = if (amount - near).abs() < 1e-3 {
        near
    } else {
        amount.ceil()
    };
    Some(whole as i64)
}

#[cfg(test)]
mod tests {
    use super::usage;
    use crate::chat::Usage;
    use crate::openai::{row, wire};
    use serde_json::{Value, json};

    fn read(provider: &str, value: Value) -> Usage {
        let wire: wire::Usage = serde_json::from_value(value).unwrap();
        usage(row(provider).unwrap(), &wire)
    }

    #[test]
    fn reasoning_beside_the_completion_is_counted_once_and_not_lost() {
        // The counts of a recorded grok-3-mini stream; its own cost is 342 output tokens at 0.50 USD per million and 12
        // input tokens of which 11 came from the cache.
        let usage = read(
            "xai",
            json!({"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 354,
                "prompt_tokens_details": {"cached_tokens": 11, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 340}, "cost_in_usd_ticks": 1_721_250}),
        );
        assert_eq!((usage.input, usage.cache_read), (Some(1), Some(11)));
        assert_eq!((usage.output, usage.reasoning), (Some(2), Some(340)));
        assert_eq!(usage.provider_cost, Some(172_125));
        assert!(usage.adds_up());
    }

    #[test]
    fn reasoning_within_the_completion_is_taken_out_of_it() {
        let usage = read(
            "openai",
            json!({"prompt_tokens": 15, "completion_tokens": 78, "total_tokens": 93,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 64}}),
        );
        assert_eq!(
            (usage.output, usage.reasoning, usage.output_tokens()),
            (Some(14), Some(64), 78)
        );
        assert_eq!(usage.cache_read, Some(0));
        assert_eq!(usage.cache_write, None);
    }

    #[test]
    fn the_cache_has_four_names() {
        for counts in [
            json!({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}),
            json!({"prompt_tokens": 10, "prompt_token_details": {"cached_tokens": 4}}),
            json!({"prompt_tokens": 10, "num_cached_tokens": 4}),
            json!({"prompt_tokens": 10, "cached_tokens": 4}),
            json!({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6}),
        ] {
            let usage = read("mistral", counts);
            assert_eq!((usage.input, usage.cache_read), (Some(6), Some(4)));
        }
    }

    #[test]
    fn contradictions_are_read_at_the_larger() {
        let usage = read(
            "openai",
            json!({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 14}}),
        );
        assert_eq!((usage.input, usage.cache_read), (Some(10), Some(14)));
        let usage = read(
            "openai",
            json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}),
        );
        assert_eq!((usage.input, usage.output), (Some(10), Some(30)));
        let usage = read(
            "openai",
            json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 3}),
        );
        assert_eq!((usage.input, usage.output), (Some(10), Some(5)));
        assert!(!usage.adds_up());
    }

    #[test]
    fn a_zero_stays_a_zero_and_nonsense_is_nothing() {
        let usage = read(
            "openai",
            json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        );
        assert_eq!((usage.input, usage.output), (Some(0), Some(0)));
        let usage = read(
            "openai",
            json!({"prompt_tokens": -1, "completion_tokens": "many"}),
        );
        assert_eq!((usage.input, usage.output), (None, None));
    }

    #[test]
    fn a_cost_that_is_told_is_exact() {
        let usage = read(
            "openrouter",
            json!({"prompt_tokens": 14, "completion_tokens": 2, "total_tokens": 16, "cost": 3.3e-6}),
        );
        assert_eq!(usage.provider_cost, Some(3_300));
        let own_key =
            json!({"cost": 1e-7, "is_byok": true, "cost_details": {"upstream_inference_cost": 2e-6}});
        assert_eq!(read("openrouter", own_key).provider_cost, Some(2_100));
    }
}
