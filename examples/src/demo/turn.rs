//! The run itself.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::store::SqliteStore;
use nbhd_core::{Code, Error, Host, Result};
use serde_json::{Value, json};

use super::document::{Document, Line, StoreReport, WebhookCall};
use super::services::TENANT;
use super::{Live, Options, Place, Services};
use crate::assistant::{Assistant, Progress, Turn};
use crate::data::Data;
use crate::report::DataReport;

/// Reads the data, starts the services, asks, answers, and tells everything.
pub async fn run(options: &Options, progress: Progress) -> Result<Document> {
    nbhd_core::window::zone(&options.time_zone)?;
    if options.question.trim().is_empty() {
        return Err(Error::new(Code::InvalidInput, "--question is empty"));
    }
    progress("reading the data");
    let live_google = options.live.contains(&Live::Gmail);
    let data = Data::load(options.mailbox.as_deref(), options.calendar.as_deref())?;
    let report = DataReport {
        mailbox: (!live_google).then(|| data.mailbox.report().clone()),
        calendar: (!live_google).then(|| data.calendar.report().clone()),
        sample_mail: options.mailbox.is_none(),
        sample_calendar: options.calendar.is_none(),
    };
    let services = Services::start(options, data)?;
    let place = Place::new(options.store.as_deref())?;
    let receipts = Arc::new(MemoryReceipts::default());
    let host = Host::builder(Arc::new(SqliteStore::new(place.file())?))
        .with_receipts(receipts.clone())
        .with_vault(services.vault())
        .build();
    // Nothing is done before it is known that the state can be kept.
    host.inbox().pending().await.map_err(|error| {
        let file = place.file().display();
        Error::new(
            error.code(),
            format!("cannot use the store {file}: {}", error.message()),
        )
    })?;

    progress("connecting the account");
    let account = services.account(&host).await?;
    let refreshes = services.stand_ins.google.calls("oauth.token");
    let router = services.router(&host)?;
    let telegram = services.telegram(&host)?;
    let mut assistant = Assistant::new(&host, account, router, telegram, TENANT, &options.time_zone)
        .with_progress(progress.clone());
    if let Some(address) = services.address() {
        assistant = assistant.with_own_address(address);
    }
    let connected = receipts.all().len();
    let earlier = services.stand_ins.telegram.messages().len();
    let before = assistant.router().remaining(assistant.scopes()).await?;

    let (headers, body) = webhook_call(&services, &options.question)?;
    let mut webhook = Vec::new();
    let mut turns: Vec<Turn> = Vec::new();
    // The platform may deliver an update again: the second time nothing may run.
    for _ in 0..2 {
        let reply = assistant.receive(&headers, body.to_string().as_bytes()).await?;
        let ran = assistant.work().await?;
        webhook.push(WebhookCall::new(&reply, ran.len()));
        turns.extend(ran);
    }
    progress("");
    let spend = assistant.router().remaining(assistant.scopes()).await?;
    let messages = services.stand_ins.telegram.messages().split_off(earlier);
    host.store().close().await?;
    Ok(Document {
        data: report,
        services: services.described(),
        store: StoreReport {
            path: place.file().display().to_string(),
            kept: !place.is_fresh(),
        },
        webhook,
        conversation: conversation(options, &turns, messages.into_iter().map(|message| message.text)),
        token_refreshes: (!live_google).then(|| services.stand_ins.google.calls("oauth.token") - refreshes),
        turns,
        receipts: receipts.all().split_off(connected),
        spend_before: before,
        spend,
        bill: services.stand_ins.models.bill(),
    })
}

/// What was said, as it arrived; what went to the real platform as it was written.
fn conversation(options: &Options, turns: &[Turn], arrived: impl Iterator<Item = String>) -> Vec<Line> {
    let mut lines = vec![Line::new("you", &options.question)];
    let before = lines.len();
    lines.extend(arrived.map(|text| Line::new("nbhd", text)));
    if lines.len() == before && options.live.contains(&Live::Telegram) {
        let written = turns.iter().filter_map(|turn| turn.written.as_ref());
        lines.extend(written.map(|written| Line::new("nbhd", &written.markdown)));
    }
    lines
}

/// The call that the platform makes. A stand-in begins anew with each run, so the ids of its update and message are made as
/// unique as those of a platform.
fn webhook_call(services: &Services, question: &str) -> Result<(HeaderMap, Value)> {
    let call = services.stand_ins.telegram.say(services.chat()?, question);
    let headers = call
        .header_pairs()
        .filter_map(|(name, value)| {
            Some((
                name.parse::<HeaderName>().ok()?,
                HeaderValue::from_str(value).ok()?,
            ))
        })
        .collect();
    let mut body: Value = serde_json::from_str(&call.body)
        .map_err(|_| Error::new(Code::Internal, "the stand-in's webhook call is no JSON"))?;
    let unique = chrono::Utc::now().timestamp_millis();
    body["update_id"] = json!(unique);
    body["message"]["message_id"] = json!(unique);
    Ok((headers, body))
}
