//! The stores under attack: where they are, what they declare, and how their servers are killed.

use std::path::Path;

/// A store that survives a process, and what it promises.
pub(super) struct Site {
    /// What it is called.
    pub(super) name: &'static str,
    /// The durability that accepting and sending ask for.
    pub(super) class: &'static str,
    /// Its address.
    pub(super) address: String,
    /// The server's own settings that the class rests on.
    pub(super) settings: String,
    /// The server, where there is one.
    pub(super) server: Option<Box<dyn Server>>,
}

/// A server of our own that can be killed.
pub(super) trait Server: Send + Sync {
    /// Ends it as `kill -9` does.
    fn kill(&self) -> Result<(), String>;

    /// Starts it again on what it left, and waits until it answers.
    fn restart(&self) -> Result<(), String>;
}

/// A SQLite file in `folder`.
pub(super) fn sqlite(folder: &Path, class: &'static str) -> Site {
    let settings = match class {
        "power" => "WAL, accept and send synchronous=FULL",
        _ => "WAL, synchronous=NORMAL",
    };
    Site {
        name: "SQLite",
        class,
        address: format!("sqlite:{}", folder.join(format!("{class}.db")).display()),
        settings: settings.to_owned(),
        server: None,
    }
}
