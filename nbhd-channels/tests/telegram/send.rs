//! Messages: sent once, in parts, through every fault; what became of each part is said.

use std::sync::LazyLock;

use async_trait::async_trait;
use nbhd_channels::channel::Operations;
use nbhd_channels::ingress::{Reply, Verified, Webhook};
use nbhd_channels::message::{AccountId, InboundEvent, PartOutcome, Plan, deliver};
use nbhd_channels::testkit::Telegram as StandIn;
use nbhd_channels::{Capabilities, Channel, Delivery, Message, Probe, Telegram, TelegramConfig};
use nbhd_core::testkit::Fault;
use nbhd_core::{Code, Error, Host, Operation, Outcome, Secret};
use serde_json::{Value, json};

use super::bot;

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

/// The bot, if its platform deduplicated the key of a part for ten minutes.
#[derive(Debug)]
struct Deduplicated(Telegram);

#[async_trait]
impl Channel for Deduplicated {
    fn capabilities(&self) -> &'static Capabilities {
        static ROW: LazyLock<Capabilities> = LazyLock::new(|| {
            let mut row = nbhd_channels::telegram::capabilities().clone();
            row.send_dedupe_seconds = Some(600.0);
            row
        });
        &ROW
    }

    fn host(&self) -> &Host {
        self.0.host()
    }

    fn account(&self) -> Result<AccountId, Error> {
        self.0.account()
    }

    fn operations(&self) -> Operations {
        self.0.operations()
    }

    fn verify(&self, call: &Webhook) -> Result<Verified, Error> {
        self.0.verify(call)
    }

    fn parse(&self, body: &Verified) -> Result<Vec<InboundEvent>, Error> {
        self.0.parse(body)
    }

    fn prepare(&self, message: &Message) -> Result<Plan, Error> {
        self.0.prepare(message)
    }

    async fn dispatch(&self, operation: &Operation, part: &Value) -> Result<Value, Error> {
        self.0.dispatch(operation, part).await
    }

    async fn probe(&self) -> Result<Probe, Error> {
        self.0.probe().await
    }

    async fn send(&self, message: Message) -> Result<Delivery, Error> {
        deliver(self, message).await
    }

    async fn receive(&self, call: Webhook) -> Result<Reply, Error> {
        Channel::receive(&self.0, call).await
    }
}

#[tokio::test]
async fn only_where_the_platform_deduplicates_is_a_lost_part_sent_again() {
    let (server, bot, _) = bot();
    let bot = Deduplicated(bot);
    server.fail("telegram.sendMessage", Fault::Lost, 1);
    let message = Message::markdown("42", "hello").with_key("k");
    let error = bot.send(message.clone()).await.expect_err("unknown");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let delivery = bot.send(message).await.expect("sent");
    assert_eq!(delivery.parts[0].outcome, PartOutcome::Sent);
    assert_eq!(server.calls("telegram.sendMessage"), 2);
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
    let orphan = Telegram::new(&super::host(), config.clone()).expect("a bot");
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
async fn an_edit_changes_the_message_and_never_becomes_another() {
    let (server, bot, _) = bot();
    let delivery = bot.send(Message::markdown("42", "thinking")).await.expect("sent");
    let id = delivery.parts[0].message_id.as_ref().expect("an id").as_str();
    bot.typing("42").await.expect("typing");
    for _ in 0..2 {
        // The second time it says so already, which is as good.
        bot.edit(id, Message::markdown("42", "**done**"))
            .await
            .expect("edited");
    }
    let messages = server.messages();
    assert_eq!(
        (messages.len(), messages[0].text.as_str(), messages[0].edits),
        (1, "done", 1)
    );
    let error = bot
        .edit(id, Message::markdown("42", long(9)))
        .await
        .expect_err("refused");
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::InvalidInput, Outcome::NotSent)
    );
    let error = bot
        .edit("999", Message::markdown("42", "x"))
        .await
        .expect_err("refused");
    assert_eq!(
        (error.code(), error.provider_reason()),
        (Code::NotFound, Some("message_not_found"))
    );
    assert_eq!(server.messages().len(), 1);
}
