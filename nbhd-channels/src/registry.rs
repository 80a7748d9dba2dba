//! One row per channel. A new channel adds its folder, its row here, and its cases.

use std::sync::LazyLock;

use crate::channel::Capabilities;

/// The rows, in the order of the documentation.
static ROWS: LazyLock<Vec<&'static Capabilities>> = LazyLock::new(|| vec![crate::telegram::capabilities()]);

/// What every channel can do.
pub fn channels() -> &'static [&'static Capabilities] {
    &ROWS
}

/// What the channel of this name can do.
pub fn channel(name: &str) -> Option<&'static Capabilities> {
    ROWS.iter().copied().find(|row| row.channel == name)
}
