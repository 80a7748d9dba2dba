//! The token boundary, against a token endpoint on loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use nbhd_core::store::MemoryStore;
use nbhd_core::testkit::{FaultyStore, Reply};
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Error, Host, Outcome, Secret};
use nbhd_google::ConnectionState;
use nbhd_google::gmail::ListMessages;
use serde_json::json;
use stage::{REFRESH_TOKEN, Stage, bearer, field, refusal, token};

fn empty_list(_: &nbhd_core::testkit::Call) -> Reply {
    Reply::json(200, &json!({"resultSizeEstimate": 0}))
}

fn oauth(status: u16, body: serde_json::Value) -> Reply {
    Reply::json(status, &body)
}

#[tokio::test]
async fn a_thousand_callers_cause_one_refresh() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    let answers = join_all((0..1_000).map(|_| {
        let account = account.clone();
        tokio::spawn(async move { account.access_token().await })
    }))
    .await;
    for answer in answers {
        assert_eq!(answer.unwrap().unwrap().token.expose(), "ya29.access-0000000002");
    }
    assert_eq!(stage.refreshes(), 2, "one to connect, one for all");
}

#[tokio::test]
async fn a_thousand_callers_share_one_failure_too() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    stage.plan([oauth(400, json!({"error": "invalid_grant"}))]);
    let answers = join_all((0..1_000).map(|_| account.access_token())).await;
    assert!(answers.iter().all(|answer| {
        matches!(
            answer.as_ref().unwrap_err().code(),
            Code::ReauthorizationRequired | Code::ConnectionInactive
        )
    }));
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn processes_share_a_lease_and_its_token() {
    // Two clients that know nothing of each other but the store, on the machine's clock.
    let stage = Stage::new(empty_list);
    let store = Arc::new(MemoryStore::new());
    let hosts = [(); 4].map(|()| {
        Host::builder(store.clone())
            .with_vault(Vault::with_key(Secret::new(stage::KEY)))
            .build()
    });
    stage.plan([token("ya29.short", &json!({"expires_in": 0}))]);
    stage
        .google_on(&hosts[0])
        .account("a")
        .connect(Secret::new(REFRESH_TOKEN))
        .await
        .unwrap();
    let callers = hosts.iter().flat_map(|host| {
        let account = stage.google_on(host).account("a");
        (0..50).map(move |_| {
            let account = account.clone();
            async move { account.access_token().await.unwrap().token.expose().clone() }
        })
    });
    let tokens = join_all(callers).await;
    assert!(
        tokens.iter().all(|token| token == "ya29.access-0000000002"),
        "{tokens:?}"
    );
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn a_rotated_refresh_token_is_the_next_one() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    stage.plan([token(
        "ya29.b",
        &json!({"refresh_token": "1//rotated-0123456789"}),
    )]);
    account.access_token().await.unwrap();
    stage.expire();
    account.access_token().await.unwrap();
    let sent: Vec<_> = stage
        .calls("/token")
        .iter()
        .map(|call| field(call, "refresh_token").unwrap())
        .collect();
    assert_eq!(sent, [REFRESH_TOKEN, REFRESH_TOKEN, "1//rotated-0123456789"]);
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_handed_out() {
    let failing = Arc::new(AtomicBool::new(false));
    let (switch, stage) = (
        failing.clone(),
        Stage::with_store(empty_list, move |clock| {
            let store = Arc::new(MemoryStore::new().with_clock(clock));
            let hook = move |point: &str| {
                let fails = failing.load(Ordering::SeqCst) && point.contains("commit");
                fails.then(|| Error::new(Code::StoreUnavailable, "the disk is full"))
            };
            Arc::new(FaultyStore::new(store, hook))
        }),
    );
    let account = stage.account().await;
    stage.expire();
    switch.store(true, Ordering::SeqCst);
    stage.plan([token(
        "ya29.lost",
        &json!({"refresh_token": "1//rotated-0123456789"}),
    )]);
    let error = account.access_token().await.unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable);
    switch.store(false, Ordering::SeqCst);
    assert_eq!(account.status().await.unwrap().state, ConnectionState::Active);
    stage.clock.advance(Duration::from_mins(1)); // the lease of the failed one ends
    assert_eq!(
        account.access_token().await.unwrap().token.expose(),
        "ya29.access-0000000003"
    );
}

#[tokio::test]
async fn permanent_answers_are_told_apart_and_end_the_asking() {
    let cases = [
        (
            400,
            json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}),
            Code::ReauthorizationRequired,
            ConnectionState::Revoked,
            "invalid_grant",
            "connect the account again",
        ),
        (
            400,
            json!({"error": "invalid_grant", "error_subtype": "invalid_rapt"}),
            Code::ReauthorizationRequired,
            ConnectionState::Expired,
            "invalid_rapt",
            "sign in again",
        ),
        (
            401,
            json!({"error": "invalid_client"}),
            Code::InvalidConfig,
            ConnectionState::Error,
            "invalid_client",
            "client secret",
        ),
        (
            403,
            json!({"error": "admin_policy_enforced"}),
            Code::PermissionDenied,
            ConnectionState::Error,
            "admin_policy_enforced",
            "administrator",
        ),
    ];
    for (status, body, code, state, reason, action) in cases {
        let stage = Stage::new(empty_list);
        let account = stage.account().await;
        stage.expire();
        stage.plan([oauth(status, body)]);
        let error = account
            .gmail()
            .list_messages(ListMessages::new())
            .await
            .unwrap_err();
        assert_eq!((error.code(), error.provider_reason()), (code, Some(reason)));
        assert_eq!(error.provider_status(), Some(status));
        assert!(error.user_action().contains(action), "{}", error.user_action());
        let connection = account.status().await.unwrap();
        assert_eq!(
            (connection.state, connection.reason.as_deref()),
            (state, Some(reason))
        );
        assert!(connection.user_action.unwrap().contains(action));

        let again = account.access_token().await.unwrap_err();
        assert_eq!(
            (again.code(), again.provider_reason()),
            (Code::ConnectionInactive, Some(reason))
        );
        assert_eq!(
            stage.refreshes(),
            2,
            "a connection that is not active asks nobody"
        );
        assert!(stage.calls("/gmail/v1/users/me/messages").is_empty());

        // Connecting again mends it.
        account
            .connect(Secret::new("1//another-0123456789"))
            .await
            .unwrap();
        assert!(account.access_token().await.is_ok());
    }
}

#[tokio::test]
async fn a_configuration_that_was_mended_is_noticed() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    stage.plan([oauth(401, json!({"error": "invalid_client"}))]);
    assert_eq!(
        account.access_token().await.unwrap_err().code(),
        Code::InvalidConfig
    );
    stage.clock.advance(Duration::from_secs(61));
    assert!(account.access_token().await.is_ok());
    assert_eq!(account.status().await.unwrap().state, ConnectionState::Active);
}

#[tokio::test]
async fn the_seven_days_of_testing_are_named() {
    let stage = Stage::new(empty_list);
    stage.plan([token("ya29.a", &json!({"refresh_token_expires_in": 604_799}))]);
    let account = stage.account().await;
    stage.clock.advance(Duration::from_hours(8 * 24));
    stage.plan([oauth(400, json!({"error": "invalid_grant"}))]);
    let error = account.access_token().await.unwrap_err();
    assert_eq!(
        (error.code(), error.provider_reason()),
        (Code::ReauthorizationRequired, Some("testing_expiry"))
    );
    assert!(error.user_action().contains("publish the app"));
    assert_eq!(account.status().await.unwrap().state, ConnectionState::Expired);
}

#[tokio::test]
async fn what_may_pass_changes_no_state() {
    let garbage = || Reply::text(200, "<html>sign in to the hotel's network</html>");
    let cases: [(Vec<Reply>, Code); 4] = [
        (vec![Reply::text(503, "busy"); 4], Code::ProviderOverloaded),
        (
            vec![oauth(500, json!({"error": "invalid_grant"})); 4],
            Code::ProviderUnavailable,
        ),
        (vec![garbage()], Code::ProtocolError),
        (vec![Reply::Close; 8], Code::ConnectionFailed),
    ];
    for (replies, code) in cases {
        let stage = Stage::new(empty_list);
        let account = stage.account().await;
        stage.expire();
        stage.plan(replies);
        let error = account.access_token().await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(!format!("{error:?}").contains("hotel"));
        assert_eq!(account.status().await.unwrap().state, ConnectionState::Active);
    }
}

#[tokio::test]
async fn a_lost_answer_of_the_token_endpoint_is_asked_for_again() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    stage.plan([Reply::Close, Reply::text(502, "bad gateway")]);
    account.access_token().await.unwrap();
    assert_eq!(stage.refreshes(), 4);
}

#[tokio::test]
async fn a_token_that_still_lives_serves_while_google_fails() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.clock.advance(Duration::from_secs(3500)); // due, but alive for 99 s
    stage.plan(vec![oauth(500, json!({"error": "internal_failure"})); 4]);
    assert_eq!(
        account.access_token().await.unwrap().token.expose(),
        "ya29.access-0000000001"
    );
    let asked = stage.refreshes();
    account.access_token().await.unwrap();
    assert_eq!(
        stage.refreshes(),
        asked,
        "the next caller need not find that out again"
    );
}

#[tokio::test]
async fn a_401_on_a_live_token_is_one_refresh_and_one_replay() {
    let stage = Stage::new(|call| match bearer(call) {
        "ya29.access-0000000001" => refusal(401, "authError"),
        _ => Reply::json(200, &json!({})),
    });
    let account = stage.account().await;
    let page = account.gmail().list_messages(ListMessages::new()).await.unwrap();
    assert!(page.is_empty());
    assert_eq!(stage.refreshes(), 2);
    assert_eq!(stage.calls("/gmail/v1/users/me/messages").len(), 2);

    let stage = Stage::new(|_| refusal(401, "authError"));
    let account = stage.account().await;
    let error = account
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::Unauthenticated, Outcome::Refused)
    );
    assert_eq!(
        (
            stage.refreshes(),
            stage.calls("/gmail/v1/users/me/messages").len()
        ),
        (2, 2)
    );
}

#[tokio::test]
async fn many_401_at_once_are_one_refresh() {
    let stage = Stage::new(|call| match bearer(call) {
        "ya29.access-0000000001" => refusal(401, "authError"),
        _ => Reply::json(200, &json!({})),
    });
    let account = stage.account().await;
    let calls = join_all((0..50).map(|_| {
        let account = account.clone();
        tokio::spawn(async move {
            account
                .calendar()
                .list_events(nbhd_google::calendar::ListEvents::new())
                .await
        })
    }))
    .await;
    assert!(calls.into_iter().all(|call| call.unwrap().is_ok()));
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn the_scope_guard_stands_before_the_wire() {
    let stage = Stage::new(empty_list);
    stage.plan([token(
        "ya29.a",
        &json!({"scope": "https://www.googleapis.com/auth/tasks"}),
    )]);
    let account = stage.account().await;
    let error = account
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::InsufficientScope, Outcome::NotSent)
    );
    let details = error.details().unwrap();
    assert_eq!(
        details["missing"],
        json!(["https://www.googleapis.com/auth/gmail.readonly"])
    );
    assert_eq!(details["consent"]["client_id"], "client-id");
    assert!(stage.calls("/gmail/v1/users/me/messages").is_empty());

    // A wider grant that another process has stored counts at once.
    let elsewhere = stage.google().account("tenant-42");
    elsewhere.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    assert!(account.gmail().list_messages(ListMessages::new()).await.is_ok());
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_no_refresh_along() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    stage.plan([token(
        "ya29.b",
        &json!({"refresh_token": "1//rotated-0123456789"}),
    )]);
    let hasty = account.clone();
    let call = tokio::spawn(async move { hasty.access_token().await.map(|_| ()) });
    while stage.refreshes() < 2 {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert_eq!(account.access_token().await.unwrap().token.expose(), "ya29.b");
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn a_refresh_stands_in_the_receipt_of_the_call_that_needed_it() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    let page = account.gmail().list_messages(ListMessages::new()).await.unwrap();
    let labels: Vec<&str> = page.receipt.attempts.iter().map(|a| a.label.as_str()).collect();
    assert_eq!(labels, ["google.token", "gmail.messages.list"]);
    // As a call of its own it has its own.
    stage.expire();
    let access = account.access_token().await.unwrap();
    assert_eq!(access.receipt.operation, "google.access_token");
    assert_eq!(access.receipt.attempts.len(), 1);
    let operations: Vec<String> = stage.receipts.all().into_iter().map(|r| r.operation).collect();
    assert_eq!(
        operations,
        ["google.connect", "gmail.list_messages", "google.access_token"]
    );
}

#[tokio::test]
async fn one_of_many_refreshes_and_the_others_say_that_they_waited() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    let answers = join_all((0..20).map(|_| account.access_token())).await;
    let receipts: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().receipt)
        .collect();
    let (asked, waited): (Vec<_>, Vec<_>) = receipts.iter().partition(|receipt| !receipt.attempts.is_empty());
    assert_eq!((asked.len(), waited.len()), (1, 19));
    assert!(asked[0].waits.is_empty());
    for receipt in waited {
        let causes: Vec<&str> = receipt.waits.iter().map(|wait| wait.cause.as_str()).collect();
        assert_eq!(causes, ["single_flight"]);
    }
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_refresh_and_one_receipt() {
    let stage = Stage::new(empty_list);
    let account = stage.account().await;
    stage.expire();
    {
        // Polled once: the refresh has begun, and its caller goes.
        let mut call = Box::pin(account.access_token());
        assert!(futures::poll!(&mut call).is_pending());
    }
    let access = account.access_token().await.unwrap();
    assert_eq!(access.token.expose(), "ya29.access-0000000002");
    // The one who joined waited; the refresh stands in the receipt of the one who went.
    assert_eq!(access.receipt.waits[0].cause, "single_flight");
    assert!(access.receipt.attempts.is_empty());
    let gone = loop {
        let all = stage.receipts.all();
        if let Some(gone) = all.into_iter().find(|receipt| receipt.outcome == "cancelled") {
            break gone;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (gone.operation.as_str(), gone.attempts.len()),
        ("google.access_token", 1)
    );
    assert_eq!(
        stage.receipts.all().len(),
        3,
        "connect, the one who went, the one who stayed"
    );
    assert_eq!(stage.refreshes(), 2);
}
