//! The words of limits: what is limited, and who says no.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::store::{Bucket, key};
use crate::{Code, Error, Result};

/// One limit, and how much of it is taken: at most `units` at once, which come back evenly over `per` seconds. The limit
/// is told from others by what, who and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What is limited, such as `search`.
    pub what: String,
    /// Whom it limits: a caller, a tenant. Empty: everybody together.
    #[serde(default)]
    pub who: String,
    /// Where: a target, an account, a server. Empty: everywhere.
    #[serde(default, rename = "where")]
    pub place: String,
    /// The most units at once, and within each `per`.
    pub units: u32,
    /// How long it takes until all units are back, in seconds.
    pub per: f64,
    /// How many units are taken; 1 unless said otherwise.
    #[serde(default = "one")]
    pub take: u32,
}

fn one() -> u32 {
    1
}

impl Limit {
    /// A limit of `units` per `per`, for everybody and everywhere, of which one unit is taken.
    pub fn new(what: impl Into<String>, units: u32, per: Duration) -> Self {
        Self {
            what: what.into(),
            who: String::new(),
            place: String::new(),
            units,
            per: per.as_secs_f64(),
            take: 1,
        }
    }

    /// Limits each `who` by itself.
    pub fn with_who(mut self, who: impl Into<String>) -> Self {
        self.who = who.into();
        self
    }

    /// Limits each place by itself.
    pub fn with_where(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// Takes more than one unit.
    pub fn with_take(mut self, take: u32) -> Self {
        self.take = take;
        self
    }

    pub(crate) fn key(&self) -> String {
        key(["limit", "units", &self.what, &self.who, &self.place])
    }

    pub(crate) fn bucket(&self) -> Result<Bucket> {
        let refill = Duration::try_from_secs_f64(self.per).map_err(|_| {
            Error::new(
                Code::InvalidInput,
                "`per` of a limit is a time in seconds, above 0",
            )
        })?;
        Ok(Bucket {
            capacity: self.units,
            refill,
        })
    }

    /// Why nothing was taken: this limit has only `left` units, and enough after `wait`.
    pub(super) fn refusal(&self, left: i64, wait: Duration) -> Error {
        Error::new(
            Code::RateLimited,
            format!(
                "the limit of {} in {} s on `{}` is used up: {left} left, {} needed",
                self.units, self.per, self.what, self.take
            ),
        )
        .with_retry_after(wait)
        .with_details(json!({"what": self.what, "who": self.who, "where": self.place, "left": left}))
    }
}

/// Says yes or no to several limits together.
#[async_trait]
pub trait Limits: Send + Sync + Debug {
    /// Takes of all `limits`, or of none. Errors: `rate_limited` with the first limit that is used up and its
    /// `retry_after`; `invalid_input` for one that could never be.
    async fn take(&self, limits: &[Limit]) -> Result<()>;
}
