//! The bot against its stand-in: over real HTTP on loopback, with faults.

use std::sync::Arc;

use nbhd_channels::message::{ChatKind, EventKind, PartOutcome};
use nbhd_channels::testkit::Telegram as StandIn;
use nbhd_channels::{Delivery, Message, Telegram, TelegramConfig};
use nbhd_core::clock::FakeClock;
use nbhd_core::http::HeaderMap;
use nbhd_core::testkit::{Fault, FaultyStore, shared_fixtures};
use nbhd_core::{Code, Error, Host, Outcome, Secret};
use serde_json::json;

fn host() -> Host {
    let store = nbhd_core::store::open("memory:").expect("a store");
    let start = "2026-11-21T08:00:00Z".parse().expect("a time");
    Host::builder(store)
        .with_clock(Arc::new(FakeClock::at(start)))
        .build()
}

fn bot() -> (StandIn, Telegram, Host) {
    let (server, host) = (StandIn::start().expect("a stand-in"), host());
    server.add_chat(42);
    let bot = server.client(&host).expect("a bot");
    (server, bot, host)
}

fn parts(error: &Error) -> Vec<(PartOutcome, Option<String>)> {
    let delivery = error.delivery().expect("a delivery in the error");
    let parts = delivery["parts"].as_array().expect("parts");
    parts
        .iter()
        .map(|part| {
            let outcome = serde_json::from_value(part["outcome"].clone()).expect("an outcome");
            (outcome, part["message_id"].as_str().map(str::to_owned))
        })
        .collect()
}

fn long(paragraphs: usize) -> String {
    let paragraph = |n| format!("**Paragraph {n}** {}", "word ".repeat(199));
    (0..paragraphs)
        .map(paragraph)
        .collect::<Vec<String>>()
        .join("\n\n")
}

#[tokio::test]
async fn a_call_is_verified_stored_once_and_acknowledged_with_nothing() {
    let (server, bot, host) = bot();
    let call = server.say(42, "What needs my attention today?");
    for duplicate in [false, true] {
        let reply = bot
            .receive_pairs(call.header_pairs(), &call.body)
            .await
            .expect("a reply");
        assert_eq!(
            (reply.status, reply.body.as_str(), reply.headers.len()),
            (200, "", 0)
        );
        assert_eq!(reply.accepted.len(), 1);
        assert_eq!(reply.accepted[0].duplicate, duplicate);
    }
    assert_eq!(host.inbox().pending().await.expect("a count"), 1);
    let work = host.inbox().claim().await.expect("a claim").expect("work");
    let event = work.event();
    assert_eq!(event.lane, "telegram:123456:42");
    assert_eq!(event.data["conversation"], "telegram:123456:42");
    assert_eq!(event.data["text"], "What needs my attention today?");
    assert_eq!(event.data["kind"], "message");
    assert_eq!(event.data["sender"]["id"], "42");
    work.done().await.expect("done");
    // The answer goes to where the event says.
    let conversation = event.data["conversation"].as_str().expect("a conversation");
    let delivery = bot
        .send(Message::markdown(conversation, "Nothing.").with_key("a"))
        .await
        .expect("sent");
    assert_eq!(delivery.parts.len(), 1);
    assert_eq!(server.messages()[0].chat_id, 42);
}

#[tokio::test]
async fn the_same_message_under_another_update_is_a_duplicate() {
    let (server, bot, _) = bot();
    let call = server.say(42, "once");
    let again = call.body.replace("\"update_id\":1", "\"update_id\":77");
    assert_ne!(call.body, again);
    for (body, duplicate) in [(&call.body, false), (&again, true)] {
        let reply = bot
            .receive_pairs(call.header_pairs(), body)
            .await
            .expect("a reply");
        assert_eq!(reply.accepted[0].duplicate, duplicate);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_answered_and_stores_nothing() {
    let (server, bot, host) = bot();
    let call = server.say(42, "hello");
    let good: HeaderMap = nbhd_channels::ingress::Webhook::from_pairs(call.header_pairs(), "").headers;
    let mut forged = good.clone();
    forged.insert(
        "x-telegram-bot-api-secret-token",
        "guess".parse().expect("a value"),
    );
    let large = format!("{{\"update_id\":1,\"pad\":\"{}\"}}", "x".repeat(1024 * 1024));
    let cases: [(&str, &HeaderMap, &str, u16); 7] = [
        ("forged", &forged, &call.body, 401),
        ("without a secret", &HeaderMap::new(), &call.body, 401),
        ("no JSON", &good, "update", 400),
        ("no update", &good, "{}", 400),
        ("empty", &good, "", 400),
        ("a list", &good, "[1]", 400),
        ("too large", &good, &large, 413),
    ];
    for (name, headers, body, status) in cases {
        let reply = bot.receive(headers, body).await.expect("a reply");
        assert_eq!((reply.status, reply.accepted.len()), (status, 0), "{name}");
        assert!(reply.code.is_some() && reply.body.is_empty(), "{name}");
    }
    // Kinds of updates that there is no word for are taken note of, no more.
    let reply = bot
        .receive(&good, r#"{"update_id":9,"poll":{"id":"1"}}"#)
        .await
        .expect("a reply");
    assert_eq!((reply.status, reply.accepted.len()), (200, 0));
    assert_eq!(host.inbox().pending().await.expect("a count"), 0);
}

#[tokio::test]
async fn without_a_secret_every_call_is_refused() {
    let (server, _, host) = bot();
    let config = TelegramConfig::new(Secret::new(server.token())).with_base_url(server.base_url());
    let bot = Telegram::new(&host, config).expect("a bot");
    let call = server.say(42, "hello");
    let error = bot
        .receive_pairs(call.header_pairs(), &call.body)
        .await
        .expect_err("refused");
    assert_eq!(error.code(), Code::InvalidConfig);
    assert_eq!(host.inbox().pending().await.expect("a count"), 0);
}

#[tokio::test]
async fn while_the_store_is_away_the_platform_is_asked_to_come_again() {
    let server = StandIn::start().expect("a stand-in");
    let store = nbhd_core::store::open("memory:").expect("a store");
    let broken = FaultyStore::new(store, |point| {
        (point == "store.commit.before").then(|| Error::new(Code::StoreUnavailable, "the disk is gone"))
    });
    let host = Host::builder(Arc::new(broken)).build();
    let bot = server.client(&host).expect("a bot");
    let call = server.say(42, "hello");
    let reply = bot
        .receive_pairs(call.header_pairs(), &call.body)
        .await
        .expect("a reply");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.code, Some(Code::StoreUnavailable));
    assert!(reply.headers.contains_key("retry-after"));
}

#[test]
fn signature_vectors() {
    let Some(fixtures) = shared_fixtures() else {
        println!("skipped: shared fixtures are not here");
        return;
    };
    #[expect(clippy::disallowed_methods, reason = "fixtures are read in place")]
    let text = std::fs::read_to_string(fixtures.join("channels/signatures.json")).expect("readable");
    let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let rows: Vec<&serde_json::Value> = all["vectors"]
        .as_array()
        .expect("vectors")
        .iter()
        .filter(|row| row["channel"] == "telegram")
        .collect();
    assert!(rows.len() >= 5, "{} rows", rows.len());
    for row in &rows {
        let pairs = row["headers"].as_object().expect("headers");
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
        let body = row["body"].as_str().expect("a body").to_owned();
        let call = nbhd_channels::ingress::Webhook::from_pairs(pairs, body);
        let secrets = [Secret::new(row["secret"].as_str().expect("a secret"))];
        let verified = nbhd_channels::ingress::shared_secret(
            &call.headers,
            "x-telegram-bot-api-secret-token",
            &secrets,
            &call.body,
        );
        assert_eq!(verified.is_ok(), row["valid"] == true, "{}", row["name"]);
    }
    println!("{} signature vectors", rows.len());
}

fn check_sent(delivery: &Delivery, server: &StandIn) {
    let messages = server.messages();
    assert_eq!(delivery.parts.len(), messages.len());
    for (part, message) in delivery.parts.iter().zip(&messages) {
        assert_eq!(part.outcome, PartOutcome::Sent);
        let id = part.message_id.as_ref().expect("an id");
        assert_eq!(id.as_str(), message.message_id.to_string());
        assert!(part.at.is_some());
    }
}

#[tokio::test]
async fn a_message_is_sent_with_its_entities() {
    let (server, bot, host) = bot();
    let said = server.say(42, "hi");
    let message = Message::markdown("telegram:123456:42", "📌 **bold** and `code`, ask @anna")
        .with_key("k")
        .with_reply_to(said.message_id.expect("an id").to_string())
        .with_silent(true);
    let delivery = bot.send(message.clone()).await.expect("sent");
    check_sent(&delivery, &server);
    let sent = &server.messages()[0];
    assert_eq!(sent.text, "📌 bold and code, ask @\u{2060}anna");
    assert_eq!(
        json!(sent.entities),
        json!([
            { "type": "bold", "offset": 3, "length": 4 },
            { "type": "code", "offset": 12, "length": 4 },
        ])
    );
    assert_eq!((sent.reply_to, sent.silent), (said.message_id, true));
    // The same key again sends nothing and returns the same delivery.
    let again = bot.send(message).await.expect("sent before");
    assert_eq!(again.parts, delivery.parts);
    assert_eq!(server.calls("telegram.sendMessage"), 1);
    // Another text under the same key is a mistake.
    let error = bot
        .send(Message::markdown("42", "other").with_key("k"))
        .await
        .expect_err("refused");
    assert_eq!(error.code(), Code::Conflict);
    // Without a key each call is a message of its own.
    for _ in 0..2 {
        bot.send(Message::text("42", "**plain**")).await.expect("sent");
    }
    assert_eq!(server.messages().len(), 3);
    assert_eq!(server.messages()[2].text, "**plain**");
    // Each call left one receipt, and no secret stands in it.
    let receipt = serde_json::to_string(&delivery.receipt).expect("JSON");
    assert!(!receipt.contains(&server.token()[7..]));
    assert_eq!(delivery.receipt.operation, "telegram.send");
    assert_eq!(delivery.receipt.attempts.len(), 1);
    drop(host);
}

#[tokio::test]
async fn a_long_message_goes_in_three_parts() {
    let (server, bot, _) = bot();
    let delivery = bot
        .send(Message::markdown("42", long(9)).with_key("long"))
        .await
        .expect("sent");
    assert_eq!(delivery.parts.len(), 3);
    check_sent(&delivery, &server);
    for message in server.messages() {
        assert!(message.text.encode_utf16().count() <= 4096 && message.text.starts_with("Paragraph"));
    }
}

#[tokio::test]
async fn an_unknown_chat_is_refused() {
    let (server, bot, _) = bot();
    let error = bot
        .send(Message::markdown("43", "hello").with_key("k"))
        .await
        .expect_err("refused");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::NotFound, Outcome::Refused)
    );
    assert_eq!(error.provider_reason(), Some("chat_not_found"));
    assert_eq!(error.provider_status(), Some(400));
    assert_eq!(parts(&error), [(PartOutcome::Refused, None)]);
    assert!(server.messages().is_empty());
}

#[tokio::test]
async fn a_throttled_message_waits_as_long_as_it_is_told_and_goes() {
    let (server, bot, _) = bot();
    server.fail("telegram.sendMessage", Fault::status_after(429, 7.0), 1);
    let delivery = bot
        .send(Message::markdown("42", "hello").with_key("k"))
        .await
        .expect("sent");
    check_sent(&delivery, &server);
    let waits = &delivery.receipt.waits;
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0].cause, "retry_after");
    assert!(waits[0].seconds >= 7.0);
    assert_eq!(server.calls("telegram.sendMessage"), 2);
}

#[tokio::test]
async fn a_ban_of_hours_is_surfaced_not_waited_for() {
    let (server, bot, _) = bot();
    server.fail("telegram.sendMessage", Fault::status_after(429, 13_938.0), 1);
    let error = bot
        .send(Message::markdown("42", "hello").with_key("k"))
        .await
        .expect_err("throttled");
    assert_eq!(error.code(), Code::RateLimited);
    assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(13_938));
    assert_eq!(server.calls("telegram.sendMessage"), 1);
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_never_sent_again() {
    for (fault, arrived) in [(Fault::Lost, 1), (Fault::Close, 0), (Fault::Cut, 1)] {
        let (server, bot, _) = bot();
        server.fail("telegram.sendMessage", fault.clone(), 1);
        for _ in 0..2 {
            let error = bot
                .send(Message::markdown("42", "hello").with_key("k"))
                .await
                .expect_err("unknown");
            assert_eq!(error.outcome(), Outcome::Unknown, "{fault:?}");
            assert_eq!(parts(&error), [(PartOutcome::Unknown, None)]);
            assert!(error.delivery().is_some());
        }
        assert_eq!(server.calls("telegram.sendMessage"), 1, "{fault:?}");
        assert_eq!(server.messages().len(), arrived, "{fault:?}");
    }
}

#[tokio::test]
async fn a_reply_that_is_none_is_unknown() {
    let (server, bot, _) = bot();
    server.fail("telegram.sendMessage", Fault::Garbage, 1);
    let error = bot
        .send(Message::markdown("42", "hello").with_key("k"))
        .await
        .expect_err("unknown");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::ProtocolError, Outcome::Unknown)
    );
    assert!(!error.to_string().contains("Welcome"));
    assert_eq!(server.calls("telegram.sendMessage"), 1);
}

#[tokio::test]
async fn a_failure_of_the_server_is_unknown() {
    let (server, bot, _) = bot();
    server.fail("telegram.sendMessage", Fault::status(500), 1);
    let error = bot
        .send(Message::markdown("42", "hello").with_key("k"))
        .await
        .expect_err("unknown");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::ProviderUnavailable, Outcome::Unknown)
    );
    assert_eq!(server.calls("telegram.sendMessage"), 1);
}

#[tokio::test]
async fn a_refused_part_leaves_the_ids_of_those_before_it() {
    let (server, bot, _) = bot();
    let body =
        json!({ "ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user" });
    let blocked = Fault::Status {
        status: 403,
        retry_after: None,
        body: Some(body),
    };
    server.fail_later("telegram.sendMessage", 1, blocked, 1);
    let message = Message::markdown("42", long(9)).with_key("k");
    for _ in 0..2 {
        let error = bot.send(message.clone()).await.expect_err("refused");
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::PermissionDenied, Outcome::Refused)
        );
        assert_eq!(error.provider_reason(), Some("bot_blocked"));
        let first = server.messages()[0].message_id.to_string();
        assert_eq!(
            parts(&error),
            [
                (PartOutcome::Sent, Some(first)),
                (PartOutcome::Refused, None),
                (PartOutcome::NotSent, None),
            ]
        );
        // The same key again does not ask again.
        assert_eq!(
            (server.messages().len(), server.calls("telegram.sendMessage")),
            (1, 2)
        );
    }
}

#[tokio::test]
async fn a_message_goes_on_at_the_part_that_is_missing() {
    let (server, bot, _) = bot();
    server.fail_later("telegram.sendMessage", 1, Fault::status_after(429, 13_938.0), 1);
    let message = Message::markdown("telegram:123456:42", long(9)).with_key("k");
    let error = bot.send(message.clone()).await.expect_err("throttled");
    assert_eq!(error.code(), Code::RateLimited);
    assert_eq!(server.messages().len(), 1);
    // "Not now": the part was not taken, so the same key goes on with it.
    assert_eq!(error.outcome(), Outcome::NotSent);
    let states: Vec<PartOutcome> = parts(&error).into_iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(
        states,
        [PartOutcome::Sent, PartOutcome::NotSent, PartOutcome::NotSent]
    );
    server.fail_later("telegram.sendMessage", 1, Fault::status_after(429, 13_938.0), 1);
    assert_eq!(
        bot.send(message).await.expect_err("throttled").code(),
        Code::RateLimited
    );
    assert_eq!(server.messages().len(), 2);
    let delivery = bot.resume("k").await.expect("sent");
    check_sent(&delivery, &server);
    assert_eq!(server.messages().len(), 3);
    assert_eq!(delivery.conversation.to_string(), "telegram:123456:42");
    assert_eq!(
        bot.resume("nothing").await.expect_err("none").code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn a_decided_send_is_stored_with_the_work_and_sent_afterwards() {
    let (server, bot, host) = bot();
    let call = server.say(42, "hi");
    bot.receive_pairs(call.header_pairs(), &call.body)
        .await
        .expect("a reply");
    let work = host.inbox().claim().await.expect("a claim").expect("work");
    let intent = bot
        .intent(&Message::text("42", "hello").with_key("answer"))
        .expect("an intent");
    work.commit(vec![intent]).await.expect("one write");
    assert!(server.messages().is_empty());
    let delivery = bot.resume("answer").await.expect("sent");
    check_sent(&delivery, &server);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is_stored() {
    let (server, bot, host) = bot();
    let messages = [
        Message::markdown("42", " \n\n "),
        Message::markdown("matrix:1:2", "x"),
        Message::markdown("telegram:999:42", "x"),
        Message::markdown("telegram:123456:room", "x"),
        Message::markdown("", "x"),
        Message::markdown("42", "x").with_reply_to("first"),
    ];
    for message in messages {
        let error = bot.send(message.clone()).await.expect_err("refused");
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::InvalidInput, Outcome::NotSent),
            "{message:?}"
        );
    }
    assert_eq!(server.calls("*"), 0);
    assert!(host.outbox().undelivered(10).await.expect("a list").is_empty());
    let unknown: Result<Message, _> =
        serde_json::from_value(json!({ "conversation": "42", "markdown": "x", "chat": 1 }));
    assert!(
        unknown
            .expect_err("refused")
            .to_string()
            .contains("unknown field `chat`")
    );
}

#[tokio::test]
async fn a_probe_says_who_we_are_and_a_wrong_token_is_said_so() {
    let (server, bot, host) = bot();
    let probe = bot.probe().await.expect("a bot");
    assert_eq!(
        (probe.account.as_str(), probe.username.as_deref()),
        ("123456", Some("standin_bot"))
    );
    for (token, code) in [
        ("123456:wrong", Code::Unauthenticated),
        ("99:x", Code::Unauthenticated),
        ("no-token", Code::InvalidConfig),
    ] {
        let config = TelegramConfig::new(Secret::new(token)).with_base_url(server.base_url());
        let bot = Telegram::new(&host, config).expect("a bot");
        assert_eq!(bot.probe().await.expect_err("refused").code(), code, "{token}");
    }
    let config = TelegramConfig::new(Secret::env("NBHD_TEST_UNSET_TOKEN"));
    let bot = Telegram::new(&host, config).expect("a bot");
    assert_eq!(
        bot.probe().await.expect_err("refused").code(),
        Code::SecretMissing
    );
}

#[test]
fn kinds_of_events_are_told_apart() {
    let (server, bot, _) = bot();
    let events = |update: serde_json::Value| {
        let call = server.push(update);
        let call = nbhd_channels::ingress::Webhook::from_pairs(
            [(
                "x-telegram-bot-api-secret-token",
                server.webhook_secret().as_str(),
            )],
            call.body,
        );
        let verified = nbhd_channels::Channel::verify(&bot, &call).expect("verified");
        bot.parse(&verified).expect("events")
    };
    let person =
        json!({ "id": 7, "is_bot": false, "first_name": "Ann", "last_name": "Lee", "username": "ann" });
    let group =
        json!({ "id": -1_001_234_567_890_i64, "type": "supergroup", "title": "Team", "is_forum": true });
    let message = json!({
        "message_id": 5, "message_thread_id": 3, "is_topic_message": true, "from": person, "chat": group, "date": 1_790_000_000,
        "text": "/brief@standin_bot 🙂 today",
        "entities": [
            { "type": "bot_command", "offset": 0, "length": 18 },
            { "type": "bold", "offset": 22, "length": 5 },
            { "type": "bold", "offset": 20, "length": 3 },
            { "type": "italic", "offset": 4, "length": 9_000_000_000_i64 },
            { "type": "text_mention", "offset": 22, "length": 5, "user": { "id": 123_456, "is_bot": true, "first_name": "b" } },
        ],
        "reply_to_message": { "message_id": 4, "date": 1, "chat": group, "from": { "id": 123_456, "is_bot": true, "first_name": "b" }, "text": "hm" },
    });
    let event = &events(json!({ "message": message }))[0];
    assert_eq!(event.kind, EventKind::Command);
    assert_eq!(event.conversation.to_string(), "telegram:123456:-1001234567890:3");
    assert_eq!(event.chat.kind, ChatKind::Group);
    assert_eq!(event.sent_at.as_deref(), Some("2026-09-21T14:13:20Z"));
    let command = event.command.as_ref().expect("a command");
    assert_eq!(
        (
            command.name.as_str(),
            command.target.as_deref(),
            command.arguments.as_str()
        ),
        ("brief", Some("standin_bot"), "🙂 today")
    );
    assert!(event.mention.us);
    assert!(
        event
            .reply_to
            .as_ref()
            .is_some_and(|reply| reply.ours && reply.text.as_deref() == Some("hm"))
    );
    assert_eq!(
        event.sender.as_ref().and_then(|sender| sender.name.as_deref()),
        Some("Ann Lee")
    );
    // The range that ends within a pair, and the one beyond the text, are no ranges.
    assert_eq!(event.spans.len(), 1);
    let text = event.text.as_deref().expect("a text");
    assert_eq!(&text[event.spans[0].start..event.spans[0].end], "today");
    assert_eq!(event.dedupe[1], "message:-1001234567890:5");
    assert!(event.raw().starts_with(b"{"));

    let mut edited = message.clone();
    edited["edit_date"] = 1_790_000_100.into();
    let event = &events(json!({ "edited_message": edited }))[0];
    assert_eq!(
        (event.kind, event.dedupe[1].as_str()),
        (EventKind::Edit, "edit:-1001234567890:5:1790000100")
    );

    let event = &events(
        json!({ "callback_query": { "id": "9", "from": person, "message": message, "chat_instance": "1", "data": "yes" } }),
    )[0];
    assert_eq!(event.kind, EventKind::Callback);
    assert_eq!(
        event
            .callback
            .as_ref()
            .and_then(|callback| callback.data.as_deref()),
        Some("yes")
    );

    let reaction = json!({
        "chat": group, "message_id": 5, "user": person, "date": 1_790_000_000,
        "old_reaction": [{ "type": "emoji", "emoji": "👍" }], "new_reaction": [{ "type": "emoji", "emoji": "🔥" }],
    });
    let event = &events(json!({ "message_reaction": reaction }))[0];
    let reaction = event.reaction.as_ref().expect("a reaction");
    assert_eq!(
        (reaction.added.as_slice(), reaction.removed.as_slice()),
        (["🔥".to_owned()].as_slice(), ["👍".to_owned()].as_slice())
    );

    let member = json!({
        "chat": group, "from": person, "date": 1_790_000_000,
        "old_chat_member": { "status": "left", "user": { "id": 123_456, "is_bot": true, "first_name": "b" } },
        "new_chat_member": { "status": "member", "user": { "id": 123_456, "is_bot": true, "first_name": "b" } },
    });
    let event = &events(json!({ "my_chat_member": member }))[0];
    assert!(
        event
            .membership
            .as_ref()
            .is_some_and(|member| member.us && member.after == "member")
    );

    let photo = json!({
        "message_id": 6, "from": person, "chat": { "id": 7, "type": "private", "first_name": "Ann" }, "date": 1_790_000_000,
        "caption": "look", "media_group_id": "m1",
        "photo": [
            { "file_id": "large", "file_unique_id": "1", "width": 100, "height": 100, "file_size": 5 },
            { "file_id": "small", "file_unique_id": "2", "width": 10, "height": 10 },
        ],
    });
    let event = &events(json!({ "message": photo }))[0];
    assert_eq!(event.attachments[0].handle, "large");
    assert_eq!(
        (event.text.as_deref(), event.album.as_deref()),
        (Some("look"), Some("m1"))
    );
}

#[tokio::test]
async fn the_token_and_the_secret_are_in_nothing_that_is_shown() {
    let (server, bot, host) = bot();
    let mut shown = vec![format!("{bot:?}"), format!("{host:?}")];
    let call = server.say(42, "hello");
    let reply = bot
        .receive_pairs(call.header_pairs(), &call.body)
        .await
        .expect("a reply");
    shown.push(format!("{reply:?}"));
    let faults = [
        Fault::status(401),
        Fault::status(500),
        Fault::Close,
        Fault::Cut,
        Fault::Garbage,
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        server.fail("telegram.sendMessage", fault, 1);
        let error = bot
            .send(Message::markdown("42", "x").with_key(index.to_string()))
            .await
            .expect_err("failed");
        shown.push(format!(
            "{error} {error:?} {}",
            serde_json::to_string(&error.to_data()).expect("JSON")
        ));
        shown.push(format!("{:?}", error.receipt()));
    }
    let delivery = bot
        .send(Message::markdown("42", "x").with_key("good"))
        .await
        .expect("sent");
    shown.push(serde_json::to_string(&delivery).expect("JSON"));
    for event in host.outbox().undelivered(10).await.expect("a list") {
        shown.push(format!("{event:?}"));
    }
    // Nobody listens there: the client's own errors name the URL.
    let (token, secret) = (server.token().to_owned(), server.webhook_secret());
    let config = TelegramConfig::new(Secret::new(token.clone())).with_base_url(server.base_url());
    drop(server);
    // A host of its own: on a connection that was used before, silence would be unknown.
    let orphan = Telegram::new(&self::host(), config.clone()).expect("a bot");
    let error = orphan
        .send(Message::markdown("42", "x"))
        .await
        .expect_err("failed");
    assert_eq!(error.outcome(), Outcome::NotSent);
    shown.push(format!(
        "{config:?} {error} {error:?} {:?} {:?}",
        error.to_data(),
        error.receipt()
    ));
    let letters = token.split_once(':').expect("two halves").1;
    for text in shown {
        assert!(!text.contains(letters) && !text.contains(&secret), "{text}");
    }
}

#[tokio::test]
async fn conversations_keep_their_order_and_do_not_wait_for_each_other() {
    let (server, bot, host) = bot();
    for n in 0..3 {
        for chat in [1, 2] {
            let call = server.say(chat, &format!("{chat}-{n}"));
            bot.receive_pairs(call.header_pairs(), &call.body)
                .await
                .expect("a reply");
        }
    }
    let first = host.inbox().claim().await.expect("a claim").expect("work");
    let second = host.inbox().claim().await.expect("a claim").expect("work");
    assert!(
        host.inbox().claim().await.expect("a claim").is_none(),
        "both lanes are being worked on"
    );
    assert_eq!(
        (&first.event().data["text"], &second.event().data["text"]),
        (&json!("1-0"), &json!("2-0"))
    );
    first.done().await.expect("done");
    let third = host.inbox().claim().await.expect("a claim").expect("work");
    assert_eq!(third.event().data["text"], "1-1");
}
