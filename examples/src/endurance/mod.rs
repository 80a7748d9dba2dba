//! A process that works on a store until it is killed: the victim of the proofs that nothing accepted is lost, nothing is
//! done twice and no cap is passed, whatever happens to processes, servers and the network between them.
//!
//! It accepts events, handles them with an effect in the same commit, holds and settles money, takes tokens from a gate and
//! sends. Whatever it was told is done, it says on its output at once: what reads it is the log that outlives it.

mod check;
mod obey;
mod place;
mod work;

pub use check::check;
pub use obey::obey;
pub use place::{Place, named_point};
pub use work::{Life, live, planned};

/// Says one line, at once and whole: a pipe keeps what a killed process wrote.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // Who reads it has gone: then nobody judges this life either.
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}
