//! Answers and Google's error body. The machine-readable parts are Google's (reasons, domains, status names), the
//! sentences are ours. <https://developers.google.com/workspace/gmail/api/guides/handle-errors>

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use nbhd_core::testkit::Reply;
use serde_json::{Value, json};

/// An answer before it is a reply on the wire or a part of a batch.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// What a handler gives back: a body, or a refusal.
pub(super) type Answered = Result<Value, Answer>;

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json; charset=UTF-8".to_owned(),
            body: body.to_string().into(),
        }
    }

    /// The answer on the wire.
    pub(super) fn into_reply(self) -> Reply {
        let mut reply = Reply::full(self.status, "", self.body);
        if let Reply::Full { headers, .. } = &mut reply {
            headers.clear();
        }
        reply = reply.with_header("content-type", &self.content_type);
        for (name, value) in self.headers {
            reply = reply.with_header(name, &value);
        }
        reply
    }

    /// The body that Google gives a refusal with this status, for faults that bring none of their own.
    pub(super) fn refusal_body(status: u16) -> Option<Value> {
        let answer = match status {
            401 => Self::unauthenticated("ACCESS_TOKEN_EXPIRED", "googleapis.com"),
            403 => Self::error(
                403,
                "PERMISSION_DENIED",
                "userRateLimitExceeded",
                "User Rate Limit Exceeded",
            ),
            404 => Self::not_found(),
            429 => Self::error(
                429,
                "RESOURCE_EXHAUSTED",
                "rateLimitExceeded",
                "Too many concurrent requests for user",
            ),
            500..=599 => Self::error(status, "UNAVAILABLE", "backendError", "Backend Error"),
            _ => return None,
        };
        serde_json::from_slice(&answer.body).ok()
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An OAuth error: another shape than that of the services.
    pub(super) fn oauth(status: u16, error: &str, description: &str) -> Self {
        Self::json(status, &json!({"error": error, "error_description": description}))
            .with_header("cache-control", "no-cache, no-store, max-age=0, must-revalidate")
    }

    /// A service error: `status` is the canonical name, `reason` the one of the older list of errors.
    pub(super) fn error(code: u16, status: &str, reason: &str, message: &str) -> Self {
        let domain = if reason.ends_with("LimitExceeded") {
            "usageLimits"
        } else {
            "global"
        };
        let body = json!({"error": {
            "code": code,
            "message": message,
            "errors": [{"message": message, "domain": domain, "reason": reason}],
            "status": status,
        }});
        Self::json(code, &body)
    }

    pub(super) fn bad_request(reason: &str, message: &str) -> Self {
        Self::error(400, "INVALID_ARGUMENT", reason, message)
    }

    pub(super) fn not_found() -> Self {
        Self::error(404, "NOT_FOUND", "notFound", "Requested entity was not found.")
    }

    /// 401, and why: `CREDENTIALS_MISSING`, `ACCESS_TOKEN_EXPIRED` or `ACCESS_TOKEN_TYPE_UNSUPPORTED`.
    pub(super) fn unauthenticated(why: &str, service: &str) -> Self {
        let (reason, message) = match why {
            "CREDENTIALS_MISSING" => ("required", "Login Required."),
            _ => ("authError", "Invalid Credentials"),
        };
        let body = json!({"error": {
            "code": 401,
            "message": message,
            "errors": [{
                "message": message,
                "domain": "global",
                "reason": reason,
                "location": "Authorization",
                "locationType": "header",
            }],
            "status": "UNAUTHENTICATED",
            "details": [info(why, service)],
        }});
        Self::json(401, &body).with_header(
            "www-authenticate",
            "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
        )
    }

    /// 403: the token is good, its scopes are not.
    pub(super) fn scope(service: &str, scopes: &[&str]) -> Self {
        let body = json!({"error": {
            "code": 403,
            "message": "Request had insufficient authentication scopes.",
            "errors": [{
                "message": "Insufficient Permission",
                "domain": "global",
                "reason": "insufficientPermissions",
            }],
            "status": "PERMISSION_DENIED",
            "details": [info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service)],
        }});
        let value = format!(
            "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\", scope=\"{}\"",
            scopes.join(" ")
        );
        Self::json(403, &body).with_header("www-authenticate", value)
    }
}

fn info(reason: &str, service: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": service},
    })
}

/// A page token: where the next page begins, and for which question.
pub(super) fn page_token(start: usize, question: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{start}:{question:016x}"))
}

/// Where the page of this token begins. A token of another question is refused.
pub(super) fn page_start(token: Option<&str>, question: u64) -> Result<usize, Answer> {
    let Some(token) = token else { return Ok(0) };
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (start, of) = text.split_once(':')?;
        let same = of == format!("{question:016x}");
        start.parse().ok().filter(|_| same)
    };
    read().ok_or_else(|| Answer::bad_request("invalid", "Invalid pageToken"))
}

/// Base64url as Gmail writes it: with padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}
