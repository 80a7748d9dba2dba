//! Refusals, read by status, type and code. Their text stays where it was: it may repeat what was asked.

use nbhd_core::clock::Timestamp;
use nbhd_core::error::Class;
use nbhd_core::http::{HeaderMap, StatusCode};
use nbhd_core::{Code, Error, Outcome};
use serde_json::{Value, json};

use crate::provider::retry_after;

/// What a provider's word means: the `code` of its error first, then the `type`.
/// OpenAI, Mistral, Moonshot, llama.cpp: their references and recorded replies, 2026-08-21.
const WORDS: &[(&str, Code)] = &[
    ("credit_balance_exhausted", Code::BillingRequired),
    ("organization_spend_limit_exceeded", Code::BillingRequired),
    ("project_spend_limit_exceeded", Code::BillingRequired),
    ("organization_usage_limit_exceeded", Code::BillingRequired),
    ("insufficient_quota", Code::BillingRequired),
    ("billing_hard_limit_reached", Code::BillingRequired),
    ("billing_not_active", Code::BillingRequired),
    ("exceeded_current_quota_error", Code::BillingRequired),
    ("rate_limit_exceeded", Code::RateLimited),
    ("slow_down", Code::RateLimited),
    ("rate_limit_reached_error", Code::RateLimited),
    ("rate_limit_error", Code::RateLimited),
    ("server_is_overloaded", Code::ProviderOverloaded),
    ("engine_overloaded_error", Code::ProviderOverloaded),
    ("overloaded_error", Code::ProviderOverloaded),
    ("service_unavailable_error", Code::ProviderOverloaded),
    ("invalid_api_key", Code::Unauthenticated),
    ("invalid_authentication_error", Code::Unauthenticated),
    ("incorrect_api_key_error", Code::Unauthenticated),
    ("authentication_error", Code::Unauthenticated),
    ("permission_error", Code::PermissionDenied),
    ("model_not_found", Code::ModelNotFound),
    ("invalid_model", Code::ModelNotFound),
    ("1500", Code::ModelNotFound),
    ("resource_not_found_error", Code::ModelNotFound),
    ("not_found_error", Code::ModelNotFound),
    ("context_length_exceeded", Code::ContextOverflow),
    ("exceed_context_size_error", Code::ContextOverflow),
    ("content_filter", Code::ContentFiltered),
    ("content_policy_violation", Code::ContentFiltered),
    ("server_error", Code::ProviderUnavailable),
    ("internal_server_error", Code::ProviderUnavailable),
];

/// What a status means where no word says it.
fn by_status(status: u16) -> Code {
    match status {
        401 => Code::Unauthenticated,
        402 => Code::BillingRequired,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        408 | 504 | 524 => Code::Timeout,
        409 | 425 => Code::ProviderUnavailable,
        413 => Code::ContextOverflow,
        429 => Code::RateLimited,
        503 | 529 => Code::ProviderOverloaded,
        400..=499 => Code::InvalidInput,
        500..=599 => Code::ProviderUnavailable,
        _ => Code::ProtocolError,
    }
}

/// The words of an error envelope.
#[derive(Debug, Default)]
struct Envelope {
    /// Whether there was one at all: then the provider itself answered.
    found: bool,
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
    limit_source: Option<String>,
    /// The status that the envelope names, where the reply's own was a success.
    status: Option<u16>,
}

impl Envelope {
    fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let inner = match &body["error"] {
            Value::Object(_) => &body["error"],
            Value::String(_) => {
                return Self {
                    found: true,
                    ..Self::default()
                };
            }
            _ => match &body["choices"][0]["error"] {
                error @ Value::Object(_) => error,
                _ => &body,
            },
        };
        let found = !body["error"].is_null()
            || body["object"] == "error"
            || !body["detail"].is_null()
            || inner["message"].is_string();
        let numeric = inner["code"]
            .as_u64()
            .or_else(|| inner["raw_status_code"].as_u64());
        Self {
            found,
            kind: word(&inner["type"]),
            code: word(&inner["code"]),
            param: word(&inner["param"]),
            limit_source: word(&inner["metadata"]["limit_source"]),
            status: numeric
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| (400..600).contains(code)),
        }
    }

    fn meaning(&self) -> Option<Code> {
        [&self.code, &self.kind]
            .into_iter()
            .flatten()
            .find_map(|word| WORDS.iter().find(|(known, _)| known == word))
            .map(|(_, code)| *code)
    }
}

/// The error for a reply with a failure status.
pub(super) fn refusal(
    provider: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Error {
    let envelope = Envelope::read(body);
    let status = status.as_u16();
    let wait = retry_after(headers, now);
    let mut code = envelope.meaning().unwrap_or_else(|| by_status(status));
    match (status, code) {
        // Money that is only in flight elsewhere comes back by itself.
        (402, Code::BillingRequired) if wait.is_some() || envelope.limit_source.is_some() => {
            code = Code::RateLimited;
        }
        // A request too large for the limit is not helped by waiting.
        (413, Code::RateLimited) => code = Code::ContextOverflow,
        _ => {}
    }
    // An envelope is the provider's own word that it did nothing. A gateway's failure is nobody's word.
    let outcome = match status {
        502 | 504 | 520..=526 => Outcome::Unknown,
        500..=599 | 408 if !envelope.found => Outcome::Unknown,
        _ => Outcome::Refused,
    };
    let should_retry = headers
        .get("x-should-retry")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().parse::<bool>().ok());
    let mut error = report(provider, code, Some(status), &envelope, should_retry).with_outcome(outcome);
    if let Some(wait) = wait {
        error = error.with_retry_after(wait);
    }
    // Money and keys do not come back by asking again, whatever a header says.
    if let Some(retry) = should_retry.filter(|_| !matches!(error.class(), Class::Money | Class::Auth)) {
        error = error.with_retryable(retry);
    }
    let id = [
        "x-request-id",
        "mistral-correlation-id",
        "x-generation-id",
        "cf-ray",
    ]
    .into_iter()
    .find_map(|name| headers.get(name)?.to_str().ok());
    match id.and_then(clean) {
        Some(id) => error.with_request_id(id),
        None => error,
    }
}

/// The error that came within a success: in a stream, or in the body of a 200. What it did before is not known.
pub(super) fn within_success(provider: &str, body: &[u8]) -> Error {
    let envelope = Envelope::read(body);
    let code = envelope
        .meaning()
        .or_else(|| envelope.status.map(by_status))
        .unwrap_or(Code::ProviderUnavailable);
    report(provider, code, envelope.status, &envelope, None).with_outcome(Outcome::Unknown)
}

fn report(
    provider: &str,
    code: Code,
    status: Option<u16>,
    envelope: &Envelope,
    should_retry: Option<bool>,
) -> Error {
    let reason = envelope.code.as_ref().or(envelope.kind.as_ref());
    let mut message = match status {
        Some(status) => format!("{provider} answered {status}"),
        None => format!("{provider} failed within its answer"),
    };
    if let Some(reason) = reason {
        message.push_str(": ");
        message.push_str(reason);
    }
    if let Some(param) = &envelope.param {
        message.push_str(" at ");
        message.push_str(param);
    }
    let mut error = Error::new(code, message)
        .with_provider(provider)
        .with_details(json!({
            "type": envelope.kind,
            "code": envelope.code,
            "param": envelope.param,
            "limit_source": envelope.limit_source,
            "should_retry": should_retry,
        }));
    if let Some(status) = status {
        error = error.with_provider_status(status);
    }
    match reason {
        Some(reason) => error.with_provider_reason(reason),
        None => error,
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => clean(text).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A word is short and made of what words of protocols are made of; anything else is text and stays where it was.
fn clean(text: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:[]".contains(&byte);
    (!text.is_empty() && text.len() <= 80 && text.bytes().all(fits)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{refusal, within_success};
    use nbhd_core::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
    use nbhd_core::{Code, Error, Outcome};

    fn read(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Error {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let now = "2026-11-21T06:00:00Z".parse().unwrap();
        refusal(
            "openai",
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_bytes(),
            now,
        )
    }

    #[test]
    fn rate_and_money_share_a_status_and_are_told_apart() {
        let rate = read(
            429,
            &[("retry-after-ms", "1500"), ("x-request-id", "req_1")],
            r#"{"error":{"message":"m","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        );
        assert_eq!(
            (rate.code(), rate.outcome()),
            (Code::RateLimited, Outcome::Refused)
        );
        assert_eq!(rate.retry_after().unwrap().as_millis(), 1500);
        assert_eq!(
            (rate.request_id(), rate.provider_reason()),
            (Some("req_1"), Some("rate_limit_exceeded"))
        );
        for code in [
            "insufficient_quota",
            "credit_balance_exhausted",
            "project_spend_limit_exceeded",
        ] {
            let body =
                format!(r#"{{"error":{{"message":"m","type":"insufficient_quota","code":"{code}"}}}}"#);
            let money = read(429, &[], &body);
            assert_eq!(
                (money.code(), money.retryable()),
                (Code::BillingRequired, false),
                "{code}"
            );
            assert_eq!(money.provider_reason(), Some(code));
        }
        assert_eq!(
            read(402, &[], r#"{"error":{"code":402,"message":"m"}}"#).code(),
            Code::BillingRequired
        );
        let in_flight = r#"{"error":{"code":402,"message":"m","metadata":{"limit_source":"openrouter_in_flight_budget"}}}"#;
        assert_eq!(
            read(402, &[("retry-after", "3")], in_flight).code(),
            Code::RateLimited
        );
    }

    #[test]
    fn every_shape_of_an_envelope_is_read() {
        let mistral = r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}"#;
        assert_eq!(read(400, &[], mistral).code(), Code::ModelNotFound);
        assert_eq!(
            read(401, &[], r#"{"detail":"Invalid API Key"}"#).code(),
            Code::Unauthenticated
        );
        assert_eq!(
            read(422, &[], r#"{"detail":[{"loc":[],"msg":"m","type":"t"}]}"#).code(),
            Code::InvalidInput
        );
        assert_eq!(
            read(404, &[], r#"{"error":"model not found"}"#).code(),
            Code::NotFound
        );
        let moonshot = r#"{"error":{"type":"exceeded_current_quota_error","message":"m"}}"#;
        assert_eq!(read(429, &[], moonshot).code(), Code::BillingRequired);
    }

    #[test]
    fn a_gateway_is_nobodys_word() {
        assert_eq!(
            read(502, &[], "<html>bad gateway</html>").outcome(),
            Outcome::Unknown
        );
        assert_eq!(read(524, &[], "").code(), Code::Timeout);
        assert_eq!(read(500, &[], "").outcome(), Outcome::Unknown);
        assert_eq!(
            read(500, &[], r#"{"error":{"message":"m","type":"server_error"}}"#).outcome(),
            Outcome::Refused
        );
    }

    #[test]
    fn should_retry_is_obeyed() {
        let error = read(
            500,
            &[("x-should-retry", "false")],
            r#"{"error":{"message":"m","type":"server_error"}}"#,
        );
        assert!(!error.retryable());
        assert!(read(409, &[("x-should-retry", "true")], "").retryable());
    }

    #[test]
    fn an_error_within_a_success_has_an_unknown_outcome() {
        let error = within_success(
            "openai",
            br#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        );
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::BillingRequired, Outcome::Unknown)
        );
        let error = within_success(
            "openrouter",
            br#"{"error":{"code":502,"message":"Provider disconnected"},"choices":[]}"#,
        );
        assert_eq!(
            (error.code(), error.provider_status()),
            (Code::ProviderUnavailable, Some(502))
        );
    }

    #[test]
    fn no_text_of_the_provider_is_repeated() {
        let body = r#"{"error":{"message":"key sk-canary-1 and the mail of Ann","type":"the mail of Ann","code":"the mail of Ann","param":"the mail of Ann"}}"#;
        let shown = serde_json::to_string(&read(400, &[], body).to_data()).unwrap();
        assert!(!shown.contains("Ann") && !shown.contains("canary"), "{shown}");
    }
}
