//! What a failed attempt means: one table from typed facts to a lane, one from the lane to what follows.
//!
//! The facts are the provider's status, its own reason (a code or type, never a sentence), our code and the outcome.
//! Nothing is found out by searching text. How the hold settles follows the outcome alone: what provably did nothing
//! costs nothing, what nobody knows counts at its bound.

use nbhd_core::{Code, Error, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lane {
    /// A failure of the provider's own, or of the way there, that may pass by itself.
    TransientServer,
    /// Too much, too fast.
    Rate,
    /// The provider has too much to do.
    Overloaded,
    /// No answer in time.
    Timeout,
    /// No credit, or a limit on spending at the provider.
    Money,
    /// The key is not accepted.
    Auth,
    /// The key will never be accepted again.
    AuthPermanent,
    /// The call itself is wrong.
    Caller,
    /// The prompt does not fit the model.
    ContextOverflow,
    /// A filter refused the content.
    ContentFilter,
    /// The provider has no such model for this key.
    ModelNotFound,
    /// It was sent, and nobody knows what became of it.
    UnknownAfterSend,
}

/// What the router does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Once more with the same candidate, then the next one.
    RetrySame,
    /// The next candidate.
    FallBack,
    /// A candidate with a larger window, if the chain has one.
    LargerWindow,
    /// Tell the caller.
    Surface,
}

/// How long a candidate rests, in seconds, and what rests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cooldown {
    /// Nothing rests.
    None,
    /// The model at this provider: `base · 2ⁿ`, at most `most`.
    Model { base: u64, most: u64 },
    /// The model at this provider, in fixed steps.
    ModelSteps([u64; 3]),
    /// Everything at this provider: `base · 2ⁿ`, at most `most`.
    Provider { base: u64, most: u64 },
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

impl Lane {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Lane::TransientServer => "transient_server",
            Lane::Rate => "rate",
            Lane::Overloaded => "overloaded",
            Lane::Timeout => "timeout",
            Lane::Money => "money",
            Lane::Auth => "auth",
            Lane::AuthPermanent => "auth_permanent",
            Lane::Caller => "caller",
            Lane::ContextOverflow => "context_overflow",
            Lane::ContentFilter => "content_filter",
            Lane::ModelNotFound => "model_not_found",
            Lane::UnknownAfterSend => "unknown_after_send",
        }
    }

    /// The policy of the lane.
    pub(crate) const fn policy(self) -> (Next, Cooldown) {
        match self {
            Lane::TransientServer => (Next::RetrySame, Cooldown::None),
            Lane::Rate => (Next::FallBack, Cooldown::Model { base: 30, most: HOUR }),
            Lane::Overloaded | Lane::Timeout => (Next::FallBack, Cooldown::ModelSteps([30, 60, 300])),
            Lane::Money => (
                Next::FallBack,
                Cooldown::Provider {
                    base: 10 * MINUTE,
                    most: 24 * HOUR,
                },
            ),
            Lane::Auth => (
                Next::FallBack,
                Cooldown::Provider {
                    base: 10 * MINUTE,
                    most: HOUR,
                },
            ),
            Lane::AuthPermanent => (
                Next::FallBack,
                Cooldown::Provider {
                    base: HOUR,
                    most: HOUR,
                },
            ),
            Lane::UnknownAfterSend => (Next::FallBack, Cooldown::None),
            Lane::ContextOverflow => (Next::LargerWindow, Cooldown::None),
            Lane::Caller | Lane::ContentFilter | Lane::ModelNotFound => (Next::Surface, Cooldown::None),
        }
    }
}

/// One row: whatever is `None` fits everything. A word that means something at one provider alone is put into our code by
/// that provider's own reader, so a row needs no provider.
struct Row {
    status: Option<u16>,
    reason: Option<&'static str>,
    lane: Lane,
}

const fn reason(reason: &'static str, lane: Lane) -> Row {
    Row {
        status: None,
        reason: Some(reason),
        lane,
    }
}

const fn status(status: u16, lane: Lane) -> Row {
    Row {
        status: Some(status),
        reason: None,
        lane,
    }
}

/// Read from the top; the first row that fits decides. OpenAI's, Anthropic's and Moonshot's error references and
/// recorded replies, 2026-08-21.
const ROWS: &[Row] = &[
    reason("credit_balance_exhausted", Lane::Money),
    reason("organization_spend_limit_exceeded", Lane::Money),
    reason("project_spend_limit_exceeded", Lane::Money),
    reason("organization_usage_limit_exceeded", Lane::Money),
    reason("insufficient_quota", Lane::Money),
    reason("billing_error", Lane::Money),
    reason("billing_not_active", Lane::Money),
    reason("enforced_spend_limit_reached", Lane::Money),
    reason("contract_spend_limit_reached", Lane::Money),
    reason("exceeded_current_quota_error", Lane::Money),
    reason("account_deactivated", Lane::AuthPermanent),
    reason("API_KEY_INVALID", Lane::Auth),
    reason("invalid_api_key", Lane::Auth),
    reason("engine_overloaded_error", Lane::Overloaded),
    reason("server_is_overloaded", Lane::Overloaded),
    reason("overloaded_error", Lane::Overloaded),
    reason("slow_down", Lane::Rate),
    status(529, Lane::Overloaded),
];

/// The lane of a failed attempt.
pub(crate) fn lane(error: &Error) -> Lane {
    let found = ROWS.iter().find(|row| {
        row.status
            .is_none_or(|status| error.provider_status() == Some(status))
            && row
                .reason
                .is_none_or(|reason| error.provider_reason() == Some(reason))
    });
    // A waiting time beside a word of money means money that comes back by itself; the provider's reader says so.
    match found {
        Some(row) if row.lane != Lane::Money || error.code() != Code::RateLimited => row.lane,
        _ => by_code(error),
    }
}

fn by_code(error: &Error) -> Lane {
    match error.code() {
        Code::RateLimited => Lane::Rate,
        Code::ProviderOverloaded => Lane::Overloaded,
        Code::Timeout => Lane::Timeout,
        Code::BillingRequired | Code::QuotaExhausted => Lane::Money,
        Code::Unauthenticated | Code::PermissionDenied | Code::SecretMissing => Lane::Auth,
        Code::ContextOverflow => Lane::ContextOverflow,
        Code::ContentFiltered => Lane::ContentFilter,
        Code::ModelNotFound | Code::NotFound => Lane::ModelNotFound,
        Code::ProviderUnavailable | Code::Conflict => Lane::TransientServer,
        Code::ConnectionFailed | Code::TlsFailed if error.outcome() != Outcome::Unknown => {
            Lane::TransientServer
        }
        Code::ConnectionFailed | Code::TlsFailed | Code::ProtocolError | Code::ResponseTooLarge => {
            Lane::UnknownAfterSend
        }
        _ => Lane::Caller,
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, lane};
    use nbhd_core::{Code, Error, Outcome};

    #[test]
    fn facts_decide_and_text_does_not() {
        let error = |code| Error::new(code, "timeout timeout http 503").with_outcome(Outcome::Refused);
        let cases = [
            (error(Code::InvalidInput).with_provider_status(400), Lane::Caller),
            (error(Code::RateLimited).with_provider_status(429), Lane::Rate),
            (
                error(Code::BillingRequired)
                    .with_provider_status(429)
                    .with_provider_reason("insufficient_quota"),
                Lane::Money,
            ),
            (
                error(Code::RateLimited)
                    .with_provider_status(429)
                    .with_provider_reason("project_spend_limit_exceeded"),
                Lane::Rate,
            ),
            (
                error(Code::RateLimited)
                    .with_provider_status(429)
                    .with_provider_reason("engine_overloaded_error"),
                Lane::Overloaded,
            ),
            (
                error(Code::ProviderUnavailable).with_provider_status(529),
                Lane::Overloaded,
            ),
            (
                error(Code::ProviderUnavailable).with_provider_status(502),
                Lane::TransientServer,
            ),
            (
                error(Code::ConnectionFailed).with_outcome(Outcome::NotSent),
                Lane::TransientServer,
            ),
            (
                error(Code::ConnectionFailed).with_outcome(Outcome::Unknown),
                Lane::UnknownAfterSend,
            ),
            (
                error(Code::ProtocolError).with_outcome(Outcome::Unknown),
                Lane::UnknownAfterSend,
            ),
            (error(Code::Unauthenticated).with_provider_status(401), Lane::Auth),
            (
                error(Code::ModelNotFound).with_provider_status(404),
                Lane::ModelNotFound,
            ),
            (
                error(Code::ContextOverflow).with_provider_status(400),
                Lane::ContextOverflow,
            ),
            (
                error(Code::ContentFiltered).with_provider_status(400),
                Lane::ContentFilter,
            ),
            (error(Code::Timeout).with_outcome(Outcome::Unknown), Lane::Timeout),
        ];
        for (error, expected) in cases {
            assert_eq!(lane(&error), expected, "{error:?}");
        }
    }
}
