//! Money as a table: every window of every scope, exact to the nano-dollar.

use nbhd_llm::budget::Remaining;
use nbhd_llm::chat::ModelAttempt;
use nbhd_llm::price::NanoUsd;

use super::receipts::seconds;
use super::{Align, Paint, Table};

/// The table, amounts in USD.
pub fn spend(windows: &[Remaining], paint: Paint) -> String {
    let mut table = Table::new([
        ("scope", Align::Left),
        ("window", Align::Left),
        ("cap", Align::Right),
        ("settled", Align::Right),
        ("provisional", Align::Right),
        ("held", Align::Right),
        ("remaining", Align::Right),
    ]);
    for window in windows {
        table.row([
            window.scope.clone(),
            window.window.name().to_owned(),
            exact(window.cap),
            exact(window.settled),
            exact(window.provisional),
            exact(window.held),
            exact(window.remaining),
        ]);
    }
    table.render(paint)
}

/// What was held for each attempt at a model before it was asked, and what it was settled at.
pub fn attempts(attempts: &[&ModelAttempt], paint: Paint) -> String {
    let mut table = Table::new([
        ("model", Align::Left),
        ("held", Align::Right),
        ("settled", Align::Right),
        ("time", Align::Right),
        ("outcome", Align::Left),
    ]);
    for attempt in attempts {
        let status = attempt.status.filter(|_| attempt.outcome != "ok");
        let status = status.map_or_else(String::new, |status| format!(" ({status})"));
        table.row([
            format!("{}/{}", attempt.provider, attempt.model),
            exact(NanoUsd(attempt.held)),
            exact(NanoUsd(attempt.settled)),
            seconds(attempt.seconds),
            format!("{}{status}", attempt.outcome),
        ]);
    }
    table.render(paint)
}

/// All nine places, so that the points stand below each other.
fn exact(amount: NanoUsd) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let nano = amount.0.unsigned_abs();
    format!("{sign}{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use nbhd_llm::price::NanoUsd;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(super::exact(NanoUsd(1)), "0.000000001");
        assert_eq!(super::exact(NanoUsd(-2_000_000_001)), "-2.000000001");
    }
}
