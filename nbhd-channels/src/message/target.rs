//! Typed ids, and the conversation: where something was said and where the answer goes.

use std::fmt;
use std::str::FromStr;

use nbhd_core::{Code, Error};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as the platform writes it. Numbers stay text: no language may round them.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id.to_string())
            }
        }
    )*};
}

ids! {
    /// An account of ours on a channel: the bot, the mailbox, the number.
    AccountId
    /// A chat, room or address of a channel, within an account.
    ChatId
    /// A thread or topic within a chat.
    ThreadId
    /// Who said something, within an account.
    SenderId
    /// A message within a chat.
    MessageId
}

/// Where something is said: channel, account, chat and thread. Its text form is
/// `channel:account:chat[:thread]`, with `%` and `:` inside an id percent-encoded, so that nothing is lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation {
    /// The channel, such as `telegram`.
    pub channel: String,
    /// The account of ours.
    pub account: AccountId,
    /// The chat.
    pub chat: ChatId,
    /// The thread within it.
    pub thread: Option<ThreadId>,
}

impl Conversation {
    /// A chat of an account of a channel.
    pub fn new(channel: impl Into<String>, account: AccountId, chat: ChatId) -> Self {
        Self {
            channel: channel.into(),
            account,
            chat,
            thread: None,
        }
    }

    /// Names the thread.
    pub fn with_thread(mut self, thread: ThreadId) -> Self {
        self.thread = Some(thread);
        self
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (account, chat) = (escape(self.account.as_str()), escape(self.chat.as_str()));
        write!(f, "{}:{account}:{chat}", escape(&self.channel))?;
        match &self.thread {
            Some(thread) => write!(f, ":{}", escape(thread.as_str())),
            None => Ok(()),
        }
    }
}

impl FromStr for Conversation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let ids: Vec<String> = text.split(':').map(unescape).collect();
        if ids.iter().any(String::is_empty) {
            return Err(malformed());
        }
        let mut ids = ids.into_iter();
        let (Some(channel), Some(account), Some(chat), thread, None) =
            (ids.next(), ids.next(), ids.next(), ids.next(), ids.next())
        else {
            return Err(malformed());
        };
        Ok(Self {
            channel,
            account: AccountId(account),
            chat: ChatId(chat),
            thread: thread.map(ThreadId),
        })
    }
}

fn malformed() -> Error {
    Error::new(
        Code::InvalidInput,
        "a conversation is written `channel:account:chat` or `channel:account:chat:thread`",
    )
}

fn escape(id: &str) -> String {
    id.replace('%', "%25").replace(':', "%3A")
}

fn unescape(id: &str) -> String {
    id.replace("%3A", ":").replace("%25", "%")
}

impl Serialize for Conversation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Conversation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error: Error| serde::de::Error::custom(error.message()))
    }
}

impl JsonSchema for Conversation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Conversation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Where something is said: `channel:account:chat[:thread]`."
        })
    }
}

impl From<Conversation> for String {
    fn from(conversation: Conversation) -> Self {
        conversation.to_string()
    }
}

impl From<&Conversation> for String {
    fn from(conversation: &Conversation) -> Self {
        conversation.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ChatId, Conversation, ThreadId};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_lost_on_the_way(account in ".{1,8}", chat in "[%:3A25a-z-]{1,8}", thread in proptest::option::of(".{1,8}")) {
            let mut conversation = Conversation::new("matrix", super::AccountId::new(account), ChatId::new(chat));
            conversation.thread = thread.map(ThreadId::new);
            prop_assert_eq!(conversation.to_string().parse::<Conversation>().ok(), Some(conversation));
        }
    }

    #[test]
    fn what_is_no_conversation_is_refused() {
        for text in ["", "telegram", "telegram:1", "telegram::2", "a:b:c:d:e", "a:b:c:"] {
            assert!(text.parse::<Conversation>().is_err(), "{text}");
        }
    }
}
