//! A small Google for tests: a token endpoint that counts, and whatever API the test plays.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nbhd_core::clock::FakeClock;
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::store::{MemoryStore, Store};
use nbhd_core::testkit::{Call, Handler, Reply, Server};
use nbhd_core::vault::Vault;
use nbhd_core::{Host, Secret};
use nbhd_google::{Account, Endpoints, Google, OAuthClient};
use serde_json::{Value, json};

pub(crate) const READ_BOTH: &str =
    "https://www.googleapis.com/auth/gmail.readonly https://www.googleapis.com/auth/calendar.readonly";

/// 32 bytes: 0 to 31.
pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
pub(crate) const REFRESH_TOKEN: &str = "1//refresh-canary-0123456789";
pub(crate) const CLIENT_SECRET: &str = "GOCSPX-client-canary-0123456789";

type Api = dyn Fn(&Call) -> Reply + Send + Sync;

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) host: Host,
    pub(crate) receipts: Arc<MemoryReceipts>,
    tokens: Arc<Mutex<VecDeque<Reply>>>,
}

struct Play {
    tokens: Arc<Mutex<VecDeque<Reply>>>,
    issued: Mutex<usize>,
    api: Box<Api>,
}

#[async_trait]
impl Handler for Play {
    async fn handle(&self, call: Call) -> Reply {
        if call.path != "/token" {
            return (self.api)(&call);
        }
        let number = {
            let mut issued = self.issued.lock().unwrap();
            *issued += 1;
            *issued
        };
        let planned = self.tokens.lock().unwrap().pop_front();
        planned.unwrap_or_else(|| token(&format!("ya29.access-{number:010}"), &json!({})))
    }
}

/// An answer of the token endpoint, with `more` on top of the usual fields.
pub(crate) fn token(access_token: &str, more: &Value) -> Reply {
    let mut body =
        json!({"access_token": access_token, "expires_in": 3599, "scope": READ_BOTH, "token_type": "Bearer"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    Reply::json(200, &body)
}

/// Google's form of an error.
pub(crate) fn refusal(status: u16, reason: &str) -> Reply {
    Reply::json(status, &refusal_body(status, reason))
}

pub(crate) fn refusal_body(status: u16, reason: &str) -> Value {
    json!({"error": {"code": status, "message": "no", "errors": [{"domain": "global", "reason": reason}]}})
}

impl Stage {
    pub(crate) fn new(api: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_store(api, |clock| Arc::new(MemoryStore::new().with_clock(clock)))
    }

    pub(crate) fn with_store(
        api: impl Fn(&Call) -> Reply + Send + Sync + 'static,
        store: impl FnOnce(Arc<FakeClock>) -> Arc<dyn Store>,
    ) -> Self {
        let clock = Arc::new(FakeClock::at("2026-11-21T08:00:00Z".parse().unwrap()));
        let store = store(clock.clone());
        let tokens: Arc<Mutex<VecDeque<Reply>>> = Arc::default();
        let play = Play {
            tokens: tokens.clone(),
            issued: Mutex::new(0),
            api: Box::new(api),
        };
        let server = Server::start(Arc::new(play)).unwrap();
        let receipts = Arc::new(MemoryReceipts::default());
        let host = Host::builder(store.clone())
            .with_clock(clock.clone())
            .with_vault(Vault::with_key(Secret::new(KEY)))
            .with_receipts(receipts.clone())
            .build();
        Self {
            server,
            clock,
            store,
            host,
            receipts,
            tokens,
        }
    }

    /// What the token endpoint answers next, before it goes back to granting.
    pub(crate) fn plan(&self, replies: impl IntoIterator<Item = Reply>) {
        self.tokens.lock().unwrap().extend(replies);
    }

    pub(crate) fn google_on(&self, host: &Host) -> Google {
        Google::new(host, OAuthClient::new("client-id", Secret::new(CLIENT_SECRET)))
            .with_endpoints(Endpoints::at(self.server.url().as_str()))
            .unwrap()
    }

    pub(crate) fn google(&self) -> Google {
        self.google_on(&self.host)
    }

    /// A connected account.
    pub(crate) async fn account(&self) -> Account {
        let account = self.google().account("tenant-42");
        account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
        account
    }

    pub(crate) fn expire(&self) {
        self.clock.advance(Duration::from_secs(3600));
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.calls("/token").len()
    }

    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        self.server
            .log()
            .calls()
            .into_iter()
            .filter(|call| call.path == path)
            .collect()
    }
}

/// The bearer token of a call.
pub(crate) fn bearer(call: &Call) -> &str {
    call.header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
}

pub(crate) fn field(call: &Call, name: &str) -> Option<String> {
    call.form()
        .into_iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}
