//! The rows that Rust measures by itself.

mod calls;
mod mail;
mod money;
mod state;
mod stream;

use crate::Failure;
use crate::timing::Figures;

use calls::Calls;
use mail::Mail;
use money::Money;
use state::State;
use stream::Stream;

/// All arms, warm from one round to the next.
pub(crate) struct Arms {
    calls: Calls,
    money: Money,
    mail: Mail,
    stream: Stream,
    state: State,
}

impl Arms {
    pub(crate) fn new(address: &str, quick: bool) -> Result<Self, Failure> {
        Ok(Self {
            calls: Calls::new(address, if quick { 150 } else { 1_000 })?,
            money: Money::new(if quick { 5 } else { 20 })?,
            mail: Mail::new(if quick { 20 } else { 200 }),
            stream: Stream::new(address, if quick { 3 } else { 10 })?,
            state: State::new(if quick { 80 } else { 800 })?,
        })
    }

    pub(crate) async fn round(&self) -> Result<Figures, Failure> {
        let mut figures = Figures::new();
        self.calls.measure(&mut figures).await?;
        self.money.measure(&mut figures).await?;
        self.mail.measure(&mut figures)?;
        self.stream.measure(&mut figures).await?;
        self.state.measure(&mut figures).await?;
        Ok(figures)
    }
}

/// A folder for a store that ends with its arm.
pub(crate) struct Folder(std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("nbhd-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// The address of a store in it.
    pub(crate) fn store(&self) -> String {
        format!("sqlite:{}", self.file("bench.db").display())
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
