//! The calls of queue, outbox, limits and gates by their names.

use nbhd_core::limit::{AlertGate, Limits, StateGate, StoreLimits, Ticket};
use nbhd_core::queue::{ListJobs, NewJob, Queue};
use nbhd_core::{Code, Error, Result};
use serde_json::{Value, json};

use super::stage::{Stage, body, read, show};

impl Stage {
    pub(crate) async fn call_queue(&self, operation: &str, input: &Value) -> Result<Value> {
        let text = |name: &str| input[name].as_str().unwrap_or_default();
        let outbox = self.host.outbox();
        match operation {
            "inbox.ingest" => {
                let from = read(&without(input, &["body"]))?;
                show(self.host.inbox().ingest(from, &body(input)).await)
            }
            "outbox.plan" => show(outbox.plan(read(input)?).await),
            "outbox.undelivered" => show(outbox.undelivered(limit(input)).await),
            "outbox.expire" => show(outbox.expire(limit(input)).await),
            "outbox.get" | "outbox.cancel" | "outbox.retry_refused" | "outbox.prove_sent" => {
                let (channel, account, key) = (text("channel"), text("account"), text("key"));
                match operation {
                    "outbox.get" => show(outbox.get(channel, account, key).await),
                    "outbox.cancel" => show(outbox.cancel(channel, account, key).await),
                    "outbox.retry_refused" => show(outbox.retry_refused(channel, account, key).await),
                    _ => {
                        let index = input["index"].as_u64().expect("a place") as usize;
                        let result = input["result"].clone();
                        show(outbox.prove_sent(channel, account, key, index, result).await)
                    }
                }
            }
            "limit.take" => {
                let limits: Vec<_> = read(&input["limits"])?;
                let stored = StoreLimits::new(&self.host);
                let counted: &dyn Limits = if input["local"] == true {
                    &self.local
                } else {
                    &stored
                };
                show(counted.take(&limits).await)
            }
            "alert.begin" | "alert.sent" | "alert.failed" => {
                let gate = AlertGate::new(&self.host);
                ticket(operation, gate.begin(text("check"), text("recipient")).await?).await
            }
            "state.begin" | "state.sent" | "state.failed" => {
                let gate = StateGate::new(&self.host);
                ticket(operation, gate.begin(text("name"), &input["state"]).await?).await
            }
            _ => self.call_jobs(operation, input).await,
        }
    }

    async fn call_jobs(&self, operation: &str, input: &Value) -> Result<Value> {
        let text = |name: &str| input[name].as_str().unwrap_or_default();
        let queue = Queue::new(&self.host, read(&self.config)?)?;
        let caller = text("caller");
        let rest = without(input, &["caller"]);
        match operation {
            "queue.dispatch" => show(queue.dispatch(caller, read::<NewJob>(&rest)?).await),
            "queue.list" => show(queue.list(caller, read::<ListJobs>(&rest)?).await),
            "queue.activity" => show(queue.activity(caller).await),
            "queue.dead_letters" => show(queue.dead_letters(caller, 100).await),
            "queue.claim" | "queue.complete" | "queue.fail" | "queue.give_up" => {
                let work = queue.worker(text("target"), "w1")?.claim().await?;
                if operation == "queue.claim" {
                    return Ok(json!(work.map(|work| work.job().clone())));
                }
                let work = work.ok_or_else(|| Error::new(Code::NotFound, "no job"))?;
                let reason = Error::new(Code::Internal, text("reason"));
                match operation {
                    "queue.complete" => show(work.complete(input["result"].as_str()).await),
                    "queue.fail" => show(work.fail(&reason).await),
                    _ => show(work.give_up(&reason).await),
                }
            }
            _ => panic!("{operation} is not known here"),
        }
    }
}

/// How much is asked for: 100 unless said.
pub(crate) fn limit(input: &Value) -> usize {
    input["limit"].as_u64().unwrap_or(100) as usize
}

async fn ticket(operation: &str, ticket: Option<Ticket>) -> Result<Value> {
    match (operation.rsplit('.').next(), ticket) {
        (Some("begin"), ticket) => Ok(json!(ticket.map(|_| true))),
        (_, None) => Err(Error::new(Code::NotFound, "no ticket")),
        (Some("sent"), Some(ticket)) => show(ticket.sent().await),
        (_, Some(ticket)) => show(ticket.failed().await),
    }
}

fn without(input: &Value, names: &[&str]) -> Value {
    let fields = input.as_object().cloned().unwrap_or_default();
    let kept = fields
        .into_iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    Value::Object(kept.collect())
}
