//! The demo: one assistant turn, end to end, on stand-ins that are loaded from real data, or on the real services.

mod document;
mod services;
mod store;
mod turn;

pub use document::{Document, WebhookCall};
pub use services::{Live, Services};
pub use store::Place;
pub use turn::run;

use std::path::PathBuf;

/// What the demo is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The mail that the stand-in serves; the sample when absent.
    pub mailbox: Option<PathBuf>,
    /// The calendar that the stand-in serves; the sample when absent.
    pub calendar: Option<PathBuf>,
    /// The store's file, which stays; a fresh one that is removed when absent.
    pub store: Option<PathBuf>,
    /// The port of the first stand-in, the others have the next ones; 0 is any free ones.
    pub port: u16,
    /// Which services are the real ones.
    pub live: Vec<Live>,
    /// The one model that is asked, as `provider/model`.
    pub model: Option<String>,
    /// What is asked.
    pub question: String,
    /// The IANA name of the time zone in which it is today.
    pub time_zone: String,
}
