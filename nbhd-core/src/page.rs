//! One page of a list: what every list call returns.

use std::ops::Deref;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Receipt;

/// Items in the order of the provider, the token of the next page, and the receipt of the call. Reads like a slice.
///
/// ```
/// # fn show(page: nbhd_core::Page<String>) {
/// println!("{} of them", page.len());
/// for item in page {
///     println!("{item}");
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What the next call gives to get the next page; absent on the last one.
    pub next_page_token: Option<String>,
    /// The record of the call.
    pub receipt: Receipt,
}

impl<T> Page<T> {
    /// A page, the last one until a token is set.
    pub fn new(items: Vec<T>, receipt: Receipt) -> Self {
        Self {
            items,
            next_page_token: None,
            receipt,
        }
    }

    /// Sets the token of the next page.
    pub fn with_next_page_token(mut self, token: Option<String>) -> Self {
        self.next_page_token = token;
        self
    }
}

impl<T> Deref for Page<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Page<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}
