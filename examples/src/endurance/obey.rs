//! One call at a time, as it is told: what a proof needs that breaks the store between two calls.

use std::io::BufRead;
use std::time::Instant;

use nbhd_core::inbox::NewEvent;
use nbhd_core::outbox::{Intent, NewIntent, Part, SendPart};
use nbhd_core::store::{Commit, Write};
use nbhd_core::{Code, Error, Result};
use nbhd_llm::budget::HoldRequest;
use serde_json::{Map, Value, json};

use super::place::{Place, Standing};
use super::{say, work};

/// Reads one command a line, `{"call": …, …}`, and answers each with a line: what it returned, or the error's code and
/// outcome; and the seconds it took.
pub async fn obey(place: &Place) -> Result<()> {
    let standing = place.stand(None)?;
    say("ready");
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let command: Value = serde_json::from_str(&line)
            .map_err(|_| Error::new(Code::InvalidInput, "a command is a line of JSON"))?;
        let began = Instant::now();
        let answer = call(place, &standing, &command).await;
        let mut said = match answer {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"code": error.code(), "outcome": error.outcome()}),
        };
        said["seconds"] = json!(began.elapsed().as_secs_f64());
        say(&said.to_string());
    }
    Ok(())
}

async fn call(place: &Place, standing: &Standing, command: &Value) -> Result<Value> {
    let text = |name: &str| command[name].as_str().unwrap_or_default().to_owned();
    let store = standing.host.store();
    match text("call").as_str() {
        "shift_clock" => {
            standing.clock.set(command["micros"].as_i64().unwrap_or(0));
            Ok(Value::Null)
        }
        "close" => store.close().await.map(|()| Value::Null),
        "create" => store.create().await.map(|()| Value::Null),
        "now" => Ok(json!(store.now().await?.timestamp_micros())),
        "get" => Ok(json!(store.get(&text("key")).await?.map(|record| record.value))),
        "sum" => Ok(json!(store.sum(&text("key")).await?)),
        "add" => {
            let mut commit = Commit::new().write(Write::Add {
                key: text("key"),
                delta: 1,
            });
            commit.op_id = command["op_id"].as_str().map(str::to_owned);
            Ok(json!(store.commit(commit).await?))
        }
        "claim" => {
            let lease = store.claim(&text("lane"), standing.host.lease()).await?;
            Ok(json!(lease.map(|lease| lease.epoch)))
        }
        "accept" => {
            let event = NewEvent {
                provider: "pigeon".to_owned(),
                instance: "one".to_owned(),
                dedupe: vec![text("name")],
                lane: "0".to_owned(),
                data: Map::from_iter([("name".to_owned(), json!(text("name")))]),
            };
            Ok(json!(standing.inbox.accept(event).await?))
        }
        "pass" => Ok(json!(store.commit(place.pass(text("who"))).await?)),
        "hold" => {
            let request = HoldRequest::new("test", "model", work::bound()?, 100)
                .with_scopes(["global".parse()?])
                .with_lifetime(std::time::Duration::from_secs(600));
            let hold = standing.ledger.hold(request).await?;
            let id = hold.id().to_owned();
            hold.forget();
            Ok(json!(id))
        }
        "send" => {
            let intent = NewIntent {
                key: text("key"),
                channel: "pigeon".to_owned(),
                account: "one".to_owned(),
                parts: vec![json!(1)],
            };
            let sent = standing.outbox.dispatch(intent, &Platform).await?;
            Ok(json!(sent.parts.first().map(|part| part.state)))
        }
        _ => Err(Error::new(Code::InvalidInput, "no such call")),
    }
}

/// Says what was sent.
struct Platform;

#[async_trait::async_trait]
impl SendPart for Platform {
    async fn send(&self, intent: &Intent, _: &Part) -> Result<Value> {
        say(&format!("s {}", intent.key));
        Ok(json!({"message_id": intent.key}))
    }
}
