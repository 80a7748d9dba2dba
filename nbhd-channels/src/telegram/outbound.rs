//! Messages → requests, and replies → what a delivery keeps. Pure.

use nbhd_core::http::{Authorization, Method, Request, Url};
use nbhd_core::{Code, Error, Outcome, Result};
use serde_json::Value;

use super::inbound::sent_at;
use super::render;
use super::wire::{
    Answer, ChatRef, EditMessageText, ReplyParameters, SendChatAction, SendMessage, SentMessage,
};
use crate::message::{AccountId, ChatId, Conversation, Message, Plan, Sent};

/// A method of the Bot API as a request. The token's place is held by `{secret}`.
pub(super) fn request(
    base: &Url,
    method: &str,
    label: &'static str,
    authorization: Authorization,
) -> Result<Request> {
    let url = base.join(&format!("bot{{secret}}/{method}")).map_err(|_| {
        Error::new(
            Code::InvalidConfig,
            "the base URL of the Bot API cannot carry a path",
        )
    })?;
    Ok(Request::new(Method::POST, url, label).with_authorization(authorization))
}

/// Where a message goes: the `conversation` of an event, or a chat's number or public handle.
pub(super) fn target(channel: &str, account: &AccountId, text: &str) -> Result<Conversation> {
    if text.parse::<i64>().is_ok() || text.starts_with('@') && !text.contains(':') {
        return Ok(Conversation::new(channel, account.clone(), ChatId::new(text)));
    }
    let conversation: Conversation = text.parse()?;
    if conversation.channel != channel || conversation.account != *account {
        return Err(Error::new(
            Code::InvalidInput,
            "the conversation belongs to another channel or another bot",
        ));
    }
    Ok(conversation)
}

/// Renders and splits a message.
pub(super) fn prepare(conversation: Conversation, message: &Message) -> Result<Plan> {
    let chat_id = chat(conversation.chat.as_str())?;
    let thread = match &conversation.thread {
        Some(thread) => Some(number(thread.as_str(), "thread")?),
        None => None,
    };
    let mut reply = match &message.reply_to {
        Some(id) => Some(ReplyParameters {
            message_id: number(id, "message")?,
            // What it answers may have been deleted meanwhile; the answer is wanted all the same.
            allow_sending_without_reply: true,
        }),
        None => None,
    };
    let parts = render::parts(message.to_text()?)
        .into_iter()
        .map(|part| {
            let request = SendMessage {
                chat_id: chat_id.clone(),
                message_thread_id: thread,
                entities: render::entities(&part),
                text: part.content,
                reply_parameters: reply.take(),
                disable_notification: message.silent,
            };
            serde_json::to_value(request)
                .map_err(|_| Error::new(Code::Internal, "a part cannot be written as JSON"))
        })
        .collect::<Result<Vec<Value>>>()?;
    Ok(Plan::new(conversation, parts))
}

/// A message as the new text of one that was sent. `invalid_input` when it needs more than one part.
pub(super) fn edit(
    conversation: &Conversation,
    message_id: &str,
    message: &Message,
) -> Result<EditMessageText> {
    let mut parts = render::parts(message.to_text()?).into_iter();
    let (Some(part), None) = (parts.next(), parts.next()) else {
        return Err(Error::new(
            Code::InvalidInput,
            "the new text does not fit into one message, and an edit never becomes a new one",
        ));
    };
    Ok(EditMessageText {
        chat_id: chat(conversation.chat.as_str())?,
        message_id: number(message_id, "message")?,
        entities: render::entities(&part),
        text: part.content,
    })
}

/// The mark that somebody is writing.
pub(super) fn typing(conversation: &Conversation) -> Result<SendChatAction> {
    Ok(SendChatAction {
        chat_id: chat(conversation.chat.as_str())?,
        message_thread_id: match &conversation.thread {
            Some(thread) => Some(number(thread.as_str(), "thread")?),
            None => None,
        },
        action: "typing",
    })
}

/// What the reply to `sendMessage` says. Whatever is no clear yes or no is unknown: the message may stand there.
pub(super) fn sent(body: &[u8]) -> Result<Sent> {
    let message: SentMessage = answer(body)?;
    Ok(Sent {
        message_id: message.message_id.into(),
        thread_id: message.message_thread_id.map(Into::into),
        at: sent_at(message.date),
    })
}

/// Reads a reply whose status was 200.
pub(super) fn answer<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T> {
    match serde_json::from_slice::<Answer<T>>(body) {
        Ok(Answer {
            ok: true,
            result: Some(result),
            ..
        }) => Ok(result),
        _ => Err(Error::new(
            Code::ProtocolError,
            format!(
                "the reply ({} bytes) is not what the Bot API promises",
                body.len()
            ),
        )
        .with_provider_status(200)
        .with_outcome(Outcome::Unknown)),
    }
}

fn chat(id: &str) -> Result<ChatRef> {
    if id.starts_with('@') {
        return Ok(ChatRef::Handle(id.to_owned()));
    }
    Ok(ChatRef::Id(number(id, "chat")?))
}

fn number(id: &str, what: &str) -> Result<i64> {
    id.parse()
        .map_err(|_| Error::new(Code::InvalidInput, format!("the {what} id is not a number")))
}
