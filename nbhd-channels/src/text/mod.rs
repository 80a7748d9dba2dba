//! Text for people: Markdown → span tree → one renderer per dialect, split by what the platform counts.
//!
//! ```
//! use nbhd_channels::text::{Limits, Text, Unit, split};
//!
//! let text = Text::from_markdown("Two **new** mails:\n\n- one\n- two");
//! assert_eq!(text.content, "Two new mails:\n\n• one\n• two");
//! assert_eq!(split(&text, Limits::new(Unit::Utf16, 4096)).len(), 1);
//! ```

mod markdown;
mod mention;
mod plain;
mod span;
mod split;
mod spoiler;
mod table;

pub use markdown::Mentions;
pub use plain::render as render_plain;
pub use span::{Span, Style, Text, is_visible};
pub use split::{Limits, Unit, shows_the_same, split};
