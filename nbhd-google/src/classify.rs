//! What a refusal of a Google API means.
//!
//! The body is `{"error":{code, message, status?, errors?:[{reason, location?}], details?:[{"@type", reason?}]}}`, but any of
//! it may be missing, an array may stand around it, and a proxy in between answers HTML. The first known word decides:
//! `details[].reason`, then `errors[0].reason`, then `status`, then the HTTP status. Google's message is read for one
//! thing, a time after "Retry after", and never repeated: it quotes addresses.

use nbhd_core::http::{HeaderMap, Request, StatusCode, header};
use nbhd_core::transport::{Classify, Refusal};
use nbhd_core::{Code, Error, Outcome, Timestamp};

/// Reads refusals of Google's APIs.
#[derive(Debug)]
pub(crate) struct GoogleErrors;

impl Classify for GoogleErrors {
    fn classify(&self, _request: &Request, refusal: Refusal<'_>) -> Option<Error> {
        read(refusal.status, refusal.headers, refusal.body, refusal.now)
    }
}

/// The error that a refusal is; `None` when neither its body nor its status is Google's own word.
pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Error> {
    let said = Said::parse(body)?;
    let words: Vec<&str> = said.words().collect();
    let known = words
        .iter()
        .find_map(|word| meaning(word, status).map(|code| (*word, code)));
    let (reason, code) = match known {
        Some((word, code)) => (Some(word), code),
        None => (words.first().copied(), by_status(status)?),
    };
    let outcome = if status.is_server_error() {
        Outcome::Unknown
    } else {
        Outcome::Refused
    };
    let mut error = Error::new(code, sentence(code, reason))
        .with_outcome(outcome)
        .with_provider("google")
        .with_provider_status(status.as_u16());
    if let Some(reason) = reason {
        error = error.with_provider_reason(reason);
    }
    if let Some(action) = reason.and_then(action) {
        error = error.with_user_action(action);
    }
    if !headers.contains_key(header::RETRY_AFTER)
        && let Some(until) = said.message.as_deref().and_then(time_after)
        && let Ok(wait) = (until - now).to_std()
    {
        error = error.with_retry_after(wait);
    }
    Some(error)
}

/// The code of a word that Google uses for one thing only.
fn meaning(word: &str, status: StatusCode) -> Option<Code> {
    Some(match word {
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => Code::InsufficientScope,
        "rateLimitExceeded" | "userRateLimitExceeded" | "RATE_LIMIT_EXCEEDED" => Code::RateLimited,
        "RESOURCE_EXHAUSTED" if status == StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
        "quotaExceeded" | "dailyLimitExceeded" | "dailyLimitExceededUnreg" | "sharingRateLimitExceeded" => {
            Code::QuotaExhausted
        }
        "authError" | "UNAUTHENTICATED" | "ACCESS_TOKEN_EXPIRED" | "CREDENTIALS_MISSING" => {
            Code::Unauthenticated
        }
        "accessNotConfigured" | "SERVICE_DISABLED" => Code::InvalidConfig,
        "domainPolicy"
        | "forbiddenForNonOrganizer"
        | "forbidden"
        | "cannotDownloadFile"
        | "appNotAuthorizedToFile"
        | "PERMISSION_DENIED" => Code::PermissionDenied,
        "exportSizeLimitExceeded" => Code::ResponseTooLarge,
        "notFound" | "NOT_FOUND" | "deleted" => Code::NotFound,
        "duplicate" | "conflict" | "ALREADY_EXISTS" | "ABORTED" | "conditionNotMet" => Code::Conflict,
        "fullSyncRequired" | "updatedMinTooLongAgo" | "failedPrecondition" | "FAILED_PRECONDITION" => {
            Code::InvalidState
        }
        "badRequest" | "invalid" | "invalidArgument" | "required" | "INVALID_ARGUMENT" | "timeRangeEmpty" => {
            Code::InvalidInput
        }
        "backendError" | "internalError" | "INTERNAL" => Code::ProviderUnavailable,
        "UNAVAILABLE" => Code::ProviderOverloaded,
        "DEADLINE_EXCEEDED" => Code::Timeout,
        _ => return None,
    })
}

/// Where no word is known, the layer's own reading of the status is as good as ours, but for two.
fn by_status(status: StatusCode) -> Option<Code> {
    match status.as_u16() {
        410 => Some(Code::InvalidState),
        400..=599 => Some(nbhd_core::transport::by_status(status).code()),
        _ => None,
    }
}

fn sentence(code: Code, reason: Option<&str>) -> String {
    let what = match code {
        Code::RateLimited => "Google asks to slow down",
        Code::QuotaExhausted => "the quota at Google is used up",
        Code::InsufficientScope => "Google says that the grant does not cover this call",
        Code::PermissionDenied => "Google does not allow this account to do that",
        Code::Unauthenticated => "Google did not accept the access token",
        Code::NotFound => "Google has nothing under this identifier, or this account may not see it",
        Code::InvalidConfig => "the Google Cloud project is not set up for this API",
        Code::InvalidState => "Google refused because of the state that the thing is in",
        Code::Conflict => "Google refused because the thing was changed or exists already",
        Code::ProviderUnavailable | Code::ProviderOverloaded => "Google failed to answer",
        _ => "Google refused the request",
    };
    match reason {
        Some(reason) => format!("{what} ({reason})"),
        None => what.to_owned(),
    }
}

fn action(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "accessNotConfigured" | "SERVICE_DISABLED" => {
            "Enable this API for the project in the Google Cloud console."
        }
        "domainPolicy" => "Ask the Workspace administrator to allow API access for this account.",
        "failedPrecondition" | "FAILED_PRECONDITION" => {
            "Check that the service, such as Gmail, is switched on for this account."
        }
        "fullSyncRequired" => "Forget the sync token and list everything again.",
        _ => return None,
    })
}

/// The time in "… Retry after 2026-01-31T10:00:00.000Z": some of Gmail's limits are told in no other way.
fn time_after(message: &str) -> Option<Timestamp> {
    let at = message.to_ascii_lowercase().find("retry after ")?;
    let word = message
        .get(at + "retry after ".len()..)?
        .split_whitespace()
        .next()?;
    chrono::DateTime::parse_from_rfc3339(word.trim_end_matches(['.', ',', ')']))
        .ok()
        .map(|time| time.to_utc())
}

#[derive(Debug)]
struct Said {
    message: Option<String>,
    status: Option<String>,
    errors: Vec<Item>,
    details: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    reason: Option<String>,
}

impl Said {
    /// What the body says; `None` when it is not Google's form.
    fn parse(body: &[u8]) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        let whole = match &value {
            serde_json::Value::Array(items) => items.first()?,
            whole => whole,
        };
        let error = whole.get("error")?;
        if !error.is_object() {
            return None;
        }
        // Field by field: one odd field must not hide the others.
        let text = |name: &str| {
            error
                .get(name)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        let items = |name: &str| {
            let list = error.get(name).and_then(|value| value.as_array());
            list.into_iter()
                .flatten()
                .map(|item| Item {
                    reason: item
                        .get("reason")
                        .and_then(|value| value.as_str())
                        .map(str::to_owned),
                })
                .collect()
        };
        Some(Self {
            message: text("message"),
            status: text("status"),
            errors: items("errors"),
            details: items("details"),
        })
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let details = self.details.iter().filter_map(|item| item.reason.as_deref());
        let errors = self
            .errors
            .iter()
            .take(1)
            .filter_map(|item| item.reason.as_deref());
        details.chain(errors).chain(self.status.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nbhd_core::http::{HeaderMap, StatusCode};
    use nbhd_core::{Code, Error, Outcome};

    use super::read;

    fn said(status: u16, body: &str) -> Option<Error> {
        let now = "2026-01-31T10:00:00Z".parse().unwrap();
        read(
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            body.as_bytes(),
            now,
        )
    }

    fn with_reason(reason: &str) -> String {
        format!(
            r#"{{"error":{{"code":1,"message":"x","errors":[{{"domain":"global","reason":"{reason}"}}]}}}}"#
        )
    }

    #[test]
    fn the_table_of_classes() {
        let cases = [
            (400, "failedPrecondition", Code::InvalidState),
            (400, "badRequest", Code::InvalidInput),
            (401, "authError", Code::Unauthenticated),
            (403, "insufficientPermissions", Code::InsufficientScope),
            (403, "rateLimitExceeded", Code::RateLimited),
            (403, "userRateLimitExceeded", Code::RateLimited),
            (403, "quotaExceeded", Code::QuotaExhausted),
            (403, "dailyLimitExceeded", Code::QuotaExhausted),
            (403, "accessNotConfigured", Code::InvalidConfig),
            (403, "domainPolicy", Code::PermissionDenied),
            (403, "newReasonOfTomorrow", Code::PermissionDenied),
            (404, "notFound", Code::NotFound),
            (409, "duplicate", Code::Conflict),
            (410, "fullSyncRequired", Code::InvalidState),
            (410, "deleted", Code::NotFound),
            (412, "conditionNotMet", Code::Conflict),
            (429, "rateLimitExceeded", Code::RateLimited),
            (500, "backendError", Code::ProviderUnavailable),
        ];
        for (status, reason, code) in cases {
            let error = said(status, &with_reason(reason)).unwrap();
            assert_eq!(
                (error.code(), error.provider_reason()),
                (code, Some(reason)),
                "{status} {reason}"
            );
            assert_eq!(
                error.outcome(),
                if status < 500 {
                    Outcome::Refused
                } else {
                    Outcome::Unknown
                }
            );
        }
    }

    #[test]
    fn details_come_before_errors_before_status() {
        let body = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","errors":[{"reason":"insufficientPermissions"}],
            "details":[{"@type":"x","metadata":{}},{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}]}}"#;
        assert_eq!(said(403, body).unwrap().code(), Code::InvalidConfig);
        let newer = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#;
        assert_eq!(said(429, newer).unwrap().code(), Code::RateLimited);
        let array = r#"[{"error":{"code":404,"status":"NOT_FOUND"}}]"#;
        assert_eq!(said(404, array).unwrap().code(), Code::NotFound);
    }

    #[test]
    fn what_is_not_googles_form_is_left_to_the_status() {
        for body in [
            "",
            "<html><title>502</title></html>",
            "[]",
            "null",
            "{}",
            r#"{"error":"invalid_grant"}"#,
            r#"{"error":[1]}"#,
        ] {
            assert!(said(503, body).is_none(), "{body}");
        }
        // One odd field does not hide the others.
        let odd = r#"{"error":{"code":"x","message":7,"errors":[null,{"reason":3}],"status":"UNAVAILABLE"}}"#;
        assert_eq!(said(503, odd).unwrap().code(), Code::ProviderOverloaded);
    }

    #[test]
    fn a_time_in_the_text_is_a_wait_and_the_text_is_not_repeated() {
        let body = r#"{"error":{"code":429,"message":"User-rate limit exceeded for bob@example.com.  Retry after 2026-01-31T10:00:30.000Z","errors":[{"reason":"rateLimitExceeded"}]}}"#;
        let error = said(429, body).unwrap();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        assert!(!format!("{error:?}").contains("bob@"));
    }
}
