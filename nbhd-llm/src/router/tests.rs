//! The router against a scripted socket: what is sent, what is held when it is sent, what is settled.
//!
//! Replies are OpenAI's and Mistral's chat completions as their references show them. Expected amounts are worked out
//! from the price rows: gpt-4o-mini 150 / 75 / 600 nano-USD a token (input, cached, output), mistral-small-2603 150 / 600.

mod rig;

use std::time::Duration;

use nbhd_core::clock::Clock;
use nbhd_core::{Code, Outcome};
use serde_json::json;

use super::{ChatStream, Router, Verdict};
use crate::chat::{Chat, CostBasis, Media, Message, Part, StreamEvent};
use crate::price::NanoUsd;
use rig::{
    CONFIG, Planned, Rig, STREAMED, WHOLE, alone, chat, chunk, rate_limited, read, streamed, text, whole,
};

#[tokio::test]
async fn a_throttled_model_gives_way_and_the_money_is_exact() {
    let rig = Rig::new(CONFIG, [rate_limited(), Planned::cut(&streamed(), false)]);
    let (events, answer) = read(&rig.router, chat()).await;
    let answer = answer.unwrap();
    assert_eq!(text(&events), "one two three");
    assert_eq!(
        (answer.text.as_str(), answer.provider.as_str()),
        ("one two three", "mistral")
    );
    // Priced by the row of the model that was asked, at its own cached rate: 60 × 150 + 40 × 15 + 3 × 600.
    assert_eq!(answer.cost.nano_usd, 11_400);
    assert_eq!(answer.cost.usd, "0.0000114");
    assert_eq!(answer.cost.basis, CostBasis::Actual);
    assert_eq!(rig.day_at_rest().await, (11_400, 0, 0));
    let lanes: Vec<_> = answer
        .attempts
        .iter()
        .map(|attempt| attempt.class.as_deref())
        .collect();
    assert_eq!(lanes, [Some("rate"), None]);
    assert_eq!(
        (answer.attempts[0].settled, answer.attempts[1].settled),
        (0, 11_400)
    );
    assert_eq!(
        rig.sent(|sent| sent.host.clone()),
        ["api.openai.com", "api.mistral.ai"]
    );
    // Held, durably, before the bytes left; and never less than bytes and cap at the dearest rates.
    for (sent, attempt) in rig.socket.sent.lock().unwrap().iter().zip(&answer.attempts) {
        assert_eq!(sent.counted, attempt.held);
        assert_eq!(attempt.held, (sent.bytes as i64 + 8) * 150 + 1_000 * 600);
    }
    let receipts = rig.receipts.all();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].cost_nano_usd, Some(11_400));
    assert_eq!(
        (receipts[0].outcome.as_str(), receipts[0].attempts.len()),
        ("ok", 2)
    );
    let spend = rig.router.spend(["tenant:42", "global"]).await.unwrap();
    assert_eq!(
        spend.iter().map(|spend| spend.nano_usd.0).sum::<i64>(),
        2 * 11_400
    );
    // The throttled one rests as long as it asked, so the next call does not ask it.
    let explained = rig.router.explain(&chat()).await.unwrap();
    assert_eq!(
        explained.candidates[0].rests_until.as_deref(),
        Some("2026-11-21T12:00:20Z")
    );
    assert_eq!(rig.router.status().await.unwrap().verdict, Verdict::Down); // of purpose `alone`
}

#[tokio::test]
async fn a_whole_answer_is_settled_by_its_usage() {
    let rig = Rig::new(CONFIG, [Planned::json(whole("gpt-4o-mini-2024-07-18"))]);
    let answer = rig.router.chat(chat()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.cost.nano_usd), ("hello", WHOLE));
    assert_eq!(answer.model, "gpt-4o-mini-2024-07-18");
    assert_eq!(answer.output_cap.tokens, 1_000);
    assert_eq!(answer.output_cap.reason, "asked");
    assert_eq!(answer.receipt.cost_nano_usd, Some(WHOLE));
    assert!(
        answer
            .cost
            .price
            .as_deref()
            .unwrap()
            .starts_with("openai/gpt-4o-mini@")
    );
    assert_eq!(rig.day().await, (WHOLE, 0, 0));
}

#[tokio::test]
async fn a_dearer_model_than_asked_is_billed_as_what_it_is() {
    let rig = Rig::new(CONFIG, [Planned::json(whole("gpt-4o"))]);
    let answer = rig.router.chat(chat()).await.unwrap();
    assert_eq!(answer.cost.nano_usd, 10 * 2_500 + 5 * 10_000);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_leaves() {
    let tight = CONFIG.replace("day = \"0.01 USD\"", "day = \"0.0005 USD\"");
    let rig = Rig::new(&tight, []);
    let error = rig.router.chat(alone()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::BudgetExceeded, Outcome::NotSent)
    );
    let budget = error.budget().unwrap();
    assert_eq!(
        (budget.scope.as_str(), budget.window.as_str(), budget.remaining),
        ("tenant:42", "day", 500_000)
    );
    assert_eq!(budget.resets_at.as_deref(), Some("2026-11-22T00:00:00Z"));
    assert!(rig.sent(|_| ()).is_empty());
    assert_eq!(rig.day().await, (0, 0, 0));
    // What it says would fit does fit.
    let rig = Rig::new(&tight, [Planned::json(whole("gpt-4o-mini"))]);
    let fits = budget.affordable_output_tokens;
    assert!((500..1_000).contains(&fits), "{fits}");
    rig.router.chat(alone().with_output_cap(fits)).await.unwrap();
}

#[tokio::test]
async fn a_cap_is_shrunk_to_what_is_affordable() {
    let rig = Rig::new(CONFIG, [Planned::json(whole("gpt-4o-mini"))]);
    // 100,000 tokens would be 0.06 USD; the call may cost 0.009 USD, which is a little less than 15,000 tokens.
    let answer = rig.router.chat(alone().with_output_cap(16_000)).await.unwrap();
    assert_eq!(answer.output_cap.reason, "affordable");
    assert!(
        (14_000..15_000).contains(&answer.output_cap.tokens),
        "{:?}",
        answer.output_cap
    );
    assert_eq!(
        rig.sent(|sent| sent.body["max_completion_tokens"].as_u64()),
        [Some(answer.output_cap.tokens)]
    );
    assert!(answer.attempts[0].held <= 9_000_000);
}

#[tokio::test]
async fn a_lost_reply_counts_at_its_bound_and_gives_way() {
    let rig = Rig::new(
        CONFIG,
        [
            Planned::Fails(Outcome::Unknown),
            Planned::json(whole("mistral-small-2603")),
        ],
    );
    let answer = rig.router.chat(chat()).await.unwrap();
    let lost = &answer.attempts[0];
    assert_eq!(lost.class.as_deref(), Some("unknown_after_send"));
    assert_eq!(lost.settled, lost.held);
    assert_eq!(rig.day().await, (WHOLE, lost.held, 0));
    assert_eq!(
        (answer.cost.nano_usd, answer.cost.basis),
        (WHOLE + lost.held, CostBasis::Provisional)
    );
    // Late evidence settles it, once.
    let hold = lost.hold.clone().unwrap();
    for amount in [77, 99] {
        rig.router
            .ledger()
            .settle(&hold, crate::budget::Settled::Final(NanoUsd(amount)))
            .await
            .unwrap();
    }
    assert_eq!(rig.day().await, (WHOLE + 77, 0, 0));
}

#[tokio::test]
async fn what_was_not_sent_costs_nothing_and_is_tried_again() {
    let rig = Rig::new(
        CONFIG,
        [
            Planned::Fails(Outcome::NotSent),
            Planned::json(whole("gpt-4o-mini")),
        ],
    );
    let answer = rig.router.chat(alone()).await.unwrap();
    assert_eq!(answer.attempts.len(), 2);
    assert_eq!(rig.day().await, (WHOLE, 0, 0));
}

#[tokio::test]
async fn an_error_within_a_success_before_content_gives_way() {
    let refusal =
        json!({"error": {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}});
    let begun = chunk(json!({"role": "assistant", "content": ""}), None);
    let rig = Rig::new(
        CONFIG,
        [
            Planned::cut(&[begun, refusal], false),
            Planned::cut(&streamed(), false),
        ],
    );
    let (events, answer) = read(&rig.router, chat()).await;
    let answer = answer.unwrap();
    assert_eq!(answer.attempts[0].class.as_deref(), Some("money"));
    assert_eq!(answer.attempts[0].settled, 0);
    assert_eq!(text(&events), "one two three");
    let started: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, StreamEvent::Started { .. }))
        .collect();
    assert_eq!(started.len(), 1);
}

#[tokio::test]
async fn a_cut_before_content_gives_way_and_counts() {
    let rig = Rig::new(
        CONFIG,
        [
            Planned::cut(&streamed()[..1], true),
            Planned::cut(&streamed(), false),
        ],
    );
    let (_, answer) = read(&rig.router, chat()).await;
    let answer = answer.unwrap();
    assert_eq!(answer.attempts[0].settled, answer.attempts[0].held);
    assert_eq!(rig.day().await, (11_400, answer.attempts[0].held, 0));
}

#[tokio::test]
async fn a_cut_after_content_is_raised_and_counts() {
    for lost in [true, false] {
        let rig = Rig::new(CONFIG, [Planned::cut(&streamed()[..3], lost)]);
        let (events, answer) = read(&rig.router, chat()).await;
        assert_eq!(text(&events), "one two ");
        let error = answer.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown);
        let (settled, provisional, held) = rig.day().await;
        assert_eq!((settled, held), (0, 0));
        assert!(provisional >= 600_000, "{provisional}");
        assert_eq!(error.receipt().unwrap().cost_nano_usd, Some(provisional));
    }
}

/// A stream, read ahead or not.
async fn opened(rig: &Rig, ahead: bool) -> ChatStream {
    let stream = rig.router.stream(chat()).await.unwrap();
    if ahead { stream.read_ahead() } else { stream }
}

#[tokio::test]
async fn a_stream_that_is_read_ahead_says_the_same() {
    for (pieces, lost) in [(8, false), (3, false), (3, true)] {
        let mut told = Vec::new();
        for ahead in [false, true] {
            let pieces = streamed().into_iter().take(pieces).collect::<Vec<_>>();
            let rig = Rig::new(CONFIG, [Planned::cut(&pieces, lost)]);
            let mut stream = opened(&rig, ahead).await;
            let (mut events, mut end) = (Vec::new(), None);
            loop {
                // As a reader does that looks before it waits.
                match stream.next_ready() {
                    Some(event) => events.push(event),
                    None => match stream.next().await {
                        Some(Ok(event)) => events.push(event),
                        Some(Err(error)) => {
                            end = Some((error.code(), error.receipt().unwrap().attempts.len()));
                        }
                        None => break,
                    },
                }
            }
            let Some(StreamEvent::Finished { answer }) =
                events.pop_if(|last| matches!(last, StreamEvent::Finished { .. }))
            else {
                told.push((events, end, 0, rig.day().await));
                continue;
            };
            assert_eq!(answer.text, "one two three");
            told.push((events, end, answer.receipt.attempts.len(), rig.day().await));
        }
        assert_eq!(told[0], told[1]);
    }
}

#[tokio::test]
async fn after_64_in_a_row_a_reader_is_made_to_wait_once() {
    let mut events = streamed();
    let words = vec![events[1].clone(); 200];
    events.splice(1..1, words);
    // All in one piece, so that all of them are here.
    let whole: Vec<u8> = rig::sse(&events)
        .into_iter()
        .flat_map(|piece| piece.unwrap())
        .collect();
    let rig = Rig::new(CONFIG, [Planned::Body(vec![Ok(whole.into())])]);
    let mut stream = opened(&rig, false).await;
    for _ in 0..3 {
        assert_eq!(std::iter::from_fn(|| stream.next_ready()).count(), 64);
        assert!(stream.next().await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_stream_dropped_anywhere_is_drained_and_billed() {
    for (reads, ahead) in (0..8).flat_map(|reads| [(reads, false), (reads, true)]) {
        let rig = Rig::new(CONFIG, [Planned::cut(&streamed(), false)]);
        let mut stream = opened(&rig, ahead).await;
        for _ in 0..reads {
            stream.next().await;
        }
        drop(stream);
        assert_eq!(
            rig.day_at_rest().await,
            (STREAMED, 0, 0),
            "dropped after {reads} events, read ahead: {ahead}"
        );
    }
}

#[tokio::test]
async fn a_dropped_stream_that_breaks_counts_at_its_bound() {
    for on_drop in ["drain", "abort"] {
        let config = format!("on_drop = \"{on_drop}\"\n{CONFIG}");
        for (reads, ahead) in (0..4).flat_map(|reads| [(reads, false), (reads, true)]) {
            let rig = Rig::new(&config, [Planned::cut(&streamed()[..4], true)]);
            let mut stream = opened(&rig, ahead).await;
            for _ in 0..reads {
                stream.next().await.unwrap().unwrap();
            }
            drop(stream);
            let (settled, provisional, _) = rig.day_at_rest().await;
            assert_eq!(settled, 0);
            assert!(provisional >= 600_000, "{on_drop} after {reads}: {provisional}");
        }
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_counts_only_what_left() {
    let rig = Rig::new(CONFIG, [Planned::Body(Vec::new())]);
    // Never polled: nothing held. Polled once up to the socket, which answers at once, it runs to its end.
    drop(rig.router.chat(alone()));
    assert_eq!(rig.day().await, (0, 0, 0));
}

#[tokio::test]
async fn a_lone_model_that_rests_is_waited_for_within_the_deadline() {
    let rig = Rig::new(CONFIG, [rate_limited(), Planned::json(whole("gpt-4o-mini"))]);
    let before = rig.clock.now();
    let answer = rig.router.chat(alone()).await.unwrap();
    assert_eq!((rig.clock.now() - before).num_seconds(), 20);
    assert!((answer.attempts[1].waited - 20.0).abs() < 1e-9);
    assert_eq!(answer.receipt.waits[0].cause, "cooldown");

    let short = format!("{CONFIG}\n[purpose.alone.timeout]\ntotal = \"5s\"");
    let rig = Rig::new(&short, [rate_limited()]);
    let error = rig.router.chat(alone()).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
}

#[tokio::test]
async fn attempts_are_counted_and_a_dead_chain_names_them() {
    let broken = || {
        Planned::Status(
            500,
            vec![],
            json!({"error": {"message": "x", "type": "server_error"}}),
        )
    };
    let rig = Rig::new(CONFIG, [broken(), broken(), broken(), broken()]);
    let error = rig.router.chat(chat()).await.unwrap_err();
    assert_eq!(error.code(), Code::ChainExhausted);
    let attempts = error.details().unwrap()["attempts"].as_array().unwrap().clone();
    assert_eq!(attempts.len(), 4);
    assert_eq!(rig.sent(|sent| sent.host.clone()).len(), 4);
    // The provider itself said that it failed: nothing was billed.
    assert_eq!(rig.day().await, (0, 0, 0));
}

#[tokio::test]
async fn a_gateways_failure_is_nobodys_word() {
    let rig = Rig::new(
        CONFIG,
        [
            Planned::Status(502, vec![], json!("bad gateway")),
            Planned::Status(
                400,
                vec![],
                json!({"error": {"message": "x", "type": "invalid_request_error"}}),
            ),
        ],
    );
    let error = rig.router.chat(alone()).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput);
    let (settled, provisional, held) = rig.day().await;
    assert_eq!((settled, held), (0, 0));
    assert!(provisional > 600_000);
}

#[tokio::test]
async fn a_wrong_call_is_the_callers() {
    let rig = Rig::new(CONFIG, []);
    let unknown = rig
        .router
        .chat(chat().with_purpose("nonsense"))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidInput);
    let nobody = rig.router.chat(Chat::user("hello")).await.unwrap_err();
    assert_eq!(nobody.code(), Code::InvalidInput);
    assert!(nobody.message().contains("tenant"), "{nobody}");
    let picture = Message::user(vec![Part::image(Media::bytes("image/png", [0_u8; 8]))]);
    let picture = Chat::new([picture]).with_scopes(["tenant:42"]);
    assert_eq!(
        rig.router.chat(picture).await.unwrap_err().code(),
        Code::Unsupported
    );
    assert!(rig.sent(|_| ()).is_empty());
}

#[tokio::test]
async fn explain_calls_nobody_and_says_the_most_that_it_can_cost() {
    let rig = Rig::new(CONFIG, []);
    let explained = rig.router.explain(&chat()).await.unwrap();
    let bounds: Vec<i64> = explained
        .candidates
        .iter()
        .map(|one| one.bound.unwrap().0)
        .collect();
    assert_eq!(explained.most, Some(NanoUsd(2 * (bounds[0] + bounds[1]))));
    assert_eq!(explained.scopes, ["tenant:42", "global"]);
    assert!(
        explained
            .candidates
            .iter()
            .all(|one| one.usable && one.skipped.is_none())
    );
    assert_eq!(explained.remaining[0].remaining, NanoUsd(10_000_000));
    assert!(rig.sent(|_| ()).is_empty());
    assert_eq!(rig.day().await, (0, 0, 0));
    assert_eq!(rig.router.status().await.unwrap().verdict, Verdict::Ok);
}

#[tokio::test]
async fn without_a_budget_an_unpriced_model_is_asked_and_its_cost_unknown() {
    let config = r#"
        unbudgeted = true
        [provider.openai]
        api_key = { env = "PATH" }
        [purpose.general]
        chain = ["openai/some-new-model"]
    "#;
    let rig = Rig::new(config, [Planned::json(whole("some-new-model"))]);
    let answer = rig.router.chat("hello").await.unwrap();
    assert_eq!((answer.cost.nano_usd, answer.cost.basis), (0, CostBasis::Unknown));
}

#[tokio::test]
async fn ten_at_once_share_what_is_left() {
    // Each holds 0.0006 USD and a little; 0.01 USD are enough for sixteen of them.
    let plan = (0..40).map(|_| Planned::json(whole("gpt-4o-mini")));
    let rig = Rig::new(CONFIG, plan);
    let calls = (0..40).map(|_| rig.router.chat(alone()));
    let answers = futures::future::join_all(calls).await;
    let answered = answers.iter().filter(|answer| answer.is_ok()).count() as i64;
    assert!(answered >= 16, "{answered}");
    assert_eq!(rig.day().await, (answered * WHOLE, 0, 0));
    assert!(
        rig.sent(|sent| sent.counted)
            .into_iter()
            .all(|counted| counted <= 10_000_000)
    );
}

#[test]
fn what_is_public_can_cross_threads() {
    fn sendable<T: Send>(_: &T) {}
    let rig = Rig::new(CONFIG, []);
    sendable(&rig.router.chat("x"));
    sendable(&rig.router.stream("x"));
    let chat = Chat::user("x");
    sendable(&rig.router.explain(&chat));
    fn both<T: Send + Sync>() {}
    both::<Router>();
    fn stream<T: Send>() {}
    stream::<super::ChatStream>();
}
