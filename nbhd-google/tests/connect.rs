//! Connecting and disconnecting an account.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod stage;

use nbhd_core::testkit::Reply;
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Host, Outcome, Secret};
use nbhd_google::gmail::ListMessages;
use nbhd_google::{Connect, ConnectionState, Endpoints};
use serde_json::json;
use stage::{CLIENT_SECRET, READ_BOTH, REFRESH_TOKEN, Stage, field, token};

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
