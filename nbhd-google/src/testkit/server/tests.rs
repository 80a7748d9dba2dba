//! The stand-in asked directly, without a network. Google's own client asks it in `conformance/peers/google`.

mod calendar;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{TimeZone, Utc};
use nbhd_core::clock::FakeClock;
use nbhd_core::http::{HeaderValue, Method};
use nbhd_core::testkit::{Call, Fault, Handler, Reply};
use serde_json::{Value, json};

use super::{GoogleSetup, GoogleStandIn};
use crate::testkit::{Calendar, Mailbox};

struct Asked {
    google: GoogleStandIn,
    clock: Arc<FakeClock>,
}

fn mail(number: u32, head: &str, body: &str) -> Vec<u8> {
    format!("From: Ada <ada@example.com>\r\nTo: me@example.com\r\nDate: Sat, 21 Nov 2026 05:{number:02}:00 +0000\r\n{head}\r\n\r\n{body}\r\n")
        .into_bytes()
}

fn stand_in() -> Asked {
    let clock = Arc::new(FakeClock::at(
        Utc.with_ymd_and_hms(2026, 11, 21, 7, 0, 0).unwrap(),
    ));
    let mailbox = Mailbox::from_messages([
        mail(
            1,
            "Subject: Plan\r\nMessage-ID: <1@x>\r\nX-Gmail-Labels: Inbox,Unread,Project X",
            "Shall we <meet>?",
        ),
        mail(
            2,
            "Subject: Re: Plan\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\nX-Gmail-Labels: Sent",
            "Yes.",
        ),
        mail(3, "Subject: Win\r\nX-Gmail-Labels: Spam", "Money."),
        mail(
            4,
            "Subject: Report\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b",
            "--b\r\nContent-Type: text/plain\r\n\r\nSee attached.\r\n--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=r.csv\r\n\r\na,b\r\n--b--",
        ),
    ]);
    let calendar = Calendar::from_text(
        "BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:Europe/Berlin\r\n\
         BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:stand-up\r\nDTSTART;TZID=Europe/Berlin:20261116T090000\r\nDTEND;TZID=Europe/Berlin:20261116T091500\r\nRRULE:FREQ=DAILY;COUNT=10\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:review\r\nDTSTART;TZID=Europe/Berlin:20261121T091000\r\nDTEND;TZID=Europe/Berlin:20261121T100000\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:3\r\nSUMMARY:fair\r\nDTSTART;VALUE=DATE:20261121\r\nTRANSP:TRANSPARENT\r\nEND:VEVENT\r\n\
         END:VCALENDAR\r\n",
    )
    .unwrap();
    let google = GoogleSetup::new()
        .with_mailbox(mailbox)
        .with_calendar(calendar)
        .with_clock(clock.clone())
        .with_refresh_token(
            "1//all",
            [
                "https://www.googleapis.com/auth/gmail.readonly",
                "https://www.googleapis.com/auth/calendar.readonly",
            ],
        )
        .with_refresh_token("1//headers", ["https://www.googleapis.com/auth/gmail.metadata"])
        .start()
        .unwrap();
    Asked { google, clock }
}

impl Asked {
    async fn call(&self, call: Call) -> (u16, Value) {
        match self.google.door.handle(call).await {
            Reply::Full { status, body, .. } => {
                (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
            }
            other => panic!("{other:?}"),
        }
    }

    async fn form(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let mut call = Call::new(Method::POST, path);
        call.body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish()
            .into();
        self.call(call).await
    }

    async fn token(&self, refresh_token: &str) -> String {
        let (status, body) = self
            .form(
                "/token",
                &[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", refresh_token),
                    ("client_id", self.google.client_id()),
                    ("client_secret", self.google.client_secret()),
                ],
            )
            .await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 3599);
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, token: &str, target: &str) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut call = Call::new(Method::GET, path);
        query.clone_into(&mut call.query);
        call.headers.insert(
            "authorization",
            HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        );
        self.call(call).await
    }

    async fn batch(&self, token: &str, targets: &[String]) -> (u16, String) {
        let mut body = String::new();
        for (index, target) in targets.iter().enumerate() {
            write!(body, "--B\r\nContent-Type: application/http\r\nContent-ID: <item-{index}>\r\n\r\nGET {target} HTTP/1.1\r\n\r\n\r\n").unwrap();
        }
        body.push_str("--B--\r\n");
        let mut call = Call::new(Method::POST, "/batch/gmail/v1");
        call.body = body.into();
        call.headers.insert(
            "content-type",
            HeaderValue::from_static("multipart/mixed; boundary=B"),
        );
        call.headers.insert(
            "authorization",
            HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        );
        match self.google.door.handle(call).await {
            Reply::Full { status, body, .. } => (status.as_u16(), String::from_utf8(body.to_vec()).unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

fn reason(body: &Value) -> (&str, &str) {
    let error = &body["error"];
    (
        error["errors"][0]["reason"].as_str().unwrap_or_default(),
        error["details"][0]["reason"].as_str().unwrap_or_default(),
    )
}

#[tokio::test]
async fn tokens_are_checked_and_expire() {
    let asked = stand_in();
    let profile = "/gmail/v1/users/me/profile";
    let (status, body) = asked.call(Call::new(Method::GET, profile)).await;
    assert_eq!(
        (status, reason(&body)),
        (401, ("required", "CREDENTIALS_MISSING"))
    );
    let (status, body) = asked.get("made-up", profile).await;
    assert_eq!((status, reason(&body).0), (401, "authError"));
    let token = asked.token("1//all").await;
    let (status, body) = asked.get(&token, profile).await;
    assert_eq!((status, &body["emailAddress"]), (200, &json!("me@example.com")));
    assert!(body["historyId"].is_string());
    asked.clock.advance(Duration::from_secs(3601));
    let (status, body) = asked.get(&token, profile).await;
    assert_eq!(
        (status, reason(&body)),
        (401, ("authError", "ACCESS_TOKEN_EXPIRED"))
    );
    let token = asked.token("1//all").await;
    asked.google.revoke_grant();
    assert_eq!(asked.get(&token, profile).await.0, 401);
    let client = [
        ("client_id", asked.google.client_id()),
        ("client_secret", asked.google.client_secret()),
    ];
    let refresh = |token: &'static str, secret: &'static str| {
        vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", client[0].1),
            ("client_secret", secret),
        ]
    };
    for (token, secret, status, error) in [
        ("1//all", "stand-in-secret", 400, "invalid_grant"),
        ("1//unknown", "stand-in-secret", 400, "invalid_grant"),
        ("1//headers", "wrong", 401, "invalid_client"),
    ] {
        let (got, body) = asked.form("/token", &refresh(token, secret)).await;
        assert_eq!((got, body["error"].as_str().unwrap()), (status, error));
    }
    let seen = asked.google.log();
    assert_eq!(
        seen.iter()
            .filter(|call| call.refresh_token.as_deref() == Some("1//all"))
            .count(),
        3
    );
    assert_eq!(asked.google.calls("oauth.token"), 5);
}

#[tokio::test]
async fn a_code_needs_its_verifier_and_is_good_once() {
    let asked = stand_in();
    let (challenge, verifier) = oauth2::PkceCodeChallenge::new_random_sha256();
    let consent = |challenge: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", "stand-in.apps.googleusercontent.com")
            .append_pair("redirect_uri", "http://localhost/back")
            .append_pair("response_type", "code")
            .append_pair("scope", "https://www.googleapis.com/auth/gmail.readonly")
            .append_pair("state", "s&1")
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let mut call = Call::new(Method::GET, "/o/oauth2/v2/auth");
        call.query = query;
        call
    };
    let code = async |asked: &Asked| {
        let Reply::Full { status, headers, .. } = asked.google.door.handle(consent(challenge.as_str())).await
        else {
            panic!("no answer");
        };
        assert_eq!(status, 302);
        let back: url::Url = headers["location"].to_str().unwrap().parse().unwrap();
        let fields: Vec<(String, String)> = back.query_pairs().into_owned().collect();
        assert!(fields.contains(&("state".to_owned(), "s&1".to_owned())));
        fields.into_iter().find(|(name, _)| name == "code").unwrap().1
    };
    let exchange = async |asked: &Asked, code: &str, verifier: &str| {
        asked
            .form(
                "/token",
                &[
                    ("grant_type", "authorization_code"),
                    ("code", code),
                    ("redirect_uri", "http://localhost/back"),
                    ("client_id", "stand-in.apps.googleusercontent.com"),
                    ("client_secret", "stand-in-secret"),
                    ("code_verifier", verifier),
                ],
            )
            .await
    };
    let first = code(&asked).await;
    let (status, body) = exchange(&asked, &first, &"x".repeat(43)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    let second = code(&asked).await;
    let (status, body) = exchange(&asked, &second, verifier.secret()).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["refresh_token"].is_string());
    let again = exchange(&asked, &second, verifier.secret()).await;
    assert_eq!((again.0, &again.1["error"]), (400, &json!("invalid_grant")));
    let token = asked.token(body["refresh_token"].as_str().unwrap()).await;
    assert_eq!(asked.get(&token, "/gmail/v1/users/me/messages").await.0, 200);
    // Gmail was granted, Calendar was not.
    let (status, body) = asked.get(&token, "/calendar/v3/users/me/calendarList").await;
    assert_eq!(
        (status, reason(&body)),
        (
            403,
            ("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
        )
    );
    assert_eq!(asked.form("/revoke", &[("token", &token)]).await.0, 200);
    let (status, body) = asked.form("/revoke", &[("token", &token)]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_token")));
}

#[tokio::test]
async fn messages_are_listed_in_pages() {
    let asked = stand_in();
    let token = asked.token("1//all").await;
    let messages = "/gmail/v1/users/me/messages";
    let (_, all) = asked.get(&token, messages).await;
    assert_eq!(
        all["messages"].as_array().unwrap().len(),
        3,
        "spam stays out: {all}"
    );
    assert_eq!(all["resultSizeEstimate"], 3);
    let (_, first) = asked.get(&token, &format!("{messages}?maxResults=2")).await;
    let next = first["nextPageToken"].as_str().unwrap();
    let (_, second) = asked
        .get(&token, &format!("{messages}?maxResults=2&pageToken={next}"))
        .await;
    assert_eq!(second["messages"].as_array().unwrap().len(), 1);
    assert!(second.get("nextPageToken").is_none());
    let (status, _) = asked
        .get(&token, &format!("{messages}?q=plan&pageToken={next}"))
        .await;
    assert_eq!(status, 400, "a token of another question");
    let (_, none) = asked.get(&token, &format!("{messages}?q=from%3Anobody")).await;
    assert!(none.get("messages").is_none(), "absent, not empty");
    let (_, labels) = asked.get(&token, "/gmail/v1/users/me/labels").await;
    let own = labels["labels"]
        .as_array()
        .unwrap()
        .iter()
        .find(|label| label["type"] == "user")
        .unwrap();
    assert_eq!(own["name"], "Project X");
    let id = own["id"].as_str().unwrap();
    let (_, labelled) = asked
        .get(&token, &format!("{messages}?labelIds=INBOX&labelIds={id}"))
        .await;
    assert_eq!(labelled["messages"].as_array().unwrap().len(), 1);
    let (_, label) = asked
        .get(&token, &format!("/gmail/v1/users/me/labels/{id}"))
        .await;
    assert_eq!(
        (&label["messagesTotal"], &label["messagesUnread"]),
        (&json!(1), &json!(1))
    );
    for wrong in ["?maxResults=0", "?unknown=1", "?alt=media"] {
        assert_eq!(
            asked.get(&token, &format!("{messages}{wrong}")).await.0,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_message_is_given_in_every_format() {
    let asked = stand_in();
    let token = asked.token("1//all").await;
    let (_, list) = asked
        .get(&token, "/gmail/v1/users/me/messages?q=subject:plan+-is:read")
        .await;
    let id = list["messages"][0]["id"].as_str().unwrap();
    let path = format!("/gmail/v1/users/me/messages/{id}");
    let (_, full) = asked.get(&token, &path).await;
    assert_eq!(full["snippet"], "Shall we &lt;meet&gt;?");
    assert_eq!(full["internalDate"], "1795237260000");
    assert_eq!(full["labelIds"], json!(["INBOX", "UNREAD", "Label_1"]));
    let data = full["payload"]["body"]["data"].as_str().unwrap();
    assert_eq!(URL_SAFE.decode(data).unwrap(), b"Shall we <meet>?\r\n");
    let (_, raw) = asked.get(&token, &format!("{path}?format=raw")).await;
    let raw = URL_SAFE.decode(raw["raw"].as_str().unwrap()).unwrap();
    assert!(raw.starts_with(b"From: Ada"));
    let (_, short) = asked
        .get(&token, &format!("{path}?format=metadata&metadataHeaders=subject"))
        .await;
    assert_eq!(
        short["payload"]["headers"],
        json!([{"name": "Subject", "value": "Plan"}])
    );
    let (_, minimal) = asked.get(&token, &format!("{path}?format=minimal")).await;
    assert!(minimal.get("payload").is_none());
    let (_, chosen) = asked
        .get(&token, &format!("{path}?fields=id,payload/mimeType"))
        .await;
    assert_eq!(chosen, json!({"id": id, "payload": {"mimeType": "text/plain"}}));
    assert_eq!(asked.get(&token, "/gmail/v1/users/me/messages/0").await.0, 404);
    // With headers only, neither bodies nor questions.
    let headers = asked.token("1//headers").await;
    assert_eq!(
        asked.get(&headers, &format!("{path}?format=metadata")).await.0,
        200
    );
    assert_eq!(asked.get(&headers, &path).await.0, 403);
    assert_eq!(
        asked.get(&headers, "/gmail/v1/users/me/messages?q=x").await.0,
        403
    );
}

#[tokio::test]
async fn attachments_are_kept_apart_under_changing_ids() {
    let asked = stand_in();
    let token = asked.token("1//all").await;
    let (_, list) = asked
        .get(&token, "/gmail/v1/users/me/messages?q=has:attachment")
        .await;
    let id = list["messages"][0]["id"].as_str().unwrap();
    let path = format!("/gmail/v1/users/me/messages/{id}");
    let part = async |asked: &Asked| {
        let (_, full) = asked.get(&token, &path).await;
        full["payload"]["parts"][1].clone()
    };
    let (first, second) = (part(&asked).await, part(&asked).await);
    assert_eq!(first["filename"], "r.csv");
    assert!(first["body"].get("data").is_none());
    assert_ne!(first["body"]["attachmentId"], second["body"]["attachmentId"]);
    for part in [first, second] {
        let attachment = part["body"]["attachmentId"].as_str().unwrap();
        let (_, body) = asked
            .get(&token, &format!("{path}/attachments/{attachment}"))
            .await;
        assert_eq!(URL_SAFE.decode(body["data"].as_str().unwrap()).unwrap(), b"a,b");
    }
    assert_eq!(
        asked.get(&token, &format!("{path}/attachments/ANGjdJxx")).await.0,
        400
    );
}

#[tokio::test]
async fn a_conversation_is_one_thread_and_the_history_tells_what_came() {
    let asked = stand_in();
    let token = asked.token("1//all").await;
    let (_, profile) = asked.get(&token, "/gmail/v1/users/me/profile").await;
    let start = profile["historyId"].as_str().unwrap();
    let (_, threads) = asked.get(&token, "/gmail/v1/users/me/threads?q=plan").await;
    assert_eq!(threads["threads"].as_array().unwrap().len(), 1);
    let thread = threads["threads"][0]["id"].as_str().unwrap().to_owned();
    let id = asked
        .google
        .deliver(mail(5, "Subject: Re: Plan\r\nIn-Reply-To: <2@x>", "At nine."))
        .unwrap();
    let (_, body) = asked
        .get(
            &token,
            &format!("/gmail/v1/users/me/threads/{thread}?format=minimal"),
        )
        .await;
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    assert_eq!(body["messages"][2]["id"], id.as_str());
    let (_, history) = asked
        .get(
            &token,
            &format!("/gmail/v1/users/me/history?startHistoryId={start}"),
        )
        .await;
    assert_eq!(
        history["history"][0]["messagesAdded"][0]["message"]["id"],
        id.as_str()
    );
    let (_, later) = asked
        .get(
            &token,
            &format!(
                "/gmail/v1/users/me/history?startHistoryId={}",
                history["historyId"].as_str().unwrap()
            ),
        )
        .await;
    assert!(later.get("history").is_none());
    assert_eq!(
        asked
            .get(&token, "/gmail/v1/users/me/history?startHistoryId=5")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn parts_of_a_batch_fail_alone() {
    let asked = stand_in();
    let token = asked.token("1//all").await;
    let (_, list) = asked.get(&token, "/gmail/v1/users/me/messages").await;
    let mut targets: Vec<String> = list["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            format!(
                "/gmail/v1/users/me/messages/{}?format=minimal",
                message["id"].as_str().unwrap()
            )
        })
        .collect();
    targets.push("/gmail/v1/users/me/messages/0".to_owned());
    asked
        .google
        .fail("gmail.messages.get", Fault::status_after(429, 1.0), 1)
        .unwrap();
    let (status, body) = asked.batch(&token, &targets).await;
    assert_eq!(status, 200);
    // Answered in reverse: the fault hits the last part, where no message is.
    assert_eq!(body.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{body}");
    assert_eq!(body.matches("HTTP/1.1 429 Too Many Requests\r\n").count(), 1);
    assert!(
        body.contains("Content-ID: <response-item-3>\r\n\r\nHTTP/1.1 429"),
        "{body}"
    );
    assert!(body.contains("\"rateLimitExceeded\"") && body.contains("retry-after: 1\r\n"));
    assert!(body.find("response-item-3") < body.find("response-item-0"));
    let (_, body) = asked.batch(&token, &targets).await;
    assert!(body.contains("Content-ID: <response-item-3>\r\n\r\nHTTP/1.1 404"));
    assert_eq!(asked.google.calls("gmail.messages.get"), 8);
    assert_eq!(asked.google.calls("gmail.batch"), 2);
    let many = vec!["/gmail/v1/users/me/profile".to_owned(); 101];
    let (status, body) = asked.batch(&token, &many).await;
    assert_eq!(status, 400);
    assert!(body.contains("Received: 101, Limit: 100"), "{body}");
    let (_, body) = asked.batch("made-up", &targets[..1]).await;
    assert!(body.contains("HTTP/1.1 401"), "{body}");
    assert_eq!(
        asked
            .google
            .fail("gmail.nonsense", Fault::Close, 1)
            .unwrap_err()
            .code(),
        nbhd_core::Code::InvalidInput
    );
}

#[tokio::test]
async fn our_own_client_needs_no_connecting() {
    use nbhd_core::store::MemoryStore;
    use nbhd_core::{Host, Secret, vault::Vault};

    let asked = stand_in();
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let host = Host::builder(Arc::new(MemoryStore::new()))
        .with_vault(Vault::with_key(Secret::new(key)))
        .build();
    let account = asked.google.client(&host).unwrap().account("tenant-42");
    asked
        .google
        .fail("gmail.messages.get", Fault::status_after(429, 0.0), 1)
        .unwrap();
    let page = account
        .gmail()
        .list_messages(crate::gmail::ListMessages::new())
        .await
        .unwrap();
    assert_eq!(page.len(), 3);
    assert!(asked.google.calls("gmail.messages.get") >= 3);
    assert_eq!(asked.google.calls("oauth.token"), 1);
}
