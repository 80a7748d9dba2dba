//! What a run tells: for people as aligned text, for machines as one JSON document.

mod conversation;
mod data;
mod paint;
mod receipts;
mod spend;
mod table;

pub use conversation::conversation;
pub use data::{DataReport, data};
pub use paint::Paint;
pub use receipts::receipts;
pub use spend::{attempts, spend};
pub use table::{Align, Table};
