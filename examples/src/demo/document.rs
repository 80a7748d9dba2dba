//! Everything that a run tells: one JSON document, and the text for people.

use std::fmt::Write as _;

use nbhd_channels::ingress::Reply;
use nbhd_core::Receipt;
use nbhd_llm::budget::Remaining;
use nbhd_llm::chat::ModelAttempt;
use nbhd_llm::price::NanoUsd;
use nbhd_llm::testkit::Bill;
use serde::Serialize;

use crate::assistant::{Author, Turn};
use crate::report::{self, DataReport, Paint};

/// A run.
#[derive(Debug, Serialize)]
pub struct Document {
    /// What was found in the data.
    pub data: DataReport,
    /// What each service is: name, and `live` or where its stand-in is.
    pub services: Vec<(String, String)>,
    /// Where the state is.
    pub store: StoreReport,
    /// Each delivery of the update.
    pub webhook: Vec<WebhookCall>,
    /// What was said on the channel.
    pub conversation: Vec<Line>,
    /// How often an access token was fetched during the turn; absent where Google is real.
    pub token_refreshes: Option<usize>,
    /// The turns that ran.
    pub turns: Vec<Turn>,
    /// The receipts of the turn, in the order in which the calls ended.
    pub receipts: Vec<Receipt>,
    /// Every window of every scope before the turn.
    pub spend_before: Vec<Remaining>,
    /// The same after it.
    pub spend: Vec<Remaining>,
    /// What the stand-in for models billed by its own count.
    pub bill: Bill,
}

/// Where the state is.
#[derive(Debug, Serialize)]
pub struct StoreReport {
    /// The file.
    pub path: String,
    /// Whether it stays.
    pub kept: bool,
}

/// One delivery of the update.
#[derive(Debug, Serialize)]
pub struct WebhookCall {
    /// What the platform was answered.
    pub status: u16,
    /// Events that were stored.
    pub stored: usize,
    /// Events that were known.
    pub known: usize,
    /// Turns that ran after it.
    pub turns: usize,
}

/// Something that was said.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Who.
    pub from: String,
    /// What.
    pub text: String,
}

impl WebhookCall {
    pub(super) fn new(reply: &Reply, turns: usize) -> Self {
        let known = reply.accepted.iter().filter(|event| event.duplicate).count();
        Self {
            status: reply.status,
            stored: reply.accepted.len() - known,
            known,
            turns,
        }
    }
}

impl Line {
    pub(super) fn new(from: &str, text: impl Into<String>) -> Self {
        Self {
            from: from.to_owned(),
            text: text.into(),
        }
    }
}

impl Document {
    /// Whether every turn's answer arrived.
    pub fn is_answered(&self) -> bool {
        let answered = |turn: &Turn| turn.sent.as_ref().is_some_and(|sent| sent.outcome == "sent");
        !self.turns.is_empty() && self.turns.iter().all(answered)
    }

    /// The text for people.
    pub fn to_text(&self, paint: Paint) -> String {
        let mut text = report::data(&self.data, paint);
        let _ = writeln!(text, "Services  {}", services(&self.services));
        if self.store.kept {
            let _ = writeln!(text, "Store     {}", self.store.path);
        }
        for (at, call) in self.webhook.iter().enumerate() {
            let name = if at == 0 { "Webhook" } else { "  again" };
            let _ = writeln!(text, "{name:<10}{}", call.described(paint));
        }

        let _ = writeln!(text, "\n{}", paint.bold("Conversation"));
        let lines: Vec<(String, String)> = self
            .conversation
            .iter()
            .map(|line| (line.from.clone(), line.text.clone()))
            .collect();
        text.push_str(&report::conversation(&lines, paint));
        text.push('\n');
        for turn in &self.turns {
            text.push_str(&how(turn, paint));
        }

        let _ = writeln!(text, "\n{}", paint.bold("Receipts"));
        text.push_str(&report::receipts(&self.receipts, paint));
        let attempts: Vec<&ModelAttempt> = self.turns.iter().flat_map(Turn::attempts).collect();
        if !attempts.is_empty() {
            let _ = writeln!(text, "\n{}", paint.bold("Models (USD)"));
            text.push_str(&report::attempts(&attempts, paint));
        }
        let _ = writeln!(text, "\n{}", paint.bold("Spend (USD)"));
        text.push_str(&report::spend(&self.spend, paint));
        if let Some(line) = self.compared(paint) {
            let _ = writeln!(text, "\n{line}");
        }
        text
    }

    /// What the turn cost in each scope.
    pub fn turn_cost(&self) -> Option<NanoUsd> {
        let (after, before) = (self.spend.first()?, self.spend_before.iter());
        let before = before
            .clone()
            .find(|window| window.scope == after.scope && window.window == after.window)?;
        Some(NanoUsd(
            after.settled.0 + after.provisional.0 - before.settled.0 - before.provisional.0,
        ))
    }

    /// Our count beside that of the stand-in.
    fn compared(&self, paint: Paint) -> Option<String> {
        if self.bill.entries.is_empty() {
            return None;
        }
        let (ours, theirs) = (self.turn_cost()?, NanoUsd(self.bill.nano_usd));
        let line = format!("This turn cost {ours}; the models' own bill says {theirs}.");
        Some(if ours == theirs {
            paint.good(&line)
        } else {
            paint.bad(&line)
        })
    }
}

impl WebhookCall {
    fn described(&self, paint: Paint) -> String {
        match (self.stored, self.known, self.turns) {
            (1.., _, _) => format!("{}: verified, stored, acknowledged; one turn ran", self.status),
            (0, 1.., 0) => paint.good(&format!("{}: the same update, known: nothing ran", self.status)),
            _ => paint.bad(&format!("{}: {} turns ran", self.status, self.turns)),
        }
    }
}

/// Those of the same kind together: `stand-ins for Google (port 1), OpenAI and Mistral (port 2)`.
fn services(services: &[(String, String)]) -> String {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, what) in services {
        match kinds.iter_mut().find(|(known, _)| known == what) {
            Some((_, names)) => names.push(name),
            None => kinds.push((what, vec![name])),
        }
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(what, names)| format!("{} ({what})", names.join(" and ")))
        .collect();
    kinds.join(", ")
}

/// Who wrote the answer, and what became of it.
fn how(turn: &Turn, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(written) = &turn.written {
        let found = &written.found;
        let _ = writeln!(
            text,
            "Read      {} messages ({} with bodies), {} events",
            found.messages, found.bodies, found.events
        );
        match &written.author {
            Author::Model { answer } => {
                let _ = writeln!(
                    text,
                    "Model     {} answered, every reference was checked",
                    answer.model
                );
            }
            Author::Rules { reason, .. } => {
                let _ = writeln!(text, "Model     {}", paint.bad(&format!("none: {reason}")));
            }
        }
    }
    if let Some(sent) = &turn.sent {
        let ids: Vec<&str> = sent.delivery["parts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["message_id"].as_str())
            .collect();
        let plural = if ids.len() == 1 { "" } else { "s" };
        let line = match &sent.reason {
            None => format!("{}, message{plural} {}", sent.outcome, ids.join(", ")),
            Some(reason) => paint.bad(&format!("{}: {reason}", sent.outcome)),
        };
        let _ = writeln!(text, "Delivery  {line}");
    }
    text
}
