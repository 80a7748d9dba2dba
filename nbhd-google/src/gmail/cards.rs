//! The cards of many messages: batches, and again for the parts of them that failed.

use std::time::Duration;

use futures::future::join_all;
use nbhd_core::error::Class;
use nbhd_core::http::header;
use nbhd_core::{Code, Error, Operation, Outcome, Result, transport};
use serde_json::json;

use super::convert;
use super::message::MessageCard;
use super::{batch, request};
use crate::classify;
use crate::service::Service;

/// Messages of one batch. Google allows 100, advises at most 50, and refuses 100 on a cold connection; 25 pass
/// (measured live by users of the API in July 2026).
const LARGEST: usize = 25;

/// A batch is not made smaller than this: below it, it saves nothing.
const SMALLEST: usize = 6;

/// Batches in flight at a time: mailboxes have an undocumented cap of about 50 requests at once.
const IN_FLIGHT: usize = 2;

/// How often a part is asked for at most.
const ROUNDS: u32 = 6;

/// The first pause before parts are asked for again; it doubles. Google: at least one second, with up to one more by chance.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between rounds.
const LONGEST_PAUSE: Duration = Duration::from_secs(32);

/// What became of one message.
enum Fetched {
    Card(Box<MessageCard>),
    /// It was deleted since it was listed: normal.
    Gone,
    /// Asked for again.
    Failed(Error),
}

/// The cards of `ids`, in their order, without the messages that are gone. All of them, or an error.
pub(super) async fn fetch(
    service: &Service,
    operation: &Operation,
    ids: &[String],
) -> Result<Vec<MessageCard>> {
    let mut cards: Vec<Option<MessageCard>> = ids.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..ids.len()).collect();
    let mut size = LARGEST;
    let mut renewed = false;
    for round in 1.. {
        let mut failed: Vec<(usize, Error)> = Vec::new();
        for chunks in open.chunks(size).collect::<Vec<_>>().chunks(IN_FLIGHT) {
            let answers = join_all(
                chunks
                    .iter()
                    .map(|chunk| one_batch(service, operation, ids, chunk)),
            )
            .await;
            for answer in answers {
                for (number, fetched) in answer? {
                    match fetched {
                        Fetched::Card(card) => cards[number] = Some(*card),
                        Fetched::Gone => {}
                        Fetched::Failed(error) => failed.push((number, error)),
                    }
                }
            }
        }
        if failed.is_empty() {
            break;
        }
        if failed
            .iter()
            .any(|(_, error)| error.code() == Code::Unauthenticated)
        {
            if renewed {
                return Err(failed.swap_remove(0).1);
            }
            renewed = true;
            service.renew(operation).await?;
        } else {
            if round == ROUNDS {
                let missing = failed.len();
                return Err(failed
                    .swap_remove(0)
                    .1
                    .with_details(json!({"wanted": ids.len(), "missing": missing})));
            }
            let limited = failed.iter().any(|(_, error)| error.code() == Code::RateLimited);
            let cause = if limited { "rate_limit" } else { "backoff" };
            if limited {
                size = (size / 2).max(SMALLEST);
            }
            let asked = failed.iter().filter_map(|(_, error)| error.retry_after()).max();
            let doubled = PAUSE.saturating_mul(1 << (round - 1).min(5)).min(LONGEST_PAUSE);
            let pause = asked.unwrap_or(doubled + PAUSE.mul_f64(service.host.random().fraction()));
            if limited {
                service.gmail.slow_down(operation, pause);
            }
            operation.wait(cause, pause).await?;
        }
        open = failed.into_iter().map(|(number, _)| number).collect();
        open.sort_unstable();
    }
    Ok(cards.into_iter().flatten().collect())
}

/// One batch of `numbers`, each of which gets its outcome.
async fn one_batch(
    service: &Service,
    operation: &Operation,
    ids: &[String],
    numbers: &[usize],
) -> Result<Vec<(usize, Fetched)>> {
    if let &[number] = numbers {
        // One message alone: the batch form would only be in the way.
        let request = request::get_metadata(&service.places.gmail, &ids[number])?;
        return match service.gmail.send(operation, request).await {
            Ok(reply) => Ok(vec![(
                number,
                Fetched::Card(Box::new(convert::card(&reply.bytes().await?)?)),
            )]),
            Err(error) if error.code() == Code::NotFound => Ok(vec![(number, Fetched::Gone)]),
            Err(error) => Err(error),
        };
    }
    let wanted: Vec<&str> = numbers.iter().map(|number| ids[*number].as_str()).collect();
    let boundary = format!("batch_{}", service.host.random().id());
    let request = request::batch(&service.places.gmail, &wanted, &boundary)?;
    let reply = service.gmail.send(operation, request).await?;
    let kind = reply
        .header(header::CONTENT_TYPE.as_str())
        .unwrap_or_default()
        .to_owned();
    let body = reply.bytes().await?;
    let mut fetched: Vec<Option<Fetched>> = numbers.iter().map(|_| None).collect();
    for answer in batch::decode(&kind, &body)? {
        // A number that nobody asked for is nobody's answer.
        if let Some(place) = fetched.get_mut(answer.number) {
            *place = Some(read(service, &answer)?);
        }
    }
    Ok(numbers
        .iter()
        .zip(fetched)
        .map(|(number, fetched)| (*number, fetched.unwrap_or_else(|| Fetched::Failed(unanswered()))))
        .collect())
}

/// What the answer to one part means; what no repetition would mend is the error of the whole.
fn read(service: &Service, answer: &batch::Answer<'_>) -> Result<Fetched> {
    if answer.status.is_success() {
        return Ok(match convert::card(answer.body) {
            Ok(card) => Fetched::Card(Box::new(card)),
            Err(error) => Fetched::Failed(error),
        });
    }
    let now = service.host.clock().now();
    let error = classify::read(answer.status, &answer.headers, answer.body, now)
        .unwrap_or_else(|| transport::by_status(answer.status).with_provider("google"));
    let error = match transport::retry_after(&answer.headers, now) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    };
    match error.code() {
        Code::NotFound => Ok(Fetched::Gone),
        Code::RateLimited | Code::Unauthenticated => Ok(Fetched::Failed(error)),
        _ if error.class() == Class::Transient => Ok(Fetched::Failed(error)),
        _ => Err(error),
    }
}

fn unanswered() -> Error {
    Error::new(Code::ProtocolError, "a part of the batch was not answered")
        .with_outcome(Outcome::Unknown)
        .with_provider("google")
}
