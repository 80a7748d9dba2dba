//! Rows `crash`, `store faults` and `many workers`: what state survives, when processes are killed, servers die and networks
//! break.
//!
//! The working processes are the program `store_worker` of the examples. Their output, read through a pipe by this process,
//! is the log that outlives them: a store is judged by what it had acknowledged there, never by its own word.

mod crash;
mod crew;
mod log;
mod site;
mod verdict;

pub(super) use crash::ROW as CRASH;
