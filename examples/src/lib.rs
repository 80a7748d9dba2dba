//! What the demo, the stand-ins' process and the proofs share: an assistant that is put together from the four crates, and
//! the world that it lives in.

pub mod assistant;
pub mod data;
pub mod demo;
pub mod endurance;
pub mod report;
pub mod world;
