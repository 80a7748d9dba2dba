//! Redaction of text that leaves the process: one pass, linear on hostile input, and rather too much than too little.

mod families;
mod scan;
mod shapes;
mod work;

use scan::Scanner;
#[cfg(any(test, feature = "testkit"))]
pub use work::redaction_work;

/// Replaces what is or may be a credential with `***`: keys and tokens of known families, whole JWTs, what follows `Bearer` or `Basic`, the
/// values of pairs with secret-like names (`key=value`, JSON, headers), query strings and user info of URLs, bot tokens, private keys,
/// data URIs and long runs of base64.
pub fn redact(text: &str) -> String {
    Scanner::new(text).run()
}

/// How long an alert may be, in characters.
pub const ALERT_LIMIT: usize = 200;

/// Redacts, then cuts at `limit` characters, of which the last is `…`.
pub fn redact_to(text: &str, limit: usize) -> String {
    let clean = redact(text);
    if clean.chars().count() <= limit {
        return clean;
    }
    clean.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
