//! Accounts whose records the program keeps itself: the same promises, with a comparison in the place of a commit.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod stage;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::join_all;
use nbhd_core::store::MemoryStore;
use nbhd_core::testkit::{Call, Reply};
use nbhd_core::tokens::TokenStore;
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Error, Host, Result, Secret};
use nbhd_google::ConnectionState;
use serde_json::json;
use stage::{KEY, REFRESH_TOKEN, Stage, token};

/// What goes wrong at a save.
enum Fault {
    /// It is not done.
    Fails,
    /// It is done, and the answer is lost.
    Lost,
}

#[derive(Debug, Default)]
struct Rows(Mutex<HashMap<(String, String), String>>);

#[derive(Default)]
struct Tokens {
    rows: Arc<Rows>,
    faults: Mutex<VecDeque<Fault>>,
    loads_fail: AtomicUsize,
    /// Loads are begun and never end.
    loads_hang: AtomicBool,
    bound: AtomicUsize,
    saves: AtomicUsize,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

fn down() -> Error {
    Error::new(Code::StoreUnavailable, "the program's database is away")
}

impl Tokens {
    fn row(&self) -> Option<String> {
        let key = ("google".to_owned(), "tenant-42".to_owned());
        self.rows.0.lock().unwrap().get(&key).cloned()
    }
}

#[async_trait]
impl TokenStore for Tokens {
    async fn load(&self, provider: &str, account: &str) -> Result<Option<String>> {
        if self.loads_fail.load(Ordering::Relaxed) > 0 {
            return Err(down());
        }
        if self.loads_hang.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let rows = self.rows.0.lock().unwrap();
        Ok(rows.get(&(provider.to_owned(), account.to_owned())).cloned())
    }

    async fn save(
        &self,
        provider: &str,
        account: &str,
        record: &str,
        previous: Option<&str>,
    ) -> Result<bool> {
        self.saves.fetch_add(1, Ordering::Relaxed);
        let fault = self.faults.lock().unwrap().pop_front();
        if matches!(fault, Some(Fault::Fails)) {
            return Err(down());
        }
        let mut rows = self.rows.0.lock().unwrap();
        let key = (provider.to_owned(), account.to_owned());
        if rows.get(&key).map(String::as_str) != previous {
            return Ok(false);
        }
        rows.insert(key, record.to_owned());
        if fault.is_some() { Err(down()) } else { Ok(true) }
    }

    fn bound(&self) -> Option<Arc<dyn TokenStore>> {
        self.bound.fetch_add(1, Ordering::Relaxed);
        None
    }
}

fn empty(_: &Call) -> Reply {
    Reply::json(200, &json!({"resultSizeEstimate": 0}))
}

/// A host whose program keeps the tokens.
fn host(stage: &Stage, tokens: &Arc<Tokens>, keys: &str) -> Host {
    Host::builder(stage.store.clone())
        .with_clock(stage.clock.clone())
        .with_vault(Vault::with_key(Secret::new(keys)))
        .with_tokens(tokens.clone())
        .build()
}

#[tokio::test]
async fn the_program_gets_sealed_records_only_and_the_store_none() {
    let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
    let account = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
    assert_eq!(
        account.status().await.unwrap().state,
        ConnectionState::NotConnected
    );
    account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    let row = tokens.row().unwrap();
    assert!(!row.contains("canary") && !row.contains("ya29."), "{row}");
    assert_eq!(
        account.access_token().await.unwrap().token.expose(),
        "ya29.access-0000000001"
    );
    // A host without that storage knows nothing of the account.
    let other = stage.google().account("tenant-42");
    assert_eq!(other.status().await.unwrap().state, ConnectionState::NotConnected);
    account.disconnect().await.ok();
}

#[tokio::test]
async fn a_thousand_callers_cause_one_refresh_and_one_save() {
    let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
    let account = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
    account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    stage.expire();
    let answers = join_all((0..1_000).map(|_| account.access_token())).await;
    for answer in answers {
        assert_eq!(answer.unwrap().token.expose(), "ya29.access-0000000002");
    }
    assert_eq!((stage.refreshes(), tokens.saves.load(Ordering::Relaxed)), (2, 2));
    assert_eq!(
        tokens.bound.load(Ordering::Relaxed),
        1,
        "the flight is bound to who set it off"
    );
}

#[tokio::test]
async fn a_save_that_failed_or_whose_answer_was_lost_is_repeated() {
    for fault in [Fault::Fails, Fault::Lost] {
        let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
        let account = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
        account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
        stage.expire();
        stage.plan([token(
            "ya29.rotated",
            &json!({"refresh_token": "1//rotated-canary"}),
        )]);
        tokens.faults.lock().unwrap().push_back(fault);
        assert_eq!(
            account.access_token().await.unwrap().token.expose(),
            "ya29.rotated"
        );
        assert_eq!(stage.refreshes(), 2);
        // Another process finds what was saved.
        let other = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
        assert_eq!(other.access_token().await.unwrap().token.expose(), "ya29.rotated");
        assert_eq!(stage.refreshes(), 2);
    }
}

#[tokio::test]
async fn a_storage_that_is_away_decides_nothing() {
    let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
    let account = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
    account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    stage.expire();
    tokens.loads_fail.store(1, Ordering::Relaxed);
    let error = account.access_token().await.unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable);
    assert_eq!(stage.refreshes(), 1, "nothing was asked of Google");
    tokens.loads_fail.store(0, Ordering::Relaxed);
    assert_eq!(account.status().await.unwrap().state, ConnectionState::Active);
    assert!(account.access_token().await.is_ok());
}

#[tokio::test]
async fn a_storage_that_hangs_ends_calls_and_not_the_account() {
    let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
    let account = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
    account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    stage.expire();
    tokens.loads_hang.store(true, Ordering::Relaxed);
    tokio::time::pause();
    for answer in join_all((0..3).map(|_| account.access_token())).await {
        assert_eq!(answer.unwrap_err().code(), Code::StoreUnavailable);
    }
    let asked = account.status().await;
    assert_eq!(asked.unwrap_err().code(), Code::StoreUnavailable);
    tokio::time::resume();
    tokens.loads_hang.store(false, Ordering::Relaxed);
    assert!(account.access_token().await.is_ok());
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn a_record_that_claims_to_be_the_last_is_replaced_all_the_same() {
    let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
    let account = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
    account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    for row in tokens.rows.0.lock().unwrap().values_mut() {
        let mut record: serde_json::Value = serde_json::from_str(row).unwrap();
        record["revision"] = json!(u64::MAX);
        *row = record.to_string();
    }
    // Each in turn is the newest, in this process and in another one.
    let other = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
    for (account, number) in [(&account, 2), (&other, 3), (&account, 4)] {
        stage.expire();
        let token = account.access_token().await.unwrap().token;
        assert_eq!(*token.expose(), format!("ya29.access-{number:010}"));
        let again = account.access_token().await.unwrap().token;
        assert_eq!(again.expose(), token.expose());
    }
    account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    assert_eq!(other.status().await.unwrap().state, ConnectionState::Active);
    assert_eq!(stage.refreshes(), 5);
}

#[tokio::test]
async fn whoever_comes_second_takes_what_the_first_one_saved() {
    // Three processes that know nothing of each other but the store and the program's storage, on the machine's clock.
    let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
    let store = Arc::new(MemoryStore::new());
    let hosts = [(); 3].map(|()| {
        Host::builder(store.clone())
            .with_vault(Vault::with_key(Secret::new(KEY)))
            .with_tokens(tokens.clone())
            .build()
    });
    let accounts = hosts
        .each_ref()
        .map(|host| stage.google_on(host).account("tenant-42"));
    stage.plan([token("ya29.short", &json!({"expires_in": 0}))]);
    accounts[0].connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    let answers = join_all(
        accounts
            .iter()
            .flat_map(|account| (0..20).map(move |_| account.access_token())),
    )
    .await;
    for answer in answers {
        assert_eq!(answer.unwrap().token.expose(), "ya29.access-0000000002");
    }
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn a_newer_key_seals_from_the_next_refresh_on() {
    const NEW: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
    let (stage, tokens) = (Stage::new(empty), Arc::new(Tokens::default()));
    let account = stage.google_on(&host(&stage, &tokens, KEY)).account("tenant-42");
    account.connect(Secret::new(REFRESH_TOKEN)).await.unwrap();
    stage.expire();
    let both = host(&stage, &tokens, &format!("{NEW},{KEY}"));
    let old = both.vault().status().unwrap().opens[1].clone();
    assert!(tokens.row().unwrap().contains(&old));
    stage
        .google_on(&both)
        .account("tenant-42")
        .access_token()
        .await
        .unwrap();
    assert!(
        !tokens.row().unwrap().contains(&old),
        "both tokens are sealed anew"
    );
    stage.expire();
    let new = host(&stage, &tokens, NEW);
    assert!(
        stage
            .google_on(&new)
            .account("tenant-42")
            .access_token()
            .await
            .is_ok()
    );
}
