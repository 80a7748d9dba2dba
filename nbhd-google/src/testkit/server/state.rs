//! What the stand-in knows, and how a call finds its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nbhd_core::clock::Clock;
use nbhd_core::testkit::{Call, Reply};

use super::answer::Answer;
use super::oauth::{Bearer, OAuth, bearer_token, field};
use super::route::{self, OAUTH, Route};
use super::{SeenCall, fields};
use crate::testkit::ics::Calendar;
use crate::testkit::mailbox::StoredMessage;

/// Who watches the calls.
pub(super) type Observer = Arc<dyn Fn(&SeenCall) + Send + Sync>;

pub(super) struct State {
    pub(super) address: String,
    pub(super) mail: Mutex<Mail>,
    pub(super) calendars: Vec<(String, Calendar)>,
    pub(super) oauth: Mutex<OAuth>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seen: Mutex<Vec<SeenCall>>,
    pub(super) observer: Option<Observer>,
}

/// The mailbox as it stands, and what changed.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Newest first.
    pub(super) messages: Vec<StoredMessage>,
    /// User labels: the name and the id.
    pub(super) labels: Vec<(String, String)>,
    /// The history id of each message, by its id.
    pub(super) history: HashMap<String, u64>,
    /// Messages that came after the start, in order.
    pub(super) added: Vec<(u64, String)>,
    pub(super) newest: u64,
}

/// The history id at the start: an id before it has expired.
pub(super) const FIRST_HISTORY: u64 = 1_000;

impl Mail {
    pub(super) fn new(messages: Vec<StoredMessage>) -> Self {
        let mut names: Vec<String> = messages
            .iter()
            .flat_map(|message| &message.labels)
            .filter(|label| !is_system(label))
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        let labels = names
            .into_iter()
            .enumerate()
            .map(|(index, name)| (name, format!("Label_{}", index + 1)))
            .collect();
        let mut mail = Self {
            labels,
            newest: FIRST_HISTORY,
            ..Self::default()
        };
        for message in messages.iter().rev() {
            mail.newest += 1;
            mail.history.insert(message.id.clone(), mail.newest);
        }
        mail.messages = messages;
        mail
    }

    pub(super) fn label_id<'a>(&'a self, label: &'a str) -> &'a str {
        self.labels
            .iter()
            .find(|(name, _)| name == label)
            .map_or(label, |(_, id)| id)
    }
}

/// Whether a label is one of Gmail's own.
pub(super) fn is_system(label: &str) -> bool {
    SYSTEM_LABELS.contains(&label)
}

/// Gmail's own labels. <https://developers.google.com/workspace/gmail/api/guides/labels>
pub(super) const SYSTEM_LABELS: [&str; 14] = [
    "INBOX",
    "SPAM",
    "TRASH",
    "UNREAD",
    "STARRED",
    "IMPORTANT",
    "SENT",
    "DRAFT",
    "CHAT",
    "CATEGORY_PERSONAL",
    "CATEGORY_SOCIAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_UPDATES",
    "CATEGORY_FORUMS",
];

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Answers a call that is no batch.
    pub(super) fn respond(&self, call: &Call) -> Answer {
        let Some(route) = route::find(call.method.as_str(), &call.path) else {
            return Answer::not_found();
        };
        let now = self.clock.now();
        let authorization = call.header("authorization");
        if route.call.service == OAUTH {
            let mut oauth = lock(&self.oauth);
            return match route.call.label {
                "oauth.token" => oauth.token(&call.form(), authorization, now),
                "oauth.revoke" => oauth.revoke(&call.form(), &call.query_pairs()),
                _ => oauth.consent(&call.query_pairs(), now),
            };
        }
        let scopes = match lock(&self.oauth).bearer(authorization, now) {
            Bearer::Good(scopes) => scopes,
            Bearer::Bad(why) => return Answer::unauthenticated(why, route.call.service),
        };
        if !route
            .call
            .scopes
            .iter()
            .any(|scope| scopes.iter().any(|have| have == scope))
        {
            return Answer::scope(route.call.service, route.call.scopes);
        }
        self.authorized(&route, call, &scopes)
    }

    fn authorized(&self, route: &Route, call: &Call, scopes: &[String]) -> Answer {
        let query = call.query_pairs();
        if let Some(name) = route.call.unknown(&query) {
            let message = format!("Invalid parameter: unknown name \"{name}\".");
            return Answer::bad_request("invalidParameter", &message);
        }
        if field(&query, "alt").is_some_and(|alt| alt != "json") {
            return Answer::bad_request("invalidParameter", "Only alt=json is served here.");
        }
        let answered = if route.call.label.starts_with("gmail.") {
            self.gmail(route, &query, scopes)
        } else {
            self.calendar(route, &query, &call.body)
        };
        let value = match answered {
            Ok(value) => value,
            Err(answer) => return answer,
        };
        match field(&query, "fields") {
            None => Answer::json(200, &value),
            Some(wanted) => match fields::select(value, wanted) {
                Some(value) => Answer::json(200, &value),
                None => Answer::bad_request("invalidParameter", "Invalid field selection"),
            },
        }
    }

    /// Notes a call and tells who watches. A call without a status got no whole answer.
    pub(super) fn note(&self, call: &Call, reply: &Reply, in_batch: bool) {
        let route = route::find(call.method.as_str(), &call.path);
        let label = route.map_or("unknown", |route| route.call.label);
        let (status, answer_bytes) = match reply {
            Reply::Full { status, body, .. } => (Some(status.as_u16()), body.len()),
            _ => (None, 0),
        };
        let form = if label == "oauth.token" {
            call.form()
        } else {
            Vec::new()
        };
        let of_form = |name: &str| field(&form, name).map(str::to_owned);
        let seen = SeenCall {
            label: label.to_owned(),
            at: self.clock.now(),
            method: call.method.to_string(),
            path: call.path.clone(),
            query: call.query.clone(),
            status,
            bearer: call
                .header("authorization")
                .and_then(bearer_token)
                .map(str::to_owned),
            refresh_token: of_form("refresh_token"),
            client_secret: of_form("client_secret"),
            in_batch,
            request_bytes: call.body.len(),
            answer_bytes,
        };
        if let Some(observer) = &self.observer {
            observer(&seen);
        }
        lock(&self.seen).push(seen);
    }
}
