//! What a list of messages is asked for.

use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most cards of one call: one page of ids, 10,000 quota units.
const MOST: u32 = 500;

/// Which messages to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListMessages {
    /// A query in the language of Gmail's search box, such as `is:unread newer_than:2d`.
    pub query: Option<String>,
    /// Ids of labels that a message must have, all of them, such as `INBOX`.
    pub labels: Vec<String>,
    /// The most messages, 1 to 500. 20.
    pub limit: u32,
    /// The token of the page to go on with.
    pub page_token: Option<String>,
    /// Whether spam and trash are searched too.
    pub include_spam_trash: bool,
}

impl Default for ListMessages {
    fn default() -> Self {
        Self {
            query: None,
            labels: Vec::new(),
            limit: 20,
            page_token: None,
            include_spam_trash: false,
        }
    }
}

impl ListMessages {
    /// The 20 newest messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the query.
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// Sets the labels.
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the most messages.
    pub fn with_limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the page to go on with.
    pub fn with_page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    /// Searches spam and trash too.
    pub fn with_spam_and_trash(mut self) -> Self {
        self.include_spam_trash = true;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if (1..=MOST).contains(&self.limit) {
            return Ok(());
        }
        Err(Error::new(
            Code::InvalidInput,
            format!("limit is {}, but must be 1 to {MOST}", self.limit),
        ))
    }

    /// The query, unless it is blank.
    pub(super) fn query(&self) -> Option<&str> {
        self.query
            .as_deref()
            .map(str::trim)
            .filter(|query| !query.is_empty())
    }
}
