//! What a Redis loses that nobody made durable, and who refuses to stand on it.

use nbhd_core::testkit::RedisFsync;
use serde_json::json;

use super::caller::Caller;
use super::crew::{Crew, End, Plan, Setting};
use super::site;
use crate::prove::row::Seen;
use crate::prove::stage::Stage;

/// How many events are accepted before the worker is killed, and then the server.
const ENOUGH: u64 = 200;

/// Shows both.
pub(super) fn show(stage: &Stage, seen: &mut Seen) -> Result<(), String> {
    for fsync in [RedisFsync::None, RedisFsync::EverySecond] {
        let site = site::redis(fsync)?;
        let mut caller = Caller::start(stage, &site, &site.address, None)?;
        caller.until_it_succeeds(&json!({"call": "create"}))?;
        for (who, call) in [
            ("inbox", json!({"call": "accept", "name": "n"})),
            ("ledger", json!({"call": "hold"})),
            ("outbox", json!({"call": "send", "key": "n"})),
        ] {
            let answer = caller.call(&call)?;
            seen.expect(answer.code == "invalid_config" && caller.sent.is_empty(), || {
                format!("the {who} did not refuse a Redis with {}", site.settings)
            });
        }
        if fsync == RedisFsync::None {
            let (accepted, kept) = lose(stage, &site)?;
            seen.expect(accepted > 0, || "the lossy Redis accepted nothing".to_owned());
            seen.fact(format!(
                "Redis {}: inbox, ledger and outbox refuse it; accepted by name, it lost {} of {accepted} acknowledged \
                 events at its kill -9",
                site.settings,
                accepted - kept
            ));
        } else {
            seen.fact(format!(
                "Redis {}: inbox, ledger and outbox refuse it",
                site.settings
            ));
        }
    }
    Ok(())
}

/// Accepts events on a store that was accepted by name, kills the server and counts what is left.
fn lose(stage: &Stage, site: &site::Site) -> Result<(u64, u64), String> {
    let server = site.server.as_deref().ok_or("it has no server")?;
    let crew = Crew::new(stage, site, Setting::for_events(200));
    let plan = Plan {
        end: End::At("accept.after", ENOUGH),
        accept: 1_000_000,
    };
    crew.live(plan, &site.address)?;
    let accepted = crew.log().accepted.len() as u64;
    server.kill()?;
    server.restart()?;
    // A store that is gone answers `store_unavailable`: there is nothing to count.
    let kept = match crew.read() {
        Ok(found) => {
            let effects = found["effects"].as_u64().unwrap_or(0);
            effects + found["pending"].as_u64().unwrap_or(0)
        }
        Err(_) => 0,
    };
    Ok((accepted, kept.min(accepted)))
}
