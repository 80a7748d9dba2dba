//! The client against the stand-in Google that users test with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use nbhd_core::store::MemoryStore;
use nbhd_core::testkit::Fault;
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Host, Secret};
use nbhd_google::calendar::{FreeBusy, ListEvents};
use nbhd_google::gmail::ListMessages;
use nbhd_google::testkit::{GoogleSetup, GoogleStandIn};
use nbhd_google::{Account, ConnectionState, Endpoints, Google, OAuthClient};

async fn connected(stand_in: &GoogleStandIn) -> Account {
    let host = Host::builder(std::sync::Arc::new(MemoryStore::new()))
        .with_vault(Vault::with_key(Secret::new(
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        )))
        .build();
    let client = OAuthClient::new(stand_in.client_id(), Secret::new(stand_in.client_secret()));
    let google = Google::new(&host, client)
        .with_endpoints(Endpoints::at(stand_in.url().as_str()))
        .unwrap();
    let account = google.account("tenant-42");
    let connection = account
        .connect(Secret::new(stand_in.refresh_token()))
        .await
        .unwrap();
    assert_eq!(connection.state, ConnectionState::Active);
    account
}

#[tokio::test]
async fn one_turn_of_an_assistant() {
    let stand_in = GoogleSetup::new().start().unwrap();
    for n in 0..30 {
        let raw = format!(
            "From: Ada <ada@example.com>\r\nTo: me@example.com\r\nSubject: Note {n}\r\nMessage-ID: <{n}@example.com>\r\n\
             Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nText {n}\r\n"
        );
        stand_in.deliver(raw).unwrap();
    }
    let account = connected(&stand_in).await;
    let page = account
        .gmail()
        .list_messages(ListMessages::new().with_limit(30))
        .await
        .unwrap();
    assert_eq!(page.len(), 30);
    let card = page
        .iter()
        .find(|card| card.subject.as_deref() == Some("Note 7"))
        .unwrap();
    assert_eq!(card.from.as_ref().unwrap().email, "ada@example.com");
    let message = account.gmail().get_message(&card.id).await.unwrap();
    assert_eq!(message.body.text.trim(), "Text 7");
    assert_eq!(
        account
            .gmail()
            .get_message("doesnotexist")
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );

    let today = ListEvents::new()
        .with_window("today")
        .with_time_zone("Europe/Berlin");
    assert!(account.calendar().list_events(today).await.unwrap().is_empty());
    let (from, to) = (
        "2026-11-21T08:00:00Z".parse().unwrap(),
        "2026-11-21T18:00:00Z".parse().unwrap(),
    );
    let answer = account
        .calendar()
        .free_busy(FreeBusy::new(from, to))
        .await
        .unwrap();
    assert!(answer.is_free(from, to).unwrap());

    // A token that dies early is replaced once; a grant that is gone is said to be gone.
    stand_in.expire_access_tokens();
    assert!(
        account
            .gmail()
            .list_messages(ListMessages::new().with_limit(1))
            .await
            .is_ok()
    );
    stand_in.revoke_grant();
    let error = account
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ReauthorizationRequired, "{error:?}");
    assert_eq!(account.status().await.unwrap().state, ConnectionState::Revoked);
}

#[tokio::test]
async fn a_busy_mailbox_loses_nothing() {
    let stand_in = GoogleSetup::new().start().unwrap();
    for n in 0..5 {
        stand_in
            .deliver(format!("Subject: {n}\r\nMessage-ID: <{n}@x>\r\n\r\n{n}\r\n"))
            .unwrap();
    }
    stand_in
        .fail("gmail.messages.get", Fault::status_after(429, 0.0), 2)
        .unwrap();
    let page = connected(&stand_in)
        .await
        .gmail()
        .list_messages(ListMessages::new())
        .await
        .unwrap();
    assert_eq!(page.len(), 5);
    assert!(stand_in.calls("gmail.messages.get") >= 7);
}
