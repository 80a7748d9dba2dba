//! The router beside the stand-in's own bill, over real HTTP: what it settles is what was billed, and whatever goes wrong,
//! it never counts less than the bill, and the bill never passes the cap.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use nbhd_core::testkit::Fault;
use nbhd_core::{Code, Host};
use nbhd_llm::budget::Budget;
use nbhd_llm::chat::{Chat, CostBasis, StreamEvent};
use nbhd_llm::price::NanoUsd;
use nbhd_llm::router::{OnDrop, PurposeConfig, Router, RouterConfig};
use nbhd_llm::testkit::ModelStandIn;

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        use nbhd_core::id::{Random, SystemRandomness};
        let path = std::env::temp_dir().join(format!("nbhd-router-{}", SystemRandomness.id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(models: &ModelStandIn, day: &str) -> RouterConfig {
    let mut config = RouterConfig::default();
    for provider in ["openai", "mistral"] {
        config
            .provider
            .insert(provider.to_owned(), models.config(provider));
    }
    let purpose = PurposeConfig {
        chain: ["openai/gpt-4o-mini", "mistral/mistral-small-2603"]
            .map(str::to_owned)
            .to_vec(),
        scopes: vec!["tenant".to_owned()],
        ..PurposeConfig::default()
    };
    config.purpose.insert("general".to_owned(), purpose);
    let budget = Budget {
        day: Some(day.parse().unwrap()),
        ..Budget::default()
    };
    config.budget.insert("tenant".to_owned(), budget);
    config
}

fn chat(text: &str) -> Chat {
    Chat::user(text).with_scopes(["tenant:42"]).with_output_cap(200)
}

/// What the tenant's day counts, and how much of that is provisional, once nothing is held any more.
async fn counted(router: &Router) -> (i64, i64) {
    loop {
        let day = &router.remaining(["tenant:42"]).await.unwrap()[0];
        let sum = day.settled.0 + day.provisional.0 + day.held.0;
        assert!(sum <= day.cap.0, "{day:?}");
        if day.held == NanoUsd::ZERO {
            return (sum, day.provisional.0);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_faults_both_bills_are_the_same() {
    let models = ModelStandIn::start().unwrap();
    let router = Router::new(&Host::new("memory:").unwrap(), config(&models, "1 USD")).unwrap();
    let mut told = 0;
    for round in 0..6 {
        let chat = chat(&format!(
            "What needs my attention? {}",
            "word ".repeat(round * 30)
        ));
        if round % 2 == 0 {
            let answer = router.chat(chat).await.unwrap();
            assert_eq!(answer.cost.basis, CostBasis::Actual);
            told += answer.cost.nano_usd;
            continue;
        }
        let mut stream = router.stream(chat).await.unwrap();
        let mut text = String::new();
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                StreamEvent::Text { text: piece } => text.push_str(&piece),
                StreamEvent::Finished { answer } => {
                    assert_eq!(answer.text, text);
                    told += answer.cost.nano_usd;
                }
                _ => {}
            }
        }
    }
    assert!(told > 0);
    assert_eq!(models.bill().nano_usd, told);
    assert_eq!(counted(&router).await, (told, 0));
}

#[tokio::test]
async fn the_fallback_answers_as_a_stream_when_the_primary_is_throttled() {
    let models = ModelStandIn::start().unwrap();
    models.fail("llm.chat:gpt-4o-mini", Fault::status_after(429, 30.0), 1);
    let router = Router::new(&Host::new("memory:").unwrap(), config(&models, "1 USD")).unwrap();
    let mut stream = router.stream(chat("What needs my attention?")).await.unwrap();
    let mut finished = None;
    while let Some(event) = stream.next().await {
        if let StreamEvent::Finished { answer } = event.unwrap() {
            finished = Some(answer);
        }
    }
    let answer = finished.unwrap();
    assert_eq!(answer.provider, "mistral");
    assert_eq!(answer.attempts[0].class.as_deref(), Some("rate"));
    assert_eq!(answer.receipt.attempts.len(), 2);
    assert_eq!(
        models.bill().by_model["mistral/mistral-small-2603"],
        answer.cost.nano_usd
    );
    assert_eq!(counted(&router).await, (models.bill().nano_usd, 0));
}

#[tokio::test]
async fn a_lost_answer_is_billed_there_and_counted_here() {
    for fault in [Fault::Lost, Fault::Cut] {
        let models = ModelStandIn::start().unwrap();
        models.fail("llm.chat:gpt-4o-mini", fault, 1);
        let router = Router::new(&Host::new("memory:").unwrap(), config(&models, "1 USD")).unwrap();
        let answer = router.chat(chat("What needs my attention?")).await.unwrap();
        assert_eq!(answer.cost.basis, CostBasis::Provisional);
        let (sum, provisional) = counted(&router).await;
        let bill = models.bill();
        assert_eq!(bill.by_model["mistral/mistral-small-2603"], sum - provisional);
        assert!(provisional >= bill.by_model["openai/gpt-4o-mini"], "{bill:?}");
    }
}

/// Many tasks, faults of every kind, streams dropped anywhere, one small cap.
async fn storm(on_drop: OnDrop, models: &ModelStandIn, host: &Host) {
    let mut config = config(models, "0.002 USD");
    config.on_drop = on_drop;
    let router = Router::new(host, config).unwrap();
    // No answer at all is left out: its timeout would be waited for.
    for (fault, times) in [
        (Fault::Lost, 2),
        (Fault::Cut, 3),
        (Fault::status(500), 3),
        (Fault::Close, 2),
        (Fault::Garbage, 1),
    ] {
        models.fail("llm.chat", fault, times);
    }
    let mut tasks = Vec::new();
    for task in 0..6_usize {
        let router = router.clone();
        tasks.push(tokio::spawn(async move {
            let mut refused = 0;
            for round in 0..12_usize {
                let chat = chat(&format!("What needs my attention? {}", "word ".repeat(task * 7)));
                let ended = if (task + round) % 3 == 0 {
                    router.chat(chat).await.map(|_| ())
                } else {
                    match router.stream(chat).await {
                        Ok(mut stream) => {
                            for _ in 0..(task * round) % 9 {
                                if !matches!(stream.next().await, Some(Ok(_))) {
                                    break;
                                }
                            }
                            Ok(())
                        }
                        Err(error) => Err(error),
                    }
                };
                refused += usize::from(ended.is_err_and(|error| error.code() == Code::BudgetExceeded));
            }
            refused
        }));
    }
    let mut refused = 0;
    for task in tasks {
        refused += task.await.unwrap();
    }
    let (sum, provisional) = counted(&router).await;
    let bill = models.bill().nano_usd;
    assert!(refused > 0, "the cap was never reached: {sum} of 2,000,000");
    assert!(
        bill <= sum,
        "billed {bill}, counted {sum}, of that provisional {provisional}"
    );
    assert!(sum <= 2_000_000, "{sum}");
    assert!(bill > 0 && provisional > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_the_bill_never_passes_the_cap() {
    let models = ModelStandIn::start().unwrap();
    storm(OnDrop::Drain, &models, &Host::new("memory:").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_of_aborts_on_a_file_the_bill_never_passes_the_cap() {
    let models = ModelStandIn::start().unwrap();
    let folder = Folder::new();
    let host = Host::new(&format!("sqlite:{}", folder.0.join("store.db").display())).unwrap();
    storm(OnDrop::Abort, &models, &host).await;
    host.store().close().await.unwrap();
}
