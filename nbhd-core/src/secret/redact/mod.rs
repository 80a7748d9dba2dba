//! Redaction of text that leaves the process: one pass, linear on hostile input, and rather too much than too little.

mod scan;
mod shapes;

use scan::Scanner;

/// Replaces what is or may be a credential with `***`: keys and tokens of known families, whole JWTs, what follows `Bearer` or `Basic`, the
/// values of pairs with secret-like names (`key=value`, JSON, headers), query strings and user info of URLs, bot tokens, private keys,
/// data URIs and long runs of base64.
pub fn redact(text: &str) -> String {
    Scanner::new(text).run()
}

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
