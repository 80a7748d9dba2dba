//! What is said, in both directions, and what became of it.
//!
//! ```
//! use nbhd_channels::message::{Conversation, Message};
//!
//! let conversation: Conversation = "telegram:123456:-1001:7".parse()?;
//! assert_eq!(conversation.thread.as_ref().map(|thread| thread.as_str()), Some("7"));
//! let message = Message::markdown(conversation.to_string(), "**Done.**").with_key("answer:42");
//! assert!(!message.silent);
//! # Ok::<(), nbhd_core::Error>(())
//! ```

mod delivery;
mod dispatch;
mod inbound;
mod outbound;
mod target;

pub(crate) use delivery::Sent;
pub use delivery::{DeliveredPart, Delivery, PartOutcome};
pub use dispatch::{deliver, intent, resume};
pub use inbound::{
    Attachment, AttachmentKind, Callback, Chat, ChatKind, Command, EventKind, InboundEvent, Membership,
    Mention, Reaction, Reference, Sender,
};
pub use outbound::{Message, Plan};
pub use target::{AccountId, ChatId, Conversation, MessageId, SenderId, ThreadId};
