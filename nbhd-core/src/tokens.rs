//! Tokens that the program around us keeps itself: in its own database, beside its own rows.
//!
//! Tokens and nothing else. Ledger, inbox, outbox and queue need writes that happen all or not at all, which cannot be had through a
//! function of somebody else; they always live in the host's [`Store`](crate::store::Store), and so do the leases.
//!
//! What is given out here is sealed: a record opens with the vault's key, for its account, and nowhere else.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::Result;

/// Keeps one record for each account of each provider.
///
/// The binding of a language calls the program only on a thread of the program's own. A store that cannot answer fails with
/// `store_unavailable`; then nothing is decided.
#[async_trait]
pub trait TokenStore: Send + Sync + Debug {
    /// The record of `account`, exactly as it was saved; `None` when there is none.
    async fn load(&self, provider: &str, account: &str) -> Result<Option<String>>;

    /// Keeps `record` in the place of `previous` (`None`: of nothing) and says `true`; keeps what is there and says `false` where that
    /// is something else by now. To compare and to write are one step.
    async fn save(&self, provider: &str, account: &str, record: &str, previous: Option<&str>)
    -> Result<bool>;

    /// The same store, bound to whoever asks now, for work that goes on by itself on the caller's behalf. A store that does not care who
    /// asks has nothing to bind.
    fn bound(&self) -> Option<Arc<dyn TokenStore>> {
        None
    }
}
