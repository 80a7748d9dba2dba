//! What a model costs: effective-dated rows with their source, and integer money.
//!
//! Every amount is integer nano-USD. A bill is summed over disjoint token buckets and rounded up once.

mod catalog;
mod money;
mod rates;

pub use catalog::{Bill, Catalog, Ceiling, Model, Price};
pub use money::{NANO, NanoUsd};
pub(crate) use rates::ceil_per_million;
pub use rates::{Rates, Row, Tier, Tokens};
