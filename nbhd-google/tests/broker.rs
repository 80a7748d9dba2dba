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
use nbhd_google::gmail::ListMessages;
use nbhd_google::{Connect, ConnectionState, Endpoints};
use serde_json::json;
use stage::{CLIENT_SECRET, READ_BOTH, REFRESH_TOKEN, Stage, bearer, field, refusal, token};

fn empty_list(_: &nbhd_core::testkit::Call) -> Reply {
    Reply::json(200, &json!({"resultSizeEstimate": 0}))
}

fn oauth(status: u16, body: serde_json::Value) -> Reply {
    Reply::json(status, &body)
}

#[tokio::test]
async fn connecting_is_one_refresh_and_keeps_what_google_granted() {
    let stage = Stage::new(empty_list);
    stage.plan([token(
        "ya29.first",
        &json!({"scope": format!("openid {READ_BOTH}"), "refresh_token_expires_in": 604_799, "id_token": "x.y.z"}),
    )]);
    let account = stage.google().account("tenant-42");
    let before = account.status().await.unwrap();
    assert_eq!(before.state, ConnectionState::NotConnected);

    let connection = account
        .connect(Connect::new(Secret::new(REFRESH_TOKEN)).with_scopes(["gmail.modify"]))
        .await
        .unwrap();
    assert_eq!(connection.state, ConnectionState::Active);
    assert_eq!(
        connection.scopes,
        format!("openid {READ_BOTH}").split(' ').collect::<Vec<_>>()
    );
    assert_eq!(
        connection.token_expires_at.unwrap().to_rfc3339(),
        "2026-11-21T08:59:59+00:00"
    );
    assert_eq!(
        connection.refresh_expires_at.unwrap().to_rfc3339(),
        "2026-11-28T07:59:59+00:00"
    );
    assert_eq!(connection.receipt.attempts.len(), 1);

    // The form of <https://developers.google.com/identity/protocols/oauth2/web-server#offline>.
    let calls = stage.calls("/token");
    assert_eq!(calls.len(), 1);
    let mut form = calls[0].form();
    form.sort();
    let pairs = [
        ("client_id", "client-id"),
        ("client_secret", CLIENT_SECRET),
        ("grant_type", "refresh_token"),
        ("refresh_token", REFRESH_TOKEN),
    ];
    assert_eq!(
        form,
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );

    // The access token at hand serves, and no secret stands anywhere in the clear.
    account.gmail().list_messages(ListMessages::new()).await.unwrap();
    let access = account.access_token().await.unwrap();
    assert_eq!(access.token.expose(), "ya29.first");
    assert_eq!(stage.refreshes(), 1);
    let record = stage
        .store
        .get("google/connection/tenant-42")
        .await
        .unwrap()
        .unwrap()
        .value;
    let shown = format!(
        "{record} {connection:?} {access:?} {account:?} {}",
        serde_json::to_string(&connection).unwrap()
    );
    for secret in [REFRESH_TOKEN, CLIENT_SECRET, "ya29.first"] {
        assert!(!shown.contains(secret), "{shown}");
    }
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
async fn a_credential_goes_nowhere_else_than_where_it_was_sealed_for() {
    let stage = Stage::new(empty_list);
    stage.account().await;
    let other = Stage::new(empty_list);
    let moved = stage
        .google()
        .with_endpoints(Endpoints::at(other.server.url().as_str()))
        .unwrap();
    for () in [(), stage.expire()] {
        let error = moved.account("tenant-42").access_token().await.unwrap_err();
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::InvalidConfig, Outcome::NotSent)
        );
    }
    assert!(other.server.log().is_empty());
    // Another account's seal does not open either.
    let record = stage
        .store
        .get("google/connection/tenant-42")
        .await
        .unwrap()
        .unwrap()
        .value;
    let write = nbhd_core::store::Write::Put {
        key: "google/connection/thief".to_owned(),
        value: record,
        ttl: None,
    };
    stage
        .store
        .commit(nbhd_core::store::Commit::new().write(write))
        .await
        .unwrap();
    assert!(stage.google().account("thief").access_token().await.is_err());
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn nothing_is_sent_without_a_key_a_token_or_a_connection() {
    let stage = Stage::new(empty_list);
    let keyless = Host::builder(stage.store.clone())
        .with_clock(stage.clock.clone())
        .with_vault(Vault::with_source(Secret::env("NBHD_TEST_NO_SUCH_KEY")))
        .build();
    let error = stage
        .google_on(&keyless)
        .account("a")
        .connect(Secret::new(REFRESH_TOKEN))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::SecretMissing);
    let error = stage
        .google()
        .account("a")
        .connect(Secret::env("NBHD_TEST_NO_SUCH_TOKEN"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::SecretMissing);
    let error = stage
        .google()
        .account("a")
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.operation()),
        (Code::NotConnected, Some("gmail.list_messages"))
    );
    let error = stage
        .google()
        .account("")
        .connect(Secret::new(REFRESH_TOKEN))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput);
    assert!(stage.server.log().is_empty());
}

#[tokio::test]
async fn a_token_that_google_does_not_take_is_not_stored() {
    let stage = Stage::new(empty_list);
    stage.plan([oauth(400, json!({"error": "invalid_grant"}))]);
    let account = stage.google().account("a");
    let error = account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap_err();
    assert_eq!(error.code(), Code::ReauthorizationRequired);
    assert_eq!(
        account.status().await.unwrap().state,
        ConnectionState::NotConnected
    );
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
async fn disconnecting_ends_the_grant_there_and_then_here() {
    let replies = std::sync::Mutex::new(vec![
        oauth(400, json!({"error": "invalid_token"})), // last: it is gone already
        oauth(200, json!({})),
        oauth(500, json!({"error": "server_error"})),
        oauth(500, json!({"error": "server_error"})),
        oauth(500, json!({"error": "server_error"})),
        oauth(500, json!({"error": "server_error"})),
    ]);
    let stage = Stage::new(move |call| {
        assert_eq!((call.path.as_str(), call.query.as_str()), ("/revoke", ""));
        assert_eq!(field(call, "token").as_deref(), Some(REFRESH_TOKEN));
        replies.lock().unwrap().pop().unwrap()
    });
    let account = stage.account().await;
    assert_eq!(
        account.disconnect().await.unwrap_err().code(),
        Code::ProviderUnavailable
    );
    assert_eq!(account.status().await.unwrap().state, ConnectionState::Active);
    for _ in 0..2 {
        let connection = account.disconnect().await.unwrap();
        assert_eq!(
            (connection.state, connection.scopes.len()),
            (ConnectionState::NotConnected, 0)
        );
        assert_eq!(
            account.access_token().await.unwrap_err().code(),
            Code::NotConnected
        );
        assert_eq!(
            account.disconnect().await.unwrap().state,
            ConnectionState::NotConnected
        );
        account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    }
}
