//! Whether a request may be sent twice.

/// What a request says of being sent twice. Retry reads this, the error's outcome and its code, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// Sending it twice changes nothing: a read.
    Safe,
    /// The other side deduplicates by this key within its stated window.
    Keyed(String),
    /// Sending it twice may do it twice. Forbids repeating after `Outcome::Unknown` only.
    Never,
}
