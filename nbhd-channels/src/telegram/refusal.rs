//! What a refusal of the Bot API means: by `error_code` and `parameters` first.
//!
//! The server folds most refusals into 400 and says which one it is only in `description`; so its beginning is read where nothing
//! else tells. <https://core.telegram.org/bots/api#making-requests>

use std::time::Duration;

use nbhd_core::http::Request;
use nbhd_core::transport::{Classify, Refusal, by_status};
use nbhd_core::{Code, Error, Outcome};
use serde_json::json;

use super::wire::Answer;

/// The reason of a refused edit that would change nothing: then it is done.
pub(super) const NOT_MODIFIED: &str = "message_not_modified";

/// Beginnings of descriptions, after the name of the status, and what they mean. From the server's own source (`Client.cpp`).
const DESCRIPTIONS: &[(&str, Code, &str, &str)] = &[
    (
        "chat not found",
        Code::NotFound,
        "chat_not_found",
        "Check the chat id: people must have written to the bot first, and the bot must be in the group.",
    ),
    (
        "bot was blocked by the user",
        Code::PermissionDenied,
        "bot_blocked",
        "Nothing can be sent until the person unblocks the bot.",
    ),
    (
        "user is deactivated",
        Code::PermissionDenied,
        "user_deactivated",
        "Forget the chat: the account is gone.",
    ),
    (
        "bot was kicked from",
        Code::PermissionDenied,
        "bot_kicked",
        "Nothing can be sent until the bot is let in again.",
    ),
    (
        "message is too long",
        Code::InvalidInput,
        "message_too_long",
        "Report it: parts are cut to fit.",
    ),
    (
        "can't parse entities",
        Code::InvalidInput,
        "cant_parse_entities",
        "Report it: entities are made to be accepted.",
    ),
    (
        "message is not modified",
        Code::Conflict,
        NOT_MODIFIED,
        "Nothing: the message says this already.",
    ),
    (
        "message to edit not found",
        Code::NotFound,
        "message_not_found",
        "Check the message id: the message is gone, or is not the bot's own.",
    ),
    (
        "message thread not found",
        Code::NotFound,
        "thread_not_found",
        "Check the thread: the topic is gone.",
    ),
    (
        "message to be replied not found",
        Code::NotFound,
        "reply_not_found",
        "Send it without `reply_to`.",
    ),
];

/// The Bot API's own reading of refusals.
#[derive(Debug, Clone, Copy)]
pub(super) struct BotRefusals;

impl Classify for BotRefusals {
    fn classify(&self, _request: &Request, refusal: Refusal<'_>) -> Option<Error> {
        let answer: Answer<serde::de::IgnoredAny> = serde_json::from_slice(refusal.body).ok()?;
        if answer.ok {
            return None;
        }
        let status = answer.error_code.unwrap_or(refusal.status.as_u16());
        let parameters = answer.parameters.unwrap_or_default();
        if let Some(chat) = parameters.migrate_to_chat_id {
            return Some(
                Error::new(
                    Code::InvalidState,
                    "the group has become a supergroup with another id",
                )
                .with_outcome(Outcome::Refused)
                .with_provider_reason("chat_migrated")
                .with_details(json!({ "migrate_to_chat_id": chat.to_string() }))
                .with_user_action("Use the new chat id from now on; `details.migrate_to_chat_id` has it."),
            );
        }
        if let Some(seconds) = parameters.retry_after {
            return Some(
                Error::new(Code::RateLimited, "the Bot API asks to wait")
                    .with_outcome(Outcome::Refused)
                    .with_provider_reason("too_many_requests")
                    .with_retry_after(Duration::from_secs(seconds)),
            );
        }
        // `Bad Request: chat not found`: the status by name, then the reason.
        let description = answer.description.split_once(": ").map_or("", |(_, rest)| rest);
        let row = DESCRIPTIONS
            .iter()
            .find(|(begin, ..)| description.starts_with(begin));
        if let Some((_, code, reason, action)) = row {
            return Some(
                Error::new(
                    *code,
                    format!("the Bot API answered {status}: {}", reason.replace('_', " ")),
                )
                .with_outcome(Outcome::Refused)
                .with_provider_reason(reason)
                .with_user_action(action),
            );
        }
        let status = http::StatusCode::from_u16(status).ok()?;
        // An unknown path and an unknown token are both 404: the methods here exist, so it is the token.
        let error = if status.as_u16() == 404 {
            Error::new(Code::Unauthenticated, "the Bot API knows no bot with this token")
                .with_outcome(Outcome::Refused)
        } else {
            by_status(status)
        };
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use nbhd_core::http::{Authorization, Url};
    use nbhd_core::transport::{Classify, Refusal};
    use nbhd_core::{Code, Error, Outcome};
    use serde_json::json;

    use super::BotRefusals;
    use crate::telegram::outbound::request;

    fn classify(status: u16, body: &serde_json::Value) -> Option<Error> {
        let base: Url = "http://127.0.0.1/".parse().expect("a URL");
        let request =
            request(&base, "sendMessage", "telegram.sendMessage", Authorization::None).expect("a request");
        let (headers, now) = (HeaderMap::new(), "2026-11-21T08:00:00Z".parse().expect("a time"));
        let status = StatusCode::from_u16(status).expect("a status");
        BotRefusals.classify(
            &request,
            Refusal::new(status, &headers, body.to_string().as_bytes(), now),
        )
    }

    #[test]
    fn codes_and_parameters_speak_before_the_description() {
        let table = [
            (
                400,
                "Bad Request: chat not found",
                json!(null),
                Code::NotFound,
                Some("chat_not_found"),
            ),
            (
                403,
                "Forbidden: bot was blocked by the user",
                json!(null),
                Code::PermissionDenied,
                Some("bot_blocked"),
            ),
            (
                403,
                "Forbidden: bot was kicked from the group chat",
                json!(null),
                Code::PermissionDenied,
                Some("bot_kicked"),
            ),
            (
                400,
                "Bad Request: message is too long",
                json!(null),
                Code::InvalidInput,
                Some("message_too_long"),
            ),
            (
                400,
                "Bad Request: can't parse entities: x",
                json!(null),
                Code::InvalidInput,
                Some("cant_parse_entities"),
            ),
            (
                429,
                "Too Many Requests: retry after 5",
                json!({ "retry_after": 5 }),
                Code::RateLimited,
                Some("too_many_requests"),
            ),
            (
                400,
                "anything",
                json!({ "migrate_to_chat_id": -100 }),
                Code::InvalidState,
                Some("chat_migrated"),
            ),
            (401, "Unauthorized", json!(null), Code::Unauthenticated, None),
            (404, "Not Found", json!(null), Code::Unauthenticated, None),
            (
                409,
                "Conflict: terminated by other getUpdates request",
                json!(null),
                Code::Conflict,
                None,
            ),
            // Text that merely contains a known reason is none: people write messages too.
            (
                400,
                "Bad Request: no chat not found",
                json!(null),
                Code::InvalidInput,
                None,
            ),
        ];
        for (status, description, parameters, code, reason) in table {
            let body = json!({ "ok": false, "error_code": status, "description": description, "parameters": parameters });
            let error = classify(status, &body).expect(description);
            assert_eq!(
                (error.code(), error.provider_reason()),
                (code, reason),
                "{description}"
            );
            assert_eq!(error.outcome(), Outcome::Refused, "{description}");
        }
        let migrated = classify(
            400,
            &json!({ "ok": false, "parameters": { "migrate_to_chat_id": -1_001_234 } }),
        )
        .expect("an error");
        assert_eq!(
            migrated.details(),
            Some(&json!({ "migrate_to_chat_id": "-1001234" }))
        );
        let throttled =
            classify(429, &json!({ "ok": false, "parameters": { "retry_after": 35 } })).expect("an error");
        assert_eq!(throttled.retry_after().map(|wait| wait.as_secs()), Some(35));
        // What the API did not say itself is left to the status.
        assert!(classify(502, &json!("<html>")).is_none());
    }
}
