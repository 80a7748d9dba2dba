//! The Bot API's own words, as far as they are needed here. Unknown fields are left aside: the API grows every month.

#![expect(clippy::struct_field_names, reason = "the names are the Bot API's own")]

use serde::{Deserialize, Serialize};

use super::render::Entity;

/// The header that carries a webhook's secret.
pub(super) const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub(super) update_id: i64,
    pub(super) message: Option<Message>,
    pub(super) edited_message: Option<Message>,
    pub(super) channel_post: Option<Message>,
    pub(super) edited_channel_post: Option<Message>,
    pub(super) callback_query: Option<CallbackQuery>,
    pub(super) message_reaction: Option<MessageReaction>,
    pub(super) my_chat_member: Option<MemberUpdate>,
    pub(super) chat_member: Option<MemberUpdate>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) message_id: i64,
    pub(super) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(super) is_topic_message: bool,
    pub(super) from: Option<User>,
    pub(super) sender_chat: Option<Chat>,
    #[serde(default)]
    pub(super) date: i64,
    pub(super) edit_date: Option<i64>,
    pub(super) chat: Chat,
    pub(super) reply_to_message: Option<Box<Message>>,
    pub(super) quote: Option<Quote>,
    pub(super) media_group_id: Option<String>,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) entities: Vec<InEntity>,
    pub(super) caption: Option<String>,
    #[serde(default)]
    pub(super) caption_entities: Vec<InEntity>,
    #[serde(default)]
    pub(super) photo: Vec<File>,
    pub(super) document: Option<File>,
    pub(super) animation: Option<File>,
    pub(super) audio: Option<File>,
    pub(super) voice: Option<File>,
    pub(super) video: Option<File>,
    pub(super) video_note: Option<File>,
    pub(super) sticker: Option<File>,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) is_bot: bool,
    #[serde(default)]
    pub(super) first_name: String,
    pub(super) last_name: Option<String>,
    pub(super) username: Option<String>,
    pub(super) language_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Chat {
    pub(super) id: i64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) title: Option<String>,
    pub(super) username: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Quote {
    pub(super) text: String,
}

/// Any of the API's files: they share these fields.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) file_id: String,
    pub(super) file_name: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) file_size: Option<u64>,
    #[serde(default)]
    pub(super) width: u64,
    #[serde(default)]
    pub(super) height: u64,
}

/// A range in UTF-16 code units, as it comes: nothing about it is sure.
#[derive(Debug, Deserialize)]
pub(super) struct InEntity {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) offset: i64,
    pub(super) length: i64,
    pub(super) url: Option<String>,
    pub(super) user: Option<User>,
    pub(super) language: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallbackQuery {
    pub(super) id: String,
    pub(super) from: User,
    pub(super) message: Option<Message>,
    pub(super) data: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MessageReaction {
    pub(super) chat: Chat,
    pub(super) message_id: i64,
    pub(super) user: Option<User>,
    pub(super) actor_chat: Option<Chat>,
    pub(super) date: i64,
    #[serde(default)]
    pub(super) old_reaction: Vec<ReactionKind>,
    #[serde(default)]
    pub(super) new_reaction: Vec<ReactionKind>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReactionKind {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) emoji: Option<String>,
    pub(super) custom_emoji_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MemberUpdate {
    pub(super) chat: Chat,
    pub(super) from: User,
    pub(super) date: i64,
    pub(super) old_chat_member: Member,
    pub(super) new_chat_member: Member,
}

#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) status: String,
    pub(super) user: User,
}

/// `sendMessage`. Its JSON is what the outbox stores for a part.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SendMessage {
    pub(super) chat_id: ChatRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_thread_id: Option<i64>,
    pub(super) text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) entities: Vec<Entity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reply_parameters: Option<ReplyParameters>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) disable_notification: bool,
}

/// `editMessageText`.
#[derive(Debug, Serialize)]
pub(super) struct EditMessageText {
    pub(super) chat_id: ChatRef,
    pub(super) message_id: i64,
    pub(super) text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entities: Vec<Entity>,
}

/// `sendChatAction`.
#[derive(Debug, Serialize)]
pub(super) struct SendChatAction {
    pub(super) chat_id: ChatRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_thread_id: Option<i64>,
    pub(super) action: &'static str,
}

/// A chat by its number or by its public handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum ChatRef {
    Id(i64),
    Handle(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReplyParameters {
    pub(super) message_id: i64,
    pub(super) allow_sending_without_reply: bool,
}

/// Every reply of the API.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<T> {
    pub(super) ok: bool,
    pub(super) result: Option<T>,
    pub(super) error_code: Option<u16>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) parameters: Option<Parameters>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameters {
    pub(super) retry_after: Option<u64>,
    pub(super) migrate_to_chat_id: Option<i64>,
}

/// What `sendMessage` gives, as far as a delivery needs it.
#[derive(Debug, Deserialize)]
pub(super) struct SentMessage {
    pub(super) message_id: i64,
    pub(super) message_thread_id: Option<i64>,
    pub(super) date: i64,
}
