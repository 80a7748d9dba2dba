//! Gmail and Calendar for assistants, behind a token boundary: refresh tokens enter, access tokens come out, and nothing
//! ever hands a refresh token back.
//!
//! ```no_run
//! use nbhd_core::{Host, Secret};
//! use nbhd_google::gmail::ListMessages;
//! use nbhd_google::{Google, OAuthClient};
//!
//! # async fn example() -> nbhd_core::Result<()> {
//! let host = Host::new("sqlite:nbhd.db")?;
//! let google = Google::new(&host, OAuthClient::new("client id", Secret::env("GOOGLE_CLIENT_SECRET")));
//! let account = google.account("tenant-42");
//! account.connect(Secret::env("GOOGLE_REFRESH_TOKEN")).await?; // once
//! let unread = account.gmail().list_messages(ListMessages::new().with_query("is:unread").with_limit(20)).await?;
//! # drop(unread);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unreachable))]

pub mod brief;
pub mod broker;
pub mod calendar;
pub mod credentials;
pub mod gmail;
pub mod mime;

#[cfg(feature = "testkit")]
pub mod testkit;

mod account;
mod classify;
mod endpoints;
mod google;
mod service;

#[cfg(test)]
mod discovery;

pub use account::{Account, Connect};
pub use broker::{AccessToken, Connection, ConnectionState};
pub use credentials::OAuthClient;
pub use endpoints::Endpoints;
pub use google::Google;
