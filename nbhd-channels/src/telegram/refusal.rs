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
