//! Gmail v1, reading. <https://developers.google.com/workspace/gmail/api/reference/rest>

use std::collections::{BTreeMap, BTreeSet, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::{Answer, Answered, base64url, page_start, page_token};
use super::oauth::field;
use super::route::Route;
use super::search::Search;
use super::state::{FIRST_HISTORY, Mail, SYSTEM_LABELS, State, lock};
use crate::mime;
use crate::testkit::mailbox::{StoredMessage, fnv};

/// What every attachment id begins with.
const ATTACHMENT: &str = "ANGjdJ";
/// The largest page of a list.
const PAGE_LIMIT: usize = 500;

impl State {
    pub(super) fn gmail(&self, route: &Route, query: &[(String, String)], scopes: &[String]) -> Answered {
        let user = route.path[0].as_str();
        if user != "me" && !user.eq_ignore_ascii_case(&self.address) {
            return Err(Answer::error(
                403,
                "PERMISSION_DENIED",
                "forbidden",
                "The token is not this user's.",
            ));
        }
        let only_metadata = scopes.iter().any(|scope| scope.ends_with("/gmail.metadata"))
            && !scopes.iter().any(|scope| {
                scope.ends_with("mail.google.com/")
                    || scope.ends_with("/gmail.readonly")
                    || scope.ends_with("/gmail.modify")
            });
        let mail = lock(&self.mail);
        match route.call.label {
            "gmail.profile.get" => Ok(self.profile(&mail)),
            "gmail.labels.list" => Ok(json!({"labels": labels(&mail)})),
            "gmail.labels.get" => label(&mail, &route.path[1]),
            "gmail.messages.list" => self.list(&mail, query, only_metadata, false),
            "gmail.threads.list" => self.list(&mail, query, only_metadata, true),
            "gmail.messages.get" => {
                let format = format(query, only_metadata, true)?;
                let message = find(&mail, &route.path[1])?;
                Ok(resource(&mail, message, format, query))
            }
            "gmail.threads.get" => {
                let format = format(query, only_metadata, false)?;
                thread(&mail, &route.path[1], format, query)
            }
            "gmail.attachments.get" => attachment(&mail, &route.path[1], &route.path[2]),
            _ => history(&mail, query),
        }
    }

    fn profile(&self, mail: &Mail) -> Value {
        let threads: HashSet<&str> = mail
            .messages
            .iter()
            .map(|message| message.thread_id.as_str())
            .collect();
        json!({
            "emailAddress": self.address,
            "messagesTotal": mail.messages.len(),
            "threadsTotal": threads.len(),
            "historyId": mail.newest.to_string(),
        })
    }

    fn list(&self, mail: &Mail, query: &[(String, String)], only_metadata: bool, threads: bool) -> Answered {
        let question = field(query, "q").filter(|question| !question.trim().is_empty());
        if only_metadata && question.is_some() {
            let message = "Metadata scope does not support 'q' parameter";
            return Err(Answer::error(403, "PERMISSION_DENIED", "forbidden", message));
        }
        let search = Search::parse(question.unwrap_or_default(), self.clock.now());
        let wanted: Vec<&str> = all(query, "labelIds").collect();
        let everything = field(query, "includeSpamTrash") == Some("true");
        let hidden = |message: &StoredMessage| {
            ["SPAM", "TRASH"].iter().any(|label| {
                message.labels.iter().any(|have| have == label)
                    && !wanted.contains(label)
                    && !search.asks_for(label)
            })
        };
        let matching = mail.messages.iter().filter(|message| {
            (everything || !hidden(message))
                && wanted
                    .iter()
                    .all(|label| message.labels.iter().any(|have| mail.label_id(have) == *label))
                && search.matches(message)
        });
        let mut seen = HashSet::new();
        let found: Vec<&StoredMessage> = matching
            .filter(|message| !threads || seen.insert(message.thread_id.as_str()))
            .collect();
        let size = page_size(query, 100)?;
        let of = format!("{threads}{question:?}{wanted:?}{everything}");
        let of = fnv(of.as_bytes());
        let start = page_start(field(query, "pageToken"), of)?;
        let page: Vec<Value> = found
            .iter()
            .skip(start)
            .take(size)
            .map(|message| {
                if threads {
                    json!({
                        "id": message.thread_id,
                        "snippet": snippet(message),
                        "historyId": mail.history.get(&message.id).unwrap_or(&FIRST_HISTORY).to_string(),
                    })
                } else {
                    json!({"id": message.id, "threadId": message.thread_id})
                }
            })
            .collect();
        let mut body = json!({"resultSizeEstimate": found.len()});
        // The list is absent, not empty, when there is none.
        if !page.is_empty() {
            body[if threads { "threads" } else { "messages" }] = page.into();
        }
        if start + size < found.len() {
            body["nextPageToken"] = page_token(start + size, of).into();
        }
        Ok(body)
    }
}

fn page_size(query: &[(String, String)], default: usize) -> Result<usize, Answer> {
    match field(query, "maxResults") {
        None => Ok(default),
        Some(text) => match text.parse::<usize>() {
            Ok(size) if size > 0 => Ok(size.min(PAGE_LIMIT)),
            _ => Err(Answer::bad_request("invalidArgument", "Invalid maxResults")),
        },
    }
}

fn all<'a>(query: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    query
        .iter()
        .filter(move |(field, _)| field == name)
        .map(|(_, value)| value.as_str())
}

fn find<'a>(mail: &'a Mail, id: &str) -> Result<&'a StoredMessage, Answer> {
    mail.messages
        .iter()
        .find(|message| message.id == id)
        .ok_or_else(Answer::not_found)
}

fn format(query: &[(String, String)], only_metadata: bool, raw: bool) -> Result<&'static str, Answer> {
    let format = field(query, "format").unwrap_or("full");
    let lower = ["full", "metadata", "minimal", "raw"]
        .into_iter()
        .find(|known| format.eq_ignore_ascii_case(known))
        .filter(|known| raw || *known != "raw")
        .ok_or_else(|| Answer::bad_request("invalidArgument", "Invalid format"))?;
    if only_metadata && matches!(lower, "full" | "raw") {
        let message = format!("Metadata scope doesn't allow format {}", lower.to_uppercase());
        return Err(Answer::error(403, "PERMISSION_DENIED", "forbidden", &message));
    }
    Ok(lower)
}

fn resource(mail: &Mail, message: &StoredMessage, format: &str, query: &[(String, String)]) -> Value {
    let labels: Vec<&str> = message.labels.iter().map(|label| mail.label_id(label)).collect();
    let mut body = json!({
        "id": message.id,
        "threadId": message.thread_id,
        "labelIds": labels,
        "snippet": snippet(message),
        "historyId": mail.history.get(&message.id).unwrap_or(&FIRST_HISTORY).to_string(),
        "internalDate": message.internal_date_ms.to_string(),
        "sizeEstimate": message.raw.len(),
    });
    match format {
        "minimal" => {}
        "raw" => body["raw"] = base64url(&message.raw).into(),
        // A message that was accepted has headers; if one has none, Gmail shows an empty payload.
        _ => {
            let mut payload = mime::to_gmail_payload(&message.raw).unwrap_or_else(|_| json!({}));
            if format == "metadata" {
                let wanted: Vec<&str> = all(query, "metadataHeaders").collect();
                let headers: Vec<Value> = payload["headers"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|header| {
                        let name = header["name"].as_str().unwrap_or_default();
                        wanted.is_empty() || wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted))
                    })
                    .cloned()
                    .collect();
                let mut short = json!({"mimeType": payload["mimeType"]});
                if !headers.is_empty() {
                    short["headers"] = headers.into();
                }
                payload = short;
            } else {
                disguise(&mut payload, &message.id);
            }
            body["payload"] = payload;
        }
    }
    body
}

/// Gives each part that is kept apart an id that is another one in every answer, as Gmail's are.
fn disguise(part: &mut Value, message: &str) {
    if part["body"]["attachmentId"].is_string() {
        use std::hash::{BuildHasher, RandomState};
        let nonce = RandomState::new().hash_one(message);
        let inner = format!(
            "{message}:{}:{nonce:x}",
            part["partId"].as_str().unwrap_or_default()
        );
        part["body"]["attachmentId"] = format!("{ATTACHMENT}{}", URL_SAFE_NO_PAD.encode(inner)).into();
    }
    if let Some(Value::Array(parts)) = part.get_mut("parts") {
        for part in parts {
            disguise(part, message);
        }
    }
}

fn attachment(mail: &Mail, message: &str, id: &str) -> Answered {
    let message = find(mail, message)?;
    let read = || {
        let inner = URL_SAFE_NO_PAD.decode(id.strip_prefix(ATTACHMENT)?).ok()?;
        let inner = String::from_utf8(inner).ok()?;
        let mut words = inner.split(':');
        let (of, part) = (words.next()?, words.next()?);
        (of == message.id).then(|| mime::part_bytes(&message.raw, part))?
    };
    let bytes = read().ok_or_else(|| Answer::bad_request("invalidArgument", "Invalid attachment token"))?;
    Ok(json!({"size": bytes.len(), "data": base64url(&bytes)}))
}

fn thread(mail: &Mail, id: &str, format: &str, query: &[(String, String)]) -> Answered {
    let messages: Vec<&StoredMessage> = mail
        .messages
        .iter()
        .rev()
        .filter(|message| message.thread_id == id)
        .collect();
    let Some(last) = messages.last() else {
        return Err(Answer::not_found());
    };
    let newest = messages
        .iter()
        .filter_map(|message| mail.history.get(&message.id))
        .max()
        .unwrap_or(&FIRST_HISTORY);
    Ok(json!({
        "id": last.thread_id,
        "historyId": newest.to_string(),
        "messages": messages
            .iter()
            .map(|message| resource(mail, message, format, query))
            .collect::<Vec<_>>(),
    }))
}

fn labels(mail: &Mail) -> Vec<Value> {
    let system = SYSTEM_LABELS.map(|label| json!({"id": label, "name": label, "type": "system"}));
    let own = mail.labels.iter().map(|(name, id)| {
        json!({
            "id": id,
            "name": name,
            "messageListVisibility": "show",
            "labelListVisibility": "labelShow",
            "type": "user",
        })
    });
    system.into_iter().chain(own).collect()
}

fn label(mail: &Mail, id: &str) -> Answered {
    let mut label = labels(mail)
        .into_iter()
        .find(|label| label["id"] == id)
        .ok_or_else(Answer::not_found)?;
    let mut threads: BTreeMap<&str, bool> = BTreeMap::new();
    let (mut total, mut unread) = (0, 0);
    for message in &mail.messages {
        if message.labels.iter().any(|have| mail.label_id(have) == id) {
            let new = message.labels.iter().any(|have| have == "UNREAD");
            total += 1;
            unread += u64::from(new);
            *threads.entry(&message.thread_id).or_default() |= new;
        }
    }
    label["messagesTotal"] = total.into();
    label["messagesUnread"] = unread.into();
    label["threadsTotal"] = threads.len().into();
    label["threadsUnread"] = threads.values().filter(|new| **new).count().into();
    Ok(label)
}

/// What came since. An id before the start has expired.
fn history(mail: &Mail, query: &[(String, String)]) -> Answered {
    let start: u64 = field(query, "startHistoryId")
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Answer::bad_request("invalidArgument", "Invalid startHistoryId"))?;
    if start < FIRST_HISTORY {
        return Err(Answer::not_found());
    }
    let mut body = json!({"historyId": mail.newest.to_string()});
    let kinds: BTreeSet<&str> = all(query, "historyTypes").collect();
    if !kinds.is_empty() && !kinds.contains("messageAdded") {
        return Ok(body);
    }
    let label = field(query, "labelId");
    let since: Vec<(u64, Value)> = mail
        .added
        .iter()
        .filter(|(id, _)| *id > start)
        .filter_map(|(id, message)| Some((*id, find(mail, message).ok()?)))
        .filter(|(_, message)| {
            label.is_none_or(|label| message.labels.iter().any(|have| mail.label_id(have) == label))
        })
        .map(|(id, message)| {
            let short = json!({"id": message.id, "threadId": message.thread_id});
            let mut with_labels = short.clone();
            with_labels["labelIds"] = message
                .labels
                .iter()
                .map(|label| mail.label_id(label))
                .collect::<Vec<_>>()
                .into();
            let entry = json!({
                "id": id.to_string(),
                "messages": [short],
                "messagesAdded": [{"message": with_labels}],
            });
            (id, entry)
        })
        .collect();
    let size = page_size(query, 100)?;
    let of = fnv(format!("{start}{label:?}").as_bytes());
    let from = page_start(field(query, "pageToken"), of)?;
    let page: Vec<Value> = since
        .iter()
        .skip(from)
        .take(size)
        .map(|(_, entry)| entry.clone())
        .collect();
    if !page.is_empty() {
        body["history"] = page.into();
    }
    if from + size < since.len() {
        body["nextPageToken"] = page_token(from + size, of).into();
    }
    Ok(body)
}

/// The first words of the text, HTML-escaped as Gmail's are.
fn snippet(message: &StoredMessage) -> String {
    let parsed = mail_parser::MessageParser::default().parse(&message.raw[..]);
    let text = parsed
        .as_ref()
        .and_then(|parsed| parsed.body_text(0))
        .unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(60).collect();
    let short: String = words.join(" ").chars().take(200).collect();
    short
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
