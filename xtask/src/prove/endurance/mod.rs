//! Rows `crash`, `store faults` and `many workers`: what state survives, when processes are killed, servers die and networks
//! break.
//!
//! The working processes are the program `store_worker` of the examples. Their output, read through a pipe by this process,
//! is the log that outlives them: a store is judged by what it had acknowledged there, never by its own word.

mod caller;
mod crash;
mod crew;
mod faults;
mod file;
mod log;
mod lossy;
mod many;
mod site;
mod verdict;

pub(super) use crash::ROW as CRASH;
pub(super) use faults::ROW as FAULTS;
pub(super) use many::ROW as MANY;
