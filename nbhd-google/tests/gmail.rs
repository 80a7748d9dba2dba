//! Gmail against a small API on loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod stage;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use nbhd_core::testkit::{Call, Reply};
use nbhd_core::{Code, Outcome};
use nbhd_google::gmail::ListMessages;
use nbhd_google::mime::Trust;
use serde_json::{Value, json};
use stage::{Stage, bearer, refusal, refusal_body};

const LIST: &str = "/gmail/v1/users/me/messages";
const BATCH: &str = "/batch/gmail/v1";

/// The requests inside a batch: content id and message id.
fn inside(call: &Call) -> Vec<(String, String)> {
    let text = String::from_utf8(call.body.to_vec()).unwrap();
    let after = |line: &str, mark: &str| line.split_once(mark).map(|(_, rest)| rest.to_owned());
    let ids = text.lines().filter_map(|line| after(line, "Content-ID: <"));
    let targets = text
        .lines()
        .filter_map(|line| after(line, "GET /gmail/v1/users/me/messages/"));
    ids.zip(targets)
        .map(|(id, target)| {
            (
                id.trim_end_matches('>').to_owned(),
                target.split('?').next().unwrap().to_owned(),
            )
        })
        .collect()
}

fn message(id: &str) -> Value {
    json!({
        "id": id, "threadId": format!("t{id}"), "labelIds": ["INBOX", "UNREAD"], "snippet": "a &amp; b",
        "internalDate": "1767225600000", "sizeEstimate": 100,
        "payload": {"headers": [{"name": "From", "value": "Ada <ada@example.com>"}, {"name": "Subject", "value": format!("s{id}")}]},
    })
}

fn list_of(count: usize) -> Reply {
    let messages: Vec<Value> = (0..count)
        .map(|n| json!({"id": format!("m{n}"), "threadId": "t"}))
        .collect();
    Reply::json(200, &json!({"messages": messages, "resultSizeEstimate": 201}))
}

/// The answer to a batch, its parts in reverse, each as `part` says: a status, a reason or nothing, or no part at all.
fn answer_batch(call: &Call, mut part: impl FnMut(&str) -> Option<(u16, Value)>) -> Reply {
    let mut body = String::new();
    for (content_id, id) in inside(call).into_iter().rev() {
        if let Some((status, json)) = part(&id) {
            let _ = write!(
                body,
                "--batch_answer\r\nContent-Type: application/http\r\nContent-ID: <response-{content_id}>\r\n\r\n\
                 HTTP/1.1 {status} Status\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json}\r\n"
            );
        }
    }
    Reply::full(
        200,
        "multipart/mixed; boundary=batch_answer",
        body + "--batch_answer--\r\n",
    )
}

fn whole_mailbox(count: usize) -> impl Fn(&Call) -> Reply {
    move |call| match call.path.as_str() {
        LIST => list_of(count),
        BATCH => answer_batch(call, |id| Some((200, message(id)))),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn cards_come_in_batches_and_in_the_order_of_the_list() {
    let stage = Stage::new(whole_mailbox(60));
    let account = stage.account().await;
    let list = ListMessages::new()
        .with_query("is:unread")
        .with_labels(["INBOX"])
        .with_limit(60);
    let page = account.gmail().list_messages(list).await.unwrap();
    let ids: Vec<&str> = page.iter().map(|card| card.id.as_str()).collect();
    assert_eq!(ids, (0..60).map(|n| format!("m{n}")).collect::<Vec<_>>());
    let card = &page[7];
    assert_eq!(
        (card.subject.as_deref(), card.snippet.as_str(), card.unread),
        (Some("sm7"), "a & b", true)
    );
    assert_eq!(card.trust, Trust::Untrusted);
    assert_eq!(serde_json::to_value(card).unwrap()["trust"], "untrusted");
    assert_eq!(card.from.as_ref().unwrap().email, "ada@example.com");
    assert_eq!(page.next_page_token, None);

    let lists = stage.calls(LIST);
    assert_eq!(lists.len(), 1);
    let pairs = [("maxResults", "60"), ("q", "is:unread"), ("labelIds", "INBOX")];
    assert_eq!(
        lists[0].query_pairs(),
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let sizes: Vec<usize> = stage.calls(BATCH).iter().map(|call| inside(call).len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 60);
    assert_eq!(sizes.iter().max(), Some(&25));
    assert!(
        stage
            .calls(BATCH)
            .iter()
            .all(|call| bearer(call) == "ya29.access-0000000001")
    );
    let labels: Vec<&str> = page
        .receipt
        .attempts
        .iter()
        .map(|attempt| attempt.label.as_str())
        .collect();
    assert_eq!(
        labels,
        ["gmail.messages.list", "gmail.batch", "gmail.batch", "gmail.batch"]
    );
}

#[tokio::test]
async fn a_list_of_none_asks_for_no_cards_and_pages_go_on() {
    let stage = Stage::new(|_| Reply::json(200, &json!({"resultSizeEstimate": 0})));
    let page = stage
        .account()
        .await
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap();
    assert!(page.is_empty() && page.next_page_token.is_none());

    // A page may be empty and still have a next one.
    let stage = Stage::new(
        |call| match (call.path.as_str(), call.query.contains("pageToken=two")) {
            (LIST, false) => Reply::json(200, &json!({"nextPageToken": "two"})),
            (LIST, true) => Reply::json(
                200,
                &json!({"messages": [{"id": "m0"}, {"id": "m1"}], "nextPageToken": "three"}),
            ),
            _ => answer_batch(call, |id| Some((200, message(id)))),
        },
    );
    let page = stage
        .account()
        .await
        .gmail()
        .list_messages(ListMessages::new().with_limit(2))
        .await
        .unwrap();
    assert_eq!((page.len(), page.next_page_token.as_deref()), (2, Some("three")));
}

#[tokio::test]
async fn parts_that_failed_are_asked_for_again_and_gone_ones_left_out() {
    // The first time: every third part says 429 or its 403 form, one 500, one is not answered, one is gone.
    let seen: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let counts = seen.clone();
    let stage = Stage::new(move |call| match call.path.as_str() {
        LIST => list_of(40),
        _ => answer_batch(call, |id| {
            let times = {
                let mut seen = seen.lock().unwrap();
                let times = seen.entry(id.to_owned()).or_default();
                *times += 1;
                *times
            };
            let number: usize = id[1..].parse().unwrap();
            match number {
                39 => Some((404, refusal_body(404, "notFound"))),
                _ if times > 1 => Some((200, message(id))),
                7 => None,
                8 => Some((500, refusal_body(500, "backendError"))),
                10 => Some((503, Value::String("<html>busy</html>".to_owned()))),
                n if n % 6 == 0 => Some((429, refusal_body(429, "rateLimitExceeded"))),
                n if n % 6 == 3 => Some((403, refusal_body(403, "userRateLimitExceeded"))),
                _ => Some((200, message(id))),
            }
        }),
    });
    let account = stage.account().await;
    let page = account
        .gmail()
        .list_messages(ListMessages::new().with_limit(40))
        .await
        .unwrap();
    let ids: Vec<&str> = page.iter().map(|card| card.id.as_str()).collect();
    assert_eq!(ids, (0..39).map(|n| format!("m{n}")).collect::<Vec<_>>());
    for (id, times) in counts.lock().unwrap().iter() {
        let number: usize = id[1..].parse().unwrap();
        let failed = number != 39 && (number.is_multiple_of(3) || matches!(number, 7 | 8 | 10));
        assert_eq!(*times, if failed { 2 } else { 1 }, "{id}");
    }
    assert!(
        page.receipt
            .waits
            .iter()
            .any(|wait| wait.cause == "rate_limit" && wait.seconds >= 1.0)
    );
    // The second round is gentler.
    let sizes: Vec<usize> = stage.calls(BATCH).iter().map(|call| inside(call).len()).collect();
    assert!(sizes[2..].iter().all(|size| *size <= 12), "{sizes:?}");
}

#[tokio::test]
async fn parts_that_never_recover_are_an_error_not_a_shorter_list() {
    let stage = Stage::new(|call| match call.path.as_str() {
        LIST => list_of(10),
        "/gmail/v1/users/me/messages/m4" => refusal(429, "rateLimitExceeded"),
        _ => answer_batch(call, |id| match id {
            "m4" => Some((429, refusal_body(429, "rateLimitExceeded"))),
            _ => Some((200, message(id))),
        }),
    });
    let error = stage
        .account()
        .await
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.provider_reason()),
        (Code::RateLimited, Some("rateLimitExceeded"))
    );
    assert!(error.receipt().unwrap().attempts.len() > 3);
}

#[tokio::test]
async fn a_part_that_is_refused_for_good_is_an_error() {
    let stage = Stage::new(|call| match call.path.as_str() {
        LIST => list_of(3),
        _ => answer_batch(call, |id| match id {
            "m1" => Some((403, refusal_body(403, "domainPolicy"))),
            _ => Some((200, message(id))),
        }),
    });
    let error = stage
        .account()
        .await
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.provider_reason()),
        (Code::PermissionDenied, Some("domainPolicy"))
    );
    assert_eq!(stage.calls(BATCH).len(), 1);
}

#[tokio::test]
async fn a_401_inside_a_batch_is_one_refresh() {
    let stage = Stage::new(|call| match call.path.as_str() {
        LIST => list_of(3),
        _ => answer_batch(call, |id| match bearer(call) {
            "ya29.access-0000000001" => Some((401, refusal_body(401, "authError"))),
            _ => Some((200, message(id))),
        }),
    });
    let page = stage
        .account()
        .await
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap();
    assert_eq!(
        (page.len(), stage.refreshes(), stage.calls(BATCH).len()),
        (3, 2, 2)
    );
}

#[tokio::test]
async fn throttling_is_waited_for() {
    let cases = [
        (
            refusal(429, "rateLimitExceeded").with_header("retry-after", "7"),
            "retry_after",
        ),
        (refusal(403, "rateLimitExceeded"), "backoff"),
        (refusal(503, "backendError"), "backoff"),
    ];
    for (reply, cause) in cases {
        let replies = Mutex::new(vec![list_of(2), reply]);
        let stage = Stage::new(move |call| match call.path.as_str() {
            LIST => replies.lock().unwrap().pop().unwrap(),
            _ => answer_batch(call, |id| Some((200, message(id)))),
        });
        let page = stage
            .account()
            .await
            .gmail()
            .list_messages(ListMessages::new())
            .await
            .unwrap();
        assert_eq!(page.len(), 2);
        let wait = page.receipt.waits.iter().find(|wait| wait.cause == cause);
        assert!(
            wait.is_some_and(|wait| cause != "retry_after" || wait.seconds >= 7.0),
            "{:?}",
            page.receipt.waits
        );
    }
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_not_asked_again() {
    let stage = Stage::new(|_| refusal(403, "dailyLimitExceeded"));
    let error = stage
        .account()
        .await
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::QuotaExhausted, Outcome::Refused)
    );
    assert_eq!(stage.calls(LIST).len(), 1);
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_because_it_is_a_read() {
    // Of the list and of the batch: first no byte of the answer, then a part of it, then the whole.
    let number = AtomicUsize::new(0);
    let stage = Stage::new(move |call| match number.fetch_add(1, Ordering::SeqCst) % 3 {
        0 => Reply::Close,
        1 => whole_mailbox(3)(call).cut(20),
        _ => whole_mailbox(3)(call),
    });
    let account = stage.account().await;
    let page = account.gmail().list_messages(ListMessages::new()).await.unwrap();
    assert_eq!(page.len(), 3);
    assert_eq!((stage.calls(LIST).len(), stage.calls(BATCH).len()), (3, 3));
}

#[tokio::test]
async fn garbage_is_said_to_be_garbage() {
    let html = || {
        Reply::full(
            200,
            "text/html",
            "<html>Welcome to the hotel, ada@example.com</html>",
        )
    };
    let stage = Stage::new(move |_| html());
    let account = stage.account().await;
    let errors = [
        account
            .gmail()
            .list_messages(ListMessages::new())
            .await
            .unwrap_err(),
        account.gmail().get_message("m1").await.unwrap_err(),
    ];
    let stage = Stage::new(move |call| if call.path == LIST { list_of(2) } else { html() });
    let batch = stage
        .account()
        .await
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    for error in errors.into_iter().chain([batch]) {
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::ProtocolError, Outcome::Unknown)
        );
        assert!(!format!("{error:?}").contains("hotel"));
    }
}

#[tokio::test]
async fn a_message_is_read_with_its_body() {
    let stage = Stage::new(|call| {
        assert_eq!(
            (call.path.as_str(), call.query.as_str()),
            ("/gmail/v1/users/me/messages/18c0", "format=full")
        );
        let mut message = message("18c0");
        message["payload"] = json!({"partId": "", "mimeType": "text/plain",
            "headers": [{"name": "Subject", "value": "Lunch"}, {"name": "Content-Type", "value": "text/plain; charset=iso-2022-jp"}],
            "body": {"size": 12, "data": "44GT44KT44Gr44Gh44Gv"}});
        Reply::json(200, &message)
    });
    let message = stage.account().await.gmail().get_message("18c0").await.unwrap();
    assert_eq!(message.header.subject.as_deref(), Some("Lunch"));
    assert_eq!(message.body.text, "こんにちは");
    assert_eq!(
        (message.trust, message.body.trust),
        (Trust::Untrusted, Trust::Untrusted)
    );
    assert_eq!(message.receipt.operation, "gmail.get_message");
}

#[tokio::test]
async fn text_that_stands_behind_an_attachment_is_fetched() {
    let stage = Stage::new(|call| {
        if call.path == "/gmail/v1/users/me/messages/18c0/attachments/ANGjdJ_9" {
            return Reply::json(200, &json!({"size": 5, "data": "SGVsbG8"}));
        }
        let mut message = message("18c0");
        message["payload"] = json!({"partId": "", "mimeType": "multipart/mixed", "parts": [
            {"partId": "0", "mimeType": "text/plain", "body": {"attachmentId": "ANGjdJ_9", "size": 5}}]});
        Reply::json(200, &message)
    });
    let message = stage.account().await.gmail().get_message("18c0").await.unwrap();
    assert_eq!(message.body.text, "Hello");
    assert!(message.body.not_inlined.is_empty());
    assert_eq!(message.receipt.attempts.len(), 2);
}

#[tokio::test]
async fn a_message_that_is_not_there_and_an_id_that_is_none() {
    let stage = Stage::new(|_| refusal(404, "notFound"));
    let account = stage.account().await;
    let error = account.gmail().get_message("18c0").await.unwrap_err();
    assert_eq!(
        (error.code(), error.provider_status()),
        (Code::NotFound, Some(404))
    );
    let error = account.gmail().get_message("../18c0").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput);
    for limit in [0, 501] {
        let error = account
            .gmail()
            .list_messages(ListMessages::new().with_limit(limit))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidInput);
    }
    assert_eq!(stage.server.log().len(), 2, "the refresh and the one message");
}

#[tokio::test]
async fn the_units_of_a_minute_are_not_overspent() {
    // 100 cards cost 2,005 units: they pass at once; two more lists have to wait, and no minute exceeds 95 % of 6,000.
    let stage = Stage::new(whole_mailbox(100));
    let account = stage.account().await;
    let list = || ListMessages::new().with_limit(100);
    let first = account.gmail().list_messages(list()).await.unwrap();
    assert!(first.receipt.waits.is_empty(), "{:?}", first.receipt.waits);
    for _ in 0..2 {
        account.gmail().list_messages(list()).await.unwrap();
    }
    let started = "2026-11-21T08:00:00Z".parse::<nbhd_core::Timestamp>().unwrap();
    let passed = (nbhd_core::Clock::now(&*stage.clock) - started).num_milliseconds();
    assert!(
        passed >= 60_000 * (3 * 2_005 - 2_100) / 3_600 - 2_000,
        "{passed} ms"
    );
}

#[test]
fn calls_are_plain_data() {
    let list: ListMessages = serde_json::from_value(json!({"query": "is:unread", "limit": 5})).unwrap();
    assert_eq!(list, ListMessages::new().with_query("is:unread").with_limit(5));
    assert!(serde_json::from_value::<ListMessages>(json!({"querry": "x"})).is_err());
}
