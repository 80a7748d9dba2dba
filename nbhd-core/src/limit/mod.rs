//! Rate gates: how much may be asked of somebody within a time.

mod gate;

pub use gate::Gate;
