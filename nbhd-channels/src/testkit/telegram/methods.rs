//! The methods that a bot of this suite, and the official clients' first steps, need.

use serde_json::{Value, json};

use super::parameters::Parameters;
use super::state::{SentMessage, State};
use super::{entity, html, markdown};

/// The most that one message may hold, in UTF-16 code units after its entities were parsed.
const TEXT_LIMIT: usize = 4096;

/// What a refused call answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) description: String,
}

/// A bad request, described as the server does.
fn bad(description: impl AsRef<str>) -> Refused {
    Refused {
        status: 400,
        description: format!("Bad Request: {}", description.as_ref()),
    }
}

type Answer = Result<Value, Refused>;

/// Runs a method, named in lower case. `None` when there is no such method.
pub(super) fn run(state: &mut State, method: &str, parameters: &Parameters, now: i64) -> Option<Answer> {
    Some(match method {
        "getme" => Ok(state.bot()),
        "sendmessage" => send_message(state, parameters, now),
        "editmessagetext" => edit_message_text(state, parameters, now),
        "deletemessage" => delete_message(state, parameters),
        "sendchataction" => send_chat_action(state, parameters),
        "answercallbackquery" => answer_callback_query(state, parameters),
        "setwebhook" => set_webhook(state, parameters),
        "deletewebhook" => {
            state.webhook_url.clear();
            if parameters.flag("drop_pending_updates") {
                state.updates.clear();
            }
            Ok(true.into())
        }
        "getwebhookinfo" => Ok(json!({
            "url": state.webhook_url,
            "has_custom_certificate": false,
            "pending_update_count": state.updates.len(),
        })),
        _ => return None,
    })
}

fn send_message(state: &mut State, parameters: &Parameters, now: i64) -> Answer {
    let chat_id = chat(state, parameters)?;
    let (text, entities) = content(parameters)?;
    let reply_to = reply(state, parameters, chat_id)?;
    let thread_id = parameters.number("message_thread_id");
    let message = SentMessage {
        message_id: state.message_id(),
        chat_id,
        thread_id,
        text,
        entities,
        reply_to,
        silent: parameters.flag("disable_notification"),
        edits: 0,
        deleted: false,
    };
    let shown = state.show(&message, now);
    state.messages.push(message);
    Ok(shown)
}

fn edit_message_text(state: &mut State, parameters: &Parameters, now: i64) -> Answer {
    let chat_id = chat(state, parameters)?;
    let id = parameters.number("message_id");
    let (text, entities) = content(parameters)?;
    let place = state
        .messages
        .iter()
        .position(|message| message.chat_id == chat_id && Some(message.message_id) == id && !message.deleted)
        .ok_or_else(|| bad("message to edit not found"))?;
    let message = &mut state.messages[place];
    if message.text == text && message.entities == entities {
        return Err(bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current \
             content and reply markup of the message",
        ));
    }
    message.text = text;
    message.entities = entities;
    message.edits += 1;
    let message = message.clone();
    Ok(state.show(&message, now))
}

fn delete_message(state: &mut State, parameters: &Parameters) -> Answer {
    let chat_id = chat(state, parameters)?;
    let id = parameters.number("message_id");
    let message = state
        .messages
        .iter_mut()
        .find(|message| message.chat_id == chat_id && Some(message.message_id) == id && !message.deleted)
        .ok_or_else(|| bad("message to delete not found"))?;
    message.deleted = true;
    Ok(true.into())
}

fn send_chat_action(state: &State, parameters: &Parameters) -> Answer {
    const ACTIONS: &[&str] = &[
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ];
    chat(state, parameters)?;
    let action = parameters.text("action").unwrap_or_default();
    if ACTIONS.contains(&action.as_str()) {
        Ok(true.into())
    } else {
        Err(bad("wrong parameter action in request"))
    }
}

fn answer_callback_query(state: &mut State, parameters: &Parameters) -> Answer {
    let id = parameters.text("callback_query_id").unwrap_or_default();
    if state.callbacks.remove(&id) {
        Ok(true.into())
    } else {
        Err(bad(
            "query is too old and response timeout expired or query ID is invalid",
        ))
    }
}

fn set_webhook(state: &mut State, parameters: &Parameters) -> Answer {
    let url = parameters.text("url").unwrap_or_default();
    let secret = parameters.text("secret_token");
    if !url.is_empty() && !url.starts_with("https://") {
        return Err(bad("bad webhook: An HTTPS URL must be provided for webhook"));
    }
    if let Some(secret) = secret {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if secret.is_empty() || secret.len() > 256 || !secret.chars().all(allowed) {
            return Err(bad("secret token contains unallowed characters"));
        }
        state.secret = secret;
    }
    if parameters.flag("drop_pending_updates") {
        state.updates.clear();
    }
    state.webhook_url = url;
    Ok(true.into())
}

fn chat(state: &State, parameters: &Parameters) -> Result<i64, Refused> {
    let id = parameters.text("chat_id").unwrap_or_default();
    if id.is_empty() {
        return Err(bad("chat_id is empty"));
    }
    match id.parse() {
        Ok(id) if state.chats.contains(&id) => Ok(id),
        _ => Err(bad("chat not found")),
    }
}

/// The text after its entities were parsed, and these; both checked.
fn content(parameters: &Parameters) -> Result<(String, Vec<Value>), Refused> {
    let text = parameters.text("text").unwrap_or_default();
    let mode = parameters.text("parse_mode").unwrap_or_default();
    let parsed = match mode.to_ascii_lowercase().as_str() {
        "" => match parameters.json("entities") {
            Ok(None) => Ok((text, Vec::new())),
            Ok(Some(Value::Array(entities))) => Ok((text, entities)),
            _ => return Err(bad("can't parse entities: expected an Array of MessageEntity")),
        },
        "html" => html::parse(&text),
        "markdownv2" => markdown::parse(&text),
        _ => return Err(bad("unsupported parse_mode")),
    };
    let (text, entities) = parsed.map_err(|why| bad(format!("can't parse entities: {why}")))?;
    if text.trim().is_empty() {
        return Err(bad("message text is empty"));
    }
    if text.encode_utf16().count() > TEXT_LIMIT {
        return Err(bad("message is too long"));
    }
    match entity::fault(&text, &entities) {
        Some(fault) => Err(bad(fault)),
        None => Ok((text, entities)),
    }
}

fn reply(state: &State, parameters: &Parameters, chat: i64) -> Result<Option<i64>, Refused> {
    let given = parameters
        .json("reply_parameters")
        .map_err(|()| bad("can't parse reply parameters JSON object"))?;
    let Some(given) = given else { return Ok(None) };
    let id = given["message_id"]
        .as_i64()
        .ok_or_else(|| bad("parameter \"message_id\" not found"))?;
    if state.holds(chat, id) {
        return Ok(Some(id));
    }
    if given["allow_sending_without_reply"] == true {
        return Ok(None);
    }
    Err(bad("message to be replied not found"))
}
