//! What the stand-in remembers: chats, messages, updates, the webhook.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A message that the bot sent, as it stands in the chat now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SentMessage {
    /// Its id.
    pub message_id: i64,
    /// The chat.
    pub chat_id: i64,
    /// The topic.
    pub thread_id: Option<i64>,
    /// What is read.
    pub text: String,
    /// Its entities.
    pub entities: Vec<Value>,
    /// The message that it answers.
    pub reply_to: Option<i64>,
    /// Whether it came without a sound.
    pub silent: bool,
    /// How often it was changed.
    pub edits: u32,
    /// Whether it was taken back.
    pub deleted: bool,
}

/// Everything the stand-in knows.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) bot_id: i64,
    pub(super) chats: BTreeSet<i64>,
    pub(super) messages: Vec<SentMessage>,
    /// Ids of messages that people wrote, by chat.
    pub(super) said: BTreeMap<i64, BTreeSet<i64>>,
    pub(super) callbacks: BTreeSet<String>,
    pub(super) updates: VecDeque<Value>,
    pub(super) next_update: i64,
    pub(super) next_message: i64,
    pub(super) webhook_url: String,
    pub(super) secret: String,
    /// Which long poll is the latest: an older one ends with a conflict.
    pub(super) poll: u64,
}

impl State {
    /// A bot that nobody has written to yet.
    pub(super) fn new(bot_id: i64, secret: String) -> Self {
        Self {
            bot_id,
            secret,
            next_update: 1,
            next_message: 1,
            ..Self::default()
        }
    }

    /// The bot as a user.
    pub(super) fn bot(&self) -> Value {
        json!({
            "id": self.bot_id,
            "is_bot": true,
            "first_name": "Stand-in",
            "username": "standin_bot",
            "can_join_groups": true,
            "can_read_all_group_messages": false,
            "supports_inline_queries": false,
        })
    }

    /// A chat as the API shows it; the sign and size of its id say what it is.
    pub(super) fn chat(id: i64) -> Value {
        if id > 0 {
            json!({ "id": id, "type": "private", "first_name": format!("Person {id}") })
        } else if id < -1_000_000_000_000 {
            json!({ "id": id, "type": "supergroup", "title": format!("Group {id}") })
        } else {
            json!({ "id": id, "type": "group", "title": format!("Group {id}") })
        }
    }

    /// A message of the bot as the API shows it.
    pub(super) fn show(&self, message: &SentMessage, date: i64) -> Value {
        let mut shown = json!({
            "message_id": message.message_id,
            "from": self.bot(),
            "chat": Self::chat(message.chat_id),
            "date": date,
            "text": message.text,
        });
        if !message.entities.is_empty() {
            shown["entities"] = message.entities.clone().into();
        }
        if let Some(thread) = message.thread_id {
            shown["message_thread_id"] = thread.into();
            shown["is_topic_message"] = true.into();
        }
        if message.edits > 0 {
            shown["edit_date"] = date.into();
        }
        shown
    }

    /// A fresh message id: one row for the whole account, as in private chats.
    pub(super) fn message_id(&mut self) -> i64 {
        let id = self.next_message;
        self.next_message += 1;
        id
    }

    /// Gives an update its id and queues it for polls.
    pub(super) fn queue(&mut self, mut update: Value) -> Value {
        update["update_id"] = self.next_update.into();
        self.next_update += 1;
        self.updates.push_back(update.clone());
        update
    }

    /// Whether a chat holds a message, whoever wrote it.
    pub(super) fn holds(&self, chat: i64, message: i64) -> bool {
        let ours = self
            .messages
            .iter()
            .any(|sent| sent.chat_id == chat && sent.message_id == message && !sent.deleted);
        ours || self.said.get(&chat).is_some_and(|ids| ids.contains(&message))
    }
}
