//! What is in the store, read by a process that had no part in it.

use std::collections::BTreeMap;

use nbhd_core::Result;
use serde_json::{Value, json};

use super::place::{EFFECTS, GATE_LOG, Place, WORKED};
use super::work::whole;

/// Reads everything that a proof judges.
pub async fn check(place: &Place) -> Result<Value> {
    let standing = place.stand(None)?;
    let store = &*standing.honest;
    let mut lanes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut intents: BTreeMap<String, Value> = BTreeMap::new();
    for lane in 0..place.lanes {
        let entries = whole(store, &format!("{WORKED}/{lane}")).await?;
        let members: Vec<String> = entries.into_iter().map(|entry| entry.member).collect();
        for member in &members {
            let name = member.split('|').nth(2).unwrap_or_default();
            if member.starts_with("effect|") && !intents.contains_key(name) {
                let intent = standing.outbox.get("pigeon", "one", name).await?;
                let states: Vec<Value> = intent
                    .into_iter()
                    .flat_map(|intent| intent.parts)
                    .map(|part| json!(part.state))
                    .collect();
                intents.insert(name.to_owned(), json!(states));
            }
        }
        lanes.insert(lane.to_string(), members);
    }
    // What nobody settled counts in full; naming it provisional changes no sum.
    standing.ledger.recover().await?;
    let windows = standing.ledger.remaining(&Place::scopes()?).await?;
    let gate = whole(store, GATE_LOG).await?;
    let gate: Vec<String> = gate.into_iter().map(|entry| entry.member).collect();
    let seen = json!({
        "durability": store.durability().await?,
        "pending": standing.inbox.pending().await?,
        "dead": standing.inbox.dead_letters(10).await?.len(),
        "unsent": store.count("outbox/open").await?,
        "lanes": lanes,
        "effects": store.sum(EFFECTS).await?,
        "intents": intents,
        "gate": gate,
        "windows": windows,
    });
    store.close().await?;
    Ok(seen)
}
