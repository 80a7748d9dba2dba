//! Webhook calls: verified, read, stored once, acknowledged.

use std::sync::Arc;
use std::time::Duration;

use nbhd_channels::message::{ChatKind, EventKind};
use nbhd_channels::testkit::Telegram as StandIn;
use nbhd_channels::{Message, Telegram, TelegramConfig};
use nbhd_core::clock::FakeClock;
use nbhd_core::http::HeaderMap;
use nbhd_core::store::{Commit, Write};
use nbhd_core::testkit::{FaultyStore, shared_fixtures};
use nbhd_core::{Code, Error, Host, Secret};
use serde_json::json;

use super::bot;

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

#[tokio::test]
async fn what_may_be_delivered_again_is_remembered_for_a_day() {
    let clock = Arc::new(FakeClock::at("2026-11-21T08:00:00Z".parse().expect("a time")));
    let host = Host::builder_at("memory:", Some(clock.clone()))
        .expect("a host")
        .build();
    let server = StandIn::start().expect("a stand-in");
    let bot = server.client(&host).expect("a bot");
    // As many events of this bot as the inbox remembers, all of them accepted now and handled since.
    let now = host.store().now().await.expect("a time").timestamp_micros();
    for thousand in 0..20 {
        let tombstones = (0..1_000).map(|n| Write::Index {
            index: "inbox/tombstones/telegram/123456".to_owned(),
            member: format!("update-{thousand}-{n}"),
            score: now,
            keep: false,
        });
        let commit = tombstones.fold(Commit::new(), Commit::write);
        host.store().commit(commit).await.expect("written");
    }
    let call = server.say(42, "hello");
    let receive = async || {
        bot.receive_pairs(call.header_pairs(), &call.body)
            .await
            .expect("a reply")
    };
    clock.advance(Duration::from_secs(24 * 3600 - 1));
    let reply = receive().await;
    assert_eq!((reply.status, reply.code), (503, Some(Code::QuotaExhausted)));
    clock.advance(Duration::from_secs(1));
    let reply = receive().await;
    assert_eq!((reply.status, reply.accepted.len()), (200, 1), "{reply:?}");
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
